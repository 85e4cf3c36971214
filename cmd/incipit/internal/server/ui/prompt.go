package ui

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A promptPage is a release of a prompt, and how the prompt stands.
type promptPage struct {
	ID       prompt.ID
	Release  registry.Release
	Newest   prompt.Version
	Versions []string // the newest first
	Draft    prompt.Draft
	Tokens   int // an estimate
	Sides    []sideChoice
	Texts    []textView
	Hides    int // texts with characters that one does not see
	Schemas  []textView
	Contract []contractRow
	Fields   []fieldRow
	Evidence []registry.Evidence // of the digest
	Places   []placeRow
	Stats    statsPart
	History  []historyRow
	More     bool // there is more history than is shown
}

// IsNewest reports whether no later release is known.
func (p promptPage) IsNewest() bool { return p.Release.Version == p.Newest }

// A contractRow is a variable.
type contractRow struct {
	Name string
	prompt.Variable
	Given   bool // there is a default
	Default string
}

// A fieldRow is a field of the metadata.
type fieldRow struct {
	Key   string
	Known bool
	Lines [][]textPiece
}

// Prompt is the page of a prompt: the newest release, or the one that is asked
// for.
func (u *UI) Prompt(r *http.Request) (*Page, error) {
	id, err := prompt.ParseID(r.PathValue("prompt"))
	if err != nil {
		return nil, err
	}
	where, err := u.standing(r, id)
	if err != nil {
		return nil, err
	}
	p := promptPage{ID: id, Newest: where.newest(), Versions: where.versions()}
	v := p.Newest
	if asked := r.URL.Query().Get("version"); asked != "" {
		if v, err = prompt.ParseVersion(asked); err != nil {
			return nil, err
		}
	}
	if p.Release, p.Draft, err = u.service.Read(r.Context(), id, v); err != nil {
		return nil, err
	}
	p.Sides = slices.DeleteFunc(where.sides(), func(s sideChoice) bool { return s.Name == v.String() })
	if err := p.describe(); err != nil {
		return nil, err
	}
	if p.Evidence, err = u.evidenceOf(r, p.Release); err != nil {
		return nil, err
	}
	p.Places = where.places(r, v)
	p.History, p.More = where.history()
	if err := u.sources(r, id, p.History); err != nil {
		return nil, err
	}
	if p.Stats, err = u.statsByVersion(r, id); err != nil {
		return nil, err
	}
	return &Page{View: "prompt", Title: string(id), Here: AtHome, Body: p, Crumbs: []Crumb{{"Prompts", "/"}}}, nil
}

// describe fills in what the draft says.
func (p *promptPage) describe() error {
	d := p.Draft.Prompt
	p.Tokens = d.EstimateTokens()
	examples := len(prompt.Examples(d.Messages))
	for i, m := range d.Messages {
		name := m.Role
		if first := i == 0 && m.Role == prompt.System; examples > 0 && !first && i < len(d.Messages)-1 {
			name = "example, " + m.Role
		}
		t := viewText(name, m.Content)
		if t.Hides {
			p.Hides++
		}
		p.Texts = append(p.Texts, t)
	}
	for _, s := range []struct {
		name string
		raw  json.RawMessage
	}{{"Parameters", d.Parameters}, {"Tools", d.Tools}, {"Output schema", d.OutputSchema}} {
		if s.raw != nil {
			p.Schemas = append(p.Schemas, viewData(s.name, readable(s.raw)))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.Variables)) {
		v := d.Variables[name]
		p.Contract = append(p.Contract, contractRow{name, v, v.Default != nil, asText(v.Default)})
	}
	fields, err := p.Draft.Metadata.Fields()
	for _, f := range fields {
		p.Fields = append(p.Fields, fieldRow{f.Key, f.Known, viewData(f.Key, brief(f.Value)).Lines})
	}
	return err
}

// asText is a default as it is inserted.
func asText(v any) string {
	raw, err := json.Marshal(v)
	if err != nil || v == nil {
		return ""
	}
	return strings.TrimSpace(readable(raw))
}

// evidenceOf is what is known of the digest of a release, the newest first.
func (u *UI) evidenceOf(r *http.Request, of registry.Release) ([]registry.Evidence, error) {
	all, err := u.service.EvidenceOf(r.Context(), of.Prompt)
	all = slices.DeleteFunc(all, func(e registry.Evidence) bool { return e.Digest != of.Digest })
	slices.SortStableFunc(all, func(a, b registry.Evidence) int { return b.At.Compare(a.At) })
	return all, err
}
