package ui

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// SaveEdit keeps what somebody has written. Where the draft was saved elsewhere
// meanwhile, both are shown, and nothing is lost.
func (u *UI) SaveEdit(r *http.Request) (*Page, error) {
	e, err := u.typed(r)
	switch {
	case e == nil:
		return nil, err
	case err != nil:
		return e.refuse(r, err)
	}
	saved, err := u.service.SaveDraft(r.Context(), e.draft(r))
	if errors.Is(err, registry.ErrConflict) && e.State.Number != draftNumber(r) {
		return u.elsewhere(r, e.ID, e.Texts)
	}
	if err != nil {
		u.look(r, e)
		return e.refuse(r, err)
	}
	if !byScript(r) && len(e.Wrong) == 0 {
		return &Page{To: editPath(e.ID)}, nil
	}
	e.State.Draft, e.Kept = saved, true
	u.look(r, e)
	p := e.page()
	if !byScript(r) { // what could not be put into the metadata is said beside it
		p.Status = http.StatusUnprocessableEntity
	}
	return p, nil
}

// An elsewhere is whether a draft was saved in another window, as one that saw
// a number of it is told.
type elsewhere struct {
	ID    prompt.ID
	Draft *registry.Draft // as it is saved now, with the number 0 if it was discarded; nil: as the window has it
}

// ElsewhereEdit tells an open editor whether its draft was saved elsewhere since
// the number that it saw.
func (u *UI) ElsewhereEdit(r *http.Request) (*Page, error) {
	id, err := prompt.ParseID(r.PathValue("prompt"))
	if err != nil {
		return nil, err
	}
	d, err := u.service.SavedDraft(r.Context(), id)
	if err != nil {
		return nil, err
	}
	e := elsewhere{ID: id}
	if fmt.Sprint(d.Number) != r.URL.Query().Get("number") {
		e.Draft = &d
	}
	return editPage("editelsewhere", id, e), nil
}

// PreviewEdit shows the texts with values for their variables. It saves
// nothing.
func (u *UI) PreviewEdit(r *http.Request) (*Page, error) {
	e, err := u.asked(r)
	if err != nil {
		return nil, err
	}
	vars := make(prompt.Vars)
	for _, v := range e.Values {
		if v.Text != "" {
			vars[v.Name] = v.Text
		}
	}
	shown, err := u.service.PreviewDraft(r.Context(), e.ID, e.Texts, vars)
	if err != nil {
		return e.refuse(r, err)
	}
	e.Preview = &shown
	return e.page(), nil
}

// TestEdit runs the suite of the prompt on the texts. It saves nothing.
func (u *UI) TestEdit(r *http.Request) (*Page, error) {
	e, err := u.asked(r)
	if err != nil {
		return nil, err
	}
	report, err := u.service.TestDraft(r.Context(), e.ID, e.Texts)
	if err != nil {
		return e.refuse(r, err)
	}
	e.Report = &report
	return e.page(), nil
}

// asked is the editor of a question about what stands in the form.
func (u *UI) asked(r *http.Request) (*editor, error) {
	e, err := u.typed(r)
	if err != nil {
		return nil, err
	}
	e.State.Number, e.State.Base.Commit = draftNumber(r), r.PostForm.Get("base") // as the form has them: what is saved elsewhere is found when it is saved
	u.look(r, e)
	return e, nil
}
