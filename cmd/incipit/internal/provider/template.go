package provider

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// fillTemplate puts values in the place of {{name}}. A name that nobody knows
// is an error. Values are not read again.
func fillTemplate(text string, value func(expr string) (string, bool)) (string, error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "{{")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		expr, after, closed := strings.Cut(rest, "}}")
		if !closed {
			return "", fmt.Errorf("a {{ is not closed")
		}
		name, filter, _ := strings.Cut(expr, "|")
		v, ok := value(strings.TrimSpace(name))
		if filter = strings.TrimSpace(filter); filter == "dump" {
			v = string(mustJSON(v))
		} else if filter != "" {
			ok = false
		}
		if !ok {
			return "", fmt.Errorf("{{%s}} is not known here", prompt.Clip(expr, 60))
		}
		b.WriteString(v)
		text = after
	}
}

// fillQuery fills a query that was read from an address, where {{ may be
// written as it is or escaped.
func fillQuery(raw string, value func(string) (string, bool)) (string, error) {
	raw = strings.NewReplacer("%7B", "{", "%7b", "{", "%7D", "}", "%7d", "}").Replace(raw)
	return fillTemplate(raw, func(expr string) (string, bool) {
		v, ok := value(strings.ReplaceAll(expr, "+", " "))
		return url.QueryEscape(v), ok
	})
}

// fillBody fills a body: each text of a tree, or a text. In a text that is
// JSON, a value goes in as it must stand in a JSON string.
func fillBody(body any, value func(string) (string, bool)) (text []byte, isJSON bool, err error) {
	if s, ok := body.(string); ok {
		if !strings.HasPrefix(strings.TrimSpace(s), "{") && !strings.HasPrefix(strings.TrimSpace(s), "[") {
			filled, err := fillTemplate(s, value)
			return []byte(filled), false, err
		}
		var tree any
		if json.Unmarshal([]byte(s), &tree) != nil { // {{prompt | dump}} stands outside of strings
			filled, err := fillTemplate(s, value)
			return []byte(filled), json.Valid([]byte(filled)), err
		}
		body = tree
	}
	tree, err := fillTree(body, value)
	if err != nil {
		return nil, false, err
	}
	text, err = json.Marshal(tree)
	return text, true, err
}

func fillTree(v any, value func(string) (string, bool)) (any, error) {
	var err error
	switch v := v.(type) {
	case string:
		filled, err := fillTemplate(v, value)
		if name := strings.TrimSpace(strings.Trim(v, "{}")); err == nil && name == "messages" && strings.HasPrefix(v, "{{") {
			return json.RawMessage(filled), nil // a list, not a text
		}
		return filled, err
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			if out[i], err = fillTree(e, value); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			if out[k], err = fillTree(e, value); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return v, nil
}

// readPath takes a transform apart that is no more than a path into the
// answer: json.choices[0].message.content. It is nil for any other code.
func readPath(code string) []string {
	pattern := regexp.MustCompile(`^\s*(json|data|text)((?:\??\.[A-Za-z_$][\w$]*|\[\d{1,6}\]|\["[^"\\]*"\]|\['[^'\\]*'\])*)\s*;?\s*$`)
	m := pattern.FindStringSubmatch(code)
	if m == nil {
		return nil
	}
	steps := []string{m[1]}
	for _, s := range regexp.MustCompile(`[A-Za-z_$][\w$]*|\d+|"[^"]*"|'[^']*'`).FindAllString(m[2], -1) {
		steps = append(steps, strings.Trim(s, `"'`))
	}
	return steps
}

func walk(v any, steps []string) (any, bool) {
	for _, step := range steps {
		switch node := v.(type) {
		case map[string]any:
			inner, ok := node[step]
			if !ok {
				return nil, false
			}
			v = inner
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(node) {
				return nil, false
			}
			v = node[i]
		default:
			return nil, false
		}
	}
	return v, true
}

// callable makes of a function's text a call of it, with what promptfoo calls
// it with; an expression stays what it is.
func callable(code string) string {
	if regexp.MustCompile(`^\s*(async\s+)?(function\b|\([\w\s,{}]*\)\s*=>|[\w$]+\s*=>)`).MatchString(code) {
		return "(" + strings.TrimRight(strings.TrimSpace(code), ";") + ")(json, text, context)"
	}
	return code
}
