package importer

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// A document is YAML or JSON that was checked: no tags, no duplicate keys, not
// too deep, aliases and merge keys written out.
type document struct {
	file   string
	offset int // of its first line in the file
	nodes  int
}

// parse reads data, which begins behind the given number of lines of file.
func parse(file string, data []byte, offset int) (*document, *yaml.Node, error) {
	d := &document{file: file, offset: offset}
	if !utf8.Valid(data) {
		return nil, nil, fail(file, offset+1, "the file is not UTF-8")
	}
	var doc yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return d, &yaml.Node{Kind: yaml.MappingNode, Line: 1}, nil
	} else if err != nil {
		return nil, nil, d.syntax(err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, nil, fail(file, offset+1, "the file holds more than one document")
	}
	root, err := d.expand(doc.Content[0], 0, nil)
	return d, root, err
}

// syntax is the library's error with the line that it has in the file.
func (d *document) syntax(err error) error {
	text := strings.TrimPrefix(prompt.Visible(err.Error()), "yaml: ")
	line := 1
	if n, err := fmt.Sscanf(text, "line %d: ", &line); n == 1 && err == nil {
		_, text, _ = strings.Cut(text, ": ")
	}
	return fail(d.file, d.offset+line, "%s", prompt.Clip(text, 200))
}

func (d *document) fail(n *yaml.Node, format string, args ...any) error {
	return fail(d.file, d.line(n), format, args...)
}

// line is where a node stands in the file.
func (d *document) line(n *yaml.Node) int { return d.offset + n.Line }

// textLine is the line of the file that a scalar's text begins on.
func (d *document) textLine(n *yaml.Node) int {
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return d.line(n) + 1
	}
	return d.line(n)
}

// expand copies a tree with its aliases and merge keys written out. within are
// the anchors that it stands in: one that holds itself has no end.
func (d *document) expand(n *yaml.Node, depth int, within []*yaml.Node) (*yaml.Node, error) {
	switch d.nodes++; {
	case depth > maxDepth:
		return nil, d.fail(n, "mappings and lists are nested deeper than %d levels", maxDepth)
	case d.nodes > maxNodes:
		return nil, d.fail(n, "the document has more than %d values, its aliases written out", maxNodes)
	case n.Style&yaml.TaggedStyle != 0:
		return nil, d.fail(n, "the tag %s is not supported; write the plain value", prompt.Clip(n.Tag, 60))
	case n.Kind == yaml.AliasNode:
		if slices.Contains(within, n.Alias) {
			return nil, d.fail(n, "the alias *%s stands in what it names", prompt.Clip(n.Value, 60))
		}
		c, err := d.expand(n.Alias, depth, within)
		return c, err
	}
	out := &yaml.Node{Kind: n.Kind, Style: n.Style, Tag: n.Tag, Value: n.Value, Line: n.Line, Column: n.Column}
	if n.Anchor != "" {
		within = append(slices.Clone(within), n)
	}
	var merged []*yaml.Node
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 1 && n.Content[i-1].Tag == "!!merge" {
			m, err := d.expand(c, depth+1, within)
			if err != nil {
				return nil, err
			}
			merged = append(merged, m)
			out.Content = out.Content[:len(out.Content)-1]
			continue
		}
		e, err := d.expand(c, depth+1, within)
		if err != nil {
			return nil, err
		}
		out.Content = append(out.Content, e)
	}
	if n.Kind != yaml.MappingNode {
		return out, nil
	}
	return out, d.merge(out, merged)
}

// merge checks a mapping's keys and adds what its merge keys bring.
func (d *document) merge(out *yaml.Node, merged []*yaml.Node) error {
	seen := make(map[string]bool)
	for i := 0; i < len(out.Content); i += 2 {
		k := out.Content[i]
		if k.Kind != yaml.ScalarNode {
			return d.fail(k, "a key must be a plain word")
		}
		if seen[k.Value] {
			return d.fail(k, "the key %q is there twice", prompt.Clip(k.Value, 60))
		}
		seen[k.Value] = true
	}
	for _, m := range merged {
		list := []*yaml.Node{m}
		if m.Kind == yaml.SequenceNode {
			list = m.Content
		}
		for _, one := range list {
			if one.Kind != yaml.MappingNode {
				return d.fail(one, "<< takes a mapping")
			}
			for i := 0; i < len(one.Content); i += 2 {
				if k := one.Content[i]; !seen[k.Value] {
					seen[k.Value] = true
					out.Content = append(out.Content, k, one.Content[i+1])
				}
			}
		}
	}
	return nil
}

// value is a node as encoding/json would decode it, but for whole numbers,
// which stay whole.
func (d *document) value(n *yaml.Node) (any, error) {
	switch n.Kind {
	case yaml.MappingNode:
		out := make(map[string]any, len(n.Content)/2)
		for i := 0; i < len(n.Content); i += 2 {
			v, err := d.value(n.Content[i+1])
			if err != nil {
				return nil, err
			}
			out[n.Content[i].Value] = v
		}
		return out, nil
	case yaml.SequenceNode:
		out := make([]any, len(n.Content))
		for i, c := range n.Content {
			v, err := d.value(c)
			if err != nil {
				return nil, err
			}
			out[i] = v
		}
		return out, nil
	}
	switch n.ShortTag() {
	case "!!null":
		return nil, nil
	case "!!int", "!!float", "!!bool":
		var v any
		if err := n.Decode(&v); err != nil {
			return nil, d.fail(n, "%q cannot be read", prompt.Clip(n.Value, 60))
		}
		if f, ok := v.(float64); ok && (math.IsInf(f, 0) || math.IsNaN(f)) {
			return nil, d.fail(n, "%s is no number that JSON has", prompt.Clip(n.Value, 60))
		}
		return v, nil
	}
	return n.Value, nil
}

// An object is a mapping of which the keys that nobody asked for are told.
type object struct {
	d     *document
	n     *yaml.Node
	asked map[string]bool
}

// object takes n for a mapping; what names it in an error.
func (d *document) object(n *yaml.Node, what string) (*object, error) {
	if n.Kind != yaml.MappingNode {
		return nil, d.fail(n, "%s must be a mapping", what)
	}
	return &object{d, n, make(map[string]bool)}, nil
}

// get is the value of a key, and nil if there is none or it is null.
func (o *object) get(key string) *yaml.Node {
	o.asked[key] = true
	for i := 0; i < len(o.n.Content); i += 2 {
		if v := o.n.Content[i+1]; o.n.Content[i].Value == key && v.ShortTag() != "!!null" {
			return v
		}
	}
	return nil
}

// text is the string of a key, and "" if there is none. A number is taken as it
// is written.
func (o *object) text(key string) (string, error) {
	n := o.get(key)
	if n == nil {
		return "", nil
	}
	if n.Kind != yaml.ScalarNode {
		return "", o.d.fail(n, "%s must be a text", key)
	}
	return n.Value, nil
}

// inner is the mapping of a key, and nil if there is none.
func (o *object) inner(key string) (*object, error) {
	n := o.get(key)
	if n == nil {
		return nil, nil
	}
	return o.d.object(n, key)
}

// list is the list of a key, and nil if there is none.
func (o *object) list(key string) ([]*yaml.Node, error) {
	n := o.get(key)
	if n == nil {
		return nil, nil
	}
	if n.Kind != yaml.SequenceNode {
		return nil, o.d.fail(n, "%s must be a list", key)
	}
	return n.Content, nil
}

// rest are the keys that nobody asked for, in their order.
func (o *object) rest() (keys []*yaml.Node) {
	for i := 0; i < len(o.n.Content); i += 2 {
		if k := o.n.Content[i]; !o.asked[k.Value] {
			keys = append(keys, k)
		}
	}
	return keys
}

// pairs are the keys and values of a mapping, in their order.
func (o *object) pairs(yield func(k, v *yaml.Node) bool) {
	for i := 0; i < len(o.n.Content); i += 2 {
		o.asked[o.n.Content[i].Value] = true
		if !yield(o.n.Content[i], o.n.Content[i+1]) {
			return
		}
	}
}

// settings takes a mapping for parameters of a model: known renames a key, or
// drops it where the name is "". Secrets and addresses never come along.
func (o *object) settings(v *Version, known map[string]string) error {
	for k, n := range o.pairs {
		name, ok := known[k.Value]
		if !ok {
			v.note(o.d.file, o.d.line(k), "%s is not taken over", prompt.Clip(k.Value, 60))
			continue
		}
		if name == "" || n.ShortTag() == "!!null" {
			continue
		}
		value, err := o.d.value(n)
		if err != nil {
			return err
		}
		if v.Parameters == nil {
			v.Parameters = make(map[string]any)
		}
		v.Parameters[name] = value
	}
	return nil
}

// note adds a note to the version.
func (v *Version) note(file string, line int, format string, args ...any) {
	v.Notes = append(v.Notes, Note{file, line, fmt.Sprintf(format, args...)})
}

// leftOut notes the keys that a reader did not ask for.
func (v *Version) leftOut(o *object, where string) {
	for _, k := range o.rest() {
		v.note(o.d.file, o.d.line(k), "%s%s is not taken over", where, prompt.Clip(k.Value, 60))
	}
}
