package registry

import (
	"slices"
	"strings"
)

// An OverviewFilter chooses rows of an overview. What it does not say, it does
// not ask for.
type OverviewFilter struct {
	Text        string // words, all of them in the id, the maintainer or the model, in any case
	Folder      string // the first segments of the id: billing has billing/refunds
	Environment string // where it runs; what follows is asked of that place alone
	Health      Health // of one of its places; NeedsAttention for any that does
	Behind      bool   // a place serves an older release than the newest
	Open        bool   // a rollout or an experiment is open
	Maintainer  string
	Mine        string // whose prompts: the name of a caller
}

// NeedsAttention stands in a filter for every health that a person should look at.
const NeedsAttention Health = "attention"

// NeedsAttention reports whether a person should look at what fares so.
func (h Health) NeedsAttention() bool {
	return h == HealthRegressed || h == HealthChanged || h == HealthUntrusted || h == HealthHeld
}

// Zero reports whether f lets everything through.
func (f OverviewFilter) Zero() bool { return f == OverviewFilter{} }

// Choose is the rows that f lets through, in their order, each with the places
// that Environment leaves. Rows of o are not changed.
func (f OverviewFilter) Choose(o Overview) []OverviewRow {
	words := strings.Fields(strings.ToLower(f.Text))
	out := make([]OverviewRow, 0, len(o.Prompts))
	for _, row := range o.Prompts {
		if f.Environment != "" {
			place, ok := row.Places[f.Environment]
			if !ok {
				continue
			}
			row.Places = map[string]OverviewPlace{f.Environment: place}
		}
		if f.named(row, words) && f.standing(row) {
			out = append(out, row)
		}
	}
	return out
}

// named reports whether the prompt is one that f asks for.
func (f OverviewFilter) named(row OverviewRow, words []string) bool {
	if f.Folder != "" && !strings.HasPrefix(string(row.Prompt), f.Folder+"/") ||
		f.Maintainer != "" && row.Maintainer != f.Maintainer ||
		f.Mine != "" && !row.MaintainedBy(f.Mine) {
		return false
	}
	if len(words) == 0 {
		return true
	}
	text := strings.ToLower(string(row.Prompt) + "\n" + row.Maintainer + "\n" + row.Model)
	return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
}

// standing reports whether one place stands as f asks, in all at once.
func (f OverviewFilter) standing(row OverviewRow) bool {
	if f.Health == "" && !f.Behind && !f.Open {
		return true
	}
	for _, p := range row.Places {
		if (f.Health == "" || p.Health == f.Health || f.Health == NeedsAttention && p.Health.NeedsAttention()) &&
			(!f.Behind || p.Behind > 0) && (!f.Open || p.Open()) {
			return true
		}
	}
	return false
}

// MaintainedBy reports whether the maintainer is the caller of a name: that
// name, or a person whose address it is.
func (r OverviewRow) MaintainedBy(name string) bool {
	return name != "" && (strings.EqualFold(r.Maintainer, name) || strings.Contains(strings.ToLower(r.Maintainer), "<"+strings.ToLower(name)+">"))
}

// Open reports whether a rollout or an experiment is open.
func (p OverviewPlace) Open() bool { return p.Candidate != "" || len(p.Arms) > 0 }
