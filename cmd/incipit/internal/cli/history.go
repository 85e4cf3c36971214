package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func historyCommand(e *env) *cobra.Command {
	var environment string
	cmd := &cobra.Command{
		Use:               "history ID [--env ENV]",
		Short:             "Show what was deployed, by whom and why",
		Example:           examples("incipit history customer-support", "incipit history customer-support --env production --json"),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeIDs(e),
		RunE: withID(func(ctx context.Context, id prompt.ID) error {
			return runHistory(ctx, e, id, environment)
		}),
	}
	envFlag(cmd, e, &environment, "show only `ENV`")
	return cmd
}

type historyRow struct {
	Environment string `json:"environment"`
	registry.Deployment
}

func runHistory(ctx context.Context, e *env, id prompt.ID, environment string) error {
	svc, err := e.service(ctx)
	if err != nil {
		return err
	}
	tracks, err := svc.History(ctx, id, environment)
	if err != nil {
		return err
	}
	rows := []historyRow{}
	for name, track := range tracks {
		for _, d := range track {
			rows = append(rows, historyRow{name, d})
		}
	}
	slices.SortStableFunc(rows, func(a, b historyRow) int {
		if c := b.At.Compare(a.At); c != 0 {
			return c
		}
		return cmp.Or(b.Seq-a.Seq, strings.Compare(a.Environment, b.Environment))
	})
	return e.emit(rows, func(w io.Writer) {
		if len(rows) == 0 {
			e.talk("%s was never deployed here. Next: incipit deploy %s@VERSION --env dev", id, id)
			return
		}
		out := [][]string{{"WHEN", "ENVIRONMENT", "#", "WHAT", "BY", "REASON"}}
		for _, r := range rows {
			out = append(out, []string{words.Minute(r.At), r.Environment, fmt.Sprint(r.Seq), words.Deployment(r.Deployment), words.Name(r.By), r.Reason})
		}
		table(w, out)
	})
}
