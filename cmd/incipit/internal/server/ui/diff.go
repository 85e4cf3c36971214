package ui

import (
	"net/http"
	"slices"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/lifecycle"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/worddiff"
	"github.com/incipit-dev/incipit/internal/prompt"
)

// A diffPage is how one release differs from another.
type diffPage struct {
	ID       prompt.ID
	From, To lifecycle.Side
	Sides    []sideChoice // that may be chosen
	Pairs    []sidePair   // worth a look
	Options  diffOptions
	worddiff.Comparison
	Bump   prompt.Bump // from the one version to the other, where it rose
	Texts  []diffText
	Moves  int
	Fields []diffField
}

// SameDigest reports whether both ask the same of a model.
func (p diffPage) SameDigest() bool { return p.From.Release.Digest == p.To.Release.Digest }

// TokensMore is by how many tokens, estimated, the second is longer.
func (p diffPage) TokensMore() int { return p.Tokens[1] - p.Tokens[0] }

// A sideChoice is something that can be compared, and what it is called.
type sideChoice struct{ Name, Text string }

// A sidePair is a comparison that one click opens.
type sidePair struct{ Text, Href string }

// Diff is the page that compares two releases.
func (u *UI) Diff(r *http.Request) (*Page, error) {
	id, err := prompt.ParseID(r.PathValue("prompt"))
	if err != nil {
		return nil, err
	}
	where, err := u.standing(r, id)
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	d := diffPage{ID: id, Options: diffOptionsOf(id, q), Sides: where.sides()}
	from, to := where.pair(q)
	d.Pairs = where.pairs(d.Options)
	if d.From, err = u.service.Side(r.Context(), id, from); err != nil {
		return nil, err
	}
	if d.To, err = u.service.Side(r.Context(), id, to); err != nil {
		return nil, err
	}
	d.Options.From, d.Options.To = from, to
	d.Sides = withSides(d.Sides, from, to)
	d.Comparison = worddiff.Between(from, to, d.From.Draft.Prompt, d.To.Draft.Prompt)
	d.Bump = d.From.Release.Version.BumpTo(d.To.Release.Version)
	differ := differ{d.Options, make(map[string]bool)}
	d.Texts, d.Moves = differ.texts(d.From.Draft.Prompt.Messages, d.To.Draft.Prompt.Messages)
	if d.Fields, err = differ.fields(d.From.Draft.Metadata, d.To.Draft.Metadata); err != nil {
		return nil, err
	}
	return &Page{View: "diff", Title: "Compare", Here: AtHome, Body: d, Crumbs: promptCrumbs(id)}, nil
}

// withSides adds names to choose from that are not among them.
func withSides(all []sideChoice, names ...string) []sideChoice {
	for _, name := range names {
		if !slices.ContainsFunc(all, func(s sideChoice) bool { return s.Name == name }) {
			all = append(all, sideChoice{name, name})
		}
	}
	return all
}

// promptCrumbs are the way to a page of a prompt.
func promptCrumbs(id prompt.ID) []Crumb {
	return []Crumb{{"Prompts", "/"}, {string(id), promptPath(id)}}
}
