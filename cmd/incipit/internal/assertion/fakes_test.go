package assertion

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/provider"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/report"
)

// braces renders {{name}} alone.
type braces struct{}

func (braces) Render(_ context.Context, template string, vars map[string]any) (string, error) {
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		template = strings.ReplaceAll(template, "{{"+name+"}}", fmt.Sprint(vars[name]))
	}
	if strings.Contains(template, "{{") {
		return "", errors.New("a variable is not known")
	}
	return template, nil
}

// scriptFunc is code that a test writes in Go.
type scriptFunc func(code, file string, scope map[string]any) (any, error)

func (f scriptFunc) Eval(_ context.Context, code, file string, scope map[string]any) (any, error) {
	return f(code, file, scope)
}

// goPattern stands for JavaScript's patterns; the one named slow passes its
// time limit.
type goPattern struct{ *regexp.Regexp }

func (p goPattern) Match(_ context.Context, s string) (bool, error) {
	if p.String() == "slow" {
		return false, errors.New("it took more than 250 ms")
	}
	return p.MatchString(s), nil
}

func goPatterns(text string) (Pattern, error) {
	re, err := regexp.Compile(strings.ReplaceAll(text, "(?!)", "slow"))
	if err != nil {
		return nil, err
	}
	return goPattern{re}, nil
}

// a model answers in Go, and remembers what it was asked.
type model struct {
	answer func(r provider.Request) (provider.Response, error)
	mu     sync.Mutex
	asked  []provider.Request
}

func (*model) ID() string { return "fake" }

func (m *model) Call(_ context.Context, r provider.Request) (provider.Response, error) {
	m.mu.Lock()
	m.asked = append(m.asked, r)
	m.mu.Unlock()
	return m.answer(r)
}

// says is a judge that always gives one answer, and counts tokens and money.
func says(text string) *model {
	return &model{answer: func(provider.Request) (provider.Response, error) {
		cost := 0.25
		return provider.Response{Output: text, Usage: provider.Usage{Input: 10, Output: 3}, Cost: &cost}, nil
	}}
}

func (m *model) judge(_ context.Context, _ any) (provider.Provider, string, error) {
	return m, "judge-1", nil
}

// letters embeds a text as how often each of a, b and c stands in it.
type letters struct{ wrong [][]float64 }

func (letters) ID() string { return "letters" }

func (l letters) Embed(_ context.Context, _ string, texts []string) ([][]float64, provider.Usage, error) {
	if l.wrong != nil {
		return l.wrong, provider.Usage{}, nil
	}
	out := make([][]float64, len(texts))
	for i, t := range texts {
		out[i] = []float64{float64(strings.Count(t, "a")), float64(strings.Count(t, "b")), float64(strings.Count(t, "c"))}
	}
	return out, provider.Usage{Input: len(texts)}, nil
}

func (l letters) embedder(_ context.Context, _ any) (provider.Embedder, string, error) {
	return l, "letters-1", nil
}

func checker() *Checker {
	return &Checker{Render: braces{}, Pattern: goPatterns, Embedder: letters{}.embedder}
}

func said(output any) Subject {
	text, _ := output.(string)
	return Subject{Output: output, Response: provider.Response{Output: text}, Prompt: "Where is my parcel?", Vars: map[string]any{"name": "Ada", "n": 3}}
}

// graded checks a, and fails if the grade is not as every grade is.
func graded(t *testing.T, c *Checker, a Assertion, s Subject) report.Grade {
	t.Helper()
	g := c.Check(t.Context(), a, s)
	sound(t, a, g)
	return g
}

func sound(t *testing.T, a Assertion, g report.Grade) {
	t.Helper()
	switch {
	case g.Type != a.Name():
		t.Errorf("the grade is of %q, want %q", g.Type, a.Name())
	case g.Score < 0 || g.Score > 1 || g.Score != g.Score:
		t.Errorf("the score is %v", g.Score)
	case g.Reason == "" || len([]rune(g.Reason)) > 2*maxReason+100:
		t.Errorf("the reason has %d characters", len([]rune(g.Reason)))
	case g.Outcome != report.Pass && g.Outcome != report.Fail && g.Outcome != report.Error:
		t.Errorf("the outcome is %q", g.Outcome)
	}
}
