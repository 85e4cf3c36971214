package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// Render fills a nunjucks template with vars, as promptfoo does: nothing is
// escaped, what is undefined is empty, and values are never read as templates.
// There is nothing to include, import or extend, and of the environment only
// what Config.Env gives.
//
// A template that only names variables is filled here and now, and one without
// braces is given back as it is; any other is rendered by nunjucks itself in a
// child. It reports the errors of Eval.
func (s *Sandbox) Render(ctx context.Context, template string, vars map[string]any) (string, error) {
	if out, ok := renderPlain(template, vars, s.config.MaxOutput); ok {
		return out, nil
	}
	return s.renderInChild(ctx, template, vars)
}

func (s *Sandbox) renderInChild(ctx context.Context, template string, vars map[string]any) (string, error) {
	if vars == nil {
		vars = map[string]any{}
	}
	text, err := json.Marshal(vars)
	if err != nil {
		return "", fmt.Errorf("the variables cannot be handed to a template: %w", err)
	}
	a, err := s.ask(ctx, request{Template: true, Code: template, Args: []json.RawMessage{text}, Env: s.config.Env})
	if err != nil {
		return "", err
	}
	var out string
	if err := json.Unmarshal(a.Value, &out); err != nil {
		return "", fmt.Errorf("template: the result cannot be read: %w", err)
	}
	return out, nil
}

// renderPlain fills a template that holds nothing but text and the likes of
// {{ name }}, {{ a.b }} and {{ a[0] }}. It does so only where it is sure to say
// what nunjucks would; ok is false elsewhere.
func renderPlain(template string, vars map[string]any, limit int) (out string, ok bool) {
	if !strings.Contains(template, "{{") {
		return template, !isMarked(template) && len(template) <= limit
	}
	if !isText(template) {
		return "", false
	}
	var b strings.Builder
	for rest := template; ; {
		text, tag, found := strings.Cut(rest, "{{")
		if isMarked(text) || b.Len()+len(text) > limit {
			return "", false
		}
		b.WriteString(text)
		if !found {
			return b.String(), true
		}
		path, n := scanPath(tag)
		if n == 0 {
			return "", false
		}
		value, ok := path.in(vars)
		if !ok {
			return "", false
		}
		shown, ok := jsText(value)
		if !ok || b.Len()+len(shown) > limit {
			return "", false
		}
		b.WriteString(shown)
		rest = tag[n:]
	}
}

// isMarked reports whether text has marks that mean something to nunjucks:
// of a block, and of a comment's begin and end.
func isMarked(text string) bool {
	return strings.Contains(text, "{%") || strings.Contains(text, "{#") || strings.Contains(text, "#}")
}
