package suite

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/provider"
	"github.com/incipit-dev/incipit/internal/prompt"
)

// vars are the variables of a case with the templates in them filled in, each
// once and from the values as they stand in the file: what a value holds after
// that is data.
func (r *Runner) vars(ctx context.Context, c Case) (map[string]any, error) {
	out := make(map[string]any, len(c.Vars))
	for name, v := range c.Vars {
		filled, err := r.fill(ctx, v, c.Vars)
		if err != nil {
			return nil, scriptError{fmt.Errorf("variable %s: %w", name, err)}
		}
		out[name] = filled
	}
	if c.Options.TransformVars == "" {
		return out, nil
	}
	v, err := r.eval(ctx, c, c.Options.TransformVars, map[string]any{"vars": out, "output": out, "context": map[string]any{"vars": out}})
	if err != nil {
		return nil, scriptError{fmt.Errorf("transformVars: %w", err)}
	}
	made, ok := v.(map[string]any)
	if !ok {
		return nil, scriptError{fmt.Errorf("transformVars gave %T, and not an object of variables", v)}
	}
	return made, nil
}

// fill renders every text in v.
func (r *Runner) fill(ctx context.Context, v any, vars map[string]any) (any, error) {
	switch v := v.(type) {
	case string:
		if !strings.Contains(v, "{{") && !strings.Contains(v, "{%") {
			return v, nil
		}
		return r.Render.Render(ctx, v, vars)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			var err error
			if out[i], err = r.fill(ctx, v[i], vars); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			var err error
			if out[k], err = r.fill(ctx, v[k], vars); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return v, nil
}

// eval runs a transform of a case: its code, or the file that it names.
func (r *Runner) eval(ctx context.Context, c Case, code string, scope map[string]any) (any, error) {
	ref, named := strings.CutPrefix(code, fileScheme)
	if !named {
		return r.Scripts.Eval(ctx, code, "", scope)
	}
	name, _ := function(ref)
	text, ok := c.Options.Sources[name]
	if !ok {
		return nil, fmt.Errorf("%s was not read with the suite", prompt.Clip(name, 120))
	}
	if path.Ext(name) == ".py" {
		return nil, fmt.Errorf("%s: Python for a transform is not supported; write JavaScript", prompt.Clip(name, 120))
	}
	return r.Scripts.Eval(ctx, text, ref, scope)
}

// transform applies the provider's transform and then the case's to the output.
func (r *Runner) transform(ctx context.Context, a *answer) error {
	for _, code := range []string{a.spec.Transform, a.test.Options.Transform} {
		if code == "" {
			continue
		}
		v, err := r.eval(ctx, a.test, code, map[string]any{
			"output":  a.subject.Output,
			"context": map[string]any{"vars": a.subject.Vars, "prompt": map[string]any{"raw": a.subject.Prompt, "label": a.target.Label()}, "metadata": a.test.Metadata},
		})
		if err != nil {
			return scriptError{fmt.Errorf("transform: %w", err)}
		}
		a.subject.Output = v
	}
	if text, ok := a.subject.Output.(string); ok {
		a.result.Output = text
		return nil
	}
	shown, err := json.Marshal(a.subject.Output)
	if err != nil {
		return scriptError{fmt.Errorf("transform gave what is no JSON: %w", err)}
	}
	a.result.Output = string(shown)
	return nil
}

// promptText is what was asked: the text of a single message, or the messages
// as JSON.
func promptText(ms []provider.Message) string {
	if len(ms) == 1 && ms[0].Parts == nil && ms[0].Extra == nil {
		return ms[0].Content
	}
	data, err := json.Marshal(ms)
	if err != nil {
		return ""
	}
	return string(data)
}
