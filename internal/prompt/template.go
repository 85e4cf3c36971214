package prompt

import (
	"fmt"
	"strings"
)

// A template is text with {{name}} for a variable and {{> name}} or
// {{> name@^1}} for an include; \{{ stands for two plain braces. There is no
// logic and no second pass: what a value holds is never read as a template.
type template []part

// A part is plain text, a variable or an include, and where it stands.
type part struct {
	text       string // set for plain text alone
	variable   string
	include    string
	constraint string // of an include; "" means the text in the same tree
	start, end int    // in bytes of the template's source
}

// A syntaxError is a place in a template that cannot be read.
type syntaxError struct {
	offset int
	msg    string
}

const (
	opening = "{{"
	closing = "}}"
	maxTag  = 1024 // bytes between them; what never closes is not searched to the end of the text
)

// parseTemplate reads s. The parts are whole even where there are errors: a
// place that cannot be read becomes plain text.
func parseTemplate(s string) (template, []syntaxError) {
	var (
		t    template
		errs []syntaxError
		pos  int // start of what is not yet in t
		from int // where to look for the next brace
	)
	plain := func(end int, text string) {
		if text != "" {
			t = append(t, part{text: text, start: pos, end: end})
		}
	}
	for {
		i := strings.Index(s[from:], opening)
		if i < 0 {
			break
		}
		i += from
		if i-1 >= pos && s[i-1] == '\\' {
			plain(i+2, s[pos:i-1]+opening)
			pos, from = i+2, i+2
			continue
		}
		n := strings.Index(s[i+2:min(len(s), i+2+maxTag)], closing)
		if n < 0 {
			errs = append(errs, syntaxError{i, `{{ is never closed; write \{{ for two plain braces`})
			from = i + 2
			continue
		}
		end := i + 2 + n + 2
		p, msg := parsePart(strings.TrimSpace(s[i+2 : end-2]))
		if msg != "" {
			errs = append(errs, syntaxError{i, msg})
			from = i + 2
			continue
		}
		plain(i, s[pos:i])
		p.start, p.end = i, end
		t = append(t, p)
		pos, from = end, end
	}
	plain(len(s), s[pos:])
	return t, errs
}

func parsePart(inner string) (p part, msg string) {
	if rest, ok := strings.CutPrefix(inner, ">"); ok {
		name, constraint, ranged := strings.Cut(strings.TrimSpace(rest), "@")
		id, err := ParseID(SharedPrefix + name)
		if err != nil {
			return part{}, fmt.Sprintf("%q is not the name of an include; write {{> tone}} or {{> billing/tone@^1}}", Clip(name, 80))
		}
		if ranged && constraint == "" {
			return part{}, fmt.Sprintf("the range after %s@ is missing; write {{> %s@^1}}, or {{> %s}} for the text as it stands", name, name, name)
		}
		if _, err := (Version{}).In(constraint); err != nil {
			return part{}, err.Error()
		}
		name, _ = id.Shared()
		return part{include: name, constraint: constraint}, ""
	}
	if !isVariableName(inner) {
		return part{}, fmt.Sprintf(`{{%s}} is not a variable; write {{name}} with letters, digits and _, or \{{ for two plain braces`, Clip(inner, 40))
	}
	return part{variable: inner}, ""
}

// isVariableName reports whether s is a letter or _ followed by up to 63
// letters, digits and _.
func isVariableName(s string) bool {
	if s == "" || len(s) > 64 || s[0] >= '0' && s[0] <= '9' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}
