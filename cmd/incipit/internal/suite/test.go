package suite

import (
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/assertion"
)

// A test is one entry of tests, before it is merged with what all tests share
// and before its variables are expanded.
type test struct {
	description string
	vars        []binding // in the order of the file: the last varies fastest
	asserts     []assertion.Assertion
	threshold   *float64
	metadata    map[string]any
	options     *node // a mapping; nil for none
	prompts     []string
	providers   []string
	provider    *ProviderSpec
	at          *node // where it stands
	flawed      bool  // something in it has been reported
}

// A binding is a variable and its value: of a YAML file a *node, of a CSV a
// string.
type binding struct {
	name  string
	value any
}

// readTest reads one test. base is the directory that files of variables are
// relative to.
func (l *loader) readTest(n *node, base string) (t test, ok bool) {
	if n.kind != mapping {
		l.errorAt(n, "shape", "a test is a mapping, this is "+n.kind.String(), "write - vars: and assert:")
		return t, false
	}
	before := l.errors
	l.checkKeys(n, testKeys, "a test")
	t = test{
		at: n, description: l.text(n, "description"), vars: l.readVars(n.get("vars"), base), asserts: l.asserts(n.get("assert"), 0),
		threshold: l.thresholdOf(n, true), prompts: l.textList(n, "prompts"), providers: l.textList(n, "providers"),
	}
	if m := n.get("metadata"); !m.empty() {
		if t.metadata = m.plainMap(); t.metadata == nil {
			l.errorAt(m, "shape", "metadata takes a mapping, this is "+m.kind.String(), "")
		}
	}
	if o := n.get("options"); !o.empty() {
		if o.kind != mapping {
			l.errorAt(o, "shape", "options takes a mapping, this is "+o.kind.String(), "")
		} else {
			l.checkOptions(o)
			t.options = o
		}
	}
	if p := n.get("provider"); !p.empty() {
		t.provider = l.ownProvider(p)
	}
	t.flawed = l.errors > before || n.get("assert") != nil && len(n.get("assert").items) > len(t.asserts)
	return t, true
}

// ownProvider reads the provider that one test asks in place of the suite's.
func (l *loader) ownProvider(n *node) *ProviderSpec {
	if !l.o.Prompts {
		l.errorAt(n, "brings-prompts", "a test of a workspace's prompt brings no provider", "remove this, or run the file with --config")
		return nil
	}
	all := l.providerItem(n, 0)
	if len(all) != 1 {
		return nil
	}
	return &all[0]
}

// readVars reads variables: a mapping, or the names of YAML files with one.
func (l *loader) readVars(n *node, base string) []binding {
	if n.empty() {
		return nil
	}
	switch n.kind {
	case mapping:
		return l.bindings(nil, n)
	case text:
		return l.varFiles(nil, n, base)
	case list:
		var out []binding
		for _, item := range n.items {
			if item.kind != text {
				l.errorAt(item, "shape", "vars takes a mapping, or names of files; this is "+item.kind.String(), "")
				continue
			}
			out = l.varFiles(out, item, base)
		}
		return out
	}
	l.errorAt(n, "shape", "vars takes a mapping, this is "+n.kind.String(), "write vars: and name: value below it")
	return nil
}

func (l *loader) varFiles(out []binding, n *node, base string) []binding {
	for _, name := range l.matches(n.str(), base, n) {
		if !strings.HasSuffix(name, ".yaml") && !strings.HasSuffix(name, ".yml") && !strings.HasSuffix(name, ".json") {
			l.errorAt(n, "unsupported", "variables come from YAML and JSON files", "")
			continue
		}
		root := l.document(name, maxSuiteBytes, n)
		switch {
		case root == nil:
		case root.kind != mapping:
			l.errorAt(root, "shape", "variables are a mapping, this is "+root.kind.String(), "")
		default:
			out = l.bindings(out, l.expandAll(root, asIs))
		}
	}
	return out
}

func (l *loader) bindings(out []binding, n *node) []binding {
	if out == nil {
		out = make([]binding, 0, len(n.keys))
	}
	for i, name := range n.keys {
		if v := n.items[i]; name == "assert" && (v.kind == list || v.kind == mapping) {
			l.errorAt(v, "assert-in-vars", "assert stands among the variables, where nothing checks it", "move it out, to the level of vars")
		}
		out = bind(out, name, n.items[i])
	}
	return out
}

// bind sets a variable, in its place if it is there.
func bind(vars []binding, name string, value any) []binding {
	for i := range vars {
		if vars[i].name == name {
			vars[i].value = value
			return vars
		}
	}
	return append(vars, binding{name, value})
}

// checkOptions finds misspelled options. What is unknown otherwise is the
// provider's: response_format, tools.
func (l *loader) checkOptions(n *node) {
	names := make([]string, 0, len(optionKeys))
	for name := range optionKeys {
		names = append(names, name)
	}
	known := &node{kind: mapping, file: n.file, mark: n.mark}
	for i, key := range n.keys {
		at := &node{file: n.file, mark: n.marks[i]}
		if _, ok := optionKeys[key]; ok {
			known.keys, known.marks, known.items = append(known.keys, key), append(known.marks, n.marks[i]), append(known.items, n.items[i])
		} else if best, ok := closest(key, names); ok {
			l.unknownKey(at, key, keySet{best: ""}, "options")
		}
	}
	l.checkKeys(known, optionKeys, "options")
}

// caseOptions reads options once everything is merged.
func (l *loader) caseOptions(n *node) CaseOptions {
	if n.empty() {
		return CaseOptions{}
	}
	o := CaseOptions{
		Transform: l.code(n, "transform"), TransformVars: l.code(n, "transformVars"), Prefix: l.text(n, "prefix"), Suffix: l.text(n, "suffix"),
		Judge: l.judge(n.get("provider")), RubricPrompt: l.rubric(n.get("rubricPrompt")), Factuality: n.get("factuality").plainMap(),
		Repeat: l.count(n, "repeat", 1), DisableVarExpand: n.get("disableVarExpansion").truth(),
	}
	if o.Transform == "" {
		o.Transform = l.code(n, "postprocess") // its name of old
	}
	for i, key := range n.keys {
		if _, ours := optionKeys[key]; ours {
			continue
		}
		if o.Config == nil {
			o.Config = map[string]any{}
		}
		o.Config[key] = l.external(n.items[i], 0).plain()
	}
	return o
}
