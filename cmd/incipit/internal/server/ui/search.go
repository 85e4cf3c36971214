package ui

import (
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"github.com/incipit-dev/incipit/internal/registry"
)

const searchHits = 50

// A search is what was found, and what can be done with it.
type search struct {
	Query        string
	Groups       []hitGroup
	Actions      []action
	ActionsFirst bool // they were asked for by name
	Full         bool // there may be more
}

// A hitGroup is the hits of one kind.
type hitGroup struct {
	Kind registry.HitKind
	Name string
	Hits []hit
}

// A hit is something that was found, as it is shown.
type hit struct {
	Title []part
	Href  string
	Text  []part
	Where string // in which message and line, or by whom
}

// A part is a piece of a text, and whether it is what was looked for.
type part struct {
	Text  string
	Found bool
}

// Search is the page of a search. The palette of commands shows what it finds.
func (u *UI) Search(r *http.Request) (*Page, error) {
	text := strings.TrimSpace(r.URL.Query().Get("q"))
	hits, err := u.service.Search(r.Context(), text, searchHits)
	if err != nil {
		return nil, err
	}
	words := strings.Fields(strings.ToLower(text))
	s := search{Query: text, Groups: groupsOf(hits, words), Full: len(hits) == searchHits}
	if len(words) > 0 {
		o, err := u.service.Overview(r.Context())
		if err != nil {
			return nil, err
		}
		who, _ := registry.CallerOf(r.Context())
		s.Actions = namedActions(o, who, words)
		s.ActionsFirst = len(s.Actions) > 0
		if !s.ActionsFirst && len(hits) > 0 {
			s.Actions = actionsOf(o, who, hits[0].Prompt)
		}
	}
	return &Page{View: "search", Title: "Search", Body: s}, nil
}

// groupsOf puts hits under the names of their kinds.
func groupsOf(hits []registry.Hit, words []string) []hitGroup {
	groups := []hitGroup{{registry.HitPrompt, "Prompts", nil}, {registry.HitRelease, "Releases", nil}, {registry.HitText, "Texts", nil}}
	for _, h := range hits {
		for i := range groups {
			if groups[i].Kind == h.Kind {
				groups[i].Hits = append(groups[i].Hits, hitOf(h, words))
			}
		}
	}
	out := groups[:0]
	for _, g := range groups {
		if len(g.Hits) > 0 {
			out = append(out, g)
		}
	}
	return out
}

func hitOf(h registry.Hit, words []string) hit {
	title, href := string(h.Prompt), promptPath(h.Prompt)
	out := hit{Text: highlighted(h.Text, words)}
	switch h.Kind {
	case registry.HitRelease:
		title += "@" + h.Version
		href += "?version=" + url.QueryEscape(h.Version)
		out.Where = h.Author
	case registry.HitText:
		out.Where = h.Role + " message"
	case registry.HitPrompt:
	}
	out.Title, out.Href = highlighted(title, words), href
	return out
}

// highlighted splits a text where it holds one of the words, which are in lower case.
func highlighted(text string, words []string) []part {
	original, lower := []rune(text), []rune(text)
	for i, c := range lower {
		lower[i] = unicode.ToLower(c)
	}
	found := make([]bool, len(lower))
	for _, w := range words {
		word := []rune(w)
		for i := 0; len(word) > 0 && i+len(word) <= len(lower); i++ {
			if string(lower[i:i+len(word)]) == w {
				for k := range word {
					found[i+k] = true
				}
			}
		}
	}
	var out []part
	for from := 0; from < len(original); {
		to := from
		for to < len(original) && found[to] == found[from] {
			to++
		}
		out = append(out, part{string(original[from:to]), found[from]})
		from = to
	}
	return out
}
