package suite

import (
	"fmt"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// maxFindings is how much is said of one suite: who made the same mistake in
// 10,000 rows wants to read it once.
const maxFindings = 100

// An Error is everything that is wrong with a suite, in the order of the files.
type Error struct {
	File     string           // the suite
	Findings []prompt.Finding // at least one; warnings among them
}

// Error tells every finding on a line of its own, as path:line:col: code:
// message; and what to try.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the suite %s cannot be run:", prompt.Visible(e.File))
	for _, f := range e.Findings {
		if f.Severity != prompt.SeverityError {
			continue
		}
		b.WriteString("\n  " + f.String())
		if f.Fix != "" {
			b.WriteString("; " + f.Fix)
		}
	}
	return b.String()
}

// Unwrap lets errors.Is find prompt.ErrInvalid.
func (e *Error) Unwrap() error { return prompt.ErrInvalid }

// fault reports an error. Text of outsiders in msg and fix has been clipped.
func (l *loader) fault(file string, at mark, code, msg, fix string) {
	l.report(file, at, code, prompt.SeverityError, msg, fix)
}

// errorAt reports an error where n stands.
func (l *loader) errorAt(n *node, code, msg, fix string) {
	l.report(n.file, n.mark, code, prompt.SeverityError, msg, fix)
}

// strictAt reports what promptfoo would let pass: an error where a suite is
// held to more, else a notice.
func (l *loader) strictAt(n *node, code, msg, fix string) {
	severity := prompt.SeverityWarning
	if l.o.Strict {
		severity = prompt.SeverityError
	}
	l.report(n.file, n.mark, code, severity, msg, fix)
}

// noticeAt reports what changes no verdict.
func (l *loader) noticeAt(n *node, code, msg, fix string) {
	l.report(n.file, n.mark, code, prompt.SeverityWarning, msg, fix)
}

func (l *loader) report(file string, at mark, code string, severity prompt.Severity, msg, fix string) {
	f := prompt.Finding{Path: prompt.Visible(file), Line: at.line, Col: at.col, Code: code, Severity: severity, Message: msg, Fix: fix}
	if l.said[f] {
		return // what is shared by an alias is read once for each place
	}
	switch severity {
	case prompt.SeverityError:
		if l.errors++; l.errors > maxFindings {
			return
		}
	default:
		if l.warnings++; l.warnings > maxFindings {
			return
		}
	}
	if l.said == nil {
		l.said = map[prompt.Finding]bool{}
	}
	l.said[f] = true
	l.findings = append(l.findings, f)
}

// full reports whether so much is wrong that reading on is idle.
func (l *loader) full() bool { return l.errors > maxFindings }

// verdict is the error of what was found, nil if nothing stands in the way.
func (l *loader) verdict() error {
	if l.errors == 0 {
		return nil
	}
	prompt.SortFindings(l.findings)
	if l.errors > maxFindings {
		l.findings = append(l.findings, prompt.Finding{
			Path: prompt.Visible(l.file), Code: "more", Severity: prompt.SeverityError,
			Message: fmt.Sprintf("only the first %d errors are shown", maxFindings),
		})
	}
	return &Error{File: l.file, Findings: l.findings}
}

// share counts what aliases and references add to a suite.
func (l *loader) share(size int) bool {
	l.shared += size
	return l.shared <= maxShared
}
