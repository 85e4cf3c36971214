package cli

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/lifecycle"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// storeFlags say where a server keeps its data.
type storeFlags struct{ data, database string }

func (f *storeFlags) add(cmd *cobra.Command, e *env) {
	fl := cmd.Flags()
	fl.StringVar(&f.data, "data", e.getenv("INCIPIT_DATA"), "the server's `DIR`ectory, with the embedded database")
	fl.StringVar(&f.database, "database", "", "the server's PostgreSQL database, as `URL`; better given in INCIPIT_DATABASE, since others can see a command line")
	cmd.MarkFlagsMutuallyExclusive("data", "database")
}

// config is the database that the flags name.
func (f *storeFlags) config(e *env) (sqlstore.Config, error) {
	if u, err := url.Parse(f.database); err == nil && u.User != nil {
		if _, has := u.User.Password(); has {
			return sqlstore.Config{}, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "everybody on this machine could read the password in --database"), "give the URL in INCIPIT_DATABASE instead")
		}
	}
	c := sqlstore.Config{Dir: f.data, URL: f.database, Now: e.now, Random: rand.Reader}
	if c.Dir == "" && c.URL == "" {
		c.URL = e.getenv("INCIPIT_DATABASE")
	}
	if c.Dir == "" && c.URL == "" {
		return c, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "where does the server keep its data?"), "add --data DIR, or --database URL")
	}
	return c, nil
}

// local is a service over a server's database, without the server.
func (e *env) local(ctx context.Context, f *storeFlags) (*lifecycle.Shared, *sqlstore.Store, error) {
	c, err := f.config(e)
	if err != nil {
		return nil, nil, err
	}
	store, err := sqlstore.Open(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	return lifecycle.NewShared(lifecycle.SharedConfig{Store: store, Now: e.now, Random: rand.Reader, Log: slog.New(slog.DiscardHandler)}), store, nil
}

// atHand is the caller that has the database itself in hand, and may do
// everything: nobody could keep them from it.
func (e *env) atHand(ctx context.Context) context.Context {
	name := e.getenv("USER")
	if name == "" {
		name = "somebody"
	}
	return registry.WithCaller(ctx, registry.Caller{
		Name: prompt.Clip(name, 60) + " (at the database)", Kind: "local", Source: "local",
		Grants: []registry.Grant{{Permissions: registry.Permissions(), Environments: []string{"*"}, Prompts: []string{"*"}}},
	})
}
