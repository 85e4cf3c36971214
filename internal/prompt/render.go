package prompt

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxRenderedBytes bounds what one call of Render makes: a variable may stand
// in a prompt many times.
const maxRenderedBytes = 16 << 20

// Vars are the values of a prompt's variables, by name.
type Vars map[string]string

// A Template is a prompt that is ready to render. It is safe for concurrent
// use and never changes.
type Template struct {
	messages  []compiled
	variables map[string]Variable
	defaults  map[string]string
}

type compiled struct {
	role  string
	parts template
}

// Compile prepares p, whose includes are expanded. It reports an error, which
// wraps ErrInvalid, where Parse would have made a finding.
func Compile(p Prompt) (*Template, error) {
	t := &Template{variables: p.Variables, defaults: make(map[string]string)}
	for name, v := range p.Variables {
		if v.Default == nil {
			continue
		}
		value, err := v.format(v.Default)
		if err != nil {
			return nil, fmt.Errorf("default of variable %s is %w: %w", name, ErrInvalid, err)
		}
		t.defaults[name] = value
	}
	for _, m := range p.Messages {
		parts, errs := parseTemplate(m.Content)
		if len(errs) > 0 {
			return nil, fmt.Errorf("%s message is %w: %s", m.Role, ErrInvalid, errs[0].msg)
		}
		for _, part := range parts {
			if part.include != "" {
				return nil, fmt.Errorf("%s message is %w: include %s is not expanded", m.Role, ErrInvalid, part.include)
			}
			if _, ok := p.Variables[part.variable]; part.variable != "" && !ok {
				return nil, fmt.Errorf("%s message is %w: variable %s is not declared", m.Role, ErrInvalid, part.variable)
			}
		}
		t.messages = append(t.messages, compiled{m.Role, parts})
	}
	return t, nil
}

// Render puts the values in, in one pass: a value that holds {{other}} stays
// as it is. Every problem with the values is reported at once, and wraps
// ErrInvalid: a missing or unknown variable, a value of the wrong type, one
// that is too long or not UTF-8, values that make more than 16 MiB.
func (t *Template) Render(vars Vars) ([]Message, error) { return RenderAs[Message](t, vars) }

// RenderAs is Template.Render into the caller's own type of a message, so that
// a package with such a type needs no second copy.
func RenderAs[M ~struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}](t *Template, vars Vars) ([]M, error) {
	if err := t.check(vars); err != nil {
		return nil, err
	}
	out := make([]M, len(t.messages))
	total := 0
	for i, m := range t.messages {
		size := 0
		for _, p := range m.parts {
			size += len(p.text) + len(t.value(p, vars))
		}
		if total += size; total > maxRenderedBytes {
			return nil, fmt.Errorf("the variables are %w: the messages would be larger than %d bytes", ErrInvalid, maxRenderedBytes)
		}
		out[i] = M{Role: m.role, Content: t.content(m.parts, vars, size)}
	}
	return out, nil
}

func (t *Template) content(parts template, vars Vars, size int) string {
	if len(parts) == 1 && parts[0].variable == "" {
		return parts[0].text
	}
	var b strings.Builder
	b.Grow(size)
	for _, p := range parts {
		b.WriteString(p.text)
		b.WriteString(t.value(p, vars))
	}
	return b.String()
}

func (t *Template) value(p part, vars Vars) string {
	if p.variable == "" {
		return ""
	}
	if v, ok := vars[p.variable]; ok {
		return v
	}
	return t.defaults[p.variable]
}

func (t *Template) check(vars Vars) error {
	var errs []error
	add := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf(format, args...))
	}
	for name, v := range t.variables {
		if _, ok := vars[name]; !ok && v.IsRequired() {
			add("variable %s is missing", name)
		}
	}
	for name, value := range vars {
		v, ok := t.variables[name]
		if !ok {
			add("variable %s is not declared; this prompt has %s", Clip(name, 64), t.names())
		} else if err := v.accepts(value); err != nil {
			add("variable %s: %w", name, err)
		}
	}
	if errs == nil {
		return nil
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return fmt.Errorf("the variables are %w: %w", ErrInvalid, errors.Join(errs...))
}

func (t *Template) names() string {
	if len(t.variables) == 0 {
		return "no variables"
	}
	return strings.Join(slices.Sorted(maps.Keys(t.variables)), ", ")
}

// accepts reports why value cannot stand for v.
func (v Variable) accepts(value string) error {
	if !utf8.ValidString(value) {
		return errors.New("the value is not valid UTF-8")
	}
	if n := utf8.RuneCountInString(value); v.MaxLength > 0 && n > v.MaxLength {
		return fmt.Errorf("the value has %d characters, at most %d are allowed", n, v.MaxLength)
	}
	var err error
	switch v.Kind() {
	case "integer":
		_, err = strconv.ParseInt(value, 10, 64)
	case "number":
		if strings.Trim(value, "+-.0123456789eE") != "" {
			err = strconv.ErrSyntax // NaN, Inf and 0x1p-2
		} else {
			_, err = strconv.ParseFloat(value, 64)
		}
	case "boolean":
		if value != "true" && value != "false" {
			err = strconv.ErrSyntax
		}
	}
	if err != nil {
		return fmt.Errorf("%q is not a value of type %s", Clip(value, 40), v.Kind())
	}
	return nil
}

// format writes a default, as it comes out of JSON, the way Render inserts it.
func (v Variable) format(value any) (string, error) {
	var s string
	switch value := value.(type) {
	case string:
		s = value
	case bool:
		s = strconv.FormatBool(value)
	case float64:
		if math.Abs(value) >= 1<<53 {
			return "", errors.New("other programs would round a number beyond 2^53; write it in quotes")
		}
		if value == 0 {
			value = 0 // and not -0
		}
		s = strconv.FormatFloat(value, 'f', -1, 64)
	default:
		return "", errors.New("it must be a string, a number or a boolean")
	}
	return s, v.accepts(s)
}
