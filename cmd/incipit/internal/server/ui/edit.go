package ui

import (
	"fmt"
	"maps"
	"net/http"
	"path"
	"slices"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/worddiff"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// An editor is the page on which somebody writes a prompt.
type editor struct {
	ID      prompt.ID
	State   registry.DraftState
	Texts   registry.Texts // what stands in the form
	Fields  prompt.Fields  // likewise
	Seen    prompt.Fields  // as the metadata has them
	Wrong   map[string]string
	Outlook outlook
	Values  []value // to preview with
	Preview *registry.DraftPreview
	Report  *registry.DraftReport
	Problem *api.Problem // why it was not done
	Kept    bool         // what stands in the form is saved
}

// An outlook is what there is to say of the texts.
type outlook struct {
	registry.DraftCheck
	Found []found
	Texts []worddiff.Text // what words differ from the last release
	Why   string          // there is none
}

// A found is a finding, and where it stands in the form.
type found struct {
	prompt.Finding
	File, Control string
}

// A value is that of a variable in a preview.
type value struct {
	Name     string
	Variable prompt.Variable
	Text     string
}

// A control of the form holds one file.
type control struct {
	Control, File, Label, Hint, Text string
	Rows                             int
	Problem                          string
}

// controls are the names of the files in the form.
func controls() []control {
	return []control{
		{Control: "system", File: prompt.SystemFile, Label: "System message", Hint: "Who the model is, what it does and what it must not do. {{name}} stands for a variable that is declared trusted.", Rows: 16},
		{Control: "examples", File: prompt.ExamplesFile, Label: "Examples", Hint: "Turns between the system message and the user message, as JSON.", Rows: 6},
		{Control: "user", File: prompt.UserFile, Label: "User message", Hint: "The template of what is asked. Values from outside belong here.", Rows: 5},
		{Control: "metadata", File: prompt.MetadataFile, Label: "All of the metadata", Hint: "Variables, tools, output schema and everything else, as JSON. The fields above stand in it, too.", Rows: 14},
	}
}

// Nothing says that nothing is written yet, and what stands in the form then.
func (e *editor) Nothing() string {
	if e.State.New {
		return "A text to start from, nothing written yet"
	}
	return "As it is on its branch, nothing written yet"
}

// Moved says what happened on the branch since the draft was begun.
func (e *editor) Moved() string {
	if len(e.State.BaseFiles) == 0 {
		return "Somebody else added a prompt with this id since you began."
	}
	return "This prompt changed on its branch since you began."
}

// Parts are the texts of the form.
func (e *editor) Parts() map[string]control {
	out := make(map[string]control)
	for _, p := range controls() {
		p.Text = e.Texts[p.File]
		out[p.Control] = p
	}
	return out
}

// reader is the page for somebody who may not write.
type reader struct {
	ID  prompt.ID
	Who string
}

// Edit is the page on which somebody writes a prompt. Whoever may not is told
// so, and what else they can do.
func (u *UI) Edit(r *http.Request) (*Page, error) {
	id, err := prompt.ParseID(r.PathValue("prompt"))
	if err != nil {
		return nil, err
	}
	if who, _ := registry.CallerOf(r.Context()); !who.MayAny(registry.MayPropose, registry.Every, id) {
		return editPage("editno", id, reader{id, who.Name}), nil
	}
	st, err := u.service.Draft(r.Context(), id)
	if err != nil {
		return nil, err
	}
	fields := prompt.FieldsOf([]byte(st.Files[prompt.MetadataFile]))
	e := &editor{ID: id, State: st, Texts: st.Files, Fields: fields, Seen: fields, Kept: st.Number > 0}
	u.look(r, e)
	return e.page(), nil
}

func editPage(view string, id prompt.ID, body any) *Page {
	return &Page{
		View: view, Title: "Edit " + string(id), Here: AtHome, Body: body,
		Crumbs: []Crumb{{"Prompts", "/"}, {string(id), promptPath(id)}},
	}
}

func (e *editor) page() *Page {
	p := editPage("edit", e.ID, e)
	if e.State.New { // it has no page of its own yet
		p.Crumbs = []Crumb{{"Prompts", "/"}, {"New prompt", "/prompts/new"}}
	}
	if e.Problem != nil {
		p.Status = e.Problem.Status
	}
	return p
}

func editPath(id prompt.ID) string { return promptPath(id, "/edit") }

// look asks what there is to say of the texts in the form. Where that cannot be
// asked they can be written all the same.
func (u *UI) look(r *http.Request, e *editor) {
	check, err := u.service.CheckDraft(r.Context(), e.ID, e.Texts)
	e.Outlook.DraftCheck = check
	if err != nil {
		e.Outlook.Why = problemIn(r, err).Detail
		return
	}
	for _, f := range check.Findings {
		one := found{Finding: f, File: path.Base(f.Path)}
		if i := slices.IndexFunc(controls(), func(p control) bool { return p.File == one.File }); i >= 0 {
			one.Control = controls()[i].Control
		}
		e.Outlook.Found = append(e.Outlook.Found, one)
	}
	slices.SortStableFunc(e.Outlook.Found, func(a, b found) int { // errors first
		return rank(a.Severity) - rank(b.Severity)
	})
	if check.Release != "" && !prompt.Failed(check.Findings) {
		e.Outlook.Texts = worddiff.Texts(check.Before, check.After)
		for i, t := range e.Outlook.Texts {
			e.Outlook.Texts[i].Spans = spansAround(t.Spans)
		}
	}
	typed := make(map[string]string, len(e.Values))
	for _, v := range e.Values {
		typed[v.Name] = v.Text
	}
	e.Values = nil
	for _, name := range slices.Sorted(maps.Keys(check.Variables)) {
		e.Values = append(e.Values, value{name, check.Variables[name], typed[name]})
	}
}

// near is how many characters are shown around what changed.
const near = 160

// spansAround leaves out what is far from every change.
func spansAround(spans []worddiff.Span) []worddiff.Span {
	out := slices.Clone(spans)
	for i, s := range out {
		text := []rune(s.Text)
		if s.Op != worddiff.Same || len(text) <= 3*near {
			continue
		}
		before, after := "", ""
		if i > 0 {
			before = string(text[:near]) + " "
		}
		if i < len(out)-1 {
			after = " " + string(text[len(text)-near:])
		}
		out[i].Text = before + worddiff.Gap + after
	}
	return out
}

// Cost is what the test run cost, "" where that is not known.
func (e *editor) Cost() string {
	if e.Report == nil || e.Report.Cost == nil {
		return ""
	}
	return fmt.Sprintf("%.4f US dollars", *e.Report.Cost)
}

func rank(s prompt.Severity) int {
	if s == prompt.SeverityError {
		return 0
	}
	return 1
}

// problemIn tells an error of a request.
func problemIn(r *http.Request, err error) api.Problem {
	who, _ := registry.CallerOf(r.Context())
	return api.NewProblem(err, 0, who.Request)
}
