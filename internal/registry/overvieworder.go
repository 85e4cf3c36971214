package registry

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// An OverviewOrder says which rows come first.
type OverviewOrder string

// The orders. Rows that are equal in one are in that of their ids.
const (
	ByPrompt    OverviewOrder = ""          // the ids
	ByAttention OverviewOrder = "attention" // what needs somebody first, as in Healths
	ByChange    OverviewOrder = "change"    // what changed last, first; what runs nowhere last
	ByDrift     OverviewOrder = "behind"    // what is the most releases behind, first
)

// OverviewOrders are all of them.
func OverviewOrders() []OverviewOrder {
	return []OverviewOrder{ByPrompt, ByAttention, ByChange, ByDrift}
}

// Sort puts rows in order.
func (by OverviewOrder) Sort(rows []OverviewRow) {
	weight := func(OverviewRow) int { return 0 }
	when := func(OverviewRow) string { return "" }
	switch by {
	case ByAttention:
		rank := make(map[Health]int, len(Healths()))
		for i, h := range Healths() {
			rank[h] = len(Healths()) - i
		}
		weight = func(r OverviewRow) int { return most(r, func(p OverviewPlace) int { return rank[p.Health] }) }
	case ByDrift:
		weight = func(r OverviewRow) int { return most(r, func(p OverviewPlace) int { return p.Behind + 1 }) }
	case ByChange:
		when = lastChange
	case ByPrompt:
	}
	slices.SortFunc(rows, func(a, b OverviewRow) int {
		return cmp.Or(cmp.Compare(weight(b), weight(a)), cmp.Compare(when(b), when(a)), cmp.Compare(a.Prompt, b.Prompt))
	})
}

// most is the largest weight of a row's places, 0 without any.
func most(r OverviewRow, weight func(OverviewPlace) int) int {
	out := 0
	for _, p := range r.Places {
		out = max(out, weight(p))
	}
	return out
}

// lastChange is the time of the last deployment anywhere, "" if there is none.
func lastChange(r OverviewRow) string {
	out := ""
	for _, p := range r.Places {
		out = max(out, p.DeployedAt)
	}
	return out
}

// Folder is the first segments of an id, without the last: "" at the top.
func Folder(id prompt.ID) string {
	if i := strings.LastIndexByte(string(id), '/'); i >= 0 {
		return string(id[:i])
	}
	return ""
}

// Folders counts the prompts in each folder, at any depth, in order.
func (o Overview) Folders() []FolderCount {
	counts := make(map[string]int)
	for _, row := range o.Prompts {
		for f := Folder(row.Prompt); f != ""; f = Folder(prompt.ID(f)) {
			counts[f]++
		}
	}
	out := make([]FolderCount, 0, len(counts))
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, FolderCount{name, counts[name]})
	}
	return out
}

// A FolderCount is a folder, and how many prompts are in it.
type FolderCount struct {
	Name    string
	Prompts int
}

// Maintainers are those of the prompts, each once, in order.
func (o Overview) Maintainers() []string {
	seen := make(map[string]struct{})
	for _, row := range o.Prompts {
		if row.Maintainer != "" {
			seen[row.Maintainer] = struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(seen))
}
