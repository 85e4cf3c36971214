package suite

import (
	"errors"
	"fmt"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// DecodeYAML reads one document of YAML as a suite does, with its limits.
func DecodeYAML(text string) (any, error) {
	if len(text) > maxSuiteBytes {
		return nil, fmt.Errorf("it is larger than %d MiB", maxSuiteBytes>>20)
	}
	l := &loader{said: make(map[prompt.Finding]bool)}
	root, ok := l.parseYAML("", []byte(text))
	if !ok {
		for _, f := range l.findings {
			return nil, fmt.Errorf("line %d: %s", f.Line, f.Message)
		}
		return nil, errors.New("it is no YAML")
	}
	if root == nil {
		return nil, nil
	}
	return root.plain(), nil
}
