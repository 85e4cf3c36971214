// Package words says what is known in words: plans, rollouts, verdicts,
// deployments and their figures.
//
// The terminal and the pages say the same since both ask here. A word is made
// of values alone: nothing here is styled, nothing is printed, and nothing is
// decided. What a rule says of itself, such as a check or a decision, stands
// where the rule does.
package words

import (
	"fmt"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// Plain is a text that others wrote as one line that nobody obeys: no terminal,
// and no CI that looks for commands in what is printed.
func Plain(s string) string {
	return strings.NewReplacer("\n", " ", "\r", " ", "##[", "## [").Replace(prompt.Visible(s))
}

// Spaced is a name with blanks for its underscores: first token.
func Spaced(name string) string { return strings.ReplaceAll(name, "_", " ") }

// Name is a person without the mail address.
func Name(who string) string {
	name, _, _ := strings.Cut(who, " <")
	return name
}

// Count is a number and its noun: "1 error", "2 errors".
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Minute is a moment to the minute, "" for none.
func Minute(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

// Second is a moment to the second.
func Second(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
