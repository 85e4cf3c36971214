package report

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// Sort puts everything into the order in which it is written, whatever the order
// in which it was finished, and counts the cases.
func (r *Report) Sort() {
	slices.SortStableFunc(r.Prompts, func(a, b Prompt) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortStableFunc(r.Configs, func(a, b Run) int { return cmp.Compare(a.Suite, b.Suite) })
	for i := range r.Prompts {
		p := &r.Prompts[i]
		prompt.SortFindings(p.Findings)
		for _, run := range []*Run{p.Run, p.BaseRun} {
			if run != nil {
				run.Sort()
			}
		}
		if p.Run != nil && p.Compared != nil {
			places := p.Run.places()
			slices.SortStableFunc(p.Compared.Worse, func(a, b string) int {
				return cmp.Or(cmp.Compare(places[a], places[b]), cmp.Compare(a, b))
			})
		}
	}
	for i := range r.Configs {
		r.Configs[i].Sort()
	}
}

// Sort puts the cases into the order of the suite, and counts them. Cases of one
// number stand in the order of their target, provider and repeat.
func (r *Run) Sort() {
	slices.SortStableFunc(r.Cases, func(a, b Case) int {
		return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.Target, b.Target),
			cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Repeat, b.Repeat))
	})
	slices.Sort(r.Notices)
	r.Notices = slices.Compact(r.Notices)
	r.Passed, r.Failed, r.Errors = 0, 0, 0
	for _, c := range r.Cases {
		switch c.Outcome {
		case Pass:
			r.Passed++
		case Fail:
			r.Failed++
		default:
			r.Errors++
		}
	}
	r.Flaky = len(r.flaky())
}

// A cell names what is asked again by repeats.
type cell struct {
	number           int
	target, provider string
}

func (c Case) cell() cell { return cell{c.Number, c.Target, c.Provider} }

// flaky are the cells that passed at one time and failed at another.
func (r *Run) flaky() map[cell]bool {
	seen := make(map[cell]Outcome)
	out := make(map[cell]bool)
	for _, c := range r.Cases {
		if c.Outcome == Error {
			continue
		}
		if before, ok := seen[c.cell()]; ok && before != c.Outcome {
			out[c.cell()] = true
		}
		seen[c.cell()] = c.Outcome
	}
	return out
}

// flakyLines say of each flaky cell how often it passed.
func (r *Run) flakyLines() []string {
	flaky := r.flaky()
	if len(flaky) == 0 {
		return nil
	}
	type tally struct {
		first        *Case
		passed, seen int
	}
	tallies := make(map[cell]*tally)
	var order []*tally
	for i := range r.Cases {
		c := &r.Cases[i]
		if !flaky[c.cell()] {
			continue
		}
		t := tallies[c.cell()]
		if t == nil {
			t = &tally{first: c}
			tallies[c.cell()] = t
			order = append(order, t)
		}
		t.seen++
		if c.Outcome == Pass {
			t.passed++
		}
	}
	lines := make([]string, len(order))
	for i, t := range order {
		lines[i] = fmt.Sprintf("%d. %s: %s by %s passed %d of %d times", t.first.Number, line(t.first.title(), 200),
			line(t.first.Target, 120), line(t.first.Provider, 120), t.passed, t.seen)
	}
	return lines
}

// places are the numbers of the cases by key and by description; the first of a
// name counts.
func (r *Run) places() map[string]int {
	out := make(map[string]int, 2*len(r.Cases))
	for _, c := range slices.Backward(r.Cases) {
		out[c.Description] = c.Number
	}
	for _, c := range slices.Backward(r.Cases) {
		out[c.Key] = c.Number
	}
	return out
}
