package suite

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/assertion"
	"github.com/incipit-dev/incipit/internal/prompt"
)

// A columnKind says what a column of a CSV is.
type columnKind int

const (
	varColumn columnKind = iota
	expectedColumn
	prefixColumn
	suffixColumn
	descriptionColumn
	metricColumn
	thresholdColumn
	metadataColumn
	metadataListColumn
	assertThresholdColumn
	skippedColumn
)

type column struct {
	kind columnKind
	name string // of the variable, the metadata, or the column __expected that is meant
}

// csvTests reads the rows of a CSV as tests.
func (l *loader) csvTests(file, raw string) []test {
	t, ok := l.table(file, raw)
	if !ok {
		return nil
	}
	columns := make([]column, len(t.columns))
	for i, name := range t.columns {
		columns[i] = l.columnOf(file, name)
	}
	out := make([]test, 0, len(t.rows))
	r := csvRow{l: l, columns: columns}
	for i, row := range t.rows {
		if l.full() {
			break
		}
		r.at = &node{file: file, mark: mark{row.line, 1}}
		test := r.test(row.fields)
		if test.description == "" {
			test.description = "Row #" + strconv.Itoa(i+1)
		}
		out = append(out, test)
	}
	return out
}

func (l *loader) columnOf(file, name string) column {
	at := &node{file: file, mark: mark{1, 1}}
	switch name {
	case "__prefix":
		return column{kind: prefixColumn}
	case "__suffix":
		return column{kind: suffixColumn}
	case "__description":
		return column{kind: descriptionColumn}
	case "__metric":
		return column{kind: metricColumn}
	case "__threshold":
		return column{kind: thresholdColumn}
	}
	if strings.HasPrefix(name, "__expected") {
		return column{kind: expectedColumn, name: name}
	}
	if key, ok := strings.CutPrefix(name, "__metadata:"); ok {
		if list, ok := strings.CutSuffix(key, "[]"); ok {
			return column{metadataListColumn, list}
		}
		return column{metadataColumn, key}
	}
	if key, ok := strings.CutPrefix(name, "__config:"); ok {
		which, what, _ := strings.Cut(key, ":")
		if !strings.HasPrefix(which, "__expected") || what != "threshold" {
			l.errorAt(at, "csv", fmt.Sprintf("the column %q configures nothing", prompt.Clip(name, 60)), "write __config:__expected1:threshold")
			return column{kind: skippedColumn}
		}
		return column{assertThresholdColumn, which}
	}
	if strings.HasPrefix(name, "__") {
		l.errorAt(at, "csv", fmt.Sprintf("the column %q is not supported", prompt.Clip(name, 60)),
			"columns with a meaning are __expected, __description, __prefix, __suffix, __metric, __threshold, __metadata:name and __config:__expected:threshold")
		return column{kind: skippedColumn}
	}
	for _, special := range []string{"_expected", "_prefix", "_suffix", "_description", "_metric", "_threshold", "_metadata", "_config"} {
		if strings.HasPrefix(name, special) {
			l.errorAt(at, "csv", fmt.Sprintf("the column %q has one underscore", prompt.Clip(name, 60)), "did you mean _"+name+"?")
			return column{kind: skippedColumn}
		}
	}
	return column{varColumn, name}
}

// A csvRow makes a test of one row after the other.
type csvRow struct {
	l       *loader
	columns []column
	at      *node

	metric     string
	checks     []check
	thresholds map[string]float64 // by column
	prefix     string
	suffix     string
}

// A check is an assertion and the column it stands in.
type check struct {
	column string
	assertion.Assertion
}

func (r *csvRow) test(fields []string) test {
	r.checks, r.metric, r.prefix, r.suffix = r.checks[:0], "", "", ""
	clear(r.thresholds)
	before := r.l.errors
	t := test{at: r.at, vars: make([]binding, 0, len(fields))}
	for i, value := range fields {
		r.read(&t, r.columns[i], value)
	}
	for i := range r.checks {
		c := &r.checks[i]
		if i == 0 {
			t.asserts = make([]assertion.Assertion, 0, len(r.checks))
		}
		c.Metric, c.File, c.Line = r.metric, r.at.file, r.at.line
		if f, ok := r.thresholdFor(c.column); ok {
			c.Threshold = &f
		}
		if ok := r.l.known(r.at, c.Assertion); ok {
			c.Assertion = r.file(c.Assertion)
			if r.l.valid(r.at, c.Assertion) {
				t.asserts = append(t.asserts, c.Assertion)
			}
		}
	}
	t.options = r.options()
	t.flawed = r.l.errors > before
	return t
}

func (r *csvRow) read(t *test, c column, value string) {
	blank := strings.TrimSpace(value) == ""
	switch c.kind {
	case varColumn:
		t.vars = append(t.vars, binding{c.name, r.l.expand(r.at, value, asIs)})
	case expectedColumn:
		if blank {
			return
		}
		a, err := expected(value)
		if err != nil {
			r.l.errorAt(r.at, "csv", c.name+": "+err.Error(), "")
			return
		}
		if s, ok := a.Value.(string); ok && a.Type != "javascript" && a.Type != "python" {
			a.Value = r.l.expand(r.at, s, asIs)
		}
		r.checks = append(r.checks, check{c.name, a})
	case prefixColumn:
		r.prefix = value
	case suffixColumn:
		r.suffix = value
	case descriptionColumn:
		t.description = value
	case metricColumn:
		r.metric = value
	case thresholdColumn:
		if f, ok := r.number("__threshold", value); ok {
			t.threshold = &f
		}
	case metadataColumn, metadataListColumn:
		if !blank {
			t.metadata = withMetadata(t.metadata, c, value)
		}
	case assertThresholdColumn:
		if f, ok := r.number("__config:"+c.name+":threshold", value); ok {
			if r.thresholds == nil {
				r.thresholds = map[string]float64{}
			}
			r.thresholds[c.name] = f
		}
	case skippedColumn:
	}
}

// number reads a threshold; an empty one is none.
func (r *csvRow) number(name, value string) (float64, bool) {
	value = strings.TrimSpace(value)
	if value == "" {
		return 0, false
	}
	v, ok := numberOf(value)
	f, isFloat := v.(float64)
	if i, isInt := v.(int); isInt {
		f, isFloat = float64(i), true
	}
	if !ok || !isFloat || f < 0 || name == "__threshold" && f > 1 && r.l.o.Strict {
		r.l.errorAt(r.at, "range", fmt.Sprintf("%s is %q; it must be a number from 0", name, prompt.Clip(value, 40)), "")
		return 0, false
	}
	return f, true
}

// thresholdFor is what a column __config: says of the assertion in a column.
// __expected and __expected1 are the same column to it.
func (r *csvRow) thresholdFor(name string) (float64, bool) {
	f, ok := r.thresholds[name]
	if !ok && name == "__expected" {
		f, ok = r.thresholds["__expected1"]
	}
	if !ok && name == "__expected1" {
		f, ok = r.thresholds["__expected"]
	}
	return f, ok
}

// file reads the file that a value names.
func (r *csvRow) file(a assertion.Assertion) assertion.Assertion {
	if s, ok := a.Value.(string); ok && strings.HasPrefix(s, fileScheme) {
		value := &node{kind: text, value: s, file: r.at.file, mark: r.at.mark}
		a.Value = r.l.assertValue(&node{kind: mapping, keys: []string{"value"}, items: []*node{value}})
	}
	return a
}

func (r *csvRow) options() *node {
	if r.prefix == "" && r.suffix == "" {
		return nil
	}
	o := &node{kind: mapping, file: r.at.file, mark: r.at.mark}
	for _, f := range []struct{ key, value string }{{"prefix", r.prefix}, {"suffix", r.suffix}} {
		if f.value != "" {
			o = o.with(f.key, &node{kind: text, value: f.value, file: r.at.file, mark: r.at.mark}, r.at.mark)
		}
	}
	return o
}

func withMetadata(m map[string]any, c column, value string) map[string]any {
	if m == nil {
		m = map[string]any{}
	}
	if c.kind == metadataColumn {
		m[c.name] = value
		return m
	}
	list := []any{}
	item := ""
	for part := range strings.SplitSeq(value, ",") { // \, is a comma
		if head, ok := strings.CutSuffix(part, `\`); ok {
			item += head + ","
			continue
		}
		list = append(list, strings.TrimSpace(item+part))
		item = ""
	}
	m[c.name] = list
	return m
}
