package ui

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/lifecycle"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

const callsOnPage = 50

// A callList is the page of recorded calls, the newest first.
type callList struct {
	Form     callForm
	Problem  *api.Problem
	Choices  lifecycle.CallChoices
	Outcomes []registry.Outcome
	Classes  []string
	Rows     []callRow
	Newest   string // the first page, "" where this is it
	Older    string // the page that goes on, "" behind the last call
	Example  string // the command that records a call
	Short    bool   // fewer calls than a page holds were found, and there are more to look through
}

// A callRow is a recorded call in the list.
type callRow struct {
	At                        time.Time
	Trace                     string // its page
	Prompt                    prompt.ID
	Version, Arm, Environment string
	PromptHref, VersionHref   string
	Kind, Outcome, Class      string
	Latency, Cost, Model      string
	Tokens, TokensOf          string
	Satisfaction              string
	Response, ResponseShown   string
}

// Calls is the page of recorded calls.
func (u *UI) Calls(r *http.Request) (*Page, error) {
	f := callFormOf(r.URL.Query())
	if f.Ref != "" && registry.CheckRef(f.Ref) == nil && reachable(f.Ref) {
		return &Page{To: callPath(f.Ref)}, nil
	}
	if clean := f.href(""); !f.bare(r.URL.Query()) && f.Ref == "" {
		return &Page{To: clean}, nil // an address that can be shared names no filter that says nothing
	}
	body := callList{Form: f, Outcomes: []registry.Outcome{registry.OK, registry.Failed, registry.Cancelled}, Classes: classes()}
	body.Example = exampleCall(u.config.Now(), f.ID())
	p := &Page{View: "calls", Title: "Calls", Here: AtCalls}
	q, err := f.query()
	if err == nil {
		err = u.listCalls(r, &body, q)
	}
	if body.Problem = refused(err); body.Problem != nil {
		p.Status, err = http.StatusUnprocessableEntity, nil
	}
	if err == nil {
		body.Choices, err = u.service.CallChoices(r.Context(), q.Prompt)
	}
	p.Body = body
	return p, err
}

func (u *UI) listCalls(r *http.Request, body *callList, q registry.CallQuery) error {
	if body.Form.Ref != "" {
		return registry.CheckRef(body.Form.Ref)
	}
	found, next, err := u.service.Calls(r.Context(), q, callsOnPage)
	if err != nil {
		return err
	}
	for i := range found {
		body.Rows = append(body.Rows, callRowOf(&found[i]))
	}
	if next > 0 {
		body.Older, body.Short = body.Form.href(strconv.FormatInt(next, 10)), len(found) < callsOnPage
	}
	if body.Form.After != "" {
		body.Newest = body.Form.href("")
	}
	return nil
}

func callRowOf(c *registry.WireCall) callRow {
	row := callRow{
		At: c.StartedAt, Trace: callPath(c.ID), Prompt: c.Prompt, Version: c.Version, Arm: c.Arm, Environment: c.Environment,
		PromptHref: promptPath(c.Prompt), VersionHref: promptPath(c.Prompt, "?version=", url.QueryEscape(c.Version)),
		Kind: outcomeKind(c.Outcome), Outcome: string(c.Outcome), Class: string(c.ErrorClass),
		Latency: words.Milliseconds(&c.LatencyMS), Cost: words.Dollars(c.CostUSD), Model: c.Model,
		Satisfaction: words.Rating(c.Satisfaction), Response: c.ResponseID,
	}
	row.Tokens, row.TokensOf = tokensOf(c)
	if len(c.ResponseID) > 20 {
		row.ResponseShown = prompt.Clip(c.ResponseID, 18)
	}
	return row
}

// tokensOf is how many tokens a call took, and which; "-" where it does not tell.
func tokensOf(c *registry.WireCall) (sum, of string) {
	if c.InputTokens == nil && c.OutputTokens == nil {
		return words.Unknown, ""
	}
	var parts []string
	n := int64(0)
	for _, t := range []struct {
		n    *int64
		word string
		add  bool
	}{{c.InputTokens, " in", true}, {c.CachedTokens, " of them cached", false}, {c.OutputTokens, " out", true}} {
		if t.n == nil {
			continue
		}
		parts = append(parts, words.Thousands(*t.n)+t.word)
		if t.add {
			n += *t.n
		}
	}
	return words.Thousands(n), strings.Join(parts, ", ")
}

// outcomeKind is how an outcome is shown, beside its word.
func outcomeKind(o registry.Outcome) string {
	switch o {
	case registry.OK:
		return "good"
	case registry.Failed:
		return "bad"
	}
	return "none"
}

// classes are the classes of errors that calls can be chosen by.
func classes() []string {
	var out []string
	for _, c := range registry.ErrorClasses() {
		out = append(out, string(c))
	}
	return append(out, registry.UnknownError)
}

// exampleCall is the command that records a call which was made at a time.
func exampleCall(at time.Time, id prompt.ID) string {
	return `curl "$INCIPIT_SERVER/v1/calls" -H "Authorization: Bearer $INCIPIT_KEY" -H "Content-Type: application/json" -d '[{"prompt":"` + cmp.Or(string(id), "greeting") +
		`","version":"1.0.0","environment":"dev","started_at":"` + at.UTC().Format(time.RFC3339) + `","latency_ms":812,"outcome":"ok","response_id":"resp_1"}]'`
}

// refused is the problem with what a person typed, nil if err is of another kind.
func refused(err error) *api.Problem {
	if err == nil || !errors.Is(err, prompt.ErrInvalid) {
		return nil
	}
	p := api.NewProblem(err, http.StatusUnprocessableEntity, "")
	return &p
}

// callPath is the page of a call.
func callPath(ref string) string { return "/calls/" + url.PathEscape(ref) }

// reachable reports whether a path can end in ref: a browser takes dots for a
// way up.
func reachable(ref string) bool { return ref != "." && ref != ".." }
