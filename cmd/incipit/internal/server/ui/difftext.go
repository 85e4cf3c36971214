package ui

import (
	"fmt"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/worddiff"
	"github.com/incipit-dev/incipit/internal/prompt"
)

const (
	contextLines = 3 // around each change
	leastFolded  = 6 // lines without a change: fewer are shown
)

// A diffText is a message, and how it changed.
type diffText struct {
	Name           string
	Added, Removed int // characters
	Lines          int
	Parts          []diffPart
}

// Changed reports whether the two texts differ, white space not counted where
// it does not count.
func (d diffText) Changed() bool { return len(d.Parts) > 0 }

// A diffPart is rows of a message; folded ones did not change.
type diffPart struct {
	Folded bool
	Rows   []diffRow
}

// A diffRow is a line of the first text beside one of the second; inline, A
// alone holds both. A number of 0 is no line.
type diffRow struct {
	NA, NB  int
	A, B    []diffSpan
	Changed bool
}

// A diffSpan is a run of a line that is in both texts, or in one.
type diffSpan struct {
	Op     string // same, removed or added
	Move   int    // the passage that it is an end of; 0 is none
	First  bool   // of the pieces of that end: it has the link
	Pieces []textPiece
}

// A differ makes the rows of texts, as the page was asked to show them.
type differ struct {
	options diffOptions
	linked  map[string]bool // ends of moves that have their link
}

// texts lays out the messages of two prompts, and counts the passages that
// moved.
func (d *differ) texts(a, b []prompt.Message) (out []diffText, moves int) {
	all := worddiff.Messages(a, b)
	for i := range all {
		all[i].Spans = worddiff.Calm(all[i].Spans)
		if d.options.Loose {
			all[i].Spans = worddiff.Loose(all[i].Spans)
		}
	}
	all, moves = worddiff.Moves(all)
	for _, t := range all {
		out = append(out, d.text(t))
	}
	return out, moves
}

func (d *differ) text(t worddiff.Text) diffText {
	out := diffText{Name: t.Message, Added: t.Added, Removed: t.Removed}
	rows := d.rows(t.Spans)
	out.Lines = len(rows)
	changed := false
	for _, r := range rows {
		changed = changed || r.Changed
	}
	if !changed {
		return out
	}
	out.Parts = d.parts(rows)
	return out
}

func (d *differ) parts(rows []worddiff.Row) (out []diffPart) {
	for _, p := range worddiff.Fold(rows, contextLines, leastFolded) {
		part := diffPart{Folded: p.Folded}
		for _, r := range p.Rows {
			part.Rows = append(part.Rows, diffRow{NA: r.NA, NB: r.NB, A: d.line(r.A), B: d.line(r.B), Changed: r.Changed})
		}
		out = append(out, part)
	}
	return out
}

func (d *differ) rows(spans []worddiff.Span) []worddiff.Row {
	if d.options.Inline {
		return worddiff.Inline(spans)
	}
	return worddiff.SideBySide(spans)
}

func (d *differ) line(l worddiff.Line) []diffSpan {
	out := make([]diffSpan, 0, len(l.Spans))
	for _, s := range l.Spans {
		span := diffSpan{Op: "same", Move: s.Moved, Pieces: d.pieces(s)}
		if !s.Quiet && s.Op == worddiff.Added {
			span.Op = "added"
		} else if !s.Quiet && s.Op == worddiff.Removed {
			span.Op = "removed"
		}
		if end := fmt.Sprint(span.Op, s.Moved); s.Moved > 0 && !d.linked[end] {
			d.linked[end], span.First = true, true
		}
		out = append(out, span)
	}
	return out
}

// pieces are the pieces of a span; a line end that came or went is shown.
func (d *differ) pieces(s worddiff.Span) []textPiece {
	text, ends := strings.CutSuffix(s.Text, "\n")
	var out []textPiece
	for _, p := range prompt.Pieces(text) {
		if p.Kind == prompt.UnseenPiece && d.options.Hidden {
			continue
		}
		out = append(out, viewPiece(p, p.Text))
	}
	if d.options.Marks {
		out = marked(out)
	}
	if ends {
		out = append(out, textPiece{Kind: "blank", Text: "⏎"})
	}
	return out
}
