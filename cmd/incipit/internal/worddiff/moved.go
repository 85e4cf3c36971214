package worddiff

import (
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	leastWords   = 4  // of a passage that is said to have moved: fewer stand anywhere by chance
	leastLetters = 16 // and its characters
	maxPlaces    = 8  // at which a beginning is looked for
)

// Moves finds what was moved: a passage of several words that was removed in
// one place and added, the same, in another, of the same message or of
// another. Both ends get the same number, from 1 on, in Span.Moved. It returns
// texts of its own and how many passages moved. No passage is found twice, and
// the spans still are both texts.
func Moves(texts []Text) ([]Text, int) {
	removed, added := passages(texts, Removed), passages(texts, Added)
	index := make(map[string][]place)
	for i := range added {
		for at := range added[i].tokens {
			if key := beginning(added[i].tokens[at:]); key != "" && len(index[key]) < maxPlaces {
				index[key] = append(index[key], place{i, at})
			}
		}
	}
	n := 0
	for i := range removed {
		from := &removed[i]
		for at := 0; at < len(from.tokens); {
			to, where, size := longest(index, added, from.tokens[at:])
			if size == 0 {
				at++
				continue
			}
			n++
			from.mark(at, size, n)
			added[to].mark(where, size, n)
			at += size
		}
	}
	return split(texts, slices.Concat(removed, added)), n
}

// A place is a token of a passage.
type place struct{ passage, token int }

// A passage is a span that stands in one of the texts, in tokens.
type passage struct {
	text, span int // which
	tokens     []string
	moved      []int // by token: the number of the move it is part of, 0 is none
}

func (p *passage) mark(at, size, n int) {
	for i := at; i < at+size; i++ {
		p.moved[i] = n
	}
}

func passages(texts []Text, op Op) []passage {
	var out []passage
	for i, t := range texts {
		for k, s := range t.Spans {
			if s.Op == op && !s.Quiet && len(s.Text) >= leastLetters {
				tokens := words(s.Text)
				out = append(out, passage{i, k, tokens, make([]int, len(tokens))})
			}
		}
	}
	return out
}

// beginning is the first words of tokens that begin with a word, with what
// stands between them; "" if there are too few.
func beginning(tokens []string) string {
	if len(tokens) == 0 || !isWord(tokens[0]) {
		return ""
	}
	n := 0
	for i, t := range tokens {
		if isWord(t) {
			n++
		}
		if n == leastWords {
			return strings.Join(tokens[:i+1], "")
		}
	}
	return ""
}

// longest finds the longest run that tokens begin with and that was added
// somewhere, and is no end of another move yet.
func longest(index map[string][]place, added []passage, tokens []string) (to, at, size int) {
	for _, p := range index[beginning(tokens)] {
		there, n := &added[p.passage], 0
		for n < len(tokens) && p.token+n < len(there.tokens) && tokens[n] == there.tokens[p.token+n] && there.moved[p.token+n] == 0 {
			n++
		}
		for n > 0 && !isWord(tokens[n-1]) && strings.TrimSpace(tokens[n-1]) == "" {
			n-- // white space at the end belongs to neither
		}
		if n > size && long(tokens[:n]) {
			to, at, size = p.passage, p.token, n
		}
	}
	return to, at, size
}

// long reports whether tokens are enough for a passage.
func long(tokens []string) bool {
	n, letters := 0, 0
	for _, t := range tokens {
		if isWord(t) {
			n++
		}
		letters += utf8.RuneCountInString(t)
	}
	return n >= leastWords && letters >= leastLetters
}

// split is the texts with the spans of the passages cut where moves begin and
// end.
func split(texts []Text, all []passage) []Text {
	cut := make(map[[2]int]*passage, len(all))
	for i := range all {
		cut[[2]int{all[i].text, all[i].span}] = &all[i]
	}
	out := slices.Clone(texts)
	for i := range out {
		var spans []Span
		for k, s := range out[i].Spans {
			if p := cut[[2]int{i, k}]; p != nil {
				spans = append(spans, p.spans(s)...)
			} else {
				spans = append(spans, s)
			}
		}
		out[i].Spans = spans
	}
	return out
}

// spans is a span in pieces, each of which moved as a whole or not at all.
func (p *passage) spans(s Span) []Span {
	var out []Span
	for from := 0; from < len(p.tokens); {
		to := from + 1
		for to < len(p.tokens) && p.moved[to] == p.moved[from] {
			to++
		}
		out = append(out, Span{Op: s.Op, Text: strings.Join(p.tokens[from:to], ""), Moved: p.moved[from]})
		from = to
	}
	return out
}
