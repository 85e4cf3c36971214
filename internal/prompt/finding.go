package prompt

import (
	"cmp"
	"fmt"
	"slices"
)

// A Severity says whether a finding stands in the way of a release.
type Severity string

// The severities.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
)

// A Finding is one thing a check has to say about a prompt's files. Line and
// Col count from 1, in characters; 0 means the file as a whole.
type Finding struct {
	Path     string   `json:"path"` // relative to the workspace, with slashes
	Line     int      `json:"line"`
	Col      int      `json:"col"`
	Code     string   `json:"code"` // stable: docs/findings.md has a section for each
	Severity Severity `json:"severity"`
	Message  string   `json:"message"`
	Fix      string   `json:"fix,omitempty"`
}

// String is the form editors and terminals follow to the place:
// path:line:col: code: message.
func (f Finding) String() string {
	return fmt.Sprintf("%s:%d:%d: %s: %s", f.Path, max(f.Line, 1), max(f.Col, 1), f.Code, f.Message)
}

// SortFindings orders by path, place and code.
func SortFindings(fs []Finding) {
	slices.SortFunc(fs, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col),
			cmp.Compare(a.Code, b.Code), cmp.Compare(a.Message, b.Message),
		)
	})
}

// Failed reports whether one of the findings is an error.
func Failed(fs []Finding) bool {
	return slices.ContainsFunc(fs, func(f Finding) bool { return f.Severity == SeverityError })
}
