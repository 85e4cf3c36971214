package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/prompt"
)

func verifyCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "verify",
		Short: "Check that every release still is what was released",
		Long: "verify reads every release again and holds tag, commit and files against each\n" +
			"other, and against the digests that the next release and the registry recorded.\n" +
			"A tag that was moved, deleted or forged is named; the exit status is then 1.",
		Example: examples("incipit verify", "incipit verify --json=problems"),
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runVerify(cmd.Context(), e) },
	}
}

func runVerify(ctx context.Context, e *env) error {
	ws, err := e.workspace(ctx)
	if err != nil {
		return err
	}
	v, err := ws.Verify(ctx)
	if err != nil {
		return err
	}
	v.Problems = nonNil(v.Problems)
	err = e.emit(v, func(w io.Writer) {
		for _, p := range v.Problems {
			fmt.Fprintf(w, "%s: %s: %s\n    %s\n", prompt.Visible(p.Release), red(p.Code), prompt.Visible(p.Message), faint("try: "+prompt.Visible(p.Fix)))
		}
		for _, name := range v.Pending {
			e.talk("%s is not published yet: incipit publish on the main branch tags it", name)
		}
		if len(v.Problems) == 0 {
			fmt.Fprintf(w, "%s, each with its tag, commit and digest\n", words.Count(v.Checked, "release"))
		}
	})
	if err == nil && len(v.Problems) > 0 {
		e.talk("%s checked, %s", words.Count(v.Checked, "release"), words.Count(len(v.Problems), "problem"))
		return exitError{api.Failure}
	}
	return err
}
