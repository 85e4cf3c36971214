package ui

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/worddiff"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A merging is the page on which somebody puts two states of a prompt together:
// theirs, and one from elsewhere.
type merging struct {
	ID        prompt.ID
	Elsewhere bool   // it was saved in another window; else the branch moved
	Added     bool   // by which there is one that there was not
	Number    int64  // of the draft that is saved over
	Commit    string // that the draft starts from then
	Other     string // what the other state is called
	Files     []mergedFile
	Same      []control // those in which all states agree
	Problem   *api.Problem
}

// A mergedFile is a file in its three states.
type mergedFile struct {
	Control, Label, File          string
	Base, Mine, Theirs            string // "" where it is not there
	MyChanges, TheirChanges       []worddiff.Span
	Merged                        string // to edit
	Clean, OnlyMine, OnlyTheirs   bool
	Choice                        string // mine, theirs or merged; "" is open
	MineIs, TheirsIs, BaseIsThere bool
}

// MergeEdit is the page for a prompt that its branch has changed since the
// draft was begun.
func (u *UI) MergeEdit(r *http.Request) (*Page, error) {
	id, err := prompt.ParseID(r.PathValue("prompt"))
	if err != nil {
		return nil, err
	}
	st, err := u.service.Draft(r.Context(), id)
	switch {
	case err != nil:
		return nil, err
	case st.Conflict == nil:
		return &Page{To: editPath(id)}, nil
	}
	m := &merging{ID: id, Added: len(st.BaseFiles) == 0, Number: st.Number, Commit: st.Conflict.Commit, Other: "the branch"}
	m.fill(st.Conflict.Files, st.Files)
	return m.page(http.StatusOK), nil
}

// elsewhere is the page for a draft that was saved in another window, or
// discarded there, while this one held other texts.
func (u *UI) elsewhere(r *http.Request, id prompt.ID, mine registry.Texts) (*Page, error) {
	st, err := u.service.Draft(r.Context(), id)
	if err != nil {
		return nil, err
	}
	m := &merging{ID: id, Elsewhere: true, Number: st.Number, Commit: st.Base.Commit, Other: fmt.Sprintf("your other window, number %d", st.Number)}
	if st.Number == 0 {
		m.Other = "the branch, because your draft was discarded"
	}
	files, _ := registry.MergeTexts(st.BaseFiles, mine, st.Files)
	m.fill(files, mine)
	return m.page(http.StatusConflict), nil
}

func (m *merging) page(status int) *Page {
	p := editPage("editmerge", m.ID, m)
	p.Title, p.Status = "Put both together: "+string(m.ID), status
	p.Crumbs = append(p.Crumbs, Crumb{"Edit", editPath(m.ID)})
	return p
}

func (m *merging) fill(files []registry.DraftMerge, texts registry.Texts) {
	differ := make(map[string]registry.DraftMerge, len(files))
	for _, f := range files {
		differ[f.Name] = f
	}
	for _, p := range controls() {
		d, ok := differ[p.File]
		if !ok {
			p.Text = texts[p.File]
			m.Same = append(m.Same, p)
			continue
		}
		f := mergedFile{Control: p.Control, Label: p.Label, File: p.File, Base: text(d.Base), Mine: text(d.Mine), Theirs: text(d.Theirs), Clean: d.Clean}
		f.BaseIsThere, f.MineIs, f.TheirsIs = d.Base != nil, d.Mine != nil, d.Theirs != nil
		f.OnlyMine, f.OnlyTheirs = f.Theirs == f.Base, f.Mine == f.Base
		f.MyChanges, f.TheirChanges = spansAround(worddiff.Compare(f.Base, f.Mine)), spansAround(worddiff.Compare(f.Base, f.Theirs))
		f.Merged = f.Mine
		if d.Clean {
			f.Merged, f.Choice = text(d.Merged), "merged"
		}
		m.Files = append(m.Files, f)
	}
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// SaveMerge keeps what somebody made of both states.
func (u *UI) SaveMerge(r *http.Request) (*Page, error) {
	id, err := prompt.ParseID(r.PathValue("prompt"))
	if err != nil {
		return nil, err
	}
	st, err := u.service.Draft(r.Context(), id)
	if err != nil {
		return nil, err
	}
	chosen, err := chosenTexts(r)
	if err != nil {
		return u.mergeAgain(r, st, err)
	}
	texts, _ := registry.Typed{Texts: chosen}.Put(st.Files)
	_, err = u.service.SaveDraft(r.Context(), registry.Draft{
		Prompt: id, Number: draftNumber(r), Base: registry.DraftBase{Commit: r.PostForm.Get("commit")}, Files: texts,
	})
	switch {
	case errors.Is(err, registry.ErrConflict) && st.Number != draftNumber(r):
		return u.elsewhere(r, id, texts)
	case err != nil:
		return u.mergeAgain(r, st, err)
	}
	return &Page{To: editPath(id)}, nil
}

// chosenTexts are what the form asks to keep.
func chosenTexts(r *http.Request) (registry.Texts, error) {
	out := make(registry.Texts)
	for _, p := range controls() {
		switch from := r.PostForm.Get("choice." + p.Control); from {
		case "mine", "theirs", "merged":
			out[p.File] = r.PostForm.Get(from + "." + p.Control)
		default:
			if !r.PostForm.Has("same." + p.Control) {
				return nil, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "it is not chosen which %s is to be kept", p.File), "choose one, or edit the text in which both are put together")
			}
			out[p.File] = r.PostForm.Get("same." + p.Control)
		}
	}
	return out, nil
}

// mergeAgain shows the form as it was sent, and what is wrong with it.
func (u *UI) mergeAgain(r *http.Request, st registry.DraftState, why error) (*Page, error) {
	problem, err := mend(r, why)
	if err != nil {
		return nil, err
	}
	sent := func(name string) registry.Texts {
		texts := make(registry.Texts)
		for _, p := range controls() {
			if key := name + "." + p.Control; r.PostForm.Has(key) {
				texts[p.File] = r.PostForm.Get(key)
			} else {
				texts[p.File] = r.PostForm.Get("same." + p.Control)
			}
		}
		out, _ := registry.Typed{Texts: texts}.Put(nil)
		return out
	}
	m := &merging{
		ID: st.Prompt, Elsewhere: r.PostForm.Get("why") == "elsewhere", Added: len(st.BaseFiles) == 0, Number: draftNumber(r), Commit: r.PostForm.Get("commit"),
		Other: prompt.Clip(r.PostForm.Get("other"), 80), Problem: problem,
	}
	files, _ := registry.MergeTexts(st.BaseFiles, sent("mine"), sent("theirs"))
	m.fill(files, sent("mine"))
	merged := sent("merged")
	for i := range m.Files {
		f := &m.Files[i]
		f.Merged, f.Choice = merged[f.File], r.PostForm.Get("choice."+f.Control)
	}
	return m.page(problem.Status), nil
}
