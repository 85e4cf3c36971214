package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/internal/prompt"
)

func doctorCommand(e *env) *cobra.Command {
	var repair bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what is wrong with git, the repository and the configuration",
		Long: "doctor checks git, the state of the repository, the configuration, the registry,\n" +
			"locks, and the clock, and says how to mend what it finds. --repair finishes what\n" +
			"a crash left and removes lock files that no process holds.",
		Example: examples("incipit doctor", "incipit doctor --repair"),
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runDoctor(cmd.Context(), e, repair) },
	}
	cmd.Flags().BoolVar(&repair, "repair", false, "finish interrupted changes, remove stale locks")
	return cmd
}

func runDoctor(ctx context.Context, e *env, repair bool) error {
	if repair {
		ws, err := e.workspace(ctx)
		if err != nil {
			return err
		}
		if err := ws.Repair(ctx); err != nil {
			return err
		}
	}
	symptoms := source.Diagnose(ctx, e.dir, e.options())
	bad := 0
	for _, s := range symptoms {
		if s.Level == source.Bad {
			bad++
		}
	}
	err := e.emit(symptoms, func(w io.Writer) {
		for _, s := range symptoms {
			mark := green("ok  ")
			switch s.Level {
			case source.Bad:
				mark = red("fail")
			case source.Note:
				mark = bold("note")
			}
			fmt.Fprintf(w, "%s  %-14s %s\n", mark, s.Name, prompt.Visible(s.Finding))
			if s.Fix != "" {
				fmt.Fprintf(w, "      %-14s %s\n", "", faint("try: "+prompt.Visible(s.Fix)))
			}
		}
	})
	if err == nil && bad > 0 {
		e.talk("%d of %d checks failed", bad, len(symptoms))
		return exitError{api.Failure}
	}
	return err
}
