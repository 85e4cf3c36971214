package strictjson

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// A Member is one key of an object and where it stands. Offsets are in bytes
// from the start of the document: KeyStart at the key's quote, Start and End
// around the value.
type Member struct {
	Key                  string
	KeyStart, Start, End int
}

// Members checks data and returns the members of the object that it must be,
// in their order.
func Members(data []byte) ([]Member, error) {
	if i := invalidUTF8(data); i >= 0 {
		return nil, Check(data)
	}
	out := make([]Member, 0, 8)
	s := scanner{data: data, member: func(m Member) { out = append(out, m) }}
	s.space()
	isObject := s.peek() == '{'
	s.pos = 0
	if err := s.document(); err != nil {
		return nil, err
	}
	if !isObject {
		return nil, &Error{0, "the document must be a JSON object"}
	}
	return out, nil
}

// Elements checks data and returns the elements of the array that it must be.
// They have no key.
func Elements(data []byte) ([]Member, error) {
	if i := invalidUTF8(data); i >= 0 {
		return nil, Check(data)
	}
	var out []Member
	s := scanner{data: data, element: func(m Member) { out = append(out, m) }}
	s.space()
	isArray := s.peek() == '['
	s.pos = 0
	if err := s.document(); err != nil {
		return nil, err
	}
	if !isArray {
		return nil, &Error{0, "the document must be a JSON array"}
	}
	return out, nil
}

// Escaped returns where, in the JSON string that data starts with, the byte
// stands that has the given offset in the string's value.
func Escaped(data []byte, offset int) int {
	s := scanner{data: data, pos: 1} // behind the quote
	for offset > 0 && s.pos < len(data) && data[s.pos] != '"' {
		code, ok := s.hex(s.pos)
		switch {
		case ok:
			r, size := rune(code), 6
			if utf16.IsSurrogate(r) {
				low, _ := s.hex(s.pos + size)
				r, size = utf16.DecodeRune(r, rune(low)), 12
			}
			s.pos += size
			offset -= utf8.RuneLen(r)
		case data[s.pos] == '\\':
			s.pos += 2
			offset--
		default:
			s.pos++
			offset--
		}
	}
	return min(s.pos, len(data))
}

// Locate returns the offset of the key at path within data, a checked
// document. Where part of the path is absent it answers for the part that is
// there.
func Locate(data []byte, path ...string) int {
	offset, base := 0, 0
	for _, key := range path {
		ms, err := Members(data)
		if err != nil {
			break
		}
		i := slices.IndexFunc(ms, func(m Member) bool { return m.Key == key })
		if i < 0 {
			break
		}
		offset = base + ms[i].KeyStart
		base += ms[i].Start
		data = data[ms[i].Start:ms[i].End]
	}
	return offset
}

// Set returns a copy of the object data with key set to value, every other
// byte as it was. A new key is indented like its neighbors; it comes last, or
// in its place if the keys stand in order. A json.RawMessage goes in as it is.
func Set(data []byte, key string, value any) ([]byte, error) {
	return set(data, key, value, true)
}

// Append is Set for objects whose keys have an order of their own: a new key
// always comes last.
func Append(data []byte, key string, value any) ([]byte, error) {
	return set(data, key, value, false)
}

func set(data []byte, key string, value any, keepSorted bool) ([]byte, error) {
	ms, err := Members(data)
	if err != nil {
		return nil, err
	}
	indent := indentOf(data, ms)
	encoded, err := encode(value, indent)
	if err != nil {
		return nil, err
	}
	for _, m := range ms {
		if m.Key == key {
			return slices.Concat(data[:m.Start], encoded, data[m.End:]), nil
		}
	}
	name, err := encode(key, "")
	if err != nil {
		return nil, err
	}
	member := slices.Concat([]byte("\n"+indent), name, []byte(": "), encoded)
	if len(ms) == 0 {
		open := bytes.IndexByte(data, '{') + 1
		end := bytes.LastIndexByte(data, '}')
		return slices.Concat(data[:open], member, []byte("\n"), data[end:]), nil
	}
	byKey := func(a, b Member) int { return strings.Compare(a.Key, b.Key) }
	keepSorted = keepSorted && slices.IsSortedFunc(ms, byKey)
	if keepSorted && key < ms[0].Key {
		start := ms[0].KeyStart
		return slices.Concat(data[:start], member[1+len(indent):], []byte(",\n"+indent), data[start:]), nil
	}
	end := ms[len(ms)-1].End
	if keepSorted {
		i, _ := slices.BinarySearchFunc(ms, Member{Key: key}, byKey)
		end = ms[i-1].End
	}
	return slices.Concat(data[:end], []byte(","), member, data[end:]), nil
}

// indentOf returns the white space before the first member's key, two spaces
// if it shares its line with something else.
func indentOf(data []byte, ms []Member) string {
	if len(ms) > 0 {
		line := data[bytes.LastIndexByte(data[:ms[0].KeyStart], '\n')+1 : ms[0].KeyStart]
		if len(line) > 0 && len(bytes.TrimLeft(line, " \t")) == 0 {
			return string(line)
		}
	}
	return "  "
}

func encode(value any, indent string) ([]byte, error) {
	if raw, ok := value.(json.RawMessage); ok {
		return raw, nil
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent(indent, oneStep(indent))
	if err := enc.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimRight(buf.Bytes(), "\n"), nil
}

func oneStep(indent string) string {
	if strings.Contains(indent, "\t") {
		return "\t"
	}
	return "  "
}
