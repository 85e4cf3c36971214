package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
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
	if out, ok := words.Contest(r); ok && r.Open() {
		return &out, nil
	}
	return nil, nil
}

// printContest prints how the arms of an experiment stand.
func printContest(w io.Writer, c registry.ContestReport) {
	out := [][]string{append([]string{"ARM"}, words.ContestHead()...)}
	for _, a := range c.Arms {
		out = append(out, append([]string{words.Plain(a.Name)}, words.ContestCells(c, a.Name)...))
	}
	table(w, out)
	fmt.Fprintf(w, "\n  %s\n", words.ContestDecided(c))
}
