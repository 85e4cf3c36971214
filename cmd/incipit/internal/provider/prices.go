package provider

import (
	_ "embed"
	"encoding/json"
	"maps"
	"regexp"
	"strings"
	"time"
)

// The tables below are facts of a date, from the makers' own pages and
// libraries. What is not in them is not known, and is never guessed.
var (
	//go:embed prices.json
	pricesJSON []byte
	//go:embed endings.json
	endingsJSON []byte
)

// A Price is of one model, in US dollars for a million tokens. CachedInput is
// what input costs that the provider had read before; 0 is the same as Input.
type Price struct {
	Input       float64 `json:"input"`
	CachedInput float64 `json:"cached_input,omitempty"`
	Output      float64 `json:"output"`
}

// Cost is what a call cost, in US dollars.
func (p Price) Cost(u Usage) float64 {
	cached := p.CachedInput
	if cached == 0 {
		cached = p.Input
	}
	return (float64(max(0, u.Input-u.CachedInput))*p.Input + float64(u.CachedInput)*cached + float64(u.Output)*p.Output) / 1e6
}

// Prices is a table of prices, by model.
type Prices struct {
	At     string           `json:"at"` // the date of which they are, YYYY-MM-DD
	Models map[string]Price `json:"models"`
}

// DefaultPrices is the table that comes with the program.
func DefaultPrices() Prices {
	var p Prices
	if json.Unmarshal(pricesJSON, &p) != nil {
		return Prices{} // nothing is known then; a test reads it
	}
	return p
}

// With returns the table with others' prices over its own, such as those of a
// workspace.
func (p Prices) With(models map[string]Price) Prices {
	out := Prices{At: p.At, Models: maps.Clone(p.Models)}
	if out.Models == nil {
		out.Models = make(map[string]Price, len(models))
	}
	maps.Copy(out.Models, models)
	return out
}

// For is what a model costs, if that is known: under its whole name, without
// its maker's (openai/gpt-4o), or without its date (gpt-4o-2024-08-06).
func (p Prices) For(model string) (Price, bool) {
	for _, name := range namesOf(model) {
		if price, ok := p.Models[name]; ok {
			return price, true
		}
	}
	return Price{}, false
}

// namesOf are the names under which a model may stand in a table of prices,
// the most exact first.
func namesOf(model string) []string {
	name := withoutMaker(model)
	return []string{model, name, regexp.MustCompile(`-(\d{4}-\d{2}-\d{2}|\d{8}|latest)$`).ReplaceAllString(name, "")}
}

func withoutMaker(model string) string { return model[strings.LastIndexByte(model, '/')+1:] }

// Ending reports whether a model is known to end within a time of now, or to
// have ended, and the day from which it answers no more (UTC).
func Ending(model string, now time.Time, within time.Duration) (time.Time, bool) {
	var table struct {
		Models map[string]string `json:"models"`
	}
	if json.Unmarshal(endingsJSON, &table) != nil {
		return time.Time{}, false
	}
	day, err := time.Parse(time.DateOnly, table.Models[withoutMaker(model)])
	if err != nil {
		return time.Time{}, false
	}
	return day, !day.After(now.Add(within))
}
