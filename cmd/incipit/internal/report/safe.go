package report

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// line is text of an outsider on one line of at most n characters. Of a text
// that is far longer no more than its beginning is looked at.
func line(s string, n int) string {
	if most := 16*n + 64; len(s) > most {
		for most > 0 && !utf8.RuneStart(s[most]) {
			most--
		}
		s = strings.Join(strings.Fields(s[:most]), " ") + " …"
	} else {
		s = strings.Join(strings.Fields(s), " ")
	}
	return inert(prompt.Clip(s, n))
}

// block is text of an outsider, its lines kept, of at most n characters. What
// was cut off is said.
func block(s string, n int) string {
	cut := 0
	if total := utf8.RuneCountInString(s); total > n {
		cut = total - n
		at := 0
		for i := range s {
			if at == n {
				s = s[:i]
				break
			}
			at++
		}
	}
	s = strings.ReplaceAll(s, "\r\n", "\n")
	s = inert(prompt.Visible(strings.TrimRight(s, "\n")))
	if cut > 0 {
		s += fmt.Sprintf("\n… and %s", count(cut, "more character"))
	}
	return s
}

// inert breaks what the log of a CI system would obey. GitHub's runner reads a
// command from a line that begins with two colons, blanks before them aside, and
// from "##[" anywhere in a line; Azure's from "##vso[". The marks are those of
// prompt.Visible, so that a reader sees that something was there.
func inert(s string) string {
	if strings.Contains(s, "##") {
		s = strings.NewReplacer("##[", "⟨#⟩#[", "##vso[", "⟨#⟩#vso[").Replace(s)
	}
	if !strings.Contains(s, "::") {
		return s
	}
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		if before, after, ok := strings.Cut(l, "::"); ok && strings.TrimSpace(before) == "" {
			lines[i] = before + "⟨::⟩" + after
		}
	}
	return strings.Join(lines, "\n")
}

// count is a number and its noun: "1 case", "2 cases".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return thousands(n) + " " + noun + "s"
}

// thousands writes n with a comma between its groups of digits.
func thousands(n int) string {
	if n < 0 {
		return "−" + thousands(-n)
	}
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// dollars is a cost, or that it is not known.
func dollars(cost *float64) string {
	if cost == nil {
		return "cost unknown"
	}
	return fmt.Sprintf("%.4f USD", *cost)
}
