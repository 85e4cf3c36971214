package incipit

import (
	"context"
	"errors"
	"maps"
	"sync"
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
	calls     *queue
	content   bool    // there is an Options.Redact: calls may be sent with their content
	remote    *remote // nil without a server
	tuning

	started atomic.Bool // New has returned with what was saved
	ignored atomic.Int64
	trouble atomic.Pointer[error]
	stop    context.CancelFunc // ends the following, and begins the last deliveries
	abort   context.CancelFunc // ends those
	done    chan struct{}      // closed when nothing of the client runs any more

	undelivered atomic.Pointer[error]
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
		overrides: maps.Clone(o.Overrides), tuning: t,
		calls: newQueue(t), content: o.Redact != nil,
		stop: func() {}, abort: func() {}, done: make(chan struct{}),
	}
	c.calls.closed = o.Server == ""
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
	delivering, abort := context.WithCancel(context.WithoutCancel(ctx))
	c.remote, c.stop, c.abort = remote, stop, abort
	d := &deliverer{
		tuning: t, client: c, queue: c.calls, remote: remote, border: border{redact: o.Redact}, log: o.Logger, closing: following.Done(),
	}
	go func() {
		defer close(c.done)
		defer remote.close()
		defer abort()
		var delivery sync.WaitGroup
		defer delivery.Wait()
		delivery.Go(func() { d.run(delivering) })
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

// Close delivers what was recorded, ends what runs in the background, writes
// the copy on disk, and returns when that is done, at the latest when ctx is: a
// ctx without a deadline is given 30 seconds for the deliveries. Its error says
// how many recorded calls were not delivered, in the life of the client. A
// second Close says the same.
func (c *Client) Close(ctx context.Context) error {
	c.stop()
	flush := time.NewTimer(c.flushTime(ctx))
	defer flush.Stop()
	var err error
	select {
	case <-c.done:
	case <-flush.C:
	case <-ctx.Done():
	}
	c.abort()
	select {
	case <-c.done:
	case <-ctx.Done():
		select {
		case <-c.done: // both: it was in time
		default:
			err = unavailable("the connection to the server did not end in time")
		}
	}
	if n := c.calls.close(); n > 0 && c.remote != nil {
		err = errors.Join(err, unavailable("recorded calls that were not delivered: %d", n))
	}
	return err
}

// flushTime is how long the last deliveries may take: a little less than there
// is, so that the connections end in time, too.
func (c *Client) flushTime(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return c.flushLimit
	}
	left := deadline.Sub(c.clock.now())
	return left - min(left/10, 100*time.Millisecond)
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
	Err         error // why the server is not followed right now; nil if it is

	// Each recorded call is counted in one of these.
	Queued      int64 // or under way
	Delivered   int64
	Rejected    int64 // the server, or JSON, would not have it
	Dropped     int64 // there was no room, no server, or no time
	DeliveryErr error // why calls are not delivered right now; nil if they are
}

// Status tells how the client fares.
func (c *Client) Status() Status {
	v := c.view.Load()
	s := Status{
		Environment: v.snapshot.Environment, Generation: v.snapshot.Generation, Revision: v.snapshot.Revision, Source: v.source,
		Age: c.Age(), Ignored: c.ignored.Load(),
	}
	var settled settled
	settled, s.Queued = c.calls.counts()
	s.Delivered, s.Rejected, s.Dropped = settled.delivered, settled.rejected, settled.dropped
	for _, e := range v.snapshot.Prompts {
		if !e.Removed {
			s.Prompts++
		}
	}
	if p := c.trouble.Load(); p != nil {
		s.Err = *p
	}
	if p := c.undelivered.Load(); p != nil {
		s.DeliveryErr = *p
	}
	return s
}
