package suite

import (
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/assertion"
)

// scenarios reads lists of data and of tests: each test is asked with each
// data.
func (m *caseMaker) scenarios(n *node) {
	if n.empty() {
		return
	}
	items := []*node{n}
	if n.kind == list {
		items = n.items
	}
	for _, item := range items {
		if item.kind == text && strings.HasPrefix(item.str(), fileScheme) {
			if item = m.l.tree(item); item == nil {
				continue
			}
			if item.kind == list {
				m.scenarios(item)
				continue
			}
		}
		m.scenario(item)
	}
}

func (m *caseMaker) scenario(n *node) {
	l := m.l
	if n.kind != mapping {
		l.errorAt(n, "shape", "a scenario is a mapping with config and tests, this is "+n.kind.String(), "")
		return
	}
	l.checkKeys(n, scenarioKeys, "a scenario")
	rows := l.tests(n.get("config"))
	tests := l.tests(n.get("tests"))
	if n.get("tests").empty() {
		tests = []test{{at: n}} // the data alone, as promptfoo has it
	}
	if len(rows) == 0 && !l.full() {
		l.errorAt(n, "no-cases", "this scenario has no data", "write config: with at least one entry")
		return
	}
	for _, row := range rows {
		for _, t := range tests {
			both := under(row, t)
			m.add(&both)
		}
	}
}

// under is t with a scenario's data below it. What all tests share comes below
// both, when it is added.
func under(row, t test) test {
	t.vars = over(row.vars, t.vars)
	t.flawed = t.flawed || row.flawed
	if len(row.asserts) > 0 {
		t.asserts = append(append([]assertion.Assertion{}, row.asserts...), t.asserts...)
	}
	t.metadata = overMap(row.metadata, t.metadata)
	t.options = overNode(row.options, t.options)
	if t.description == "" {
		t.description = row.description
	}
	if t.threshold == nil {
		t.threshold = row.threshold
	}
	if t.prompts == nil {
		t.prompts = row.prompts
	}
	if t.providers == nil {
		t.providers = row.providers
	}
	if t.provider == nil {
		t.provider = row.provider
	}
	return t
}
