package suite

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// jsonBefore reports whether raw is JSON already.
func jsonBefore(raw []byte) bool { return json.Valid(raw) }

// external replaces every text file://… under n by what is in the file: YAML
// and JSON as values, all else as text.
func (l *loader) external(n *node, depth int) *node {
	switch n.kind {
	case text:
		if s := n.str(); strings.HasPrefix(s, fileScheme) {
			return l.externalFile(n, s, depth)
		}
	case list, mapping:
		var out *node
		for i, item := range n.items {
			child := l.external(item, depth)
			if child != item {
				if out == nil {
					clone := *n
					clone.items = append([]*node(nil), n.items...)
					out = &clone
				}
				out.items[i] = child
			}
		}
		if out != nil {
			return out
		}
	}
	return n
}

func (l *loader) externalFile(n *node, ref string, depth int) *node {
	if depth > 4 {
		l.errorAt(n, "too-deep", "files name one another", "")
		return n
	}
	name, ok := l.resolve(ref, l.dir, n)
	if !ok {
		return n
	}
	switch path.Ext(name) {
	case ".yaml", ".yml", ".json":
		if root := l.document(name, maxSuiteBytes, n); root != nil {
			return l.external(l.expandAll(root, asIs), depth+1)
		}
		return n
	case ".txt", ".md", ".j2", "":
	default:
		l.errorAt(n, "unsupported", fmt.Sprintf("%s cannot stand for a value here", prompt.Clip(name, 120)), "name a .txt, .md, .json or .yaml file")
		return n
	}
	s, ok := l.textOf(name, n)
	if !ok {
		return n
	}
	return &node{kind: text, value: l.expand(n, s, asIs), mark: n.mark, file: n.file, size: 1}
}
