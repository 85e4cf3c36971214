package assertion

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"path"
	"strconv"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

const (
	fileScheme = "file://"
	maxDepth   = 200     // of a value that a suite gives
	maxOutput  = 8 << 20 // bytes of an output that is read
)

// textOf is an output as a text: what is no text is written as JSON.
func textOf(output any) (string, error) {
	text, ok := output.(string)
	if !ok {
		var err error
		if text, err = asJSON(output); err != nil {
			return "", fmt.Errorf("the output cannot be written as JSON: %w", err)
		}
	}
	if len(text) > maxOutput {
		return "", registry.WithFix(fmt.Errorf("the output has %d bytes, and at most %d are read", len(text), maxOutput), "cut it down in a transform")
	}
	return text, nil
}

// asJSON writes v without escaping what only HTML minds.
func asJSON(v any) (string, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// templated reports whether a text may be a template. What holds none of the
// three openings renders to itself.
func templated(text string) bool {
	return strings.Contains(text, "{{") || strings.Contains(text, "{%") || strings.Contains(text, "{#")
}

func (c *Checker) render(ctx context.Context, text string, vars map[string]any) (string, error) {
	if !templated(text) {
		return text, nil
	}
	if c.Render == nil {
		return "", fmt.Errorf("the template %s cannot be rendered: nothing here renders templates", quote(text))
	}
	return c.Render.Render(ctx, text, vars)
}

// value is the value of a, ready to be checked: templates are rendered, and a
// file that it names is read. The text of a file is no template, as in
// promptfoo.
func (c *Checker) value(ctx context.Context, k kind, a Assertion, s Subject) (any, error) {
	if text, ok := a.Value.(string); ok && strings.HasPrefix(text, fileScheme) && !k.code {
		return c.fileValue(ctx, a, s)
	}
	v, err := c.rendered(ctx, a.Value, s.Vars, 0)
	if err != nil {
		return nil, err
	}
	if wrong := k.valid(v); wrong != "" {
		return nil, invalid(a, wrong, "see docs/assertions.md for the value of %s", a.Type)
	}
	return v, nil
}

// rendered is v with every template in it rendered; v itself is not changed.
func (c *Checker) rendered(ctx context.Context, v any, vars map[string]any, depth int) (any, error) {
	if depth > maxDepth {
		return nil, registry.Errorf(prompt.ErrInvalid, "the value is nested deeper than %d", maxDepth)
	}
	if depth == 0 && !open(v) {
		return v, nil
	}
	switch v := v.(type) {
	case string:
		return c.render(ctx, v, vars)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			var err error
			if out[i], err = c.rendered(ctx, v[i], vars, depth+1); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for key := range v {
			var err error
			if out[key], err = c.rendered(ctx, v[key], vars, depth+1); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return v, nil
}

// fileValue is the value that stands in a file: a text, JSON or YAML as they
// are, and of a script what it returns.
func (c *Checker) fileValue(ctx context.Context, a Assertion, s Subject) (any, error) {
	text, file, err := c.source(a, a.Value.(string)) //nolint:errcheck // value looked
	if err != nil {
		return nil, err
	}
	name, _, _ := strings.Cut(file, ":")
	switch path.Ext(name) {
	case ".txt", ".md":
		return strings.TrimSpace(text), nil
	case ".json", ".yaml", ".yml":
		return c.decode(a, text)
	case ".js", ".cjs", ".mjs", ".py":
		v, err := c.eval(ctx, a, s, text, file)
		if err != nil {
			return nil, err
		}
		return v, scriptValue(a, v)
	}
	return nil, invalid(a, "names the file "+quote(file)+", and its ending is none that is read", "use .txt, .json, .yaml, .js or .py")
}

// scriptValue reports a script's answer that is a verdict: promptfoo takes one
// from javascript and python alone.
func scriptValue(a Assertion, v any) error {
	verdict := false
	switch v := v.(type) {
	case bool:
		verdict = true
	case map[string]any:
		_, verdict = v["pass"]
	}
	if verdict {
		return invalid(a, "names a script that returns a verdict and no value", "write type: javascript, or return the text, number, list or mapping to compare with")
	}
	return nil
}

// decode reads JSON, and YAML where somebody reads it.
func (c *Checker) decode(a Assertion, text string) (any, error) {
	if len(text) > maxSchema {
		return nil, invalid(a, fmt.Sprintf("has a value of %d bytes", len(text)), "write at most %d", maxSchema)
	}
	var v any
	if err := json.Unmarshal([]byte(text), &v); err == nil {
		return v, nil
	}
	if c.YAML == nil {
		return nil, invalid(a, "has a value that is no JSON", "write JSON, or a mapping in place of a text")
	}
	v, err := c.YAML(text)
	if err != nil {
		return nil, invalid(a, "has a value that is neither JSON nor YAML: "+prompt.Clip(err.Error(), maxShown), "correct it")
	}
	return v, nil
}

// source finds the text of a file that an assertion names, and the name by
// which a script is run: its path, with :name for one function of it.
func (c *Checker) source(a Assertion, value string) (text, file string, err error) {
	file = strings.TrimPrefix(value, fileScheme)
	name, function, _ := strings.Cut(file, ":")
	for _, key := range []string{value, file, name, path.Clean(name), path.Join(path.Dir(a.File), name)} {
		text, ok := c.Sources[key]
		if !ok {
			continue
		}
		name, _, _ = strings.Cut(strings.TrimPrefix(key, fileScheme), ":")
		if function != "" {
			name += ":" + function
		}
		return text, name, nil
	}
	return "", "", invalid(a, "names the file "+quote(name)+", which was not read with the suite", "name a file of the repository, relative to the suite")
}

// wordOf is a value as JavaScript's String() writes it.
func wordOf(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case int:
		return strconv.Itoa(v)
	case bool:
		return strconv.FormatBool(v)
	case nil:
		return "null"
	}
	if text, err := asJSON(v); err == nil {
		return text
	}
	return fmt.Sprint(v)
}

// floatOf is a value that is a number.
func floatOf(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case uint64:
		return float64(v), true
	case float64:
		return v, !math.IsNaN(v)
	case json.Number:
		f, err := v.Float64()
		return f, err == nil
	}
	return 0, false
}
