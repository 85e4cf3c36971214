package worddiff

import "strings"

// Calm is the same difference for a reader: a blank, a mark or a single word
// between two changes is part of them, so that a sentence that was rewritten
// reads as one, and changes begin where lines and sentences do. Joined without the added spans it is still the one text,
// without the removed ones the other. Line ends stay where they are.
func Calm(spans []Span) []Span {
	var c calm
	spans = settle(spans)
	for i, s := range spans {
		changes := s.Op != Same
		between := i > 0 && i+1 < len(spans) && !c.clean() && small(s.Text)
		switch {
		case changes && s.Op == Removed:
			c.removed.WriteString(s.Text)
		case changes:
			c.added.WriteString(s.Text)
		case between:
			c.removed.WriteString(s.Text)
			c.added.WriteString(s.Text)
		default:
			c.flush()
			c.out = append(c.out, s)
		}
	}
	c.flush()
	return c.out
}

type calm struct {
	out            []Span
	removed, added strings.Builder
}

func (c *calm) clean() bool { return c.removed.Len() == 0 && c.added.Len() == 0 }

func (c *calm) flush() {
	if c.removed.Len() > 0 {
		c.out = append(c.out, Span{Op: Removed, Text: c.removed.String()})
	}
	if c.added.Len() > 0 {
		c.out = append(c.out, Span{Op: Added, Text: c.added.String()})
	}
	c.removed.Reset()
	c.added.Reset()
}

// small reports whether a text holds at most one word, and no line end.
func small(text string) bool {
	if strings.Contains(text, "\n") {
		return false
	}
	n := 0
	for _, w := range words(text) {
		if isWord(w) {
			n++
		}
	}
	return n <= 1
}

// Loose marks the changes that are of white space alone as Quiet: a paragraph
// that was wrapped anew says the same.
func Loose(spans []Span) []Span {
	out := make([]Span, len(spans))
	copy(out, spans)
	for i := 0; i < len(out); {
		end := i
		var removed, added strings.Builder
		for ; end < len(out) && out[end].Op != Same; end++ {
			if out[end].Op == Removed {
				removed.WriteString(out[end].Text)
			} else {
				added.WriteString(out[end].Text)
			}
		}
		if sameWords(removed.String(), added.String()) {
			for ; i < end; i++ {
				out[i].Quiet = true
			}
		}
		i = max(end, i+1)
	}
	return out
}

func sameWords(a, b string) bool {
	return strings.Join(strings.Fields(a), " ") == strings.Join(strings.Fields(b), " ")
}
