package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/internal/registry"
)

// contestOf is how an open experiment stands by a server that watches it; nil
// where nobody does.
func contestOf(ctx context.Context, b backend, at registry.Place) (*registry.ContestReport, error) {
	c, far := b.(*api.Client)
	if !far {
		return nil, nil
	}
	r, err := c.Rollout(ctx, at, 0)
	if errors.Is(err, registry.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if out, ok := contestIn(r); ok && r.Open() {
		return &out, nil
	}
	return nil, nil
}

// contestIn is what the report of an experiment rests on, and false if it is of
// another rollout, or cannot be read by this program.
func contestIn(r registry.RolloutReport) (registry.ContestReport, bool) {
	var out registry.ContestReport
	if r.Strategy != registry.Experiment || len(r.Evidence) == 0 {
		return out, false
	}
	err := json.Unmarshal(r.Evidence, &out)
	return out, err == nil
}

// sides are the two releases of a rollout: "1.0.0 → 1.1.0". An experiment has
// more than two.
func sides(r registry.RolloutReport) string {
	if r.Strategy == registry.Experiment {
		return plainText(r.Stable) + " beside its arms"
	}
	return plainText(r.Stable) + " → " + plainText(r.Candidate)
}

// candidateOf is what a rollout would make stable, for a sentence.
func candidateOf(r registry.RolloutReport) string { return cmp.Or(r.Candidate, "the experiment") }

// printContest prints how the arms of an experiment stand.
func printContest(w io.Writer, c registry.ContestReport) {
	out := [][]string{{"ARM", "CALLS", "STANDING", "P-VALUE BETTER", "P-VALUE WORSE", "WORSE ON"}}
	for _, a := range c.Arms {
		out = append(out, append([]string{plainText(a.Name)}, contestCells(c, a.Name)...))
	}
	table(w, out)
	fmt.Fprintf(w, "\n  decided by %s, alpha %s for all arms together\n", words(plainText(c.Primary)), brief(c.Alpha))
}
