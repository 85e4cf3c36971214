// Package strictjson reads JSON that decides something: a prompt's metadata,
// the registry, a request. encoding/json takes the last of two equal keys,
// matches keys without regard to case, replaces invalid UTF-8 and ignores
// what follows the value; each of these lets two readers of one file
// disagree. Here they are errors, with the place where they stand.
//
// The package also edits an object in place, so that a file a person wrote
// keeps its order, its unknown fields and its layout, and writes the canonical
// form of RFC 8785 that digests are taken over.
package strictjson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxDepth is how deep arrays and objects may nest.
const MaxDepth = 32

// An Error says what is wrong with a document, and where.
type Error struct {
	Offset int // in bytes, from 0
	Msg    string
}

func (e *Error) Error() string { return e.Msg }

// Check reports the first thing in data that is not strict JSON, as an *Error:
// a syntax error, a duplicate key, text after the value, invalid UTF-8, a lone
// surrogate, a number beyond a float64, or nesting deeper than MaxDepth.
func Check(data []byte) error { return CheckWithin(data, 0) }

// CheckWithin is Check for a document that holds others, envelope levels down:
// each of them may nest as deep as it may alone.
func CheckWithin(data []byte, envelope int) error {
	if i := invalidUTF8(data); i >= 0 {
		return &Error{i, fmt.Sprintf("byte 0x%02x is not valid UTF-8", data[i])}
	}
	s := scanner{data: data, envelope: envelope}
	return s.document()
}

// document reads one value and nothing behind it.
func (s *scanner) document() error {
	if err := s.value(0); err != nil {
		return err
	}
	s.space()
	if s.pos < len(s.data) {
		return s.errorf("unexpected text after the end of the JSON value")
	}
	return nil
}

// Position converts a byte offset into a line and a column, both from 1; the
// column counts characters.
func Position(data []byte, offset int) (line, col int) {
	offset = min(max(offset, 0), len(data))
	line = 1 + bytes.Count(data[:offset], []byte("\n"))
	start := bytes.LastIndexByte(data[:offset], '\n') + 1
	return line, 1 + utf8.RuneCount(data[start:offset])
}

func invalidUTF8(data []byte) int {
	if utf8.Valid(data) {
		return -1
	}
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

// scanner walks a document once. Its methods advance pos past what they read.
type scanner struct {
	data     []byte
	pos      int
	envelope int // levels that MaxDepth does not count

	// member and element, if set, are called for each member of the outermost
	// object and each element of the outermost array.
	member, element func(Member)
}

func (s *scanner) errorf(format string, args ...any) error {
	return &Error{s.pos, fmt.Sprintf(format, args...)}
}

func (s *scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

func (s *scanner) peek() byte {
	if s.pos < len(s.data) {
		return s.data[s.pos]
	}
	return 0
}

func (s *scanner) value(depth int) error {
	s.space()
	if most := MaxDepth + s.envelope; depth > most {
		return s.errorf("nested deeper than %d levels", most)
	}
	switch c := s.peek(); {
	case c == '{':
		return s.object(depth)
	case c == '[':
		return s.array(depth)
	case c == '"':
		_, _, err := s.quoted()
		return err
	case c == '-' || '0' <= c && c <= '9':
		return s.number()
	case c == 't':
		return s.literal("true")
	case c == 'f':
		return s.literal("false")
	case c == 'n':
		return s.literal("null")
	case s.pos >= len(s.data):
		return s.errorf("unexpected end: a value is missing")
	default:
		r, _ := utf8.DecodeRune(s.data[s.pos:])
		return s.errorf("unexpected %q: a value should stand here", r)
	}
}

func (s *scanner) object(depth int) error {
	s.pos++
	var seen keys
	for first := true; ; first = false {
		s.space()
		if first && s.peek() == '}' {
			s.pos++
			return nil
		}
		if s.peek() != '"' {
			return s.errorf("a key in double quotes should stand here")
		}
		start := s.pos
		key, err := s.str()
		if err != nil {
			return err
		}
		if !seen.add(key) {
			s.pos = start
			return s.errorf("key %q appears twice in this object", key)
		}
		s.space()
		if s.peek() != ':' {
			return s.errorf("a colon should follow the key %q", key)
		}
		s.pos++
		s.space()
		from := s.pos
		if err := s.value(depth + 1); err != nil {
			return err
		}
		if depth == 0 && s.member != nil {
			s.member(Member{Key: key, KeyStart: start, Start: from, End: s.pos})
		}
		s.space()
		switch s.peek() {
		case ',':
			s.pos++
		case '}':
			s.pos++
			return nil
		default:
			return s.errorf("a comma or } should follow this member")
		}
	}
}

// keys are the keys of an object so far: a list while it is short.
type keys struct {
	short []string
	long  map[string]bool
}

// add reports whether key is new.
func (k *keys) add(key string) bool {
	if k.long == nil {
		if k.short == nil {
			k.short = make([]string, 0, 8)
		}
		if slices.Contains(k.short, key) {
			return false
		}
		if k.short = append(k.short, key); len(k.short) > 16 {
			k.long = make(map[string]bool)
			for _, s := range k.short {
				k.long[s] = true
			}
		}
		return true
	}
	if k.long[key] {
		return false
	}
	k.long[key] = true
	return true
}

func (s *scanner) array(depth int) error {
	s.pos++
	for first := true; ; first = false {
		s.space()
		if first && s.peek() == ']' {
			s.pos++
			return nil
		}
		from := s.pos
		if err := s.value(depth + 1); err != nil {
			return err
		}
		if depth == 0 && s.element != nil {
			s.element(Member{KeyStart: from, Start: from, End: s.pos})
		}
		s.space()
		switch s.peek() {
		case ',':
			s.pos++
		case ']':
			s.pos++
			return nil
		default:
			return s.errorf("a comma or ] should follow this element")
		}
	}
}

func (s *scanner) literal(word string) error {
	if !bytes.HasPrefix(s.data[s.pos:], []byte(word)) {
		return s.errorf("unexpected text: only true, false and null stand without quotes")
	}
	s.pos += len(word)
	return nil
}

// str reads a string and returns its value.
func (s *scanner) str() (string, error) {
	raw, escaped, err := s.quoted()
	if err != nil || !escaped {
		return string(raw), err
	}
	var out string
	return out, json.Unmarshal(s.data[s.pos-len(raw)-2:s.pos], &out)
}

// quoted reads a string and returns what stands between its quotes, and
// whether escapes do.
func (s *scanner) quoted() (raw []byte, escaped bool, err error) {
	start := s.pos
	for s.pos++; s.pos < len(s.data); s.pos++ {
		switch c := s.data[s.pos]; {
		case c == '"':
			s.pos++
			if escaped && !json.Valid(s.data[start:s.pos]) {
				s.pos = start
				return nil, true, s.errorf("this string has an escape that JSON does not know")
			}
			return s.data[start+1 : s.pos-1], escaped, nil
		case c == '\\':
			escaped = true
			if err := s.escape(); err != nil {
				return nil, true, err
			}
		case c < ' ':
			return nil, escaped, s.errorf("control character 0x%02x must be escaped in a string", c)
		}
	}
	s.pos = start
	return nil, escaped, s.errorf("this string is not closed")
}

// escape checks the escape at pos and leaves pos on its last byte. Surrogates
// must come in pairs: a lone one has no UTF-8 form.
func (s *scanner) escape() error {
	high, ok := s.hex(s.pos)
	if !ok {
		s.pos++ // the escaped byte; json.Unmarshal judges it
		return nil
	}
	if high >= 0xdc00 && high <= 0xdfff {
		return s.errorf("lone surrogate \\u%04x", high)
	}
	s.pos += 5
	if high >= 0xd800 && high <= 0xdbff {
		low, ok := s.hex(s.pos + 1)
		if !ok || low < 0xdc00 || low > 0xdfff {
			return s.errorf("lone surrogate \\u%04x", high)
		}
		s.pos += 6
	}
	return nil
}

// hex reads the four digits of a \uXXXX that starts at i.
func (s *scanner) hex(i int) (uint64, bool) {
	if i+6 > len(s.data) || s.data[i] != '\\' || s.data[i+1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(s.data[i+2:i+6]), 16, 32)
	return n, err == nil
}

func (s *scanner) number() error {
	start := s.pos
	for s.pos < len(s.data) && strings.IndexByte("+-0123456789.eE", s.data[s.pos]) >= 0 {
		s.pos++
	}
	raw := s.data[start:s.pos]
	if !json.Valid(raw) {
		s.pos = start
		return s.errorf("%q is not a JSON number", raw)
	}
	if _, err := strconv.ParseFloat(string(raw), 64); err != nil {
		s.pos = start
		return s.errorf("the number %s is too large", raw)
	}
	return nil
}
