package prompt

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestPieces(t *testing.T) {
	tests := []struct {
		name, text string
		want       []Piece
	}{
		{"nothing has no pieces", "", nil},
		{"plain text is one piece", "a\nb\t<b>", []Piece{{Text: "a\nb\t<b>"}}},
		{"a variable is a piece of its own", "Dear {{ name }}!", []Piece{{Text: "Dear "}, {Kind: VariablePiece, Text: "{{ name }}", Name: "name"}, {Text: "!"}}},
		{"an escape is plain text", `\{{a}}`, []Piece{{Text: `\{{a}}`}}},
		{"what is no variable is plain text", "{{a b}}", []Piece{{Text: "{{a b}}"}}},
		{
			"an invisible character has its code and its name", "a\u200bb",
			[]Piece{{Text: "a"}, {Kind: UnseenPiece, Text: "\u200b", Name: "U+200B ZERO WIDTH SPACE", Code: "U+200B"}, {Text: "b"}},
		},
		{
			"the same character again is counted", "\u200b\u200b\u200b\u202e",
			[]Piece{
				{Kind: UnseenPiece, Text: "\u200b\u200b\u200b", Name: "U+200B ZERO WIDTH SPACE", Code: "U+200B", More: 2},
				{Kind: UnseenPiece, Text: "\u202e", Name: "U+202E RIGHT-TO-LEFT OVERRIDE", Code: "U+202E"},
			},
		},
		{"a byte that is not UTF-8 is shown as one", "\xff", []Piece{{Kind: UnseenPiece, Text: "\xff", Name: "0xff", Code: "0xff"}}},
		{"an emoji stays whole", "❤️", []Piece{{Text: "❤️"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Pieces(tt.text); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %#v\nwant %#v", got, tt.want)
			}
		})
	}
}

func TestPiecesAreTheText(t *testing.T) {
	always(t, func(d dice) string {
		text := d.word("ab {}\\\n\u200b\u202e\r1️é", d.few(40))
		var joined strings.Builder
		for _, p := range Pieces(text) {
			if p.Text == "" {
				return fmt.Sprintf("an empty piece of %q", text)
			}
			if p.Kind != UnseenPiece && Visible(p.Text) != p.Text && !strings.ContainsRune(text, '\ufe0f') {
				return fmt.Sprintf("%q of %q holds what one does not see", p.Text, text)
			}
			joined.WriteString(p.Text)
		}
		if joined.String() != text {
			return fmt.Sprintf("the pieces of %q are %q", text, joined.String())
		}
		return ""
	})
}
