package worddiff

import (
	"slices"
	"strings"
)

// A Line is a line of one of the texts, or of both at once.
type Line struct {
	Spans []Span // without line ends
}

// A Row is a line of the first text beside one of the second. Numbers count
// from 1; 0 says that the text has no line there.
type Row struct {
	A, B    Line
	NA, NB  int
	Changed bool
}

// SideBySide lays two texts beside each other, line by line: lines that end
// together stand together, and what differs between them stands in between. A
// line end that came or went stands in its span as "\n".
func SideBySide(spans []Span) []Row {
	var s sides
	for _, span := range spans {
		for i, piece := range strings.SplitAfter(span.Text, "\n") {
			if i > 0 {
				s.end(span.Op)
			}
			s.add(span, piece)
		}
	}
	s.a, s.b = withoutLast(s.a, s.na), withoutLast(s.b, s.nb)
	s.close()
	return s.rows
}

// withoutLast leaves out an empty last line: the text ends with a line end.
func withoutLast(lines []*Line, before int) []*Line {
	if n := len(lines); n > 0 && before+n > 1 && len(lines[n-1].Spans) == 0 {
		return lines[:n-1]
	}
	return lines
}

// sides gathers the lines since the last line end that both texts have.
type sides struct {
	rows    []Row
	a, b    []*Line
	na, nb  int // lines of each that are in rows
	changed bool
}

// add adds a piece of a line to the lines of the texts that hold it.
func (s *sides) add(span Span, piece string) {
	if span.Op != Same && !span.Quiet {
		s.changed = s.changed || piece != ""
	} else {
		piece = strings.TrimSuffix(piece, "\n")
	}
	span.Text = piece
	if span.Op != Added {
		s.a = appendTo(s.a, span)
	}
	if span.Op != Removed {
		s.b = appendTo(s.b, span)
	}
}

func appendTo(lines []*Line, span Span) []*Line {
	if len(lines) == 0 {
		lines = append(lines, new(Line))
	}
	if span.Text != "" {
		last := lines[len(lines)-1]
		last.Spans = append(last.Spans, span)
	}
	return lines
}

// end ends a line in the texts that have the line end.
func (s *sides) end(op Op) {
	switch op {
	case Same:
		s.close()
		s.a, s.b = []*Line{{}}, []*Line{{}}
	case Removed:
		s.a = append(appendTo(s.a, Span{}), new(Line))
	case Added:
		s.b = append(appendTo(s.b, Span{}), new(Line))
	}
}

// close puts the gathered lines beside each other: the first ones, and where
// only the last ones have something in common, those.
func (s *sides) close() {
	n := max(len(s.a), len(s.b))
	if len(s.a) > 0 && len(s.b) > 0 && !sharesFirst(s.a[0], s.b[0]) && sharesLast(s.a[len(s.a)-1], s.b[len(s.b)-1]) {
		s.a, s.b = padded(s.a, n), padded(s.b, n)
	}
	for i := range n {
		var row Row
		if i < len(s.a) && s.a[i] != nil {
			s.na++
			row.A, row.NA = *s.a[i], s.na
		}
		if i < len(s.b) && s.b[i] != nil {
			s.nb++
			row.B, row.NB = *s.b[i], s.nb
		}
		row.Changed = row.A.changed() || row.B.changed() || s.changed && (row.NA == 0 || row.NB == 0)
		s.rows = append(s.rows, row)
	}
	s.a, s.b, s.changed = nil, nil, false
}

// padded is n lines of which the last is the last, and holes stand before it.
func padded(lines []*Line, n int) []*Line {
	last := len(lines) - 1
	out := append([]*Line{}, lines[:last]...)
	for len(out) < n-1 {
		out = append(out, nil)
	}
	return append(out, lines[last])
}

// sharesFirst reports whether two lines begin with what both texts have.
func sharesFirst(a, b *Line) bool {
	return len(a.Spans) > 0 && len(b.Spans) > 0 && a.Spans[0].Op == Same && b.Spans[0].Op == Same
}

// sharesLast reports whether they end with it.
func sharesLast(a, b *Line) bool {
	return len(a.Spans) > 0 && len(b.Spans) > 0 && a.Spans[len(a.Spans)-1].Op == Same && b.Spans[len(b.Spans)-1].Op == Same
}

// changed reports whether the line holds something that came or went.
func (l Line) changed() bool {
	return slices.ContainsFunc(l.Spans, func(s Span) bool { return s.Op != Same && !s.Quiet })
}

// Inline lays the texts into each other: each row's line A holds what was
// removed and what was added, as they follow each other. A line end that came
// or went stands in its span as "\n", and ends the line.
func Inline(spans []Span) []Row {
	var in inline
	for _, span := range spans {
		if span.Quiet && span.Op == Removed {
			in.na += strings.Count(span.Text, "\n")
			continue
		}
		for i, piece := range strings.SplitAfter(span.Text, "\n") {
			if i > 0 {
				in.end()
			}
			in.add(span, piece)
		}
	}
	in.end()
	return in.rows
}

type inline struct {
	rows   []Row
	now    Row
	na, nb int // lines of each text that have ended
}

func (in *inline) add(span Span, piece string) {
	if piece == "" {
		return
	}
	ends := strings.HasSuffix(piece, "\n")
	changed := span.Op != Same && !span.Quiet
	if !changed {
		piece = strings.TrimSuffix(piece, "\n")
	}
	in.now.Changed = in.now.Changed || changed
	if span.Op != Added {
		in.now.NA = in.na + 1
	}
	if span.Op != Removed {
		in.now.NB = in.nb + 1
	}
	if ends && span.Op != Added {
		in.na++
	}
	if ends && span.Op != Removed {
		in.nb++
	}
	span.Text = piece
	if piece != "" {
		in.now.A.Spans = append(in.now.A.Spans, span)
	}
}

func (in *inline) end() {
	if in.now.NA > 0 || in.now.NB > 0 {
		in.rows = append(in.rows, in.now)
	}
	in.now = Row{}
}

// A Part is rows that belong together: changes with a little around them, or
// rows without a change, which may be folded.
type Part struct {
	Rows   []Row
	Folded bool
}

// Fold cuts rows into parts. around rows stay beside each change; fewer than
// least rows are not worth folding.
func Fold(rows []Row, around, least int) []Part {
	near := make([]bool, len(rows))
	for i, r := range rows {
		if r.Changed {
			for k := max(0, i-around); k < min(len(rows), i+around+1); k++ {
				near[k] = true
			}
		}
	}
	var out []Part
	for from := 0; from < len(rows); {
		to := from + 1
		for to < len(rows) && near[to] == near[from] {
			to++
		}
		folded := !near[from] && to-from >= least
		if n := len(out); n > 0 && !folded && !out[n-1].Folded {
			out[n-1].Rows = append(slices.Clip(out[n-1].Rows), rows[from:to]...)
		} else {
			out = append(out, Part{rows[from:to], folded})
		}
		from = to
	}
	return out
}
