package suite

import (
	"fmt"
	"maps"
	"path"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// plain is a variable's value before files are read.
func (b binding) plain() any {
	if n, ok := b.value.(*node); ok {
		return n.plain()
	}
	return b.value
}

// combinations expands a test's variables: a list of texts, and a file:// that
// is a pattern, stand for each of their values; the last variable varies
// fastest. It returns nil if there would be more than most.
func (l *loader) combinations(t *test, disabled bool, most int) []map[string]any {
	out := []map[string]any{make(map[string]any, len(t.vars))}
	if most < 1 {
		return nil
	}
	for _, v := range t.vars {
		values := l.values(t.at, v, disabled)
		if len(values) == 1 {
			for _, vars := range out {
				vars[v.name] = values[0]
			}
			continue
		}
		if len(values)*len(out) > most {
			return nil
		}
		next := make([]map[string]any, 0, len(out)*len(values))
		for _, vars := range out {
			for _, value := range values {
				one := make(map[string]any, len(t.vars))
				maps.Copy(one, vars)
				one[v.name] = value
				next = append(next, one)
			}
		}
		out = next
	}
	return out
}

// values lists what a variable stands for: at least one value.
func (l *loader) values(at *node, v binding, disabled bool) []any {
	n, ok := v.value.(*node)
	if !ok { // of a CSV
		s, _ := v.value.(string)
		if !strings.HasPrefix(s, fileScheme) {
			return []any{variable(s)}
		}
		n = &node{kind: text, value: s, file: at.file, mark: at.mark}
	}
	switch {
	case n.kind == text && strings.HasPrefix(n.str(), fileScheme):
		return l.fileValues(n)
	case n.kind == text:
		return []any{variable(n.str())}
	case n.kind == list && !disabled && len(n.items) > 0 && n.items[0].kind == text:
		out := make([]any, 0, len(n.items))
		for _, item := range n.items {
			if item.kind == text && strings.HasPrefix(item.str(), fileScheme) {
				out = append(out, l.fileValues(item)...)
				continue
			}
			out = append(out, variable(item.plain()))
		}
		return out
	}
	return []any{n.plain()}
}

// variable drops the line end that a block of YAML leaves behind a text.
func variable(v any) any {
	if s, ok := v.(string); ok {
		return strings.TrimSuffix(s, "\n")
	}
	return v
}

// fileValues reads the files that a variable names: YAML as the text of its
// JSON, all else as it is, without blanks around it.
func (l *loader) fileValues(n *node) []any {
	var out []any
	if isScript(n.str()) {
		l.errorAt(n, "unsupported", fmt.Sprintf("%q is a program; a variable's value is data", prompt.Clip(n.str(), 120)), "run it once and commit what it prints")
		return []any{""}
	}
	for _, file := range l.matches(n.str(), l.dir, n) {
		out = append(out, l.fileValue(n, file))
	}
	if len(out) == 0 {
		return []any{""} // it has been reported
	}
	return out
}

func (l *loader) fileValue(n *node, file string) any {
	switch strings.ToLower(path.Ext(file)) {
	case ".yaml", ".yml":
		root := l.document(file, maxSuiteBytes, n)
		if root == nil {
			return ""
		}
		return string(root.json(nil))
	case ".pdf", ".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".svg", ".mp4", ".mov", ".webm", ".mp3", ".wav", ".ogg", ".m4a", ".flac":
		l.errorAt(n, "unsupported", prompt.Clip(file, 120)+" is no text; pictures, sounds and PDF are not supported", "put its text into a file")
		return ""
	}
	s, ok := l.textOf(file, n)
	if !ok {
		return ""
	}
	return l.expand(n, s, asIs) // text of a file: ${} is its own
}
