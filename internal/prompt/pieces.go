package prompt

import "fmt"

// A PieceKind says what a piece of a text is.
type PieceKind int

// The kinds of pieces.
const (
	PlainPiece    PieceKind = iota
	VariablePiece           // {{name}}
	UnseenPiece             // what CheckText would report, the same character once or more
)

// A Piece is a run of a message's text, as a reader needs to see it.
type Piece struct {
	Kind PieceKind
	Text string // as it stands in the message
	Name string // of the variable, or of the character: "U+200B ZERO WIDTH SPACE"
	Code string // of the character: "U+200B", or "0xff" for a byte that is not UTF-8
	More int    // of an unseen character: how often it follows itself
}

// Pieces splits the text of a message into plain text, variables and characters
// that one does not see. Joined, their texts are the text.
func Pieces(text string) []Piece {
	var out []Piece
	t, _ := parseTemplate(text)
	pos := 0
	for _, p := range t {
		if p.variable == "" {
			continue
		}
		out = append(unseenIn(out, text[pos:p.start]), Piece{Kind: VariablePiece, Text: text[p.start:p.end], Name: p.variable})
		pos = p.end
	}
	return unseenIn(out, text[pos:])
}

// Unseen splits a text that is no template, into plain text and characters that
// one does not see.
func Unseen(text string) []Piece { return unseenIn(nil, text) }

// unseenIn appends the pieces of a text that holds no variable.
func unseenIn(out []Piece, text string) []Piece {
	if text == "" {
		return out
	}
	if !suspicious(text) {
		return append(out, Piece{Text: text})
	}
	data := []byte(text)
	pos := 0
	for {
		c := nextIssue(data, pos)
		if c.rule == 0 {
			break
		}
		if c.at > pos {
			out = append(out, Piece{Text: text[pos:c.at]})
		}
		out = appendUnseen(out, c, text[c.at:c.at+c.size], c.at == pos && pos > 0)
		pos = c.at + c.size
	}
	if pos < len(text) {
		out = append(out, Piece{Text: text[pos:]})
	}
	return out
}

// appendUnseen adds a character, or counts it where it follows itself.
func appendUnseen(out []Piece, c hidden, text string, follows bool) []Piece {
	p := Piece{Kind: UnseenPiece, Text: text, Code: fmt.Sprintf("U+%04X", c.char)}
	if c.rule == ruleEncoding {
		p.Code = fmt.Sprintf("0x%02x", c.char)
	}
	p.Name = p.Code
	if name := runeName(c.char); name != "" && c.rule != ruleEncoding {
		p.Name += " " + name
	}
	if n := len(out); follows && n > 0 && out[n-1].Code == p.Code {
		out[n-1].Text += text
		out[n-1].More++
		return out
	}
	return append(out, p)
}
