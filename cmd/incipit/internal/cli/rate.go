package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// rateFlags say what somebody thinks of a call.
type rateFlags struct {
	score, value float64
	thumb, name  string
	comment      string
}

func callsRateCommand(e *env) *cobra.Command {
	var f rateFlags
	cmd := &cobra.Command{
		Use:   "rate REF (--score 1-5 | --thumb up|down | --name NAME --value NUMBER)",
		Short: "Say how good a response was",
		Long: "rate keeps feedback for a call, by its id or the id of the provider's response. A\n" +
			"score from 1 to 5 is the satisfaction of the statistics; thumbs are 5 and 1. Any\n" +
			"other number has a name. What is said again replaces what was said before. A\n" +
			"call that has not arrived yet gets it when it does.",
		Example: examples("incipit calls rate resp_68f1 --score 4 --comment \"friendly, but too long\"",
			"incipit calls rate resp_68f1 --name relevance --value 0.8"),
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			said, err := f.feedback(cmd)
			if err != nil {
				return err
			}
			return runRate(cmd.Context(), e, args[0], said)
		},
	}
	fl := cmd.Flags()
	fl.Float64Var(&f.score, "score", 0, "the satisfaction, a `NUMBER` from 1 to 5")
	fl.StringVar(&f.thumb, "thumb", "", "the satisfaction as a `THUMB`: up or down")
	fl.StringVar(&f.name, "name", "", "rate something else, such as relevance, by this `NAME`")
	fl.Float64Var(&f.value, "value", 0, "the `NUMBER` of what --name names")
	fl.StringVar(&f.comment, "comment", "", "why, as `TEXT`")
	cmd.MarkFlagsMutuallyExclusive("score", "thumb", "name")
	cmd.MarkFlagsOneRequired("score", "thumb", "name")
	cmd.MarkFlagsRequiredTogether("name", "value")
	complete(cmd, "thumb", "up", "down")
	return cmd
}

func (f *rateFlags) feedback(cmd *cobra.Command) (registry.Feedback, error) {
	said := registry.Feedback{Name: f.name, Value: f.value, Comment: strings.TrimSpace(f.comment)}
	switch {
	case cmd.Flags().Changed("score"):
		said.Value = f.score
	case f.thumb == "up":
		said.Value = 5
	case f.thumb == "down":
		said.Value = 1
	case f.name == "":
		return said, registry.Errorf(prompt.ErrInvalid, "a thumb is up or down, and not %q; a rating has a name", prompt.Clip(f.thumb, 40))
	}
	if said.Name == "" && !(said.Value >= 1 && said.Value <= 5) { // NaN, too
		return said, registry.Errorf(prompt.ErrInvalid, "a score is from 1 to 5, and not %s", words.Score(said.Value))
	}
	return said, nil
}

func runRate(ctx context.Context, e *env, ref string, f registry.Feedback) error {
	c, err := e.recorder(ctx)
	if err != nil {
		return err
	}
	r, err := c.Rate(ctx, ref, f)
	if err != nil {
		return err
	}
	return e.emit(r, func(w io.Writer) {
		what := "score"
		if f.Name != "" {
			what = f.Name
		}
		text := fmt.Sprintf("%s of %s is %s", what, orText(r.Call, ref), words.Score(f.Value))
		if r.Replaced {
			text += ", in the place of what was said before"
		}
		if r.Waiting {
			text += "; it waits for the call, which has not arrived yet"
		}
		fmt.Fprintln(w, prompt.Visible(text))
	})
}
