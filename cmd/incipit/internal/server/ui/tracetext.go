package ui

import (
	"github.com/incipit-dev/incipit/cmd/incipit/internal/worddiff"
	"github.com/incipit-dev/incipit/internal/prompt"
)

// changedLines bounds how much of a comparison stands on the page of a call.
const changedLines = 60

// A tracedText is a message, or what was sent or answered.
type tracedText struct {
	Name   string // the role
	Raw    string // to copy
	Pieces []textPiece
}

func tracedTexts(all []prompt.Message, split func(string) []prompt.Piece) []tracedText {
	out := make([]tracedText, len(all))
	for i, m := range all {
		out[i] = tracedTextOf(m.Role, m.Content, split)
	}
	return out
}

func tracedTextOf(name, text string, split func(string) []prompt.Piece) tracedText {
	return tracedText{Name: name, Raw: text, Pieces: tracedPieces(split(text))}
}

// tracedPieces are pieces as a page shows them.
func tracedPieces(all []prompt.Piece) []textPiece {
	out := make([]textPiece, len(all))
	for i, p := range all {
		out[i] = viewPiece(p, p.Text)
	}
	return out
}

// A tracedChange is how a message differs from that of the release before.
type tracedChange struct {
	Name           string
	Added, Removed int // characters
	Lines          []tracedLine
}

// A tracedLine is a line of both texts at once, or stands for lines that are
// left out because they are the same.
type tracedLine struct {
	Gap   int // how many lines it stands for
	Spans []tracedSpan
}

// A tracedSpan is a run of a line. Op is same, removed or added.
type tracedSpan struct {
	Op     string
	Pieces []textPiece
}

// tracedChanges is what differs, as far as a short look has room for it; longer
// says that it does not hold all.
func tracedChanges(before, after []prompt.Message) (out []tracedChange, longer bool) {
	room := changedLines
	for _, t := range worddiff.Texts(before, after) {
		c := tracedChange{Name: t.Message, Added: t.Added, Removed: t.Removed}
		for _, part := range worddiff.Fold(worddiff.Inline(worddiff.Calm(t.Spans)), 1, 2) {
			switch {
			case room == 0:
				longer = true
			case part.Folded:
				c.Lines = append(c.Lines, tracedLine{Gap: len(part.Rows)})
			default:
				n := min(room, len(part.Rows))
				longer = longer || n < len(part.Rows)
				room -= n
				for _, row := range part.Rows[:n] {
					c.Lines = append(c.Lines, tracedLineOf(row.A))
				}
			}
		}
		out = append(out, c)
	}
	return out, longer
}

func tracedLineOf(l worddiff.Line) tracedLine {
	var out tracedLine
	for _, s := range l.Spans {
		op := "same"
		if !s.Quiet && s.Op == worddiff.Added {
			op = "added"
		} else if !s.Quiet && s.Op == worddiff.Removed {
			op = "removed"
		}
		out.Spans = append(out.Spans, tracedSpan{op, tracedPieces(prompt.Pieces(s.Text))})
	}
	return out
}
