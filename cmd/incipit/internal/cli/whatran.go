package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func whatranCommand(e *env) *cobra.Command {
	var environment, at string
	cmd := &cobra.Command{
		Use:   "whatran --env ENV [--at TIME]",
		Short: "Show which versions ran in an environment at a moment",
		Long: "whatran reads the history of deployments: what stood in the environment at the\n" +
			"time, since when, by whom and why. TIME is 2026-11-22T14:00:00Z, the same with\n" +
			"another offset, \"2026-11-22 14:00\" in UTC, or an age, such as 2h or 3d.",
		Example: examples("incipit whatran --env production --at 2h",
			"incipit whatran --env production --at \"2026-11-22 14:00\" --json"),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			when, err := parseWhen(at, e.now())
			if err != nil {
				return err
			}
			return runWhatRan(cmd.Context(), e, environment, when)
		},
	}
	envFlag(cmd, e, &environment, "in this `ENV`ironment")
	if err := cmd.MarkFlagRequired("env"); err != nil {
		panic(err) // the flag was just defined
	}
	cmd.Flags().StringVar(&at, "at", "", "at this `TIME`; without it, now")
	return cmd
}

func runWhatRan(ctx context.Context, e *env, environment string, at time.Time) error {
	svc, err := e.service(ctx)
	if err != nil {
		return err
	}
	ran, err := svc.WhatRan(ctx, environment, at)
	if err != nil {
		return err
	}
	return e.emit(ran, func(w io.Writer) {
		if len(ran.Prompts) == 0 {
			e.talk("Nothing ran in %s at %s. What was deployed since: incipit list --env %s", ran.Environment, words.Second(ran.At), ran.Environment)
		} else {
			fmt.Fprintf(w, "%s at %s\n", bold(ran.Environment), words.Second(ran.At))
			out := [][]string{{"PROMPT", "VERSION", "SINCE", "#", "WHAT", "BY", "REASON"}}
			for _, r := range ran.Prompts {
				out = append(out, []string{string(r.Prompt), words.Ran(r.Arms), words.Second(r.Since), fmt.Sprint(r.Seq), string(r.Action), words.Name(r.By), r.Reason})
			}
			table(w, out)
		}
		for _, id := range ran.Forgotten {
			e.talk("What ran of %s then is not known: older records of it are not kept", prompt.Visible(string(id)))
		}
	})
}

// parseWhen reads a moment: a time, or an age from now. "" is the zero time.
func parseWhen(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04 UTC", "2006-01-02 15:04", "2006-01-02 15:04:05 UTC", "2006-01-02 15:04:05", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	if age, err := parseDays(s); err == nil {
		return now.Add(-age), nil
	}
	return time.Time{}, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%q is no time", prompt.Clip(s, 60)),
		`write one such as 2026-11-22T14:00:00Z, "2026-11-22 14:00" (UTC), or an age such as 2h or 3d`)
}
