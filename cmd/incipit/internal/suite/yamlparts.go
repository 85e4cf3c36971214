package suite

import (
	"bytes"

	"go.yaml.in/yaml/v3"
)

// partBytes is how much of a list is parsed at a time. The library takes some
// 25 bytes for one of a file; in parts, 10,000 tests need a third of that.
const partBytes = 128 << 10

// A part is some entries of a list, and the lines before them.
type part struct {
	data []byte
	skip int
}

// entries parts the text of a list where an entry begins in the first column,
// into parts of at least size bytes. It returns nil for what is no such list.
func entries(data []byte, size int) []part {
	if len(data) <= size || !startsList(data) {
		return nil
	}
	var parts []part
	lines := 0
	for len(data) > 0 {
		end := len(data)
		if size < len(data) {
			if next := bytes.Index(data[size:], []byte("\n- ")); next >= 0 {
				end = size + next + 1
			}
		}
		parts = append(parts, part{data[:end], lines})
		lines += bytes.Count(data[:end], []byte("\n"))
		data = data[end:]
	}
	return parts
}

// startsList reports whether the first line that says something is an entry.
func startsList(data []byte) bool {
	for len(data) > 0 {
		line, rest, _ := bytes.Cut(data, []byte("\n"))
		if len(bytes.TrimSpace(line)) > 0 && line[0] != '#' {
			return bytes.HasPrefix(line, []byte("- "))
		}
		data = rest
	}
	return false
}

// parseParts reads parts of a list one after the other. What spans two parts
// (an anchor and its alias, a quote over several lines, brackets) is an error
// of the parser in one of them: ok is false, and nothing has been reported.
func (l *loader) parseParts(file string, parts []part) (root *node, ok bool) {
	shared := l.shared
	root = &node{kind: list, mark: mark{parts[0].skip + 1, 1}, file: file, size: 1}
	for i, p := range parts {
		doc, _, err := oneDocument(p.data)
		if err != nil || doc == nil || doc.Kind != yaml.SequenceNode {
			return nil, false
		}
		c := converter{l: &loader{shared: shared}, file: file, skip: p.skip, done: map[*yaml.Node]*node{}}
		n := c.node(doc, 0)
		if c.failed {
			return nil, false
		}
		if i == 0 {
			root.mark = n.mark
		}
		shared = c.l.shared
		root.items = append(root.items, n.items...)
		root.size += n.size - 1
	}
	l.shared = shared
	return root, true
}
