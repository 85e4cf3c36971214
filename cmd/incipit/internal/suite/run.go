package suite

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/assertion"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/provider"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/report"
)

// Scripts evaluates the transforms of a suite.
type Scripts interface {
	Eval(ctx context.Context, code, file string, scope map[string]any) (any, error)
}

// A Runner is what a run needs of the world.
type Runner struct {
	Checker  func(*Suite) *assertion.Checker // of a suite, with the texts that its assertions name
	Render   assertion.Renderer
	Scripts  Scripts
	Open     func(ProviderSpec) (provider.Provider, string, error) // the provider, ready with its limits, and the model
	Workers  int                                                   // how many cells are asked at a time; 0 is 4
	Timeout  time.Duration                                         // of one cell; 0 is 5 minutes
	Before   func([]Question)                                      // told what will be asked, before it is; may be nil
	Progress func(done, total int)                                 // may be nil; called one at a time, done only grows
}

// A Plan is what a run asks. A target that brings its own provider, as a
// workspace's prompt does, is asked of that one alone.
type Plan struct {
	Suite   *Suite
	Targets []Target
	Repeat  int    // how often each is asked: 0 and 1 are once
	First   int    // the number of the first repeat: a run that goes on after another
	Cases   []Case // in place of all of the suite's
}

// Run asks every case of every target and provider, and grades the answers.
// What cannot be asked or judged is a case with the outcome Error; an error of
// Run itself means that nothing of it should be believed.
//
// Cases come out in the order of the suite, whatever the order in which they
// were answered.
func (r *Runner) Run(ctx context.Context, p Plan) (report.Run, error) {
	cells, err := r.cells(p)
	if err != nil {
		return report.Run{}, err
	}
	if len(cells) == 0 {
		return report.Run{}, errors.New("no case is selected: a run that asks nothing proves nothing")
	}
	if r.Before != nil {
		r.Before(r.questions(ctx, cells))
	}
	checker := r.Checker(p.Suite)
	out := make([]answer, len(cells))
	r.each(ctx, len(cells), func(i int) { out[i] = r.ask(ctx, checker, cells[i]) })
	if err := ctx.Err(); err != nil {
		return report.Run{}, err
	}
	compareOutputs(ctx, checker, out)
	run := report.Run{Suite: p.Suite.File, SuiteHash: p.Suite.Hash}
	for _, n := range p.Suite.Notices {
		run.Notices = append(run.Notices, n.String())
	}
	for i := range out {
		run.Cases = append(run.Cases, out[i].finish())
	}
	run.Total, run.Judges = spent(run.Cases)
	run.Sort()
	return run, nil
}

// each calls do for 0 … n-1 on r.Workers goroutines and waits for them.
func (r *Runner) each(ctx context.Context, n int, do func(i int)) {
	workers := r.Workers
	if workers <= 0 {
		workers = 4
	}
	var (
		wg    sync.WaitGroup
		next  atomic.Int64
		mu    sync.Mutex
		ended int
	)
	for range min(workers, n) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n) && ctx.Err() == nil; i = next.Add(1) - 1 {
				do(int(i))
				if r.Progress != nil {
					mu.Lock()
					ended++
					r.Progress(ended, n)
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
}
