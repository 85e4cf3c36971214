package ui

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// A textPiece is a run of a text as it is shown. Kind is "" for plain text,
// variable, unseen or blank.
type textPiece struct {
	Kind, Text string
	Title      string // says more of it
}

// A textView is a text of a prompt, line by line.
type textView struct {
	Name  string // of the message
	Raw   string // to copy
	Lines [][]textPiece
	Chars int
	Hides bool // it holds characters that one does not see
}

// viewText is a message.
func viewText(name, text string) textView {
	return view(name, text, prompt.Pieces)
}

// viewData is a text that is no template.
func viewData(name, text string) textView {
	return view(name, text, prompt.Unseen)
}

func view(name, text string, pieces func(string) []prompt.Piece) textView {
	v := textView{Name: name, Raw: text, Chars: utf8.RuneCountInString(text), Lines: [][]textPiece{nil}}
	for _, p := range pieces(strings.TrimSuffix(text, "\n")) {
		v.Hides = v.Hides || p.Kind == prompt.UnseenPiece
		for i, part := range strings.Split(p.Text, "\n") {
			if i > 0 {
				v.Lines = append(v.Lines, nil)
			}
			if last := &v.Lines[len(v.Lines)-1]; part != "" {
				*last = append(*last, viewPiece(p, part))
			}
		}
	}
	return v
}

// viewPiece is a piece as it is shown; text is what it holds of a line.
func viewPiece(p prompt.Piece, text string) textPiece {
	switch p.Kind {
	case prompt.VariablePiece:
		return textPiece{"variable", text, "the variable " + p.Name}
	case prompt.UnseenPiece:
		if p.More > 0 {
			return textPiece{"unseen", fmt.Sprintf("%s × %d", p.Code, p.More+1), fmt.Sprintf("%s, %d times", p.Name, p.More+1)}
		}
		return textPiece{"unseen", p.Code, p.Name}
	}
	return textPiece{Text: text}
}

// marked shows blanks and line ends, too: · is a space, → a tab, ⏎ a line end.
func marked(pieces []textPiece) []textPiece {
	var out []textPiece
	for _, p := range pieces {
		if p.Kind != "" {
			out = append(out, p)
			continue
		}
		for rest := p.Text; rest != ""; {
			n := strings.IndexAny(rest, " \t\n")
			if n < 0 {
				n = len(rest)
			}
			if n > 0 {
				out = append(out, textPiece{Text: rest[:n]})
			}
			blanks := len(rest[n:]) - len(strings.TrimLeft(rest[n:], " \t\n"))
			if blanks > 0 {
				out = append(out, textPiece{Kind: "blank", Text: strings.NewReplacer(" ", "·", "\t", "→\t", "\n", "⏎").Replace(rest[n : n+blanks])})
			}
			rest = rest[n+blanks:]
		}
	}
	return out
}
