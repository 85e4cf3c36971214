// Package worddiff compares texts word by word.
package worddiff

import (
	"unicode"
	"unicode/utf8"

	"znkr.io/diff"
)

// An Op says which text a span stands in.
type Op int

// The operations.
const (
	Same Op = iota
	Removed
	Added
)

// A Span is a run of text that stands in both texts, or in one of them.
type Span struct {
	Op    Op     `json:"op"`
	Text  string `json:"text"`
	Moved int    `json:"moved,omitempty"` // the number of the move that the span is an end of, as Moves found it
	Quiet bool   `json:"-"`               // it differs in white space alone, and that was not asked for
}

// MarshalText makes an Op a word in JSON.
func (o Op) MarshalText() ([]byte, error) {
	return []byte([...]string{"same", "removed", "added"}[o]), nil
}

// Compare returns the spans that turn a into b. Joined without the added ones
// they are a, without the removed ones b.
func Compare(a, b string) []Span {
	var out []Span
	add := func(op Op, text string) {
		if n := len(out); n > 0 && out[n-1].Op == op {
			out[n-1].Text += text
			return
		}
		out = append(out, Span{Op: op, Text: text})
	}
	var removed, added string
	flush := func() {
		if removed != "" {
			add(Removed, removed)
		}
		if added != "" {
			add(Added, added)
		}
		removed, added = "", ""
	}
	for _, e := range diff.Edits(words(a), words(b)) {
		switch e.Op {
		case diff.Match:
			flush()
			add(Same, e.X)
		case diff.Delete:
			removed += e.X
		case diff.Insert:
			added += e.Y
		}
	}
	flush()
	return out
}

// words splits s into words, runs of blanks, and single other characters.
func words(s string) []string {
	var out []string
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		kind := kindOf(r)
		for kind != other && n < len(s) {
			next, m := utf8.DecodeRuneInString(s[n:])
			if kindOf(next) != kind {
				break
			}
			n += m
		}
		out = append(out, s[:n])
		s = s[n:]
	}
	return out
}

type kind int

const (
	other kind = iota
	word
	blank
)

// isWord reports whether a token is a word.
func isWord(token string) bool {
	r, _ := utf8.DecodeRuneInString(token)
	return kindOf(r) == word
}

func kindOf(r rune) kind {
	switch {
	case r == '\n':
		return other // each line end is compared by itself
	case unicode.IsSpace(r):
		return blank
	case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) || r == '_':
		return word
	}
	return other
}
