package ui

import (
	"errors"
	"maps"
	"net/http"
	"slices"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/rollout"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A rolloutsView is the rollouts that are open.
type rolloutsView struct{ Rows []rolloutRow }

// A rolloutRow is an open rollout in one line.
type rolloutRow struct {
	registry.Place
	Path     string
	Strategy registry.Strategy
	Sides    string
	Share    registry.Share
	Stance   string
	Kind     string // of the state: good, bad, warn, busy, none
	Why      string
	Next     string
}

// Rollouts is the page of the open rollouts that the caller may see: those that
// the guard follows, and those that people move.
func (u *UI) Rollouts(r *http.Request) (*Page, error) {
	reports, err := u.service.Rollouts(r.Context(), "")
	if err != nil {
		return nil, err
	}
	var v rolloutsView
	known := make(map[registry.Place]bool)
	for _, x := range reports {
		known[x.Place] = true
		v.Rows = append(v.Rows, rowOf(x))
	}
	rows, err := u.service.List(r.Context(), "")
	if err != nil {
		return nil, err
	}
	who, _ := registry.CallerOf(r.Context())
	for _, row := range rows {
		for _, env := range slices.Sorted(maps.Keys(row.Deployments)) {
			d, at := row.Deployments[env], registry.Place{Prompt: row.Prompt, Environment: env}
			if d.Candidate == "" && len(d.Arms) == 0 || known[at] || who.May(registry.MayRead, env, row.Prompt) != nil {
				continue
			}
			line, err := u.unlisted(r, at, d)
			if err != nil {
				return nil, err
			}
			v.Rows = append(v.Rows, line)
		}
	}
	return &Page{View: "rollouts", Title: "Rollouts", Here: AtRollouts, Body: v}, nil
}

func rowOf(x registry.RolloutReport) rolloutRow {
	return rolloutRow{
		x.Place, placePath(x.Environment, x.Prompt, "rollout"), x.Strategy, words.Sides(x), x.Share, words.Stance(x), kindOf(x), words.Why(x), words.Plain(x.Next),
	}
}

// unlisted is a rollout that the guard did not name: it is so new that the guard
// has not seen it yet, or people alone move it.
func (u *UI) unlisted(r *http.Request, at registry.Place, d registry.Running) (rolloutRow, error) {
	switch x, err := u.service.Rollout(r.Context(), at, 0); {
	case err == nil:
		return rowOf(x), nil
	case !errors.Is(err, registry.ErrNotFound):
		return rolloutRow{}, err
	}
	return rolloutRow{
		Place: at, Path: placePath(at.Environment, at.Prompt, "rollout"), Strategy: "by hand", Sides: words.Running(d, registry.RolloutReport{}), Share: d.Share,
		Stance: "not watched", Kind: "none", Why: unwatched, Next: "somebody shifts, promotes or rolls back",
	}, nil
}

// unwatched is said of a rollout that the guard does not follow.
const unwatched = "people alone move it: the guard does not follow it"

// kindOf is how a rollout is, for who looks at its color and its sign.
func kindOf(r registry.RolloutReport) string {
	if !r.Open() && r.Phase != registry.PhaseSteady {
		switch words.End(r).Kind {
		case registry.DecisionPromote:
			return "good"
		case registry.DecisionRollback:
			return "bad"
		}
		return "none"
	}
	switch rollout.Verdict(r.Verdict) {
	case rollout.Regressed:
		return "bad"
	case rollout.Untrusted, registry.Changed:
		return "warn"
	}
	switch rollout.Phase(r.Phase) {
	case rollout.Paused, rollout.Asking:
		return "warn"
	}
	switch rollout.Verdict(r.Verdict) {
	case rollout.Healthy, rollout.Better, registry.Unchanged:
		return "good"
	case rollout.Unmeasured:
		return "none"
	}
	return "busy"
}
