package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
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
	symptoms := append(source.Diagnose(ctx, e.dir, e.options()), e.serverSymptoms(ctx)...)
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

// serverSymptoms are how the server stands that keeps the registry, if one
// does.
func (e *env) serverSymptoms(ctx context.Context) []source.Symptom {
	far, err := e.remote(ctx)
	if err == nil && far == nil {
		return nil
	}
	found := func(name string, err error, well string) source.Symptom {
		s := source.Symptom{Name: name, Level: source.Good, Finding: well}
		if err != nil {
			s.Level, s.Finding = source.Bad, err.Error()
			if fix, ok := errors.AsType[*registry.FixError](err); ok {
				s.Fix = fix.Fix
			}
		}
		return s
	}
	if err != nil {
		return []source.Symptom{found("server", err, "")}
	}
	var health api.Health
	out := []source.Symptom{found("server", far.Get(ctx, "/readyz", nil, &health), "answers, has loaded what runs, and can write")}
	if out[0].Level == source.Bad {
		return out
	}
	var me registry.Caller
	err = far.Get(ctx, "/v1/me", nil, &me)
	out = append(out, found("key", err, "is "+me.Name+"'s"))
	var sync registry.SyncReport
	if err == nil && me.MaySome(registry.MayRead) {
		err = far.Get(ctx, "/v1/sync", nil, &sync)
		if err == nil && sync.Error != "" {
			err = registry.WithFix(errors.New("the server could not read Git: "+sync.Error), "look whether the server reaches the repository, then incipit sync")
		}
		if err == nil && len(sync.Problems) > 0 {
			err = registry.WithFix(fmt.Errorf("%s: %s", sync.Problems[0].Tag, sync.Problems[0].Detail), "incipit sync lists all of them; put the tags back where they were")
		}
		out = append(out, found("server's git", err, words.Count(sync.Releases, "release")+" indexed"))
	}
	return out
}
