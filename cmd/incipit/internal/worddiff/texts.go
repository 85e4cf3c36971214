package worddiff

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// A Text is a message that differs between two prompts.
type Text struct {
	Message string `json:"message"` // system, user, example 1, user …
	Added   int    `json:"added"`   // characters
	Removed int    `json:"removed"`
	Spans   []Span `json:"spans"`
}

// Texts lists the messages that differ, each compared with the one that has
// its place.
func Texts(a, b []prompt.Message) []Text {
	return slices.DeleteFunc(Messages(a, b), func(t Text) bool { return t.Added == 0 && t.Removed == 0 })
}

// Messages lists all messages, each compared with the one that has its place.
func Messages(a, b []prompt.Message) []Text {
	out := []Text{}
	names, x, y := pair(a, b)
	for _, name := range names {
		t := Text{Message: name, Spans: Compare(x[name], y[name])}
		for _, s := range t.Spans {
			switch s.Op {
			case Added:
				t.Added += utf8.RuneCountInString(s.Text)
			case Removed:
				t.Removed += utf8.RuneCountInString(s.Text)
			}
		}
		out = append(out, t)
	}
	return out
}

// pair names the messages of two prompts by their places.
func pair(a, b []prompt.Message) (names []string, x, y map[string]string) {
	index := func(ms []prompt.Message) map[string]string {
		out := make(map[string]string)
		examples := prompt.Examples(ms)
		for i, m := range ms {
			name := m.Role
			if n := len(examples); n > 0 && i > 0 && i <= n {
				name = fmt.Sprintf("example %d, %s", i, m.Role)
			}
			out[name] = m.Content
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		return out
	}
	x, y = index(a), index(b)
	return names, x, y
}

// Gap stands in an excerpt for lines that are the same in both texts.
const Gap = "…"

// Excerpt is the lines that changed, with some around them: [-removed-] and
// {+added+}, invisible characters made visible, a line end that came or went as
// ⏎. style is applied to what is marked; nil leaves it.
func Excerpt(spans []Span, around int, style func(Op, string) string) []string {
	lines, changed := marked(spans, style)
	var out []string
	last := -1
	for i := range lines {
		near := slices.Contains(changed[max(0, i-around):min(len(lines), i+around+1)], true)
		if !near {
			continue
		}
		if i > last+1 {
			out = append(out, Gap)
		}
		last = i
		out = append(out, lines[i])
	}
	return out
}

// marked joins the spans with their marks and splits them into lines.
func marked(spans []Span, style func(Op, string) string) (lines []string, changed []bool) {
	line, touched := "", false
	end := func() {
		lines, changed = append(lines, line), append(changed, touched)
		line, touched = "", false
	}
	for _, s := range spans {
		for i, piece := range strings.Split(s.Text, "\n") {
			broken := i < strings.Count(s.Text, "\n")
			text := prompt.Visible(piece)
			if s.Op != Same {
				if broken {
					text += "⏎"
				}
				if text != "" {
					text, touched = mark(s.Op, text, style), true
				}
			}
			line += text
			if broken {
				end()
			}
		}
	}
	if line != "" {
		end()
	}
	return lines, changed
}

func mark(op Op, text string, style func(Op, string) string) string {
	if op == Added {
		text = "{+" + text + "+}"
	} else {
		text = "[-" + text + "-]"
	}
	if style != nil {
		text = style(op, text)
	}
	return text
}
