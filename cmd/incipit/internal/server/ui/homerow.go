package ui

import (
	"fmt"
	"net/url"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A homeRow is a prompt in the matrix.
type homeRow struct {
	registry.OverviewRow
	Name    string // the last segment of the id
	Under   string // the folder
	Heading bool   // the name of the folder stands above it
	Href    string
	Live    string // where this row alone is asked for
	Topics  string // what it is asked for again for
	Cells   []homeCell
}

// A homeCell is what an environment runs of a prompt, and what can be done there.
type homeCell struct {
	registry.OverviewPlace
	Environment string
	Runs        bool
	Kind        string // of the health
	At          time.Time
	Stable      string // where the release that runs is
	Rollout     string // where its rollout is, if one is open
	Deploy      string // where one deploys, "" for whoever may not
	Rollback    string
}

func homeRowOf(row registry.OverviewRow, columns []string, who registry.Caller, q homeQuery) homeRow {
	out := homeRow{
		OverviewRow: row, Name: string(row.Prompt), Under: registry.Folder(row.Prompt), Href: promptPath(row.Prompt),
		Live: q.live(row.Prompt), Topics: "prompt:" + string(row.Prompt), Cells: make([]homeCell, len(columns)),
	}
	if out.Under != "" {
		out.Name = out.Name[len(out.Under)+1:]
	}
	for i, env := range columns {
		out.Cells[i] = homeCellOf(row, env, who, q.Here())
		if out.Cells[i].Open() {
			out.Topics += " rollout:" + env + "/" + string(row.Prompt)
		}
	}
	return out
}

func homeCellOf(row registry.OverviewRow, env string, who registry.Caller, back string) homeCell {
	place, runs := row.Places[env]
	c := homeCell{OverviewPlace: place, Environment: env, Runs: runs, Kind: healthKind(place.Health)}
	back = "return=" + url.QueryEscape(back)
	may := who.May(registry.MayDeploy, env, row.Prompt) == nil
	if may && row.Version != "" && (!runs || place.Behind > 0) {
		c.Deploy = placePath(env, row.Prompt, "deploy?version=") + url.QueryEscape(row.Version) + "&" + back
	}
	if !runs {
		return c
	}
	c.At, _ = time.Parse(time.RFC3339, place.DeployedAt) // what it holds came from a time
	c.Stable = promptPath(row.Prompt, "?version=", url.QueryEscape(place.Version))
	if place.Open() {
		c.Rollout = placePath(env, row.Prompt, "rollout")
	}
	if may && (place.Seq > 1 || place.Open()) { // else there is nothing to go back to
		c.Rollback = placePath(env, row.Prompt, "rollback?") + back
	}
	return c
}

// Drift is how far behind the newest release a place is, in words.
func (c homeCell) Drift() string {
	switch {
	case c.Behind == 0:
		return "newest"
	case c.Behind == 1:
		return "1 release behind"
	}
	return fmt.Sprintf("%d releases behind", c.Behind)
}

// Done is the last change in a word.
func (c homeCell) Done() string { return c.Action.Done() }

// healthKind is which of the signs a health has.
func healthKind(h registry.Health) string {
	switch h {
	case registry.HealthHealthy, registry.HealthUnchanged:
		return "good"
	case registry.HealthRegressed:
		return "bad"
	case registry.HealthChanged, registry.HealthUntrusted, registry.HealthHeld:
		return "warn"
	case registry.HealthWatching:
		return "busy"
	}
	return "none"
}

// healthMeans says what a health is, in a sentence.
func healthMeans(h registry.Health) string {
	return map[registry.Health]string{
		registry.HealthHealthy:   "The candidate is no worse than the stable release, by enough evidence.",
		registry.HealthWatching:  "A rollout is open, and there is not enough evidence yet.",
		registry.HealthRegressed: "The candidate is worse than the stable release.",
		registry.HealthUntrusted: "What was measured contradicts itself, so nothing is decided from it.",
		registry.HealthHeld:      "The rollout is paused, or waits for a person.",
		registry.HealthUnchanged: "It fares as in the same hours of the days before.",
		registry.HealthChanged:   "It fares worse than in the same hours of the days before.",
		registry.HealthNoData:    "Nothing is measured: no calls come, or too few yet.",
		registry.HealthUnwatched: "The guard is off here, or people alone move the rollout.",
	}[h]
}

// RowID is the id of a row's element.
func (r homeRow) RowID() string { return rowID(r.Prompt) }

func rowID(id prompt.ID) string { return "row-" + string(id) }
