package suite

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// A referrer replaces {$ref: '#/path'} by what stands at that path in the same
// file, as promptfoo's assertionTemplates are used.
type referrer struct {
	l    *loader
	root *node
	open map[*node]bool // references that are being replaced
}

// node returns n without references. In a schema (inSchema) a reference that
// leads nowhere in the suite is the schema's own, and stays.
func (r *referrer) node(n *node, inSchema bool, depth int) *node {
	if depth > maxDepth || n.kind != list && n.kind != mapping {
		return n
	}
	if ref := n.get("$ref"); ref != nil && ref.kind == text {
		return r.replace(n, ref, inSchema, depth)
	}
	var out *node
	for i, item := range n.items {
		if item.kind != list && item.kind != mapping {
			continue
		}
		below := inSchema
		if n.kind == mapping {
			switch n.keys[i] {
			case "value", "config", "vars", "parameters", "schema":
				below = true
			}
		}
		child := r.node(item, below, depth+1)
		if child != item {
			if out == nil {
				clone := *n
				clone.items = append([]*node(nil), n.items...)
				out = &clone
			}
			out.items[i] = child
		}
	}
	if out == nil {
		return n
	}
	return out
}

func (r *referrer) replace(n, ref *node, inSchema bool, depth int) *node {
	target := r.find(ref.str())
	switch {
	case target == nil && inSchema:
		return n
	case target == nil && !strings.HasPrefix(ref.str(), "#"):
		r.l.errorAt(ref, "reference", "a $ref into another file is not supported", "use file:// where a value is expected, or $ref: '#/assertionTemplates/name'")
		return n
	case target == nil:
		r.l.errorAt(ref, "reference", fmt.Sprintf("%q leads nowhere in this file", prompt.Clip(ref.str(), 120)), "")
		return n
	case r.open[target]:
		r.l.errorAt(ref, "reference", fmt.Sprintf("%q contains itself", prompt.Clip(ref.str(), 120)), "")
		return n
	case !r.l.share(target.size):
		r.l.errorAt(ref, "alias", fmt.Sprintf("aliases and references add more than %d values", maxShared), "")
		return n
	}
	r.open[target] = true
	out := r.node(target, inSchema, depth+1)
	delete(r.open, target)
	if len(n.keys) > 1 && out.kind == mapping { // what stands beside the reference wins
		for i, key := range n.keys {
			if key != "$ref" {
				out = out.with(key, r.node(n.items[i], inSchema, depth+1), n.marks[i])
			}
		}
	}
	return out
}

// find follows a JSON pointer (RFC 6901) behind a #.
func (r *referrer) find(ref string) *node {
	pointer, ok := strings.CutPrefix(ref, "#/")
	if !ok {
		return nil
	}
	n := r.root
	for part := range strings.SplitSeq(pointer, "/") {
		part = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		switch n.kind {
		case mapping:
			n = n.get(part)
		case list:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(n.items) {
				return nil
			}
			n = n.items[i]
		default:
			return nil
		}
		if n == nil {
			return nil
		}
	}
	return n
}
