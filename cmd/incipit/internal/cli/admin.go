package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/auth"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/lifecycle"
	"github.com/incipit-dev/incipit/internal/registry"
)

func adminCommand(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "admin",
		Short:   "Make keys, say who may do what on the server, and who is told",
		Example: examples("incipit admin bootstrap --data /var/lib/incipit", "incipit admin key create checkout --allow resolve,record --env production"),
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(bootstrapCommand(e), keyCommand(e), personCommand(e), environmentsCommand(e), webhookCommand(e))
	return cmd
}

func bootstrapCommand(e *env) *cobra.Command {
	var f storeFlags
	cmd := &cobra.Command{
		Use:   "bootstrap (--data DIR | --database URL)",
		Short: "Print a first key, which may do everything",
		Long: "bootstrap writes a key into the server's database and prints it, alone, on\n" +
			"standard output. It is shown this once. Make narrower keys with it, then revoke it.",
		Example: examples("incipit admin bootstrap --data /var/lib/incipit > admin.key", "INCIPIT_DATABASE=postgres://incipit@db/incipit incipit admin bootstrap"),
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runBootstrap(cmd.Context(), e, &f) },
	}
	f.add(cmd, e)
	return cmd
}

func runBootstrap(ctx context.Context, e *env, f *storeFlags) (err error) {
	svc, store, err := e.local(ctx, f)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	all := []registry.Grant{{Permissions: registry.Permissions(), Environments: []string{"*"}, Prompts: []string{"*"}}}
	text, key, err := svc.CreateKey(e.atHand(ctx), lifecycle.KeyRequest{Kind: auth.Admin, Name: "bootstrap", Grants: all})
	if err != nil {
		return err
	}
	e.talk("This key may do everything, and is shown this once. Its id is %s.", key.ID)
	e.talk("Use it: export INCIPIT_KEY=…, then incipit admin key create NAME --allow resolve --env production")
	return e.emit(api.CreatedKey{Key: key, Secret: text}, func(w io.Writer) { fmt.Fprintln(w, text) })
}
