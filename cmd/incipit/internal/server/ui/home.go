package ui

import (
	"net/http"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A home is the matrix of what runs where.
type home struct {
	homeQuery
	Columns      []string // the environments that are shown
	Environments []string // that may be chosen
	Healths      []registry.Health
	Maintainers  []string
	Folders      []folder
	New          bool // the person may write some prompt
	Mine         bool // somebody asks who may have prompts of their own
	Rows         []homeRow
	All, Chosen  int    // how many prompts there are, and how many of them are asked for
	First        string // the prompt to deploy first, where nothing runs anywhere
}

// A folder is one that may be chosen.
type folder struct {
	Name, Href string
	Prompts    int
	Here       bool
}

// Home is the first page: every prompt in every environment, and what of that is
// asked for.
func (u *UI) Home(r *http.Request) (*Page, error) {
	q, err := readHomeQuery(r)
	if err != nil {
		return nil, err
	}
	o, err := u.service.Overview(r.Context())
	if err != nil {
		return nil, err
	}
	who, _ := registry.CallerOf(r.Context())
	h := home{
		homeQuery: q, Environments: o.Environments, Columns: o.Environments, Healths: registry.Healths(),
		Maintainers: o.Maintainers(), Folders: foldersOf(o, q), New: u.writes(who), Mine: who.Person, All: len(o.Prompts),
	}
	if q.Filter.Environment != "" {
		h.Columns = []string{q.Filter.Environment}
	}
	rows := q.choose(o, who)
	h.Chosen = len(rows)
	h.More = h.More && q.until() < len(rows)
	h.First = firstToDeploy(o)
	below := ""
	if q.From > 0 && q.From <= len(rows) {
		below = registry.Folder(rows[q.From-1].Prompt)
	}
	for _, row := range rows[min(q.From, len(rows)):min(q.until(), len(rows))] {
		next := homeRowOf(row, h.Columns, who, q)
		if in := registry.Folder(row.Prompt); q.grouped() && in != below {
			below, next.Under = in, in
			next.Heading = true
		}
		h.Rows = append(h.Rows, next)
	}
	return &Page{View: "home", Title: "Prompts", Here: AtHome, Body: h}, nil
}

// firstToDeploy is the tag of a release, if nothing runs anywhere.
func firstToDeploy(o registry.Overview) string {
	first := ""
	for _, row := range o.Prompts {
		if len(row.Places) > 0 {
			return ""
		}
		if first == "" && row.Version != "" {
			first = string(row.Prompt) + "@" + row.Version
		}
	}
	return first
}

// foldersOf are the folders at the top, those in the one that is chosen, and the
// way to it.
func foldersOf(o registry.Overview, q homeQuery) []folder {
	var out []folder
	for _, f := range o.Folders() {
		up := registry.Folder(prompt.ID(f.Name))
		in := q.Filter.Folder
		if up != "" && up != in && f.Name != in && registry.Folder(prompt.ID(in)) != up {
			continue
		}
		there := q
		there.Filter.Folder = f.Name
		out = append(out, folder{f.Name, there.path(), f.Prompts, f.Name == in})
	}
	return out
}
