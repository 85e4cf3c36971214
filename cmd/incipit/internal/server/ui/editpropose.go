package ui

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/worddiff"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A proposing is the page on which somebody makes a branch of their draft.
type proposing struct {
	ID      prompt.ID
	State   registry.DraftState
	Outlook outlook
	Bumps   []bumpChoice
	Files   []changedFile
	Message string
	Number  int64
	Problem *api.Problem
}

// A bumpChoice is a bump that may be asked for.
type bumpChoice struct {
	Bump            prompt.Bump
	Allowed, Chosen bool
}

// A changedFile is a file that the branch would have otherwise.
type changedFile struct {
	Name  string
	Spans []worddiff.Span
	New   bool
	Gone  bool
}

// ProposeEdit is the page on which somebody makes a branch of their draft.
func (u *UI) ProposeEdit(r *http.Request) (*Page, error) {
	p, err := u.proposing(r)
	if err != nil {
		return nil, err
	}
	now := prompt.FieldsOf([]byte(p.State.Files[prompt.MetadataFile])).ChangeNotes
	if now != prompt.FieldsOf([]byte(p.State.BaseFiles[prompt.MetadataFile])).ChangeNotes {
		p.Message = now
	}
	return p.page(), nil
}

func (u *UI) proposing(r *http.Request) (*proposing, error) {
	id, err := prompt.ParseID(r.PathValue("prompt"))
	if err != nil {
		return nil, err
	}
	st, err := u.service.Draft(r.Context(), id)
	if err != nil {
		return nil, err
	}
	e := &editor{ID: id, State: st, Texts: st.Files}
	u.look(r, e)
	p := &proposing{ID: id, State: st, Outlook: e.Outlook, Number: st.Number}
	p.choose(e.Outlook.Required)
	for _, name := range registry.TextNames() {
		was, is := st.BaseFiles[name], st.Files[name]
		if was == is {
			continue
		}
		_, had := st.BaseFiles[name]
		_, has := st.Files[name]
		p.Files = append(p.Files, changedFile{name, spansAround(worddiff.Compare(was, is)), !had, !has})
	}
	return p, nil
}

// choose offers the bumps, and chooses the least that there may be, or more.
func (p *proposing) choose(bump prompt.Bump) {
	least := max(p.Outlook.Required, prompt.Patch)
	bump = max(bump, least)
	p.Bumps = nil
	for _, b := range []prompt.Bump{prompt.Patch, prompt.Minor, prompt.Major} {
		p.Bumps = append(p.Bumps, bumpChoice{b, b >= least, b == bump})
	}
}

// Ready reports whether there is something that may be proposed.
func (p *proposing) Ready() bool {
	return p.Number > 0 && p.State.Conflict == nil && p.Outlook.Why == "" && !prompt.Failed(p.Outlook.Findings) && len(p.Files) > 0
}

// Errors are the findings that stand in the way.
func (p *proposing) Errors() []found {
	return slices.DeleteFunc(slices.Clone(p.Outlook.Found), func(f found) bool { return f.Severity != prompt.SeverityError })
}

// Once is the same each time that this draft is proposed: a second click is the
// first one.
func (p *proposing) Once() string {
	return fmt.Sprintf("%d-%d", p.Number, p.State.UpdatedAt.UnixMicro())
}

func (p *proposing) page() *Page {
	page := editPage("editpropose", p.ID, p)
	page.Title = "Propose " + string(p.ID)
	page.Crumbs = append(page.Crumbs, Crumb{"Edit", editPath(p.ID)})
	if p.Problem != nil {
		page.Status = p.Problem.Status
	}
	return page
}

// SendProposal makes a branch of the draft. It deploys nothing.
func (u *UI) SendProposal(r *http.Request) (*Page, error) {
	id, err := prompt.ParseID(r.PathValue("prompt"))
	if err != nil {
		return nil, err
	}
	req := registry.ProposeRequest{Prompt: id, Number: draftNumber(r), Message: oneLineEnd(r.PostForm.Get("message"))}
	if err := req.Bump.UnmarshalText([]byte(r.PostForm.Get("bump"))); err != nil {
		req.Bump = prompt.NoBump // what the change needs
	}
	who, _ := registry.CallerOf(r.Context())
	if once := r.PostForm.Get("once"); once != "" {
		req.Once = registry.Once{Caller: "ui:" + who.Name, Key: prompt.Clip("propose:"+string(id)+":"+once, 200), Hash: fmt.Sprint(req.Number)}
	}
	_, err = u.service.Propose(r.Context(), req)
	if err == nil {
		return &Page{To: editPath(id) + "#proposed"}, nil
	}
	problem, err := mend(r, err)
	if err != nil {
		return nil, err
	}
	p, err := u.proposing(r)
	if err != nil {
		return nil, err
	}
	p.Message, p.Problem = req.Message, problem
	p.choose(req.Bump)
	return p.page(), nil
}

// A discarding is the page on which somebody confirms that their draft may go.
type discarding struct {
	ID      prompt.ID
	State   registry.DraftState
	Problem *api.Problem
}

// DiscardEdit asks whether a draft may be forgotten.
func (u *UI) DiscardEdit(r *http.Request) (*Page, error) {
	id, err := prompt.ParseID(r.PathValue("prompt"))
	if err != nil {
		return nil, err
	}
	st, err := u.service.Draft(r.Context(), id)
	if err != nil {
		return nil, err
	}
	return discardPage(discarding{id, st, nil}), nil
}

func discardPage(d discarding) *Page {
	p := editPage("editdiscard", d.ID, d)
	p.Title = "Discard the draft of " + string(d.ID)
	p.Crumbs = append(p.Crumbs, Crumb{"Edit", editPath(d.ID)})
	if d.Problem != nil {
		p.Status = d.Problem.Status
	}
	return p
}

// ForgetEdit forgets a draft.
func (u *UI) ForgetEdit(r *http.Request) (*Page, error) {
	id, err := prompt.ParseID(r.PathValue("prompt"))
	if err != nil {
		return nil, err
	}
	err = u.service.DiscardDraft(r.Context(), id, draftNumber(r))
	if err == nil || errors.Is(err, registry.ErrNotFound) { // a second click
		return &Page{To: editPath(id)}, nil
	}
	problem, err := mend(r, err)
	if err != nil {
		return nil, err
	}
	st, err := u.service.Draft(r.Context(), id)
	if err != nil {
		return nil, err
	}
	return discardPage(discarding{id, st, problem}), nil
}

// oneLineEnd is a text of a form with one character at the ends of its lines.
func oneLineEnd(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }
