package suite

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/assertion"
)

const maxCases = 100_000 // of a suite, after expansion

// A caseMaker makes cases of tests: merged with what all share, their variables
// expanded.
type caseMaker struct {
	l            *loader
	all          test        // defaultTest
	options      CaseOptions // of all, for tests that have none of their own
	out          []Case
	seen         map[string]int // keys, and how often
	bare         int            // tests without an assertion
	failed       bool           // too many cases: said once
	asserts, key []byte         // canonical forms, one at a time
}

// cases reads defaultTest, tests and scenarios.
func (l *loader) cases(root *node) []Case {
	m := caseMaker{l: l, all: l.defaultTest(root), seen: map[string]int{}}
	m.options = l.caseOptions(m.all.options)
	tests := l.tests(root.get("tests"))
	scenarios := root.get("scenarios")
	if l.errors > 0 && l.full() {
		return nil
	}
	m.out = make([]Case, 0, len(tests))
	for i := range tests {
		m.add(&tests[i])
	}
	m.scenarios(scenarios)
	if m.bare > maxFindings {
		l.noticeAt(root, "no-assertion", fmt.Sprintf("%d tests have no assertion", m.bare), "")
	}
	return m.out
}

// defaultTest reads what all tests share. The command line's grader, prefix
// and suffix stand below its options, a suite's metadata below its metadata.
func (l *loader) defaultTest(root *node) test {
	n := root.get("defaultTest")
	if n != nil && n.kind == text {
		if !strings.HasPrefix(n.str(), fileScheme) {
			l.errorAt(n, "shape", "defaultTest takes a mapping, or file:// and the name of a YAML file", "")
			return test{}
		}
		n = l.tree(n)
	}
	var t test
	if !n.empty() {
		t, _ = l.readTest(n, l.dir)
	}
	t.description = "" // each test has its own
	if t.metadata == nil {
		t.metadata = root.get("metadata").plainMap()
	}
	command := root.get("commandLineOptions")
	for _, f := range []struct{ from, to string }{{"promptPrefix", "prefix"}, {"promptSuffix", "suffix"}, {"grader", "provider"}} {
		if v := command.get(f.from); !v.empty() && t.options.get(f.to) == nil {
			if t.options == nil {
				t.options = &node{kind: mapping, mark: v.mark, file: v.file}
			}
			t.options = t.options.with(f.to, v, v.mark)
		}
	}
	return t
}

// merged is t over all: variables, options and metadata key by key, assertions
// behind those that all share, the rest whole.
func (m *caseMaker) merged(own *test) test {
	t, all := *own, &m.all
	if len(all.vars) > 0 {
		t.vars = over(all.vars, t.vars)
	}
	if len(all.asserts) > 0 && !t.options.get("disableDefaultAsserts").truth() {
		if len(t.asserts) == 0 {
			t.asserts = all.asserts
		} else {
			t.asserts = append(append(make([]assertion.Assertion, 0, len(all.asserts)+len(t.asserts)), all.asserts...), t.asserts...)
		}
	}
	if t.threshold == nil {
		t.threshold = all.threshold
	}
	t.metadata = overMap(all.metadata, t.metadata)
	t.options = overNode(all.options, t.options)
	if t.prompts == nil {
		t.prompts = all.prompts
	}
	if t.providers == nil {
		t.providers = all.providers
	}
	if t.provider == nil {
		t.provider = all.provider
	}
	return t
}

func over(below, above []binding) []binding {
	out := append(make([]binding, 0, len(below)+len(above)), below...)
	for _, b := range above {
		out = bind(out, b.name, b.value)
	}
	return out
}

func overMap(below, above map[string]any) map[string]any {
	switch {
	case len(above) == 0:
		return below
	case len(below) == 0:
		return above
	}
	out := maps.Clone(below)
	maps.Copy(out, above)
	return out
}

func overNode(below, above *node) *node {
	switch {
	case above == nil:
		return below
	case below == nil:
		return above
	}
	out := below
	for i, key := range above.keys {
		out = out.with(key, above.items[i], above.marks[i])
	}
	return out
}

// add makes the cases of one test.
func (m *caseMaker) add(own *test) {
	t := m.merged(own)
	if len(t.asserts) == 0 && !t.flawed {
		if m.bare++; m.bare <= maxFindings {
			m.l.strictAt(t.at, "no-assertion", "this test has no assertion: it passes whatever the answer is", "add assert:")
		}
	}
	options := m.options
	if own.options != nil {
		options = m.l.caseOptions(t.options)
	}
	t.asserts = judgedBy(t.asserts, options)
	combos := m.l.combinations(&t, options.DisableVarExpand, maxCases-len(m.out))
	if combos == nil {
		if !m.failed && !m.l.full() {
			m.failed = true
			m.l.errorAt(t.at, "too-large", fmt.Sprintf("the suite has more than %d cases once its lists are expanded", maxCases), "split it, or set options.disableVarExpansion")
		}
		return
	}
	m.asserts = appendAssertions(m.asserts[:0], t.asserts)
	cluster := ""
	if len(combos) > 1 {
		cluster = m.cluster(&t)
	}
	for _, vars := range combos {
		key := m.keyOf(t.description, vars)
		c := Case{
			Number: len(m.out) + 1, Key: m.unique(key), Cluster: cluster, Description: t.description, Vars: vars, Asserts: t.asserts,
			Threshold: t.threshold, Metadata: t.metadata, Options: options, Prompts: t.prompts, Providers: t.providers, Provider: t.provider,
			File: t.at.file, Line: t.at.line,
		}
		if cluster == "" {
			c.Cluster = key
		}
		m.out = append(m.out, c)
	}
}

// keyOf is a case's key before it is told apart from its likes; its assertions
// are those that were written last.
func (m *caseMaker) keyOf(description string, vars map[string]any) string {
	b := appendText(append(m.key[:0], `{"description":`...), description)
	b = appendCanonical(append(b, `,"vars":`...), vars)
	b = append(append(b, `,"assert":`...), m.asserts...)
	b = append(b, '}')
	m.key = b // its memory serves the next
	return digest(b)
}

// cluster is the key of a test before its variables are expanded: what a list
// says counts as one thing said.
func (m *caseMaker) cluster(t *test) string {
	vars := make(map[string]any, len(t.vars))
	for _, v := range t.vars {
		vars[v.name] = v.plain()
	}
	return m.keyOf(t.description, vars)
}

// unique tells cases apart that say the same: a second one is asked again.
func (m *caseMaker) unique(key string) string {
	n := m.seen[key]
	m.seen[key] = n + 1
	if n == 0 {
		return key
	}
	return key + "-" + strconv.Itoa(n+1)
}
