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

func evidenceCommand(e *env) *cobra.Command {
	var (
		kind, note     string
		passed, failed bool
	)
	cmd := &cobra.Command{
		Use:   "evidence ID@VERSION --kind KIND (--passed | --failed)",
		Short: "File what a test or a review says about a release",
		Long: "evidence is kept for the text of the release, by its digest. An environment may\n" +
			"require it: without, or where it says failed, nothing is deployed there.",
		Example: examples("incipit evidence customer-support@1.1.0 --kind tests --passed",
			"incipit evidence customer-support@1.1.0 --kind review --failed --note \"promises refunds\""),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeRefs(e),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runEvidence(cmd.Context(), e, args[0], registry.Evidence{Kind: kind, Passed: passed && !failed, Note: strings.TrimSpace(note)})
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&kind, "kind", "tests", "what an environment requires, as a `WORD`")
	fl.BoolVar(&passed, "passed", false, "it passed")
	fl.BoolVar(&failed, "failed", false, "it failed")
	fl.StringVar(&note, "note", "", "where the report is, or what it found, as `TEXT`")
	cmd.MarkFlagsMutuallyExclusive("passed", "failed")
	cmd.MarkFlagsOneRequired("passed", "failed")
	return cmd
}

func runEvidence(ctx context.Context, e *env, ref string, ev registry.Evidence) error {
	id, version, err := parseRef(ref)
	if err != nil {
		return err
	}
	v, err := prompt.ParseVersion(version)
	if err != nil {
		return err
	}
	c, err := e.remoteOnly(ctx)
	if err != nil {
		return err
	}
	body := api.EvidenceRequest{Prompt: id, Version: v.String(), Kind: ev.Kind, Passed: ev.Passed, Note: ev.Note}
	if err := c.Send(ctx, http.MethodPost, "/v1/evidence", body, &ev); err != nil {
		return err
	}
	return e.emit(ev, func(w io.Writer) {
		word := "failed"
		if ev.Passed {
			word = "passed"
		}
		fmt.Fprintf(w, "%s: %s %s, filed by %s\n", id.Tag(v), prompt.Visible(ev.Kind), word, prompt.Visible(ev.By))
	})
}
