package ui

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/lifecycle"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// releasesAtOnce is how many releases a page has: each is read, and compared
// with the one before it.
const releasesAtOnce = 30

// A releasesPage is the releases of a prompt, the newest first.
type releasesPage struct {
	ID    prompt.ID
	Rows  []releaseRow
	First bool   // the page begins with the newest
	Next  string // the page of older ones; "" if there are none
}

// A releaseRow is a release.
type releaseRow struct {
	lifecycle.LoggedRelease
	RunsIn   []runsIn
	Evidence []registry.Evidence
	Compare  []sidePair
}

// Releases is the page of a prompt's releases.
func (u *UI) Releases(r *http.Request) (*Page, error) {
	id, err := prompt.ParseID(r.PathValue("prompt"))
	if err != nil {
		return nil, err
	}
	var before prompt.Version
	if text := r.URL.Query().Get("before"); text != "" {
		if before, err = prompt.ParseVersion(text); err != nil {
			return nil, err
		}
	}
	where, err := u.standing(r, id)
	if err != nil {
		return nil, err
	}
	rows, more, err := u.service.Log(r.Context(), id, before, releasesAtOnce)
	if err != nil {
		return nil, err
	}
	evidence, err := u.service.EvidenceOf(r.Context(), id)
	if err != nil {
		return nil, err
	}
	who, _ := registry.CallerOf(r.Context())
	p := releasesPage{ID: id, First: before.IsZero()}
	for _, one := range rows {
		row := releaseRow{LoggedRelease: one, RunsIn: where.runsIn(one.Version, who), Compare: where.comparisons(one)}
		for _, e := range evidence {
			if e.Digest == one.Digest {
				row.Evidence = append(row.Evidence, e)
			}
		}
		p.Rows = append(p.Rows, row)
	}
	if more {
		p.Next = promptPath(id, "/releases?before=", url.QueryEscape(rows[len(rows)-1].Version.String()))
	}
	return &Page{View: "releases", Title: "Releases", Here: AtHome, Body: p, Crumbs: promptCrumbs(id)}, nil
}

// comparisons are those that a reader of a release asks for: with the one
// before it, and with what runs where it does not run.
func (s standing) comparisons(one lifecycle.LoggedRelease) []sidePair {
	o := diffOptions{ID: s.id}
	var out []sidePair
	if !one.Before.IsZero() {
		out = append(out, sidePair{"with " + one.Before.String(), o.between(one.Before.String(), one.Version.String())})
	}
	for _, e := range slices.Backward(s.envs) {
		if now, ok := s.tracks[e.Name].Current(); ok && now.Version != one.Version {
			out = append(out, sidePair{"with " + e.Name, o.between(e.Name, one.Version.String())})
		}
	}
	return out
}
