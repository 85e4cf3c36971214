package assertion

import (
	"strings"
	"unicode"
)

// treebank splits a text in lower case into words as the Penn Treebank does
// (Marcus, Santorini, Marcinkiewicz: Building a large annotated corpus of
// English, 1993; its tokenizer of 1995), which is what ROUGE counts: marks
// stand alone, a period only at the end of the text, and 's, n't and their like
// are words.
func treebank(text string) []string {
	spaced := spaceMarks(splitPeriod([]rune(strings.Join(strings.FieldsFunc(text, func(r rune) bool { return blank(r) || r == 0x85 }), " "))))
	words := strings.Fields(string(spaced))
	out := make([]string, 0, len(words))
	for i, w := range words {
		out = appendWord(out, w, i == len(words)-1)
	}
	return out
}

// splitPeriod puts a space before the period that ends the text, if it is not
// one of several, nor that of an acronym such as u.s.; brackets and quotes may
// stand behind it.
func splitPeriod(text []rune) []rune {
	end := len(text)
	for end > 0 && strings.ContainsRune(`])}>' "`, text[end-1]) {
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
	for i := 0; i < len(text); i++ {
		r, next := text[i], at(i+1)
		switch {
		case r == '"', r == '`' && next == '`', r == '\'' && next == '\'':
			if r == '`' || r == '"' && opens(at(i-1)) && next != ' ' {
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

// appendWord splits the endings and contractions of a word.
func appendWord(out []string, w string, last bool) []string {
	if len(w) > 1 && strings.HasSuffix(w, "'") && !strings.HasSuffix(w, "''") {
		return append(appendWord(out, w[:len(w)-1], false), "'")
	}
	for _, ending := range []string{"'s", "'m", "'d", "'ll", "'re", "'ve", "n't"} {
		if stem, ok := strings.CutSuffix(w, ending); ok && stem != "" {
			return append(appendWord(out, stem, false), ending)
		}
	}
	for _, c := range []struct{ first, second string }{
		{"can", "not"}, {"d", "'ye"}, {"gim", "me"}, {"gon", "na"}, {"got", "ta"}, {"lem", "me"}, {"more", "'n"}, {"wan", "na"}, {"'t", "is"}, {"'t", "was"},
	} {
		if w == c.first+c.second && !(w == "wanna" && last) {
			return append(out, c.first, c.second)
		}
	}
	return append(out, w)
}
