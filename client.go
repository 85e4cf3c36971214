package incipit

import (
	"context"
	"errors"
	"maps"
	"sync/atomic"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A Client serves prompts. It is safe for concurrent use. Make it with New
// once, for the life of the program, and Close it at the end.
type Client struct {
	view      atomic.Pointer[view] // never nil
	confirmed atomic.Int64         // when the server last stood by view, on the clock; before its start for what was saved earlier
	bundle    *view                // nil: none
	bundled   time.Duration        // when the bundle was made, on the clock
	overrides map[string]Prompt
	calls     queue
	clock     clock

	started atomic.Bool // New has returned with what was saved
	ignored atomic.Int64
	trouble atomic.Pointer[error]
	stop    context.CancelFunc
	done    chan struct{} // closed when nothing of the client runs any more
}

// New makes a client. It returns as soon as the server has said what runs, and
// at the latest after Options.StartTimeout, or when ctx is done: then with the
// copy on disk, else with the bundle. If there is neither, or the server
// refuses the key, that is an error, of ErrUnavailable or ErrForbidden.
//
// Afterwards the client follows the server, whatever becomes of ctx, until
// Close.
func New(ctx context.Context, o Options) (*Client, error) { return open(ctx, o, defaultTuning()) }

func open(ctx context.Context, o Options, t tuning) (*Client, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	c := &Client{
		overrides: maps.Clone(o.Overrides), clock: t.clock,
		calls: queue{maxCalls: t.maxCalls, maxBytes: t.maxQueue},
		stop:  func() {}, done: make(chan struct{}),
	}
	c.view.Store(newView("", o.Environment))
	bundledAt, err := c.unpack(&o)
	if err != nil {
		return nil, err
	}
	switch {
	case o.Dir != "":
		if err := c.openDir(ctx, &o, t); err != nil {
			return nil, err
		}
		return c, nil
	case o.Server != "":
		return c.openServer(ctx, o, t, bundledAt)
	case c.bundle != nil:
		c.serve(c.bundle, bundledAt)
	}
	close(c.done)
	return c, nil
}

// unpack reads the bundle.
func (c *Client) unpack(o *Options) (time.Time, error) {
	if o.Bundle == nil {
		return time.Time{}, nil
	}
	s, savedAt, err := registry.DecodeCopy(o.Bundle)
	if err != nil {
		return savedAt, registry.Errorf(ErrInvalid, "Options.Bundle: %v; make it again with incipit bundle", err)
	}
	if o.Environment != "" && s.Environment != o.Environment {
		return savedAt, registry.Errorf(ErrInvalid, "Options.Bundle is of the environment %s, and %s is to be served; make one with: incipit bundle --env %[2]s",
			prompt.Clip(s.Environment, 60), prompt.Clip(o.Environment, 60))
	}
	v, refused := viewOf(s, fromBundle)
	for id, err := range refused {
		o.Logger.Error("incipit: the bundle holds what cannot be served", "prompt", id, "error", err)
	}
	c.bundle, c.bundled = v, c.clock.since()-c.old(savedAt)
	return savedAt, nil
}

// old is how long ago something was saved. A time that is still to come is the
// work of a clock that was set: then it counts as new.
func (c *Client) old(savedAt time.Time) time.Duration {
	return max(c.clock.now().Sub(savedAt), 0)
}

// serve starts with a view that was saved earlier.
func (c *Client) serve(v *view, savedAt time.Time) {
	c.view.Store(v)
	c.confirmed.Store(int64(c.clock.since() - c.old(savedAt)))
}

// openServer starts to follow a server, and waits for its first answer.
func (c *Client) openServer(ctx context.Context, o Options, t tuning, bundledAt time.Time) (*Client, error) {
	remote, err := newRemote(&o, t.clock)
	if err != nil {
		return nil, err
	}
	disk := newDiskCopy(&o, t.maxEvent)
	kept, keptAt := disk.kept(&o, t.clock.now())
	switch {
	case kept != nil && !(c.bundle != nil && bundledAt.After(keptAt) && newer(c.bundle, kept)):
		c.serve(kept, keptAt)
	case c.bundle != nil:
		c.serve(c.bundle, bundledAt)
	}
	f := &follower{
		tuning: t, client: c, remote: remote, disk: disk, log: o.Logger, hook: o.OnChange,
		first: make(chan struct{}), failed: make(chan error, 1), starting: o.StartTimeout / 2,
	}
	first := f.first
	following, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.stop = stop
	go func() {
		defer close(c.done)
		f.run(following)
	}()
	timeout := time.NewTimer(o.StartTimeout)
	defer timeout.Stop()
	select {
	case <-first:
		return c, nil
	case err = <-f.failed:
	case <-timeout.C:
	case <-ctx.Done():
		if err = ctx.Err(); errors.Is(err, context.DeadlineExceeded) {
			err = nil
		}
	}
	v := c.view.Load()
	if err == nil && v.source != "" {
		c.started.Store(true)
		o.Logger.Warn("incipit: the server was not reached at the start", "serving", v.source, "age", c.Age().Round(time.Second))
		return c, nil
	}
	kind, why := ErrUnavailable, "it did not answer in time"
	if p := c.trouble.Load(); p != nil {
		why = (*p).Error()
		if errors.Is(*p, ErrForbidden) {
			kind = ErrForbidden
		}
	}
	stop()
	select {
	case <-c.done:
	case <-time.After(time.Second): // a transport that does not heed its context
	}
	if err == nil {
		err = registry.Errorf(kind, "there is no prompt to serve: of the server: %s; there is no usable copy on disk%s; see that the server can be reached, or compile a bundle in", why, without(c.bundle))
	}
	return nil, err
}

func without(bundle *view) string {
	if bundle == nil {
		return " and no bundle"
	}
	return ""
}

// newer reports whether a is a later state of the same history than b.
func newer(a, b *view) bool {
	return a.snapshot.Generation == b.snapshot.Generation && a.snapshot.Revision > b.snapshot.Revision
}

// Close ends what runs in the background, writes the copy on disk, and returns
// when that is done, at the latest when ctx is. Its error says how many
// recorded calls were not delivered. A second Close says the same.
func (c *Client) Close(ctx context.Context) error {
	c.stop()
	var err error
	select {
	case <-c.done:
	case <-ctx.Done():
		select {
		case <-c.done: // both: it was in time
		default:
			err = unavailable("the connection to the server did not end in time")
		}
	}
	if n := c.calls.close(); n > 0 {
		err = errors.Join(err, unavailable("%d recorded calls were not delivered", n))
	}
	return err
}

// Age is how long ago the server last stood by what is served: it is heard
// every 15 seconds. Of a copy on disk and a bundle it is the time since they
// were saved. Setting the machine's clock does not change it.
func (c *Client) Age() time.Duration {
	return max(c.clock.since()-time.Duration(c.confirmed.Load()), 0)
}

func (c *Client) ageOf(v *view) time.Duration {
	if v == c.bundle {
		return max(c.clock.since()-c.bundled, 0)
	}
	return c.Age()
}

// A Status is how a client fares, for a health check or metrics.
type Status struct {
	Environment string
	Generation  int64
	Revision    int64
	Source      string // of what is served: stream, disk, bundle or files
	Prompts     int
	Age         time.Duration
	Ignored     int64 // updates and releases from the server that were refused
	Dropped     int64 // recorded calls that were dropped
	Err         error // why the server is not followed right now; nil if it is
}

// Status tells how the client fares.
func (c *Client) Status() Status {
	v := c.view.Load()
	s := Status{
		Environment: v.snapshot.Environment, Generation: v.snapshot.Generation, Revision: v.snapshot.Revision, Source: v.source,
		Age: c.Age(), Ignored: c.ignored.Load(), Dropped: c.calls.lost(),
	}
	for _, e := range v.snapshot.Prompts {
		if !e.Removed {
			s.Prompts++
		}
	}
	if p := c.trouble.Load(); p != nil {
		s.Err = *p
	}
	return s
}
