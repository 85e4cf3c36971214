package ui

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// byScript reports whether a script of ours asks: it puts parts of the answer
// into the page that is open.
func byScript(r *http.Request) bool { return r.Header.Get("HX-Request") == "true" }

// typed reads the form of the editor, over what was saved last. Whatever else
// goes wrong, the editor holds what was typed; the error is then why its draft
// could not be read.
func (u *UI) typed(r *http.Request) (*editor, error) {
	id, err := prompt.ParseID(r.PathValue("prompt"))
	if err != nil {
		return nil, err
	}
	st, err := u.service.Draft(r.Context(), id)
	if err != nil && !errors.Is(err, registry.ErrUnavailable) {
		return nil, err
	}
	form := registry.Typed{Texts: registry.Texts{}, Fields: fieldsOf(r, ""), Seen: fieldsOf(r, "seen.")}
	for _, p := range controls() {
		if r.PostForm.Has(p.Control) {
			form.Texts[p.File] = r.PostForm.Get(p.Control)
		}
	}
	e := &editor{ID: id, State: st, Fields: form.Fields, Wrong: make(map[string]string)}
	var problems []prompt.FieldProblem
	e.Texts, problems = form.Put(st.Files)
	e.Seen = prompt.FieldsOf([]byte(e.Texts[prompt.MetadataFile]))
	e.Fields = e.Seen
	for _, p := range problems {
		e.Wrong[p.Key] = p.Message
		e.keep(p.Key, form.Fields)
	}
	for name := range r.PostForm {
		if variable, ok := strings.CutPrefix(name, "var."); ok {
			e.Values = append(e.Values, value{Name: variable, Text: r.PostForm.Get(name)})
		}
	}
	return e, err
}

func fieldsOf(r *http.Request, prefix string) prompt.Fields {
	get := func(name string) string { return r.PostForm.Get(prefix + name) }
	return prompt.Fields{Description: get("description"), ChangeNotes: get("change_notes"), Model: get("model"), Parameters: get("parameters")}
}

// keep has the form show a field as it was typed, though the metadata could not
// take it.
func (e *editor) keep(key string, typed prompt.Fields) {
	switch key {
	case "description":
		e.Fields.Description = typed.Description
	case "change_notes":
		e.Fields.ChangeNotes = typed.ChangeNotes
	case "model":
		e.Fields.Model = typed.Model
	case "parameters":
		e.Fields.Parameters = typed.Parameters
	}
}

// draft is what the form would save.
func (e *editor) draft(r *http.Request) registry.Draft {
	return registry.Draft{Prompt: e.ID, Number: draftNumber(r), Base: registry.DraftBase{Commit: r.PostForm.Get("base")}, Files: e.Texts}
}

// draftNumber is that of the draft that the person saw. What is no number is none
// that was ever seen.
func draftNumber(r *http.Request) int64 {
	n, err := strconv.ParseInt(r.PostForm.Get("number"), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// refuse shows the form again, with what was typed and why that was not done.
// An error that only the log should tell is returned.
func (e *editor) refuse(r *http.Request, err error) (*Page, error) {
	p := problemIn(r, err)
	if p.Status >= http.StatusInternalServerError && p.Status != http.StatusServiceUnavailable {
		return nil, err
	}
	if errors.Is(err, prompt.ErrInvalid) {
		p.Status = http.StatusUnprocessableEntity
	}
	e.Problem = &p
	if e.State.Prompt == "" { // what was saved could not be read
		e.State = registry.DraftState{Draft: e.draft(r)}
	}
	return e.page(), nil
}

// mend is a problem that a person can do something about, of a form.
func mend(r *http.Request, err error) (*api.Problem, error) {
	p := problemIn(r, err)
	switch {
	case p.Status >= http.StatusInternalServerError && p.Status != http.StatusServiceUnavailable:
		return nil, err
	case errors.Is(err, prompt.ErrInvalid):
		p.Status = http.StatusUnprocessableEntity
	}
	return &p, nil
}
