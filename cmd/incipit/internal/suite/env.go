package suite

import (
	"fmt"
	"maps"
	"regexp"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// Where a text stands decides what it may ask of the environment.
type use int

const (
	asData   use = iota // variables, values, texts of prompts
	asConfig            // what speaks to a provider
	asIs                // scripts and the texts of files: ${} is their own
)

// An envPattern finds what asks the environment: {{ env.NAME }}, with a
// default or without, and ${NAME}; and any other expression over env.
type envPattern struct{ ask, other *regexp.Regexp }

func newEnvPattern() envPattern {
	return envPattern{
		ask: regexp.MustCompile(`\{\{-?\s*env(?:\.(\w+)|\[\s*['"](\w+)['"]\s*\])\s*` +
			`(\|\s*default\(\s*(?:'([^'}]*)'|"([^"}]*)")\s*(?:,\s*\w+\s*)?\)\s*)?-?\}\}` +
			`|\$\{([A-Z_][A-Z0-9_]*)\}`),
		other: regexp.MustCompile(`\{[{%][^}]*\benv\s*[.\[]`),
	}
}

// asksEnvironment is a quick look: false is certain.
func asksEnvironment(s string) bool {
	return strings.Contains(s, "${") || strings.Contains(s, "env") && strings.Contains(s, "{")
}

// lookup finds name in the suite's own env, then on the allow-list.
func (l *loader) lookup(name string) (string, bool) {
	if v, ok := l.env[name]; ok {
		return v, true
	}
	if l.o.Getenv == nil {
		return "", false
	}
	return l.o.Getenv(name)
}

// readEnv reads the suite's env: literal values, or such as {{ env.NAME }}
// makes of the allow-list. They are for templates alone; nothing exports them.
func (l *loader) readEnv(n *node) {
	if n.empty() {
		return
	}
	if n.kind != mapping {
		l.errorAt(n, "shape", "env takes a mapping of names and values, this is "+n.kind.String(), "")
		return
	}
	own := make(map[string]string, len(n.keys))
	for i, key := range n.keys {
		switch v := n.items[i]; v.kind {
		case text:
			own[key] = l.expand(v, v.str(), asConfig)
		case number, boolean:
			own[key] = string(appendCanonical(nil, v.value))
		default:
			l.errorAt(v, "shape", fmt.Sprintf("env.%s takes a text, this is %s", prompt.Clip(key, 60), v.kind), "")
		}
	}
	maps.Copy(l.env, own) // after all are read: they do not see one another
}

// expand puts into s what it asks of the environment. A name that is not on
// the allow-list is an error that says the name and never a value. What comes
// out of the environment is not looked at again.
func (l *loader) expand(n *node, s string, where use) string {
	if !asksEnvironment(s) {
		return s
	}
	if l.pattern.ask == nil {
		l.pattern = newEnvPattern()
	}
	if strings.Contains(s, "env") && l.pattern.other.MatchString(l.pattern.ask.ReplaceAllString(s, "")) {
		l.errorAt(n, "environment", "an expression over env is not supported", "write {{ env.NAME }}, or {{ env.NAME | default('text') }}")
		return s
	}
	return l.pattern.ask.ReplaceAllStringFunc(s, func(found string) string {
		m := l.pattern.ask.FindStringSubmatch(found)
		name := m[1] + m[2] + m[6]
		if m[6] != "" && where == asIs {
			return found
		}
		if m[6] != "" && where == asData && !l.o.Strict { // promptfoo leaves it as it is
			l.noticeAt(n, "environment", fmt.Sprintf("${%s} is not expanded here", prompt.Clip(name, 60)), "")
			return found
		}
		if v, ok := l.lookup(name); ok {
			return v
		}
		if m[3] != "" {
			return m[4] + m[5]
		}
		l.denied(n, name)
		return found
	})
}

func (l *loader) denied(n *node, name string) {
	l.errorAt(n, "environment", fmt.Sprintf("the environment variable %s is not allowed, or not set", prompt.Clip(name, 60)),
		"if you trust this file, allow it with --allow-env "+prompt.Clip(name, 60)+", or write the value; if the text is meant as it is, put it into a file and name that (file://)")
}

// prepare resolves references and the environment in a file's tree.
func (l *loader) prepare(root *node, where use) *node {
	r := referrer{l: l, root: root, open: map[*node]bool{}}
	root = r.node(root, false, 0)
	return l.expandAll(root, where)
}

// expandAll expands the texts under n. What does not change is shared.
func (l *loader) expandAll(n *node, where use) *node {
	switch n.kind {
	case text:
		s := n.str()
		if expanded := l.expand(n, s, where); expanded != s {
			out := *n
			out.value = expanded
			return &out
		}
	case list, mapping:
		var out *node
		for i, item := range n.items {
			child := item
			if item.kind >= text {
				child = l.expandAll(item, whereUnder(n, i, where))
			}
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

// whereUnder is how the i-th value of n may use the environment.
func whereUnder(n *node, i int, where use) use {
	if n.kind != mapping {
		return where
	}
	quoted := asData
	if where == asIs {
		quoted = asIs // a file of tests is not the suite
	}
	switch n.keys[i] {
	case "providers", "targets", "provider", "config", "env":
		return asConfig
	case "vars", "prompts", "raw", "description", "metadata":
		return quoted
	case "transform", "transformVars", "postprocess":
		return asIs
	case "value":
		if t := n.get("type").str(); strings.HasSuffix(t, "javascript") || strings.HasSuffix(t, "python") {
			return asIs
		}
		return quoted
	}
	return where
}
