package suite

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/incipit-dev/incipit/internal/prompt"
)

const (
	maxDepth  = 64
	maxKeys   = 5_000     // of a mapping, since they are looked through one by one
	maxShared = 100_000   // nodes that aliases, merge keys and references add to a suite
	maxMarks  = 1_000_000 // characters that may begin a node: what a file costs in memory before it is read
)

// parseYAML reads one YAML document into nodes. It returns nil for an empty
// document. Trouble is reported, and ok is false.
func (l *loader) parseYAML(file string, data []byte) (root *node, ok bool) {
	if structure(data) > maxMarks {
		l.fault(file, mark{}, "too-large", "holds more than "+strconv.Itoa(maxMarks)+" values", "split it, or write the cases as CSV or JSONL")
		return nil, false
	}
	if parts := entries(data, partBytes); len(parts) > 1 {
		if root, ok := l.parseParts(file, parts); ok {
			return root, true
		}
		// something spans the parts, or is wrong: the whole will tell
	}
	doc, at, err := oneDocument(data)
	switch {
	case errors.Is(err, errDocuments):
		l.fault(file, at, "documents", err.Error(), "one file is one suite; write the cases into one list")
		return nil, false
	case err != nil:
		l.yamlFault(file, err)
		return nil, false
	case doc == nil:
		return nil, true
	}
	c := converter{l: l, file: file, done: map[*yaml.Node]*node{}}
	root = c.node(doc, 0)
	return root, !c.failed
}

var errDocuments = errors.New("holds more than one document")

// oneDocument parses the one document in data, nil if there is none.
func oneDocument(data []byte) (doc *yaml.Node, at mark, err error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var first, second yaml.Node
	if err := dec.Decode(&first); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, mark{}, nil
		}
		return nil, mark{}, err
	}
	if err := dec.Decode(&second); err == nil {
		return nil, mark{second.Line, second.Column}, errDocuments
	} else if !errors.Is(err, io.EOF) {
		return nil, mark{}, err
	}
	if len(first.Content) == 0 {
		return nil, mark{}, nil
	}
	return first.Content[0], mark{}, nil
}

// structure counts what can begin a value in YAML: an upper bound of the
// nodes, far below the memory that they would take.
func structure(data []byte) int {
	n := 0
	for i, c := range data {
		switch c {
		case '\n', '[', '{', ',':
			n++
		case ':', '-', '?':
			if i+1 < len(data) && (data[i+1] == ' ' || data[i+1] == '\n') {
				n++
			}
		}
	}
	return n
}

// yamlLine finds the line in the library's messages.
const yamlLine = `^yaml: (?:line (\d+): )?`

func (l *loader) yamlFault(file string, err error) {
	msg := err.Error()
	at := mark{}
	if m := regexp.MustCompile(yamlLine).FindStringSubmatch(msg); m != nil {
		at.line, _ = strconv.Atoi(m[1])
		msg = msg[len(m[0]):]
	}
	fix := ""
	switch {
	case strings.Contains(msg, "cannot start any token"):
		fix = "indent with blanks, and quote values that begin with %, @ or `"
	case strings.Contains(msg, "mapping values are not allowed"):
		fix = "quote the value: it contains a colon followed by a blank"
	}
	l.fault(file, at, "yaml", prompt.Clip(msg, 200), fix)
}

// A converter turns the library's nodes into ours.
type converter struct {
	l      *loader
	file   string
	skip   int                  // lines before what is read
	done   map[*yaml.Node]*node // what anchors name; nil while it is being read
	failed bool
}

func (c *converter) mark(n *yaml.Node) mark { return mark{n.Line + c.skip, n.Column} }

func (c *converter) fail(n *yaml.Node, code, msg, fix string) *node {
	c.failed = true
	c.l.fault(c.file, c.mark(n), code, msg, fix)
	return &node{mark: c.mark(n), file: c.file, size: 1}
}

func (c *converter) node(n *yaml.Node, depth int) *node {
	if c.failed {
		return &node{size: 1}
	}
	if depth > maxDepth {
		return c.fail(n, "too-deep", fmt.Sprintf("is nested more than %d levels deep", maxDepth), "")
	}
	if n.Kind == yaml.AliasNode {
		return c.alias(n)
	}
	if n.Style&yaml.TaggedStyle != 0 && n.Tag != "!!str" {
		return c.fail(n, "tag", fmt.Sprintf("the tag %s is not supported", prompt.Clip(n.Tag, 60)), "write the value without a tag; suites are data")
	}
	if n.Anchor != "" {
		c.done[n] = nil
	}
	out := &node{mark: c.mark(n), file: c.file, size: 1}
	switch n.Kind {
	case yaml.SequenceNode:
		out.kind = list
		out.items = make([]*node, 0, len(n.Content))
		for _, item := range n.Content {
			child := c.node(item, depth+1)
			out.items = append(out.items, child)
			out.size += child.size
		}
	case yaml.MappingNode:
		c.mapping(out, n, depth)
	default:
		out.kind, out.value = text, n.Value
		if n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle|yaml.TaggedStyle) == 0 {
			out.kind, out.value = fromPlainText(n.Value)
		}
	}
	if n.Anchor != "" {
		c.done[n] = out
	}
	return out
}

// alias shows what an anchor names, and counts it again.
func (c *converter) alias(n *yaml.Node) *node {
	out := c.done[n.Alias]
	if out == nil {
		return c.fail(n, "alias", fmt.Sprintf("the anchor %s contains itself", prompt.Clip(n.Value, 60)), "")
	}
	if !c.l.share(out.size) {
		return c.fail(n, "alias", fmt.Sprintf("aliases and references add more than %d values", maxShared), "write the values out, or put the cases into a CSV file")
	}
	return out
}

func (c *converter) mapping(out *node, n *yaml.Node, depth int) {
	out.kind = mapping
	if len(n.Content)/2 > maxKeys {
		c.fail(n, "too-large", fmt.Sprintf("a mapping has more than %d keys", maxKeys), "")
		return
	}
	half := len(n.Content) / 2
	out.keys, out.marks, out.items = make([]string, 0, half), make([]mark, 0, half), make([]*node, 0, half)
	var merged []*node
	var seen map[string]bool // of large mappings, where looking through is slow
	if half > 32 {
		seen = make(map[string]bool, half)
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind == yaml.AliasNode {
			k = k.Alias
		}
		if k.Kind != yaml.ScalarNode {
			c.fail(k, "key", "a key must be a text", "")
			return
		}
		if k.Value == "<<" && k.Style == 0 {
			merged = append(merged, c.merges(v, depth)...)
			continue
		}
		if seen[k.Value] || seen == nil && out.get(k.Value) != nil {
			c.fail(k, "duplicate-key", fmt.Sprintf("the key %q stands here twice", prompt.Clip(k.Value, 60)), "keep one of them")
			return
		}
		if seen != nil {
			seen[k.Value] = true
		}
		child := c.node(v, depth+1)
		out.keys, out.marks, out.items = append(out.keys, k.Value), append(out.marks, c.mark(k)), append(out.items, child)
		out.size += 1 + child.size
	}
	for _, m := range merged {
		c.merge(out, m)
	}
	if len(out.keys) > maxKeys {
		c.fail(n, "too-large", fmt.Sprintf("a mapping has more than %d keys", maxKeys), "")
	}
}

// merges reads the value of a merge key: a mapping or a list of mappings, the
// first of which wins.
func (c *converter) merges(v *yaml.Node, depth int) []*node {
	child := c.node(v, depth+1)
	all := []*node{child}
	if child.kind == list {
		all = child.items
	}
	for _, m := range all {
		if m.kind != mapping {
			c.fail(v, "merge", "a merge key takes a mapping, or a list of mappings", "write <<: *name")
			return nil
		}
	}
	return all
}

// merge adds the keys of m that out does not have.
func (c *converter) merge(out, m *node) {
	for i, key := range m.keys {
		if len(out.keys) <= maxKeys && out.get(key) == nil {
			out.keys, out.marks, out.items = append(out.keys, key), append(out.marks, m.marks[i]), append(out.items, m.items[i])
			out.size += 1 + m.items[i].size
		}
	}
}
