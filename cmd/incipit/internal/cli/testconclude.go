package cli

import (
	"context"
	"io"

	"github.com/charmbracelet/x/term"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/report"
)

// concludeTest judges the report, writes it where it was asked for, prints it,
// and ends as its verdict says.
func (e *env) concludeTest(ctx context.Context, t *tester, r *report.Report, keep string) error {
	hash, notices := t.notices()
	r.Warnings = append(r.Warnings, notices...)
	for i := range r.Prompts {
		if run := r.Prompts[i].Run; run != nil {
			run.CassetteHash = hash
		}
	}
	r.Sort()
	r.Judge()
	if err := keepFailed(r, keep); err != nil {
		e.talk("What failed is not kept for --only-failed: %v", err)
	}
	written := writeReports(r, t.flags.outputs, t.flags.dir)
	if err := e.printReport(r, t.flags.verbose); err != nil { // also where no file could be written: answers were paid for
		return err
	}
	if written != nil {
		return written
	}
	if t.flags.evidence {
		if err := e.fileReport(ctx, *r); err != nil {
			return err
		}
	}
	if status := statusOf(r); status != 0 {
		return exitError{status}
	}
	return nil
}

// printReport prints for people, or the report itself as JSON.
func (e *env) printReport(r *report.Report, verbose bool) error {
	return e.emit(r, func(w io.Writer) {
		if e.quiet && r.Verdict == report.Passed {
			return
		}
		r.Text(w, report.TextOptions{Width: e.width(), Verbose: verbose}) //nolint:errcheck // a page takes everything
	})
}

// width is how many columns a table may have: those of the terminal, else
// plenty.
func (e *env) width() int {
	if f, ok := e.rawOut.(interface{ Fd() uintptr }); ok && e.outTTY {
		if columns, _, err := term.GetSize(f.Fd()); err == nil && columns > 0 {
			return columns
		}
	}
	return 160
}
