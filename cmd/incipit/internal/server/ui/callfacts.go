package ui

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A callFact is a fact of a call. One that is empty is left out.
type callFact struct {
	Name, Text string
	Copy       bool // one may want to
}

// callFacts are the facts of a call but for its prompt, its outcome and when it
// was, which the page shows above them.
func callFacts(c *registry.WireCall) []callFact {
	_, tokens := tokensOf(c)
	tags := make([]string, 0, len(c.Tags))
	for _, k := range slices.Sorted(maps.Keys(c.Tags)) {
		tags = append(tags, k+"="+c.Tags[k])
	}
	latency := words.Milliseconds(&c.LatencyMS)
	if c.FirstTokenMS != nil {
		latency += ", first token after " + words.Milliseconds(c.FirstTokenMS)
	}
	cost := ""
	if c.CostUSD != nil {
		cost = words.Dollars(c.CostUSD)
	}
	all := []callFact{
		{"Call", c.ID, true},
		{"Response", c.ResponseID, true},
		{"Arm", c.Arm, false},
		{"Latency", latency, false},
		{"Tokens", tokens, false},
		{"Cost", cost, false},
		{"Model", c.Model, false},
		{"Finished by", c.FinishReason, false},
		{"Subject", c.Subject, true},
		{"Tags", strings.Join(tags, ", "), false},
	}
	return slices.DeleteFunc(all, func(f callFact) bool { return f.Text == "" })
}

// A callScore is what was said of a call.
type callScore struct {
	What    string // satisfaction 4 of 5
	At      time.Time
	By      string // "" where the call itself told
	Comment string
}

func callScores(t *registry.Trace) []callScore {
	var out []callScore
	rated := false
	for _, f := range t.Feedback {
		what := f.Name + " " + words.Score(f.Value)
		if f.Name == "" {
			what, rated = satisfaction(f.Value), true
		}
		out = append(out, callScore{what, f.At, f.By, f.Comment})
	}
	if v := t.Call.Satisfaction; v != nil && !rated {
		out = append(out, callScore{What: satisfaction(*v) + ", as the call told"})
	}
	return out
}

func satisfaction(v float64) string { return "satisfaction " + words.Score(v) + " of 5" }
