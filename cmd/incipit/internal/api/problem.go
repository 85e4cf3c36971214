package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// ProblemType is the media type of a Problem.
const ProblemType = "application/problem+json"

const problemURN = "urn:incipit:problem:"

// maxFindings bounds how many a Problem tells.
const maxFindings = 100

// A Problem is how an error crosses HTTP (RFC 9457): Code and Fix are what
// the command line shows, and by Code errors.Is holds again on the far side.
type Problem struct {
	Type    string `json:"type" doc:"urn:incipit:problem: and the code"`
	Title   string `json:"title" doc:"The status in words"`
	Status  int    `json:"status"`
	Code    string `json:"code" doc:"A stable word for the kind of problem"`
	Detail  string `json:"detail" doc:"What happened, and why"`
	Fix     string `json:"fix,omitempty" doc:"What to try"`
	Request string `json:"request_id" doc:"By which the server's log and audit log know the request"`

	Findings []prompt.Finding `json:"findings,omitempty" doc:"What validation found in a prompt, where that is why; at most 100"`
}

// NewProblem tells err, with the status that HTTPStatus gives it if status is
// 0. An error of no known kind keeps its text to itself: it may hold what only
// the log should.
func NewProblem(err error, status int, request string) Problem {
	status = cmp.Or(status, HTTPStatus(err))
	p := Problem{Title: cmp.Or(http.StatusText(status), "Given Up"), Status: status, Code: Code(err), Detail: err.Error(), Request: request}
	p.Type = problemURN + p.Code
	if fix, ok := errors.AsType[*registry.FixError](err); ok {
		p.Fix = fix.Fix
	}
	var found interface{ Found() []prompt.Finding }
	if errors.As(err, &found) {
		p.Findings = found.Found()
		p.Findings = p.Findings[:min(len(p.Findings), maxFindings)]
	}
	var guarded interface{ Public() string }
	if errors.As(err, &guarded) { // names hosts or paths, which only the log should
		p.Detail = guarded.Public()
	}
	switch {
	case errors.Is(err, context.Canceled):
		p.Detail, p.Fix = "the request was given up", "try again"
	case p.Code == codeFailure && status >= http.StatusInternalServerError:
		p.Detail, p.Fix = "something went wrong inside the server", "its log says more under the id of this request"
	}
	return p
}
