package assertion

import (
	"slices"
	"strings"
	"unicode"
)

// treebank splits a text in lower case into words as the Penn Treebank does
// (Marcus, Santorini, Marcinkiewicz: Building a large annotated corpus of
// English, 1993; its tokenizer of 1995), which is what ROUGE counts: marks
// stand alone, a period only at the end of the text, and 's, n't and their like
// are words.
func treebank(text string) []string {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return blank(r) || r == 0x85 }), " ")
	words := strings.Fields(string(splitPeriod(spaceMarks([]rune(text)))))
	out := make([]string, 0, len(words))
	for _, w := range words {
		out = appendWord(out, w)
	}
	return out
}

// splitPeriod puts a space before the period that ends the text, if it is not
// one of several, nor that of an acronym such as u.s.; brackets and quotes may
// stand behind it.
func splitPeriod(text []rune) []rune {
	end := len(text)
	for end > 0 && strings.ContainsRune("])}>' ", text[end-1]) {
		end--
	}
	at := end - 1
	if at < 1 || text[at] != '.' || text[at-1] == '.' || acronym(text[:at]) {
		return text
	}
	out := append(make([]rune, 0, len(text)+2), text[:at]...)
	out = append(out, ' ', '.', ' ')
	return append(out, text[at+1:]...)
}

// acronym reports whether text ends with a letter, a period and a letter, the
// first of which begins a word.
func acronym(text []rune) bool {
	n := len(text)
	return n >= 3 && latin(text[n-1]) && text[n-2] == '.' && latin(text[n-3]) && (n == 3 || !wordRune(text[n-4]))
}

func latin(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }

func wordRune(r rune) bool { return latin(r) || r >= '0' && r <= '9' || r == '_' }

// spaceMarks puts spaces around the marks that are words of their own.
func spaceMarks(text []rune) []rune {
	out := make([]rune, 0, len(text)+16)
	mark := func(s string) { out = append(append(append(out, ' '), []rune(s)...), ' ') }
	at := func(i int) rune {
		if i < 0 || i >= len(text) {
			return ' '
		}
		return text[i]
	}
	inside := false // a quotation
	for i := 0; i < len(text); i++ {
		r, next := text[i], at(i+1)
		switch {
		case r == '"', r == '`' && next == '`', r == '\'' && next == '\'':
			inside = r == '`' || r == '"' && !inside && opens(at(i-1))
			if inside {
				mark("``")
			} else {
				mark("''")
			}
			if r != '"' {
				i++
			}
		case r == '.' && next == '.' && at(i+2) == '.':
			mark("...")
			i += 2
		case r == '-' && next == '-':
			mark("--")
			i++
		case strings.ContainsRune(";@#$%&?!()[]{}<>", r), (r == ':' || r == ',') && !unicode.Is(unicode.Nd, next):
			mark(string(r))
		default:
			out = append(out, r)
		}
	}
	return out
}

// opens reports whether a quote behind r opens.
func opens(r rune) bool { return r == ' ' || r == '<' || unicode.Is(unicode.Ps, r) }

// appendWord splits a word into its stem and its endings: an apostrophe, then 's
// and its like, then 'll and its like, each at most once.
func appendWord(out []string, w string) []string {
	var endings []string
	cut := func(among ...string) {
		for _, ending := range among {
			if stem, ok := strings.CutSuffix(w, ending); ok && stem != "" {
				w, endings = stem, append(endings, ending)
				return
			}
		}
	}
	if !strings.HasSuffix(w, "''") {
		cut("'")
	}
	cut("'s", "'m", "'d")
	cut("'ll", "'re", "'ve", "n't")
	out = append(out, contraction(w)...)
	for _, ending := range slices.Backward(endings) {
		out = append(out, ending)
	}
	return out
}

// contraction splits the words that are two.
func contraction(w string) []string {
	switch w {
	case "cannot", "gonna", "gotta", "gimme", "lemme", "wanna":
		return []string{w[:3], w[3:]}
	case "d'ye":
		return []string{"d", "'ye"}
	case "more'n":
		return []string{"more", "'n"}
	case "'tis", "'twas":
		return []string{"'t", w[2:]}
	}
	return []string{w}
}
