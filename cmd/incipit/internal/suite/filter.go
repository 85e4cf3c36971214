package suite

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// Filter returns the cases whose description pattern matches (RE2; "" matches
// all) and whose key is among keys (nil is all; an empty map is none), and of
// them the first firstN (0 is all). It is an error if none is left: a run of
// nothing would be green.
func Filter(cases []Case, pattern string, firstN int, keys map[string]bool) ([]Case, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, registry.Errorf(prompt.ErrInvalid, "--filter %q is no regular expression: %s", prompt.Clip(pattern, 80), prompt.Clip(err.Error(), 120))
	}
	var out []Case
	for _, c := range cases {
		if firstN > 0 && len(out) == firstN {
			break
		}
		if (keys == nil || keys[c.Key]) && re.MatchString(c.Description) {
			out = append(out, c)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("none of %d cases is left by the filter: %w", len(cases), ErrNoCases)
	}
	return out, nil
}

// ErrNoCases says that a filter leaves no case to run.
var ErrNoCases = errors.New("no cases")

// asks reports whether c is asked of t with p: if neither says otherwise, or
// names the other by label, by id or by the beginning of one (abc*, or abc for
// abc:…).
func asks(c Case, t Template, p ProviderSpec) bool {
	return (p.Prompts == nil || refers(p.Prompts, t.Label, t.ID)) &&
		(c.Prompts == nil || refers(c.Prompts, t.Label, t.ID)) && (c.Providers == nil || refers(c.Providers, p.Label, p.ID))
}

// refers reports whether one of refs means label or id.
func refers(refs []string, label, id string) bool {
	for _, ref := range refs {
		for _, name := range []string{label, id} {
			if name == "" {
				continue
			}
			prefix, starred := strings.CutSuffix(ref, "*")
			if name == ref || starred && strings.HasPrefix(name, prefix) || strings.HasPrefix(name, ref+":") {
				return true
			}
		}
	}
	return false
}
