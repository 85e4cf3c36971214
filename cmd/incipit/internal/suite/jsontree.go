package suite

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// parseJSON reads one JSON value into nodes, the first line being line.
func (l *loader) parseJSON(file string, data []byte, line int) (root *node, ok bool) {
	if structure(data) > maxMarks {
		l.fault(file, mark{}, "too-large", "holds more than "+strconv.Itoa(maxMarks)+" values", "split it, or write the cases as CSV or JSONL")
		return nil, false
	}
	j := jsonReader{l: l, file: file, data: data, at: mark{line, 1}, dec: json.NewDecoder(bytes.NewReader(data))}
	j.dec.UseNumber()
	root, err := j.value(0)
	if err == nil {
		if _, more := j.dec.Token(); more != io.EOF { //nolint:errorlint // Token returns it bare
			err = j.bad("there is more behind the value")
		}
	}
	if err != nil {
		j.place()
		l.fault(file, j.at, "json", jsonProblem(err), "")
		return nil, false
	}
	return root, true
}

// A jsonReader reads tokens and keeps count of lines.
type jsonReader struct {
	l      *loader
	file   string
	data   []byte
	dec    *json.Decoder
	at     mark
	offset int // of at
}

func (j *jsonReader) bad(format string, args ...any) error {
	return fmt.Errorf(format, args...) //nolint:err113 // it becomes a finding
}

// jsonProblem is the library's message without its prefix.
func jsonProblem(err error) string {
	if err == io.EOF || err == io.ErrUnexpectedEOF { //nolint:errorlint // Token returns them bare
		return "ends in the middle of a value"
	}
	return prompt.Clip(strings.TrimPrefix(err.Error(), "json: "), 200)
}

// place moves at to where the decoder stands, past what parts tokens.
func (j *jsonReader) place() mark {
	end := min(int(j.dec.InputOffset()), len(j.data))
	for end < len(j.data) && strings.IndexByte(" \t\r\n,:", j.data[end]) >= 0 {
		end++
	}
	for ; j.offset < end; j.offset++ {
		switch c := j.data[j.offset]; {
		case c == '\n':
			j.at.line++
			j.at.col = 1
		case c&0xC0 != 0x80: // not the middle of a character
			j.at.col++
		}
	}
	return j.at
}

func (j *jsonReader) value(depth int) (*node, error) {
	if depth > maxDepth {
		return nil, j.bad("is nested more than %d levels deep", maxDepth)
	}
	n := &node{mark: j.place(), file: j.file, size: 1}
	token, err := j.dec.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case json.Delim:
		if t == '[' {
			n.kind = list
			err = j.list(n, depth)
		} else {
			n.kind = mapping
			err = j.mapping(n, depth)
		}
		if err == nil {
			_, err = j.dec.Token() // the closing bracket
		}
		return n, err
	case string:
		n.kind, n.value = text, t
	case bool:
		n.kind, n.value = boolean, t
	case json.Number:
		v, ok := numberOf(t.String())
		if !ok {
			return nil, j.bad("the number %s is too large", prompt.Clip(t.String(), 40))
		}
		n.kind, n.value = number, v
	}
	return n, nil
}

func (j *jsonReader) list(n *node, depth int) error {
	for j.dec.More() {
		child, err := j.value(depth + 1)
		if err != nil {
			return err
		}
		n.items = append(n.items, child)
		n.size += child.size
	}
	return nil
}

func (j *jsonReader) mapping(n *node, depth int) error {
	seen := map[string]bool{} // of large mappings, where looking through is slow
	for j.dec.More() {
		at := j.place()
		token, err := j.dec.Token()
		if err != nil {
			return err
		}
		key, _ := token.(string)
		if seen[key] || len(n.keys) <= 32 && n.get(key) != nil {
			return j.bad("the key %q stands here twice", prompt.Clip(key, 60))
		}
		if len(n.keys) == 32 {
			for _, k := range n.keys {
				seen[k] = true
			}
		}
		if len(n.keys) >= 32 {
			seen[key] = true
		}
		child, err := j.value(depth + 1)
		if err != nil {
			return err
		}
		n.keys, n.marks, n.items = append(n.keys, key), append(n.marks, at), append(n.items, child)
		n.size += 1 + child.size
	}
	return nil
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
