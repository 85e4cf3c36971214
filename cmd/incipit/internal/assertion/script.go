package assertion

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/report"
	"github.com/incipit-dev/incipit/internal/prompt"
)

// maxComponents bounds the results that a script tells beside its own.
const maxComponents = 100

// script holds if code says so: it returns true or false, a number (a score
// that passes at threshold, without one above 0) or {pass, score, reason}. Code
// that throws, or returns anything else, fails, whether there is a not- or none.
func (c *Checker) script(ctx context.Context, q question) (finding, error) {
	code, file := wordOf(q.value), ""
	if strings.HasPrefix(code, fileScheme) {
		var err error
		if code, file, err = c.source(q.a, code); err != nil {
			return finding{}, err
		}
	}
	v, err := c.eval(ctx, q.a, q.s, code, file)
	if errors.Is(err, ErrThrown) {
		return finding{final: true, reason: err.Error()}, nil
	}
	if err != nil {
		return finding{}, err
	}
	return q.verdict(v), nil
}

// verdict reads what a script returned.
func (q question) verdict(v any) finding {
	if text, ok := v.(string); ok && q.a.Type == "python" {
		v = pythonText(text)
	}
	if f, ok := floatOf(v); ok {
		holds := f > 0
		if q.a.Threshold != nil {
			holds = atLeast(f, *q.a.Threshold)
		}
		return finding{holds: holds, score: f, upright: true, reason: fmt.Sprintf("the code returned the score %s", number(f))}
	}
	switch v := v.(type) {
	case bool:
		return plain(v, fmt.Sprintf("the code returned %t", v))
	case map[string]any:
		if f, ok := q.graded(v); ok {
			return f
		}
	}
	return finding{final: true, reason: "the code returned " + quote(wordOf(v)) + ", where true, false, a number or {pass, score, reason} belongs"}
}

// pythonText reads the answer of Python code that is a text, as promptfoo does.
func pythonText(text string) any {
	switch trimmed := strings.TrimSpace(text); {
	case strings.EqualFold(trimmed, "true"):
		return true
	case strings.EqualFold(trimmed, "false"):
		return false
	case strings.HasPrefix(trimmed, "{"):
		var v map[string]any
		if json.Unmarshal([]byte(trimmed), &v) == nil {
			return v
		}
	default:
		if f, err := strconv.ParseFloat(trimmed, 64); err == nil {
			return f
		}
	}
	return text
}

// graded reads a mapping with pass, score and reason.
func (q question) graded(v map[string]any) (finding, bool) {
	pass, ok := v["pass"].(bool)
	if !ok {
		return finding{}, false
	}
	f := plain(pass, fmt.Sprintf("the code returned pass: %t", pass))
	f.upright = true
	if score, ok := floatOf(v["score"]); ok {
		f.score = score
	}
	if reason, _ := v["reason"].(string); strings.TrimSpace(reason) != "" {
		f.reason = reason
	}
	if q.a.Type == "python" && q.a.Threshold != nil && !atLeast(f.score, *q.a.Threshold) {
		f.holds, f.reason = false, fmt.Sprintf("the score %s is below the threshold %s: %s", number(f.score), number(*q.a.Threshold), f.reason)
	}
	f.parts = append(namedParts(q.a.Name(), either(v, "namedScores", "named_scores")), componentParts(q.a.Name(), either(v, "componentResults", "component_results"))...)
	return f, true
}

// either is the value of the first key that there is.
func either(v map[string]any, keys ...string) any {
	for _, k := range keys {
		if e, ok := v[k]; ok {
			return e
		}
	}
	return nil
}

// namedParts are the named scores of a script, each a part that is a metric.
func namedParts(name string, v any) []report.Grade {
	scores, _ := v.(map[string]any)
	var parts []report.Grade
	for _, metric := range slices.Sorted(maps.Keys(scores)) {
		score, ok := floatOf(scores[metric])
		if !ok || len(parts) == maxComponents {
			continue
		}
		parts = append(parts, report.Grade{Type: name, Outcome: report.Pass, Score: unit(score), Weight: 1, Metric: prompt.Clip(metric, maxShown), Reason: "A score that the code named."})
	}
	return parts
}

// componentParts are the results that a script tells one by one.
func componentParts(name string, v any) []report.Grade {
	list, _ := v.([]any)
	var parts []report.Grade
	for _, e := range list[:min(len(list), maxComponents)] {
		one, ok := e.(map[string]any)
		if !ok {
			continue
		}
		g := report.Grade{Type: name, Outcome: report.Fail, Weight: 1}
		if pass, _ := one["pass"].(bool); pass {
			g.Outcome, g.Score = report.Pass, 1
		}
		if score, ok := floatOf(one["score"]); ok {
			g.Score = unit(score)
		}
		reason, _ := one["reason"].(string)
		g.Reason = sentence(reason)
		parts = append(parts, g)
	}
	return parts
}

// eval runs code of the suite on an output.
func (c *Checker) eval(ctx context.Context, a Assertion, s Subject, code, file string) (any, error) {
	name, _, _ := strings.Cut(file, ":")
	python := path.Ext(name) == ".py" || file == "" && a.Type == "python"
	switch {
	case python && c.Python == nil:
		return nil, missing(a, "Python, which runs only where it is asked for and python3 is there", "use javascript, or allow Python for this run")
	case python:
		return c.Python.Eval(ctx, code, file, scope(a, s))
	case c.Scripts == nil:
		return nil, missing(a, "JavaScript", "this run was started without it")
	}
	return c.Scripts.Eval(ctx, code, file, scope(a, s))
}

// scope is what code sees: output, and promptfoo's context.
func scope(a Assertion, s Subject) map[string]any {
	vars := s.Vars
	if vars == nil {
		vars = map[string]any{}
	}
	r := s.Response
	response := map[string]any{
		"output": s.Output, "finishReason": r.FinishReason, "latencyMs": r.LatencyMS, "isRefusal": r.Refusal, "raw": r.Output,
		"tokenUsage": map[string]any{"prompt": r.Usage.Input, "completion": r.Usage.Output, "total": r.Usage.Input + r.Usage.Output},
	}
	if r.Cost != nil {
		response["cost"] = *r.Cost
	}
	test := map[string]any{"vars": vars, "description": s.Description}
	seen := map[string]any{
		"vars": vars, "prompt": s.Prompt, "test": test, "provider": map[string]any{"id": s.Provider, "label": s.Provider}, "providerResponse": response,
	}
	if a.Config != nil {
		seen["config"] = a.Config
	}
	if s.Metadata != nil {
		seen["metadata"], test["metadata"] = s.Metadata, s.Metadata
	}
	return map[string]any{"output": s.Output, "context": seen}
}

// transformed applies the transform of an assertion to the output.
func (c *Checker) transformed(ctx context.Context, a Assertion, s Subject) (Subject, error) {
	if a.Transform == "" {
		return s, nil
	}
	if text, ok := s.Output.(string); ok && len(text) > maxOutput {
		return s, fmt.Errorf("the output has %d bytes, and at most %d are transformed", len(text), maxOutput)
	}
	code, file := a.Transform, ""
	if strings.HasPrefix(code, fileScheme) {
		var err error
		if code, file, err = c.source(a, code); err != nil {
			return s, err
		}
	}
	if c.Scripts == nil && path.Ext(file) != ".py" {
		return s, missing(a, "JavaScript for its transform", "this run was started without it")
	}
	plainJS := a
	plainJS.Type = "javascript"
	out, err := c.eval(ctx, plainJS, s, code, file)
	if err != nil {
		return s, fmt.Errorf("the transform of %s: %w", a.Name(), err)
	}
	if out == nil {
		return s, invalid(a, "has a transform that returned nothing", "return the new output")
	}
	s.Output = out
	return s, nil
}
