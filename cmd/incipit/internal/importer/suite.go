package importer

import (
	"bytes"

	"go.yaml.in/yaml/v3"
)

// A suite is what we write of tests that had another form: the grammar of
// promptfoo, as little of it as they need.
type suite struct {
	Description string     `yaml:"description,omitempty"`
	Tests       []testCase `yaml:"tests"`
}

type testCase struct {
	Description string         `yaml:"description,omitempty"`
	Vars        map[string]any `yaml:"vars,omitempty"`
	Assert      []any          `yaml:"assert,omitempty"`
}

type assertion struct {
	Type      string   `yaml:"type"`
	Value     any      `yaml:"value,omitempty"`
	Threshold *float64 `yaml:"threshold,omitempty"`
	Metric    string   `yaml:"metric,omitempty"`
	Assert    []any    `yaml:"assert,omitempty"` // of an assert-set
}

// encode is the suite's file, nil without tests.
func (s suite) encode() ([]byte, error) {
	if len(s.Tests) == 0 {
		return nil, nil
	}
	return encodeYAML(s)
}

func encodeYAML(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	err := enc.Close()
	return b.Bytes(), err
}

// anyOf is an assertion that holds if the answer fits one of the values: the
// share of those that must hold is that of one, rounded down.
func anyOf(kind string, values []string) any {
	list := make([]any, len(values))
	for i, v := range values {
		list[i] = assertion{Type: kind, Value: literal(v)}
	}
	if len(list) == 1 {
		return list[0]
	}
	const parts = 10_000
	share := float64(parts/len(list)) / parts
	return assertion{Type: "assert-set", Threshold: &share, Assert: list}
}
