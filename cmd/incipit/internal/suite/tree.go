package suite

import (
	"strconv"
)

// A kind is what a node holds.
type kind int

const (
	null kind = iota
	boolean
	number
	text
	list
	mapping
)

func (k kind) String() string {
	return [...]string{"nothing", "a boolean", "a number", "a text", "a list", "a mapping"}[k]
}

// A node is one value of a YAML or JSON file and where it stands. Nodes are
// shared by aliases and references, so they are never written to once read.
type node struct {
	kind  kind
	value any // bool, int, float64 or string; nil for the other kinds

	keys  []string // of a mapping, in the order of the file
	marks []mark   // where they stand
	items []*node  // of a mapping or a list

	mark
	file string
	size int // nodes in it, itself included, each as often as it is shown
}

// A mark is a place in a file, both from 1; the column in characters.
type mark struct{ line, col int }

// get returns the value of key, nil if n is no mapping or has no such key.
func (n *node) get(key string) *node {
	if n == nil {
		return nil
	}
	for i, k := range n.keys {
		if k == key {
			return n.items[i]
		}
	}
	return nil
}

// str is the text of a text, "" for all else.
func (n *node) str() string {
	if n == nil || n.kind != text {
		return ""
	}
	s, _ := n.value.(string)
	return s
}

// float is the number of a number.
func (n *node) float() (float64, bool) {
	if n == nil {
		return 0, false
	}
	switch v := n.value.(type) {
	case int:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// truth reports whether n is the boolean true.
func (n *node) truth() bool {
	if n == nil {
		return false
	}
	b, _ := n.value.(bool)
	return b
}

// empty reports whether n is missing or null.
func (n *node) empty() bool { return n == nil || n.kind == null }

// plain is n as a value: string, bool, int, float64, nil, []any, map[string]any.
func (n *node) plain() any {
	if n == nil {
		return nil
	}
	switch n.kind {
	case list:
		out := make([]any, len(n.items))
		for i, item := range n.items {
			out[i] = item.plain()
		}
		return out
	case mapping:
		return n.plainMap()
	}
	return n.value
}

// plainMap is a mapping as a value; nil for all else.
func (n *node) plainMap() map[string]any {
	if n == nil || n.kind != mapping {
		return nil
	}
	out := make(map[string]any, len(n.keys))
	for i, key := range n.keys {
		out[key] = n.items[i].plain()
	}
	return out
}

// json is n as compact JSON with its keys in the order of the file, as
// JavaScript writes them: what a template sees of a YAML file.
func (n *node) json(b []byte) []byte {
	switch n.kind {
	case list:
		b = append(b, '[')
		for i, item := range n.items {
			if i > 0 {
				b = append(b, ',')
			}
			b = item.json(b)
		}
		return append(b, ']')
	case mapping:
		b = append(b, '{')
		for i, key := range n.keys {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendText(b, key), ':')
			b = n.items[i].json(b)
		}
		return append(b, '}')
	}
	return appendCanonical(b, n.value)
}

// with returns a mapping like n in which key has value v, at the end if it is
// new.
func (n *node) with(key string, v *node, at mark) *node {
	out := *n
	out.keys = append([]string(nil), n.keys...)
	out.marks = append([]mark(nil), n.marks...)
	out.items = append([]*node(nil), n.items...)
	for i, k := range out.keys {
		if k == key {
			out.items[i] = v
			return &out
		}
	}
	out.keys, out.marks, out.items = append(out.keys, key), append(out.marks, at), append(out.items, v)
	return &out
}

// fromPlainText types a plain scalar as js-yaml's core schema does, which is
// that of YAML 1.2: no is a text, 010 is ten, 1_000 is a text, and a date is a
// text.
func fromPlainText(s string) (kind, any) {
	switch s {
	case "", "~", "null", "Null", "NULL":
		return null, nil
	case "true", "True", "TRUE":
		return boolean, true
	case "false", "False", "FALSE":
		return boolean, false
	}
	switch c := s[0]; {
	case c >= '0' && c <= '9', c == '-', c == '+', c == '.':
		if v, ok := numberOf(s); ok {
			return number, v
		}
	}
	return text, s
}

// numberOf reads the integers and decimals of YAML 1.2's core schema. Infinity
// and NaN have no meaning in a suite and stay texts.
func numberOf(s string) (any, bool) {
	if len(s) > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'o') {
		base := 16
		if s[1] == 'o' {
			base = 8
		}
		v, err := strconv.ParseUint(s[2:], base, 53)
		return int(v), err == nil
	}
	digits, dots, exp := 0, 0, false
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c == '-' || c == '+':
			if i != 0 && s[i-1] != 'e' && s[i-1] != 'E' {
				return nil, false
			}
		case c == '.' && dots == 0 && !exp:
			dots++
		case (c == 'e' || c == 'E') && !exp && digits > 0:
			exp = true
		default:
			return nil, false
		}
	}
	if digits == 0 {
		return nil, false
	}
	if dots == 0 && !exp {
		if v, err := strconv.Atoi(s); err == nil {
			return v, true
		}
	}
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil
}
