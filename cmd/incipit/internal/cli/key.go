package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/auth"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// grantFlags say what a key or a person may do, and where.
type grantFlags struct {
	allow        []string
	environments []string
	prompts      []string
}

func (f *grantFlags) add(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringSliceVar(&f.allow, "allow", nil, "what it may do: read, resolve, record, propose, deploy, approve, evidence, sync, audit, admin; or `PERMISSIONS` all")
	fl.StringSliceVar(&f.environments, "env", []string{"*"}, "in these `ENVIRONMENTS`; a prefix and * stands for those that begin so")
	fl.StringSliceVar(&f.prompts, "prompt", []string{"*"}, "for these `PROMPTS`, such as billing/*")
}

func (f *grantFlags) grants() []registry.Grant {
	if len(f.allow) == 0 {
		return nil
	}
	g := registry.Grant{Environments: f.environments, Prompts: f.prompts}
	for _, p := range f.allow {
		if p == "all" {
			g.Permissions = registry.Permissions()
			break
		}
		g.Permissions = append(g.Permissions, registry.Permission(p))
	}
	return []registry.Grant{g}
}

func keyCommand(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "key",
		Short:   "Make, list and revoke API keys",
		Example: examples("incipit admin key list", "incipit admin key revoke 5ncn8tfh2k4q"),
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var (
		g       grantFlags
		kind    string
		expires string
	)
	create := &cobra.Command{
		Use:   "create NAME --allow PERMISSIONS",
		Short: "Make a key, and print it alone on standard output",
		Example: examples("incipit admin key create checkout --allow resolve,record --env production --prompt 'checkout/*'",
			"incipit admin key create ci --kind ci --allow read,evidence,deploy --env staging --expires 90d"),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			lasts, err := parseDays(expires)
			if err != nil {
				return err
			}
			return runKeyCreate(cmd.Context(), e, api.KeyRequest{Kind: kind, Name: args[0], Grants: g.grants(), TTL: int64(lasts.Seconds())})
		},
	}
	g.add(create)
	create.Flags().StringVar(&kind, "kind", auth.SDK, "what it is for, as a word in the key: sdk, ci or admin")
	create.Flags().StringVar(&expires, "expires", "", "end it after `TIME`, such as 12h or 90d")
	if err := create.MarkFlagRequired("allow"); err != nil {
		panic(err) // the flag was just defined
	}
	list := &cobra.Command{
		Use:     "list",
		Short:   "List the keys, without their secrets",
		Example: examples("incipit admin key list", "incipit admin key list --json=id,name,expires_at"),
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runKeyList(cmd.Context(), e) },
	}
	revoke := &cobra.Command{
		Use:     "revoke ID",
		Short:   "End a key; open streams end within 5 seconds",
		Example: examples("incipit admin key revoke 5ncn8tfh2k4q", "incipit admin key revoke 5ncn8tfh2k4q --quiet"),
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := e.remoteOnly(cmd.Context())
			if err != nil {
				return err
			}
			if err := c.Send(cmd.Context(), http.MethodDelete, "/v1/keys/"+url.PathEscape(args[0]), nil, nil); err != nil {
				return err
			}
			e.talk("%s is revoked", prompt.Visible(args[0]))
			return nil
		},
	}
	cmd.AddCommand(create, list, revoke)
	return cmd
}

// parseDays reads a duration that may be in days: 90d, 12h, 30m.
func parseDays(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	if n, ok := strings.CutSuffix(s, "d"); ok {
		if days, err := strconv.Atoi(n); err == nil && days > 0 && days < 100_000 {
			return time.Duration(days) * 24 * time.Hour, nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < time.Second {
		return 0, registry.Errorf(prompt.ErrInvalid, "%q is no time: write one such as 12h or 90d", prompt.Clip(s, 40))
	}
	return d, nil
}

func runKeyCreate(ctx context.Context, e *env, req api.KeyRequest) error {
	c, err := e.remoteOnly(ctx)
	if err != nil {
		return err
	}
	var key api.CreatedKey
	if err := c.Send(ctx, http.MethodPost, "/v1/keys", req, &key); err != nil {
		return err
	}
	e.talk("The key %s is shown this once. Its id, to revoke it, is %s.", prompt.Visible(key.Key.Name), key.Key.ID)
	return e.emit(key, func(w io.Writer) { fmt.Fprintln(w, key.Secret) })
}

func runKeyList(ctx context.Context, e *env) error {
	c, err := e.remoteOnly(ctx)
	if err != nil {
		return err
	}
	keys, err := api.All[registry.Key](ctx, c, "/v1/keys", nil)
	if err != nil {
		return err
	}
	return e.emit(keys, func(w io.Writer) {
		out := [][]string{{"ID", "KIND", "NAME", "MAY", "USED", "EXPIRES", "STATE"}}
		for _, k := range keys {
			state := "good"
			switch {
			case !k.RevokedAt.IsZero():
				state = "revoked " + words.Minute(k.RevokedAt)
			case !k.ExpiresAt.IsZero() && k.ExpiresAt.Before(e.now()):
				state = "expired"
			}
			out = append(out, []string{k.ID, k.Kind, k.Name, registry.GrantWords(k.Grants), orDash(words.Minute(k.UsedAt)), orDash(words.Minute(k.ExpiresAt)), state})
		}
		table(w, out)
	})
}
