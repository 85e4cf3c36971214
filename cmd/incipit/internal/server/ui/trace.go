package ui

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A traced is the page of a call: from a response to the exact text that made it.
type traced struct {
	*registry.Trace
	Kind         string // of the outcome
	Scores       []callScore
	Facts        []callFact
	Served       []words.Fact // how the release came to serve it
	Sent         string       // what Messages are
	Messages     []tracedText
	Released     []tracedText // with their variables, where Messages are as they were sent
	Input        []tracedText // one, where it was kept and Messages do not show it
	Output       []tracedText // one, where it was kept
	Texts        []tracedChange
	Longer       bool // the release before differs in more than Texts
	MayRate      bool
	Form         rateForm
	Problem      *api.Problem
	Self         string
	ReleaseHref  string
	CompareHref  string
	RolloutHref  string
	RollbackHref string // "" where nothing was deployed, or the caller may not
}

// A noCall is the page of a call that is not there.
type noCall struct {
	Ref     string
	Problem api.Problem
}

// Trace is the page of a call.
func (u *UI) Trace(r *http.Request) (*Page, error) { return u.traced(r, rateForm{}, nil) }

// traced is the page of a call, with the form as it was filled in and what is
// wrong with it.
func (u *UI) traced(r *http.Request, f rateForm, problem *api.Problem) (*Page, error) {
	ref := r.PathValue("ref")
	t, err := u.service.Trace(r.Context(), ref)
	asks := strings.Contains(r.Header.Get("Accept"), "text/html") // a program is told as programs are
	if asks && (errors.Is(err, registry.ErrNotFound) || errors.Is(err, prompt.ErrInvalid)) {
		p := api.NewProblem(err, http.StatusNotFound, "")
		return &Page{View: "nocall", Title: "No such call", Here: AtCalls, Status: p.Status, Crumbs: []Crumb{{"Calls", "/calls"}}, Body: noCall{ref, p}}, nil
	}
	if err != nil {
		return nil, err
	}
	body := tracedOf(&t, ref)
	who, _ := registry.CallerOf(r.Context())
	body.MayRate = who.May(registry.MayRecord, t.Call.Environment, t.Call.Prompt) == nil
	body.Form, body.Problem = f, problem
	if d := t.Deployment; d != nil && (d.Seq > 1 || d.Rollout != nil) && who.May(registry.MayDeploy, t.Call.Environment, t.Call.Prompt) == nil {
		body.RollbackHref = placePath(t.Call.Environment, t.Call.Prompt, "rollback?return=") + url.QueryEscape(callPath(ref))
	}
	p := &Page{View: "trace", Title: "Call " + t.Call.ID, Here: AtCalls, Body: body, Crumbs: []Crumb{
		{"Calls", "/calls"}, {string(t.Call.Prompt), callForm{Prompt: string(t.Call.Prompt)}.href("")},
	}}
	if problem != nil {
		p.Status = problem.Status
	}
	return p, nil
}

func tracedOf(t *registry.Trace, ref string) traced {
	c := &t.Call
	out := traced{
		Trace: t, Kind: outcomeKind(c.Outcome), Scores: callScores(t), Facts: callFacts(c), Served: words.Served(t), Sent: words.Sent(t), Self: callPath(ref),
		ReleaseHref: promptPath(c.Prompt, "?version=", url.QueryEscape(c.Version)), RolloutHref: placePath(c.Environment, c.Prompt, "rollout"),
	}
	released := tracedTexts(t.Messages, prompt.Pieces)
	if out.Messages = released; t.Rendered != nil {
		out.Messages, out.Released = tracedTexts(t.Rendered, prompt.Unseen), released
	}
	if t.Rendered == nil && c.Input != "" {
		out.Input = []tracedText{tracedTextOf("input", c.Input, prompt.Unseen)}
	}
	if c.Output != "" {
		out.Output = []tracedText{tracedTextOf("response", c.Output, prompt.Unseen)}
	}
	if t.Before != nil {
		out.Texts, out.Longer = tracedChanges(t.Before.Messages, t.Messages)
		out.CompareHref = promptPath(c.Prompt, "/diff?", url.Values{"from": {t.Before.Version.String()}, "to": {c.Version}}.Encode())
	}
	return out
}
