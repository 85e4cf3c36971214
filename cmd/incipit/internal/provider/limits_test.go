package provider

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// pass lets n requests through a gate at once, and returns when each was let.
func pass(t *testing.T, g *gate, n, tokens int) []time.Duration {
	t.Helper()
	began := time.Now()
	var out []time.Duration
	for range n {
		if err := g.wait(t.Context(), tokens); err != nil {
			t.Fatal(err)
		}
		out = append(out, time.Since(began).Round(time.Millisecond))
	}
	return out
}

func TestRequestsWaitForTheLimitsOfTheirProvider(t *testing.T) {
	for name, tt := range map[string]struct {
		limit  Limit
		n      int
		tokens int
		last   time.Duration
	}{
		"no limit":                    {Limit{}, 1000, 1_000_000, 0},
		"six requests a minute":       {Limit{RequestsPerMinute: 6}, 4, 0, 30 * time.Second},
		"sixty, of which six at once": {Limit{RequestsPerMinute: 60}, 10, 0, 4 * time.Second},
		"a delay":                     {Limit{Delay: 2 * time.Second}, 4, 0, 6 * time.Second},
		"tokens":                      {Limit{TokensPerMinute: 600}, 4, 300, time.Minute},
		"more tokens than a minute's": {Limit{TokensPerMinute: 600}, 2, 5000, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				let := pass(t, NewLimits(func(string) Limit { return tt.limit }).gate("p", 0), tt.n, tt.tokens)
				if got := let[len(let)-1]; got != tt.last {
					t.Errorf("the last request was let after %s, want %s", got, tt.last)
				}
			})
		})
	}
}

func TestALimitThatLeavesNoTimeIsSaidAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate("p", Limit{TokensPerMinute: 60})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		began := time.Now()
		if err := g.wait(ctx, 60); err != nil {
			t.Fatal(err)
		}
		err := g.wait(ctx, 60)
		fails(t, err, Limited)
		if time.Since(began) != 0 {
			t.Errorf("said after %s", time.Since(began))
		}
		cancel()
		if err := g.wait(ctx, 1); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestProvidersOfOneIDShareTheirPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := NewLimits(func(id string) Limit { return Limit{Concurrency: 3} })
		var at, most atomic.Int32
		var wg sync.WaitGroup
		for i := range 30 {
			wg.Go(func() {
				g := limits.gate("p", 0)
				leave, err := g.enter(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				defer leave()
				n := at.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				time.Sleep(time.Duration(i+1) * time.Millisecond)
				at.Add(-1)
			})
		}
		wg.Wait()
		if most.Load() != 3 {
			t.Errorf("%d at once", most.Load())
		}
		if g := limits.gate("p", 0); g != limits.gate("p", 0) || g == limits.gate("q", 0) {
			t.Error("a gate is that of one ID")
		}
		g := newGate("p", Limit{Concurrency: 1})
		leave, err := g.enter(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := g.enter(ctx); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		leave()
	})
}
