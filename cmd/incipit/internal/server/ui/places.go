package ui

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A placeRow is an environment, and what runs there.
type placeRow struct {
	Environment string
	Protected   bool
	Runs        bool
	Last        registry.Deployment // the zero value where there was none
	Arms        []armCell           // the stable one first
	Rollout     bool
	Already     bool // the release that is shown is what everybody gets
	MayDeploy   bool
	Deploy      string // the page to deploy at
	Rollback    string
	RolloutAt   string
}

// What is what the last record did, in words.
func (p placeRow) What() string { return words.Deployment(p.Last) }

// An armCell is a release that runs, and for whom.
type armCell struct {
	Name    string
	Version prompt.Version
	Share   registry.Share
}

// Percent is the share, for the width of its bar.
func (a armCell) Percent() string { return a.Share.Number() }

// places are the environments, and what runs in each. shown is the release on
// the page.
func (s standing) places(r *http.Request, shown prompt.Version) []placeRow {
	c, _ := registry.CallerOf(r.Context())
	out := make([]placeRow, 0, len(s.envs))
	for _, e := range s.envs {
		row := placeRow{
			Environment: e.Name, Protected: e.Protected, MayDeploy: c.May(registry.MayDeploy, e.Name, s.id) == nil,
			Deploy: placePath(e.Name, s.id, "deploy"), Rollback: placePath(e.Name, s.id, "rollback"), RolloutAt: placePath(e.Name, s.id, "rollout"),
		}
		track := s.tracks[e.Name]
		if len(track) > 0 {
			row.Last = track[len(track)-1]
		}
		if now, ok := track.Current(); ok {
			row.Runs, row.Rollout = true, now.Rollout != nil
			row.Already = now.Rollout == nil && now.Version == shown
			arms := now.Running().Arms
			for _, a := range slices.Concat(arms[len(arms)-1:], arms[:len(arms)-1]) {
				row.Arms = append(row.Arms, armCell{a.Name, a.Version, a.Share()})
			}
		}
		out = append(out, row)
	}
	return out
}

// maxHistory is how many changes the page of a prompt shows.
const maxHistory = 20

// maxSources is how many events are looked through for where those came from.
const maxSources = 100

// A historyRow is something that was done to a prompt.
type historyRow struct {
	Environment string
	registry.Deployment
	Commit    string // of the release that is stable from then on
	Source    string // by which way it came: cli, api, ui, guard …; "" where that is not known, or not for the caller
	RolloutAt string // the page of the rollout that it is part of; "" for none
}

// What is what was done, in words.
func (h historyRow) What() string { return words.Deployment(h.Deployment) }

// ByGuard reports whether no person did it.
func (h historyRow) ByGuard() bool { return h.By == registry.GuardName }

// history is what was done last, the newest first, and whether there is more.
func (s standing) history() (out []historyRow, more bool) {
	commits := make(map[prompt.Version]string, len(s.releases))
	for _, r := range s.releases {
		commits[r.Version] = r.Commit
	}
	for env, track := range s.tracks {
		for i, d := range track {
			row := historyRow{Environment: env, Deployment: d, Commit: commits[d.Version]}
			if began, ok := track[:i+1].Began(); ok {
				row.RolloutAt = placePath(env, s.id, "rollout?rollout="+strconv.Itoa(began.Seq))
			} else if began, ok := track[:i].Began(); ok && d.Action != registry.Deploy {
				row.RolloutAt = placePath(env, s.id, "rollout?rollout="+strconv.Itoa(began.Seq)) // which it ended
			}
			out = append(out, row)
		}
	}
	slices.SortStableFunc(out, func(a, b historyRow) int {
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(b.Seq, a.Seq), strings.Compare(a.Environment, b.Environment))
	})
	return out[:min(len(out), maxHistory)], len(out) > maxHistory
}

// sources adds by which way each change came, as the audit log has it, where
// the caller may read that.
func (u *UI) sources(r *http.Request, id prompt.ID, rows []historyRow) error {
	c, _ := registry.CallerOf(r.Context())
	if len(rows) == 0 || !c.MayAny(registry.MayAudit, registry.Every, id) {
		return nil
	}
	events, _, err := u.service.PastAudit(r.Context(), registry.EventFilter{Prompt: string(id)}, 0, maxSources)
	if err != nil {
		return err
	}
	type record struct{ environment, seq string }
	by := make(map[record]string, len(events))
	for _, e := range events {
		by[record{e.Environment, e.Detail["deployment"]}] = e.Source
	}
	for i, row := range rows {
		rows[i].Source = by[record{row.Environment, strconv.Itoa(row.Seq)}]
	}
	return nil
}

func (s standing) newest() prompt.Version {
	if len(s.releases) == 0 {
		return prompt.Version{}
	}
	return s.releases[0].Version
}

func (s standing) versions() []string {
	out := make([]string, 0, len(s.releases))
	for _, r := range s.releases[:min(len(s.releases), maxSides)] {
		out = append(out, r.Version.String())
	}
	return out
}

// A runsIn is where a version runs: production, or production as candidate.
type runsIn struct {
	Text     string
	Rollback string // the page to roll back at, "" for whoever may not
}

func (s standing) runsIn(v prompt.Version, who registry.Caller) []runsIn {
	var out []runsIn
	for _, e := range s.envs {
		now, ok := s.tracks[e.Name].Current()
		if !ok {
			continue
		}
		a, ok := now.Arm(v)
		if !ok {
			continue
		}
		one := runsIn{Text: e.Name}
		if a.Name != registry.StableArm {
			one.Text += ", " + a.Name + " " + a.Share().String()
		}
		if who.May(registry.MayDeploy, e.Name, s.id) == nil {
			one.Rollback = placePath(e.Name, s.id, "rollback")
		}
		out = append(out, one)
	}
	return out
}
