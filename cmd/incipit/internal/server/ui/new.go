package ui

import (
	"net/http"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A naming is the page on which somebody names a prompt that they want to
// write.
type naming struct {
	Typed   string // the name as it was typed
	ID      prompt.ID
	Taken   bool         // there is such a prompt
	Problem *api.Problem // why it cannot be written under that name
	May     []string     // the patterns that the person may write; nil is every name
	Drafts  []registry.DraftNote
}

// NewPrompt is the page on which somebody names a prompt that is not there yet,
// and from which they come to its editor. It is asked for again as one types.
func (u *UI) NewPrompt(r *http.Request) (*Page, error) {
	who, _ := registry.CallerOf(r.Context())
	q := r.URL.Query()
	n := naming{Typed: strings.TrimSpace(q.Get("id"))}
	if may := who.Anywhere(registry.MayPropose); !may.All() {
		n.May = may
	}
	page := &Page{View: "new", Title: "New prompt", Here: AtHome, Crumbs: []Crumb{{"Prompts", "/"}}}
	if n.Typed != "" || q.Has("write") {
		var err error
		n.ID, n.Taken, err = u.service.NewPrompt(r.Context(), n.Typed)
		if err != nil {
			if n.Problem, err = mend(r, err); err != nil {
				return nil, err
			}
		}
		if q.Has("write") { // and was not only asked about
			switch {
			case n.Problem != nil:
				page.Status = n.Problem.Status
			case n.Taken:
				page.Status = http.StatusConflict
			default:
				return &Page{To: editPath(n.ID)}, nil
			}
		}
	}
	var err error
	n.Drafts, err = u.service.Drafts(r.Context())
	n.Drafts = slices.DeleteFunc(n.Drafts, func(d registry.DraftNote) bool { return !who.MayAny(registry.MayPropose, registry.Every, d.Prompt) })
	page.Body = n
	return page, err
}
