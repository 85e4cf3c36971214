package provider

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// A Limit is how much may be asked of one provider. Zero is no limit.
type Limit struct {
	Concurrency       int // calls at once
	RequestsPerMinute int
	TokensPerMinute   int           // of input and output, estimated before a call
	Delay             time.Duration // from one request to the next
}

// Limits holds the limits of all providers of a run. Providers of one ID share
// one, whoever asks them.
type Limits struct {
	of    func(id string) Limit
	mu    sync.Mutex
	gates map[string]*gate
}

// NewLimits makes Limits; of says, by a provider's ID, what its limit is.
func NewLimits(of func(id string) Limit) *Limits {
	return &Limits{of: of, gates: make(map[string]*gate)}
}

// A gate is what the calls of one provider pass.
type gate struct {
	id       string
	slots    chan struct{} // nil: no limit
	limiters []*rate.Limiter
	tokens   *rate.Limiter
}

// gate is that of a provider. A delay of its config counts if it is longer.
func (l *Limits) gate(id string, delay time.Duration) *gate {
	var limit Limit
	if l == nil {
		return newGate(id, Limit{Delay: delay})
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if g, ok := l.gates[id]; ok {
		return g
	}
	if l.of != nil {
		limit = l.of(id)
	}
	limit.Delay = max(limit.Delay, delay)
	g := newGate(id, limit)
	l.gates[id] = g
	return g
}

func newGate(id string, l Limit) *gate {
	g := &gate{id: id}
	if l.Concurrency > 0 {
		g.slots = make(chan struct{}, l.Concurrency)
	}
	if l.RequestsPerMinute > 0 { // what six seconds allow may come at once
		g.limiters = append(g.limiters, rate.NewLimiter(rate.Every(time.Minute/time.Duration(l.RequestsPerMinute)), max(1, l.RequestsPerMinute/10)))
	}
	if l.Delay > 0 {
		g.limiters = append(g.limiters, rate.NewLimiter(rate.Every(l.Delay), 1))
	}
	if l.TokensPerMinute > 0 {
		g.tokens = rate.NewLimiter(rate.Limit(float64(l.TokensPerMinute)/60), l.TokensPerMinute)
	}
	return g
}

// enter takes a place among those who ask at once, and returns how to leave it.
func (g *gate) enter(ctx context.Context) (leave func(), err error) {
	if g.slots == nil {
		return func() {}, ctx.Err()
	}
	select {
	case g.slots <- struct{}{}:
		return func() { <-g.slots }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// wait waits until a request of so many tokens may be sent. It does not wait
// for what ctx leaves no time for.
func (g *gate) wait(ctx context.Context, tokens int) error {
	for _, l := range g.limiters {
		if err := l.Wait(ctx); err != nil {
			return g.tooLong(ctx)
		}
	}
	if g.tokens != nil {
		if err := g.tokens.WaitN(ctx, min(max(tokens, 1), g.tokens.Burst())); err != nil {
			return g.tooLong(ctx)
		}
	}
	return nil
}

func (g *gate) tooLong(ctx context.Context) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &Error{
		Kind: Limited, Provider: g.id, Text: "the limit of rate leaves no time for this call",
		Fix: "raise the limit of requests or tokens per minute, or the time limit",
	}
}
