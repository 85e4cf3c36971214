package suite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/assertion"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/provider"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/report"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A cell is one question: a case, of a target, to a provider, once.
type cell struct {
	test     Case
	target   Target
	spec     ProviderSpec
	provider provider.Provider
	model    string
	delay    time.Duration
	repeat   int
}

// An answer is a cell and what became of it.
type answer struct {
	cell
	result  report.Case
	subject assertion.Subject // of a cell that was answered
	grades  []report.Grade
}

// maxCells is how many questions one run asks: each is held, with its answer,
// until the report is written.
const maxCells = 200_000

// cells lays a plan out: by case, target, provider and repeat.
func (r *Runner) cells(p Plan) ([]cell, error) {
	cases := p.Cases
	if cases == nil {
		cases = p.Suite.Cases
	}
	opened := opener{open: r.Open, known: make(map[string]opening)}
	var out []cell
	for _, c := range cases {
		for _, t := range p.Targets {
			specs := p.Suite.Providers
			switch brings, ok := t.(interface{ Provider() ProviderSpec }); {
			case c.Provider != nil:
				specs = []ProviderSpec{*c.Provider}
			case ok:
				specs = []ProviderSpec{brings.Provider()}
			}
			for _, spec := range specs {
				if !asks(c, templateOf(t), spec) {
					continue
				}
				o, err := opened.get(spec)
				if err != nil {
					return nil, err
				}
				repeats := repeats(p, c)
				if repeats > maxCells-len(out) {
					return nil, tooMany(p.Suite.File)
				}
				for n := range repeats {
					out = append(out, cell{c, t, spec, o.provider, o.model, time.Duration(max(spec.DelayMS, p.Suite.Options.DelayMS)) * time.Millisecond, p.First + n})
				}
			}
		}
	}
	return out, nil
}

func tooMany(file string) error {
	return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%s asks more than %d questions, counted by case, prompt, provider and repeat", file, maxCells),
		"lower repeat, or split the suite")
}

func repeats(p Plan, c Case) int {
	for _, n := range []int{p.Repeat, c.Options.Repeat, p.Suite.Options.Repeat} {
		if n > 0 {
			return n
		}
	}
	return 1
}

// templateOf is what the filters of cases and providers know of a target.
func templateOf(t Target) Template {
	if r, ok := t.(*Rendered); ok {
		return r.Template
	}
	return Template{Label: t.Label()}
}

// An opener opens each provider once, however many cells ask it: its limits
// are of the provider and not of a cell.
type opener struct {
	open  func(ProviderSpec) (provider.Provider, string, error)
	known map[string]opening
}

type opening struct {
	provider provider.Provider
	model    string
}

func (o opener) get(spec ProviderSpec) (opening, error) {
	key, err := json.Marshal([]any{spec.ID, spec.Config})
	if err != nil {
		return opening{}, fmt.Errorf("provider %s: its config is no JSON: %w", spec.ID, err)
	}
	if found, ok := o.known[string(key)]; ok {
		return found, nil
	}
	p, model, err := o.open(spec)
	if err != nil {
		return opening{}, err
	}
	o.known[string(key)] = opening{p, model}
	return o.known[string(key)], nil
}

// ask asks one cell and grades the answer.
func (r *Runner) ask(ctx context.Context, checker *assertion.Checker, c cell) answer {
	a := answer{cell: c, result: report.Case{
		Number: c.test.Number, Key: c.test.Key, Description: c.test.Description,
		Target: c.target.Label(), Provider: c.spec.name(), Repeat: c.repeat,
		File: c.test.File, Line: c.test.Line,
	}}
	limit := r.Timeout
	if limit <= 0 {
		limit = 5 * time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := r.answer(ctx, &a); err != nil {
		a.result.Failure = failure(err)
		return a
	}
	for _, as := range a.test.Asserts {
		if as.Compares() {
			continue // judged beside the other answers to this case
		}
		a.grades = append(a.grades, checker.Check(ctx, as, a.subject))
	}
	return a
}

// answer fills in what was asked and what came back.
func (r *Runner) answer(ctx context.Context, a *answer) error {
	req, err := r.request(ctx, a.target, a.model, &a.test)
	if err != nil {
		return err
	}
	if a.result.Vars, err = json.Marshal(a.test.Vars); err != nil {
		return scriptError{fmt.Errorf("the variables are no JSON: %w", err)}
	}
	req.Repeat = a.repeat
	if err := pause(ctx, a.delay); err != nil {
		return err
	}
	resp, err := a.provider.Call(ctx, req)
	if errors.Is(err, context.DeadlineExceeded) { // the provider is to blame, and not the case
		return &provider.Error{
			Kind: provider.Unavailable, Provider: a.provider.ID(), Sent: true, Text: "no answer came within the time limit of one case",
			Fix: "give --timeout a larger value, or try again later",
		}
	}
	if err != nil {
		return err
	}
	a.record(resp)
	a.subject = assertion.Subject{
		Output: resp.Output, Response: resp, Prompt: promptText(req.Messages), Vars: a.test.Vars, Tools: req.Tools,
		Description: a.test.Description, Metadata: a.test.Metadata, Provider: a.spec.name(),
	}
	return r.transform(ctx, a)
}

func (a *answer) record(resp provider.Response) {
	c := &a.result
	c.Output, c.FinishReason, c.LatencyMS = resp.Output, resp.FinishReason, resp.LatencyMS
	c.Input, c.OutputTokens, c.Cost, c.Replayed = resp.Usage.Input, resp.Usage.Output, resp.Cost, resp.Replayed
	if !resp.RecordedAt.IsZero() {
		at := resp.RecordedAt.UTC()
		c.RecordedAt = &at
	}
}

// finish is the cell as the report holds it.
func (a *answer) finish() report.Case {
	c := a.result
	c.Grades = a.grades
	if c.Grades == nil {
		c.Grades = []report.Grade{}
	}
	if c.Failure != nil {
		c.Outcome = report.Error
		return c
	}
	c.Outcome, c.Score, c.Metrics = assertion.Total(a.grades, a.test.Threshold)
	return c
}

// name is how a report calls the provider.
func (s ProviderSpec) name() string {
	if s.Label != "" {
		return s.Label
	}
	return s.ID
}

// A scriptError is a transform or a template that could not be evaluated.
type scriptError struct{ error }

func failure(err error) *report.Failure {
	if e, ok := errors.AsType[*provider.Error](err); ok {
		return &report.Failure{Kind: string(e.Kind), Text: e.Error(), Fix: e.Fix}
	}
	if _, ok := errors.AsType[scriptError](err); ok {
		return &report.Failure{Kind: "script", Text: err.Error()}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return &report.Failure{Kind: "timeout", Text: "the time limit of one case has passed", Fix: "give --timeout a larger value"}
	}
	return &report.Failure{Kind: "invalid", Text: err.Error()}
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
