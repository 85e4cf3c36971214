package auth

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/incipit-dev/incipit/internal/registry"
)

// A counter reads VerifierConfig.Version for everybody: one request asks, early
// enough that the others need not wait, and when the store does not answer they
// hear of it at once.
type counter struct {
	ask    func(context.Context) (int64, error)
	clock  func() time.Time
	maxAge time.Duration
	asking chan struct{} // holds one token while somebody asks

	mu       sync.Mutex // guards what follows
	version  int64
	at       time.Time // before it was asked; zero: never
	failed   error     // how the last question ended
	failedAt time.Time
}

func newCounter(c VerifierConfig) *counter {
	return &counter{ask: c.Version, clock: c.Now, maxAge: c.MaxAge, asking: make(chan struct{}, 1)}
}

// read is the version, asked less than maxAge ago.
func (c *counter) read(ctx context.Context) (int64, error) {
	if c.ask == nil {
		return 0, nil
	}
	r := c.reading()
	if r.fresh {
		return r.version, r.err
	}
	select {
	case c.asking <- struct{}{}:
	default: // somebody asks already
		if r.usable {
			return r.version, r.err
		}
		select {
		case c.asking <- struct{}{}:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		if r = c.reading(); r.usable {
			<-c.asking
			return r.version, r.err
		}
	}
	defer func() { <-c.asking }()
	return c.renew(ctx)
}

// A reading is the last answer of the store.
type reading struct {
	version int64
	err     error
	fresh   bool // it need not be asked again
	usable  bool // it will do while somebody asks
}

func (c *counter) reading() reading {
	now := c.clock()
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.failed != nil:
		return reading{err: c.failed, fresh: within(now, c.failedAt, askAgain), usable: true}
	case c.at.IsZero():
		return reading{}
	}
	return reading{version: c.version, fresh: within(now, c.at, c.maxAge*2/3), usable: within(now, c.at, c.maxAge)}
}

func (c *counter) renew(ctx context.Context) (int64, error) {
	at := c.clock()
	version, err := ask(ctx, c.ask)
	if err != nil && ctx.Err() != nil {
		return 0, ctx.Err() // the asker went away: that says nothing of the store
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.failed, c.failedAt = err, c.clock()
		return 0, err
	}
	c.version, c.at, c.failed = version, at, nil
	return version, nil
}

// last is the version that was read last, however old, and when.
func (c *counter) last() (int64, time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.version, c.at
}

// ask puts a question to the store, and takes its silence for ErrUnavailable.
func ask[T any](ctx context.Context, question func(context.Context) (T, error)) (T, error) {
	soon, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	answer, err := question(soon)
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		err = registry.WithFix(registry.Errorf(registry.ErrUnavailable, "the database does not answer"), "try again in a moment")
	}
	return answer, err
}
