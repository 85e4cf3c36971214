package report

import "strings"

// What outsiders wrote stands in Markdown as code alone, in a span or between
// fences: there an image, a link, HTML, a mention and a reference to an issue
// are text. Escaping each character would not do, since GitHub looks for mentions
// in the text that Markdown was made into.

// code is s as one span of code on one line, of at most n characters.
func code(s string, n int) string {
	s = line(s, n)
	if s == "" {
		return "(empty)"
	}
	mark := strings.Repeat("`", longest(s, '`')+1)
	if s[0] == '`' || s[len(s)-1] == '`' {
		s = " " + s + " "
	}
	return mark + s + mark
}

// cellCode is code for a table, in which a bar ends the cell even inside a span,
// and a backslash before it may or may not: it is written as a broken bar.
func cellCode(s string, n int) string {
	return strings.ReplaceAll(code(s, n), "|", "¦")
}

// fence is s between fences that are longer than any run of backticks in it, of
// at most n characters, with its line end.
func fence(s string, n int) string {
	s = block(s, n)
	mark := strings.Repeat("`", max(3, longest(s, '`')+1))
	return mark + "text\n" + s + "\n" + mark + "\n"
}

// longest is the length of the longest run of c in s.
func longest(s string, c byte) int {
	most, run := 0, 0
	for i := range len(s) {
		if s[i] != c {
			run = 0
			continue
		}
		run++
		most = max(most, run)
	}
	return most
}
