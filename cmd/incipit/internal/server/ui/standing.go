package ui

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// standing is what is known of a prompt: its releases and what runs where.
type standing struct {
	id       prompt.ID
	releases []registry.Release // the newest first
	envs     []registry.Environment
	tracks   map[string]registry.Track
}

func (u *UI) standing(r *http.Request, id prompt.ID) (s standing, err error) {
	s.id = id
	if s.tracks, err = u.service.History(r.Context(), id, ""); err != nil { // which says that there is no such prompt
		return s, err
	}
	if s.envs, err = u.service.EnvironmentsOf(r.Context(), id); err != nil {
		return s, err
	}
	s.releases, err = u.service.Releases(r.Context(), id)
	slices.Reverse(s.releases)
	return s, err
}

// maxSides bounds the releases that a list offers.
const maxSides = 300

// sides are what can be compared: what runs, then the releases.
func (s standing) sides() []sideChoice {
	var out []sideChoice
	for _, e := range s.envs {
		now, ok := s.tracks[e.Name].Current()
		if !ok {
			continue
		}
		out = append(out, sideChoice{e.Name, e.Name + " (" + now.Version.String() + ")"})
		if now.Rollout != nil {
			for _, a := range now.Rollout.Contenders() {
				out = append(out, sideChoice{e.Name + ":" + a.Name, e.Name + ", " + a.Name + " (" + a.Version.String() + ")"})
			}
		}
	}
	for _, r := range s.releases[:min(len(s.releases), maxSides)] {
		out = append(out, sideChoice{r.Version.String(), r.Version.String()})
	}
	return out
}

// pair is what is compared where that is not said: the newest release with the
// one before it.
func (s standing) pair(q url.Values) (from, to string) {
	newest, before := "", ""
	if len(s.releases) > 0 {
		newest = s.releases[0].Version.String()
		before = s.releases[min(1, len(s.releases)-1)].Version.String()
	}
	return cmp.Or(q.Get("from"), before), cmp.Or(q.Get("to"), newest)
}

// pairs are the comparisons that people ask for: what runs with the newest
// release, a candidate with what is stable, one environment with the next.
func (s standing) pairs(o diffOptions) []sidePair {
	var out []sidePair
	last := ""
	for _, e := range s.envs {
		now, ok := s.tracks[e.Name].Current()
		if !ok {
			continue
		}
		if now.Rollout != nil {
			for _, a := range now.Rollout.Contenders() {
				out = append(out, sidePair{e.Name + " → its " + a.Name, o.between(e.Name, e.Name+":"+a.Name)})
			}
		}
		if last != "" {
			out = append(out, sidePair{e.Name + " → " + last, o.between(e.Name, last)})
		}
		last = e.Name
		if len(s.releases) > 0 && s.releases[0].Version != now.Version {
			out = append(out, sidePair{e.Name + " → newest (" + s.releases[0].Version.String() + ")", o.between(e.Name, s.releases[0].Version.String())})
		}
	}
	return out
}
