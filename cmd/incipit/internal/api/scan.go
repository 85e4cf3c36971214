package api

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// A scanner walks JSON once, forward. Texts without escapes are parts of its
// input, which is copied once for all of them.
//
// It knows two kinds of faults. After a syntaxError nobody can say where the
// next value begins. Everything else is told by what was read, and the scan
// goes on: so one call of a batch can be refused.
type scanner struct {
	data string
	pos  int
}

// maxDepth is how deep values may nest: of ours none is deeper than 4.
const maxDepth = 32

// A syntaxError says where JSON ends to be JSON.
type syntaxError struct {
	offset int
	text   string
}

func (e *syntaxError) Error() string { return e.text }

func (s *scanner) errorf(format string, args ...any) error {
	return &syntaxError{s.pos, fmt.Sprintf(format, args...)}
}

// peek skips white space, and is the byte behind it, 0 at the end.
func (s *scanner) peek() byte {
	if s.pos < len(s.data) && s.data[s.pos] > ' ' { // mostly
		return s.data[s.pos]
	}
	return s.space()
}

func (s *scanner) space() byte {
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; c {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

// end reports what stands behind the last value.
func (s *scanner) end() error {
	if s.peek(); s.pos < len(s.data) {
		return s.errorf("there is text behind the end")
	}
	return nil
}

// next is called behind a value in an array or an object that close ends, and
// reports whether there is another one.
func (s *scanner) next(end byte) (bool, error) {
	switch s.peek() {
	case ',':
		s.pos++
		return true, nil
	case end:
		s.pos++
		return false, nil
	}
	return false, s.errorf("a comma or %c should stand here", end)
}

// open reads the first byte of an array or an object, and reports whether there
// is anything in it.
func (s *scanner) open(end byte) bool {
	s.pos++
	if s.peek() == end {
		s.pos++
		return false
	}
	return true
}

// key reads the key of a member, and the colon. bad says why it is no text.
func (s *scanner) key() (key, bad string, err error) {
	if s.peek() != '"' {
		return "", "", s.errorf("a key in double quotes should stand here")
	}
	if key, bad, err = s.text(); err != nil {
		return "", "", err
	}
	if s.peek() != ':' {
		return "", "", s.errorf("a colon should follow the key")
	}
	s.pos++
	return key, bad, nil
}

// text reads a string, at whose quote s is. bad says why it is no text: it
// goes on behind it all the same.
func (s *scanner) text() (text, bad string, err error) {
	start := s.pos + 1
	escaped, wide := false, false
	for i := start; i < len(s.data); i++ {
		switch c := s.data[i]; {
		case c == '"':
			s.pos = i + 1
			text = s.data[start:i]
			if bad == "" && wide && !utf8.ValidString(text) {
				bad = "is not valid UTF-8"
			}
			if bad == "" && escaped {
				text, bad = unescape(text)
			}
			return text, bad, nil
		case c == '\\':
			escaped = true
			i++
		case c < ' ':
			bad = "holds a control character that is not escaped"
		case c >= utf8.RuneSelf:
			wide = true
		}
	}
	return "", "", s.errorf("a text is not closed")
}

// unescape is what a string with escapes says. bad says which it does not
// know.
func unescape(text string) (out, bad string) {
	var b strings.Builder
	b.Grow(len(text)) // an escape is longer than what it stands for
	for {
		plain, rest, more := strings.Cut(text, `\`)
		b.WriteString(plain)
		if !more {
			return b.String(), ""
		}
		text = rest[1:]
		switch c := rest[0]; c {
		case '"', '\\', '/':
			b.WriteByte(c)
		case 'b':
			b.WriteByte('\b')
		case 'f':
			b.WriteByte('\f')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		case 'u':
			r, n := codePoint(rest)
			if n == 0 {
				return "", `has an escape \u without its four digits, or half of a surrogate pair`
			}
			b.WriteRune(r)
			text = rest[n:]
		default:
			return "", "has an escape that JSON does not know"
		}
	}
}

// codePoint reads uXXXX, or the two of a surrogate pair with a backslash
// between them, and how long that is: 0 if there is none.
func codePoint(text string) (rune, int) {
	high, ok := hex4(text)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(high) {
		return high, 5
	}
	if text = text[5:]; text == "" || text[0] != '\\' {
		return 0, 0
	}
	low, ok := hex4(text[1:])
	if r := utf16.DecodeRune(high, low); ok && r != utf8.RuneError {
		return r, 11
	}
	return 0, 0
}

func hex4(text string) (rune, bool) {
	if len(text) < 5 || text[0] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(text[1:5], 16, 16)
	return rune(n), err == nil
}

// word reads what is neither a text nor an array nor an object: a number, true,
// null, or anything else without quotes.
func (s *scanner) word() (string, error) {
	start := s.pos
	for s.pos < len(s.data) && isWord(s.data[s.pos]) {
		s.pos++
	}
	if s.pos == start {
		return "", s.errorf("a value should stand here")
	}
	return s.data[start:s.pos], nil
}

func isWord(c byte) bool {
	return '0' <= c && c <= '9' || c == '.' || c == '-' || c == '+' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_'
}

// skip reads a value of any kind, and names the kind.
func (s *scanner) skip(depth int) (kind string, err error) {
	if depth > maxDepth {
		return "", s.errorf("it nests deeper than %d levels", maxDepth)
	}
	switch s.peek() {
	case '"':
		_, _, err = s.text()
		return "a text", err
	case '[':
		for more := s.open(']'); more && err == nil; {
			if _, err = s.skip(depth + 1); err == nil {
				more, err = s.next(']')
			}
		}
		return "an array", err
	case '{':
		for more := s.open('}'); more && err == nil; {
			if _, _, err = s.key(); err == nil {
				_, err = s.skip(depth + 1)
			}
			if err == nil {
				more, err = s.next('}')
			}
		}
		return "an object", err
	}
	w, err := s.word()
	return wordKind(w), err
}

func wordKind(word string) string {
	switch word {
	case "true", "false", "null":
		return word
	}
	if _, ok := parseNumber(word); ok {
		return "a number"
	}
	return "no JSON"
}

// parseNumber reads a number as JSON writes it, ±Inf for one beyond a float64.
// It takes NaN, Infinity and -Infinity, too, which no bounds take.
func parseNumber(word string) (float64, bool) {
	i, n := 0, len(word)
	if i < n && word[i] == '-' {
		i++
	}
	switch {
	case i < n && word[i] == '0':
		i++
	case i < n && '1' <= word[i] && word[i] <= '9':
		i = digits(word, i)
	default:
		if word != "NaN" && word != "Infinity" && word != "-Infinity" {
			return 0, false
		}
		i = n
	}
	whole := i == n
	if i < n && word[i] == '.' {
		from := i + 1
		if i = digits(word, from); i == from {
			return 0, false
		}
	}
	if i < n && (word[i] == 'e' || word[i] == 'E') {
		if i++; i < n && (word[i] == '+' || word[i] == '-') {
			i++
		}
		from := i
		if i = digits(word, from); i == from {
			return 0, false
		}
	}
	if i < n {
		return 0, false
	}
	if whole && n <= 15 && word[0] <= '9' { // exact, and most are such
		v, err := strconv.Atoi(word)
		if v != 0 {
			return float64(v), err == nil
		}
	}
	v, _ := strconv.ParseFloat(word, 64) // ±Inf if it is too large
	return v, true
}

// digits is where the digits that begin at i end.
func digits(word string, i int) int {
	for i < len(word) && '0' <= word[i] && word[i] <= '9' {
		i++
	}
	return i
}

// place is line and column of an offset, both from 1; the column counts bytes.
func place(data []byte, offset int) (line, column int) {
	before := data[:min(offset, len(data))]
	return 1 + bytes.Count(before, []byte("\n")), len(before) - bytes.LastIndexByte(before, '\n')
}
