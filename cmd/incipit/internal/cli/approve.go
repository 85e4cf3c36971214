package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func approveCommand(e *env) *cobra.Command {
	a := registry.Approval{}
	cmd := &cobra.Command{
		Use:   "approve ID@VERSION --env ENV",
		Short: "Approve that a release may be deployed",
		Long: "approve gives your word for a release where the environment asks for approvals.\n" +
			"It holds for the text as it is now, for one deploy, and not for what you wrote\n" +
			"or deploy yourself. Sign in with incipit login: a program cannot approve.",
		Example: examples("incipit approve customer-support@1.1.0 --env production",
			"incipit approve customer-support@1.1.0 --env production --reason \"read it with legal\""),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeRefs(e),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if a.Prompt, a.Version, err = parseRef(args[0]); err != nil {
				return err
			}
			if a.Version == "" {
				return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "which version of %s?", a.Prompt), "incipit log %s lists its releases", a.Prompt)
			}
			return runApprove(cmd.Context(), e, a)
		},
	}
	envFlag(cmd, e, &a.Environment, "in this `ENV`ironment")
	if err := cmd.MarkFlagRequired("env"); err != nil {
		panic(err) // the flag was just defined
	}
	cmd.Flags().StringVar(&a.Reason, "reason", "", "why, as `TEXT` for the history")
	return cmd
}

func runApprove(ctx context.Context, e *env, a registry.Approval) error {
	c, err := e.remoteOnly(ctx)
	if err != nil {
		return err
	}
	body := api.ApprovalRequest{Prompt: a.Prompt, Environment: a.Environment, Version: a.Version, Reason: strings.TrimSpace(a.Reason)}
	if err := c.Send(ctx, http.MethodPost, "/v1/approvals", body, &a); err != nil {
		return err
	}
	return e.emit(a, func(w io.Writer) {
		fmt.Fprintf(w, "%s@%s is approved for %s by %s\n", a.Prompt, a.Version, a.Environment, prompt.Visible(a.By))
	})
}
