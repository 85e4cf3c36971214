package prompt

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// An Includer answers an include with its text. Without a constraint that is
// the text in the same tree, and the version is zero; with one, the highest
// release in the range.
type Includer func(name, constraint string) (text string, v Version, err error)

const (
	maxIncludeDepth  = 8
	maxExpandedBytes = 1 << 20
)

// An expansion replaces the includes of a prompt's texts and remembers what
// each ranged one was pinned to.
type expansion struct {
	include Includer
	pins    map[string]Version // "tone@^1" → 1.2.0
	left    int                // bytes that may still be read
}

// expand returns s with every include replaced by its text, itself expanded,
// less one final newline. The result is a template without includes.
func (x *expansion) expand(s string, chain []string) (string, error) {
	if err := x.spend(len(s)); err != nil || !strings.Contains(s, opening) {
		return s, err
	}
	t, _ := parseTemplate(s)
	var b strings.Builder
	pos := 0
	for _, p := range t {
		if p.include == "" {
			continue
		}
		b.WriteString(s[pos:p.start])
		pos = p.end
		text, err := x.one(p, chain)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
	}
	b.WriteString(s[pos:])
	return b.String(), nil
}

func (x *expansion) one(p part, chain []string) (string, error) {
	if slices.Contains(chain, p.include) {
		return "", fmt.Errorf("include %s leads back to itself: %s", p.include, strings.Join(append(chain, p.include), " → "))
	}
	if len(chain) == maxIncludeDepth {
		return "", fmt.Errorf("includes nest deeper than %d levels: %s", maxIncludeDepth, strings.Join(chain, " → "))
	}
	text, v, err := x.include(p.include, p.constraint)
	if err != nil {
		return "", err
	}
	if !utf8.ValidString(text) {
		return "", fmt.Errorf("the text of include %s is not valid UTF-8", p.include)
	}
	if p.constraint != "" {
		x.pins[p.include+"@"+p.constraint] = v
	}
	return x.expand(strings.TrimSuffix(text, "\n"), append(slices.Clone(chain), p.include))
}

// spend keeps a handful of includes that double each other from filling memory.
// It counts what is read, tags and all: texts that expand to nothing would
// otherwise be expanded for ever.
func (x *expansion) spend(n int) error {
	if x.left -= n; x.left < 0 {
		return fmt.Errorf("the prompt is larger than %d bytes once its includes are expanded", maxExpandedBytes)
	}
	return nil
}
