package suite

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// parseJSON reads one JSON value (RFC 8259, keys once) into nodes, the first
// line being line. The standard library would lose the places.
func (l *loader) parseJSON(file string, data []byte, line int) (root *node, ok bool) {
	if structure(data) > maxMarks {
		l.fault(file, mark{}, "too-large", "holds more than "+strconv.Itoa(maxMarks)+" values", "split it, or write the cases as CSV or JSONL")
		return nil, false
	}
	j := jsonReader{file: file, text: string(data), at: mark{line, 1}}
	root = j.value(0)
	if j.blank(); j.problem == "" && j.i < len(j.text) {
		j.fail("there is more behind the value")
	}
	if j.problem != "" {
		l.fault(file, j.at, "json", j.problem, "")
		return nil, false
	}
	return root, true
}

// parseJSONL reads one JSON value per line; empty lines are skipped.
func (l *loader) parseJSONL(file string, data []byte) (rows []*node, ok bool) {
	ok = true
	for line := 1; len(data) > 0 && !l.full(); line++ {
		row, rest, _ := bytes.Cut(data, []byte("\n"))
		data = rest
		if len(bytes.TrimSpace(row)) == 0 {
			continue
		}
		n, good := l.parseJSON(file, row, line)
		if ok = ok && good; good {
			rows = append(rows, n)
		}
	}
	return rows, ok
}

// A jsonReader reads a value that stands at i of text.
type jsonReader struct {
	file, text string
	i          int
	at         mark // the place of text[counted]; of the problem, once there is one
	counted    int
	problem    string
}

// place is where i stands. Places are asked for in their order.
func (j *jsonReader) place() mark {
	for end := min(j.i, len(j.text)); j.counted < end; j.counted++ { // i is behind the end where a backslash ends the text
		switch c := j.text[j.counted]; {
		case c == '\n':
			j.at = mark{j.at.line + 1, 1}
		case utf8.RuneStart(c):
			j.at.col++
		}
	}
	return j.at
}

// fail notes the first problem, at i, and ends the reading.
func (j *jsonReader) fail(format string, args ...any) {
	if j.problem == "" {
		j.place()
		j.problem = fmt.Sprintf(format, args...)
	}
	j.i = len(j.text)
}

func (j *jsonReader) blank() {
	for j.i < len(j.text) && (j.text[j.i] == ' ' || j.text[j.i] == '\n' || j.text[j.i] == '\t' || j.text[j.i] == '\r') {
		j.i++
	}
}

// peek is the next character that is no blank, 0 at the end.
func (j *jsonReader) peek() byte {
	if j.blank(); j.i < len(j.text) {
		return j.text[j.i]
	}
	return 0
}

func (j *jsonReader) value(depth int) *node {
	c := j.peek()
	n := &node{mark: j.place(), file: j.file, size: 1}
	switch {
	case depth > maxDepth:
		j.fail("is nested more than %d levels deep", maxDepth)
	case c == '{':
		n.kind = mapping
		j.items('}', func() { j.member(n, depth) })
	case c == '[':
		n.kind = list
		j.items(']', func() {
			child := j.value(depth + 1)
			n.items = append(n.items, child)
			n.size += child.size
		})
	case c == '"':
		n.kind, n.value = text, j.quoted()
	case c == '-' || c >= '0' && c <= '9':
		j.number(n)
	default:
		j.word(n)
	}
	return n
}

// items reads what stands between brackets, parted by commas.
func (j *jsonReader) items(end byte, item func()) {
	j.i++
	if j.peek() == end {
		j.i++
		return
	}
	for j.problem == "" {
		item()
		switch c := j.peek(); {
		case c == end:
			j.i++
			return
		case c == ',':
			j.i++
		case c == 0:
			j.fail("ends in the middle of a value")
		default:
			j.fail("expects a comma or %c here", end)
		}
	}
}

func (j *jsonReader) member(n *node, depth int) {
	if j.peek() != '"' {
		j.fail("expects a key in double quotes here")
		return
	}
	at := j.place()
	start := j.i
	key := j.quoted()
	if len(n.keys) >= maxKeys || n.get(key) != nil { // looking through is slow where there are many
		j.i = start
		if n.get(key) == nil {
			j.fail("a mapping has more than %d keys", maxKeys)
		} else {
			j.fail("the key %q stands here twice", prompt.Clip(key, 60))
		}
		return
	}
	if j.peek() != ':' {
		j.fail("expects a colon behind the key")
		return
	}
	j.i++
	child := j.value(depth + 1)
	n.keys, n.marks, n.items = append(n.keys, key), append(n.marks, at), append(n.items, child)
	n.size += 1 + child.size
}

func (j *jsonReader) word(n *node) {
	for _, w := range []struct {
		text  string
		kind  kind
		value any
	}{{"true", boolean, true}, {"false", boolean, false}, {"null", null, nil}} {
		if strings.HasPrefix(j.text[j.i:], w.text) {
			j.i += len(w.text)
			n.kind, n.value = w.kind, w.value
			return
		}
	}
	if j.i >= len(j.text) {
		j.fail("ends in the middle of a value")
		return
	}
	j.fail("expects a value here")
}

// number reads -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
func (j *jsonReader) number(n *node) {
	start := j.i
	digits := func() int {
		from := j.i
		for j.i < len(j.text) && j.text[j.i] >= '0' && j.text[j.i] <= '9' {
			j.i++
		}
		return j.i - from
	}
	next := func(set string) bool {
		if j.i < len(j.text) && strings.IndexByte(set, j.text[j.i]) >= 0 {
			j.i++
			return true
		}
		return false
	}
	next("-")
	zero := j.i < len(j.text) && j.text[j.i] == '0'
	whole := digits()
	ok := whole == 1 || whole > 1 && !zero
	if next(".") {
		ok = digits() > 0 && ok
	}
	if next("eE") {
		next("+-")
		ok = digits() > 0 && ok
	}
	v, fits := numberOf(j.text[start:j.i])
	if !ok || !fits {
		j.i = start
		j.fail("expects a number here, as JSON writes it")
		return
	}
	n.kind, n.value = number, v
}

// quoted reads a text in quotes.
func (j *jsonReader) quoted() string {
	rest := j.text[j.i+1:]
	end := 0
	for end < len(rest) && rest[end] >= 0x20 && rest[end] != '"' && rest[end] != '\\' {
		end++
	}
	if end < len(rest) && rest[end] == '"' {
		j.i += end + 2
		return rest[:end] // a part of the file: nothing to copy
	}
	var b strings.Builder
	for j.i++; j.i < len(j.text); j.i++ {
		switch c := j.text[j.i]; {
		case c == '"':
			j.i++
			return b.String()
		case c == '\\':
			j.escape(&b)
		case c < 0x20:
			j.fail("a text may not hold a line end or a tab; write \\n or \\t")
		default:
			b.WriteByte(c)
		}
	}
	j.fail("ends in the middle of a text")
	return ""
}

// escape reads a backslash and what follows, and stops at its last character.
func (j *jsonReader) escape(b *strings.Builder) {
	if j.i++; j.i >= len(j.text) {
		return
	}
	if at := strings.IndexByte(`"\/bfnrt`, j.text[j.i]); at >= 0 {
		b.WriteByte("\"\\/\b\f\n\r\t"[at])
		return
	}
	r, ok := j.unit(j.i)
	if !ok {
		j.fail("a backslash is followed by none of \"\\/bfnrt and no u with four digits")
		return
	}
	j.i += 4
	if utf16.IsSurrogate(r) && j.i+1 < len(j.text) && j.text[j.i+1] == '\\' {
		if low, ok := j.unit(j.i + 2); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				r = pair
				j.i += 6
			}
		}
	}
	b.WriteRune(r) // half of a pair becomes U+FFFD
}

// unit reads u and four hexadecimal digits at i.
func (j *jsonReader) unit(i int) (rune, bool) {
	if i+5 > len(j.text) || j.text[i] != 'u' {
		return 0, false
	}
	v, err := strconv.ParseUint(j.text[i+1:i+5], 16, 16)
	return rune(v), err == nil
}
