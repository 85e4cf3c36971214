package ui

import (
	"errors"
	"net/http"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A statsPart is how the calls of a day fared, by version.
type statsPart struct {
	Recorded bool // calls are recorded here
	Rows     []statsRow
}

// A statsRow is the calls of a version in an environment.
type statsRow struct{ Environment, Version, Calls, Errors, P95, Cost, Rating string }

// statsByVersion is the last day, as the statistics of the terminal have it.
func (u *UI) statsByVersion(r *http.Request, id prompt.ID) (statsPart, error) {
	s, err := u.service.Stats(r.Context(), registry.StatsQuery{Prompt: id, By: "version"})
	if errors.Is(err, registry.ErrUnavailable) {
		return statsPart{}, nil
	}
	out := statsPart{Recorded: true}
	for _, g := range s.Groups {
		out.Rows = append(out.Rows, statsRow{
			g.Environment, g.Version, words.Thousands(g.TotalCalls), words.Percent(g.ErrorRate),
			words.Milliseconds(g.P95LatencyMS), words.Dollars(g.CostUSD), words.Rating(g.AvgSatisfaction),
		})
	}
	return out, err
}
