package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func personCommand(e *env) *cobra.Command {
	var g grantFlags
	cmd := &cobra.Command{
		Use:   "person [MAIL --allow PERMISSIONS]",
		Short: "Say what somebody who signs in may do, or list everybody",
		Long: "person lists who may do what. With a mail address it says what that person may\n" +
			"do from now on, in place of what was said before; without --allow, nothing.",
		Example: examples("incipit admin person", "incipit admin person ada@example.com --allow read,approve"),
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return runPeople(cmd.Context(), e)
			}
			c, err := e.remoteOnly(cmd.Context())
			if err != nil {
				return err
			}
			p := registry.Person{Mail: args[0], Grants: nonNil(g.grants())}
			if err := c.Send(cmd.Context(), http.MethodPut, "/v1/people/"+url.PathEscape(args[0]), api.PersonGrants{Grants: p.Grants}, nil); err != nil {
				return err
			}
			return e.emit(p, func(w io.Writer) {
				fmt.Fprintf(w, "%s may %s\n", prompt.Visible(p.Mail), orText(registry.GrantWords(p.Grants), "do nothing"))
			})
		},
	}
	g.add(cmd)
	return cmd
}

func orText(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func runPeople(ctx context.Context, e *env) error {
	c, err := e.remoteOnly(ctx)
	if err != nil {
		return err
	}
	people, err := api.All[registry.Person](ctx, c, "/v1/people", nil)
	if err != nil {
		return err
	}
	return e.emit(people, func(w io.Writer) {
		out := [][]string{{"PERSON", "MAY"}}
		for _, p := range people {
			out = append(out, []string{p.Mail, orText(registry.GrantWords(p.Grants), "nothing")})
		}
		table(w, out)
	})
}

func environmentsCommand(e *env) *cobra.Command {
	var from string
	cmd := &cobra.Command{
		Use:   "environments [--from FILE]",
		Short: "Show the environments and their rules, or set them",
		Long: "environments shows what the server asks of a change in each environment. With\n" +
			"--from the rules of an incipit.yaml are set. They are never taken from Git by\n" +
			"themselves: whoever may push must not be able to lift a protection.",
		Example: examples("incipit admin environments", "incipit admin environments --from incipit.yaml"),
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runEnvironments(cmd.Context(), e, from) },
	}
	cmd.Flags().StringVar(&from, "from", "", "set the environments of this `FILE`")
	return cmd
}

func runEnvironments(ctx context.Context, e *env, from string) error {
	c, err := e.remoteOnly(ctx)
	if err != nil {
		return err
	}
	if from != "" {
		data, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		config, err := source.ParseConfig(data)
		if err != nil {
			return err
		}
		for _, env := range config.Environments {
			if err := c.Send(ctx, http.MethodPut, "/v1/environments/"+url.PathEscape(env.Name), api.RulesOf(env), nil); err != nil {
				return fmt.Errorf("%s: %w", env.Name, err)
			}
		}
	}
	envs, err := c.Environments(ctx)
	if err != nil {
		return err
	}
	return e.emit(envs, func(w io.Writer) {
		out := [][]string{{"ENVIRONMENT", "RULES"}}
		for _, env := range envs {
			out = append(out, []string{env.Name, orDash(strings.Join(env.Rules(), "; "))})
		}
		table(w, out)
	})
}
