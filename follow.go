package incipit

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A follower keeps a client's view as new as the server's. It is one
// goroutine; nothing but run touches its fields once that has begun.
type follower struct {
	tuning
	client *Client
	remote *remote
	disk   *diskCopy // nil: nothing is kept
	log    *slog.Logger
	hook   func(Change)

	first     chan struct{} // closed when the server first said what runs
	failed    chan error    // holds the registry's refusal of the key, at the start alone
	starting  time.Duration // how long the first connection may be silent; 0 later
	full      bool          // go on from nothing: ask for a whole snapshot
	confirmed bool          // on this connection the server and the client agreed on a state

	dirty     bool // the view is newer than the copy on disk
	saved     time.Duration
	saveTimer *time.Timer
	said      string // the last problem that was told
}

// run follows the server until ctx is done. Then nothing is left running, and
// the copy on disk is as new as the view.
func (f *follower) run(ctx context.Context) {
	f.saveTimer = time.NewTimer(f.saveEvery)
	defer f.save(true)
	defer f.saveTimer.Stop()
	tries, polls := 0, 0
	for ctx.Err() == nil {
		var e ending
		began := f.clock.since()
		if polls > 0 {
			polls--
			if e = f.poll(ctx); e.err == nil {
				tries = 0
				if polls > 0 {
					f.sleep(ctx, f.pollPause())
				}
				continue
			}
		} else {
			e = f.stream(ctx)
			atStart := f.starting > 0
			f.starting = 0
			if e.dead { // over HTTP/2 the next request would take the same connection
				f.remote.http.CloseIdleConnections()
			}
			if e.silent && ctx.Err() == nil {
				if polls = f.polls; atStart {
					polls = 1
				}
				continue
			}
		}
		if ctx.Err() != nil {
			return
		}
		if worked := f.confirmed && tries == 0; !worked { // a stream that ends is no problem if the next one begins
			f.problem(e.err)
		}
		f.confirmed = false
		if e.refused && e.ours {
			select {
			case f.failed <- e.err:
			default:
			}
		}
		if f.clock.since()-began > f.steady {
			tries = 0
		}
		f.sleep(ctx, f.pause(e, tries))
		tries++
	}
}

// sleep waits, and writes the copy on disk when it is due.
func (f *follower) sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			return
		case <-f.saveTimer.C:
			f.save(false)
		}
	}
}

// event does what an event asks for, and reports whether the connection is to
// be given up.
func (f *follower) event(e event, resumed bool) (end ending, over bool) {
	switch {
	case e.comment != "":
		if f.confirmed = f.confirmed || resumed && e.comment == ":current"; f.confirmed {
			f.agree()
		}
		return ending{}, false
	case e.name == "snapshot" || e.name == "patch":
		return f.update(e.name == "patch", e.data)
	case e.name == "goaway":
		var ask struct {
			RetryMS int64 `json:"retry_ms"`
		}
		if json.Unmarshal(e.data, &ask) != nil || ask.RetryMS < 0 {
			f.client.ignored.Add(1)
		}
		wait := time.Duration(min(max(ask.RetryMS, 1), longestWait.Milliseconds())) * time.Millisecond
		return ending{err: unavailable("the server is about to stop"), wait: wait}, true
	default: // a newer server may have more to say
		f.client.ignored.Add(1)
		return ending{}, false
	}
}

// update applies a snapshot or a patch that the server sent.
func (f *follower) update(patch bool, data []byte) (end ending, over bool) {
	giveUp := func(err error) (ending, bool) {
		f.client.ignored.Add(1)
		f.full = true
		return ending{err: err}, true
	}
	u, err := parseDelivery(patch, data)
	if err != nil {
		return giveUp(unavailable("what the server sent is ignored: %v", err))
	}
	before := f.client.view.Load()
	next, verdict, refused := apply(before, u, fromStream)
	switch verdict {
	case applied, current:
	case older:
		f.client.ignored.Add(1)
		if !patch {
			f.confirmed = false
			f.problem(registry.Errorf(registry.ErrConflict, "the server is at revision %d.%d, and %s was served here already; it is kept until the server is past it, or in a new generation",
				u.generation, u.revision, before.id()))
		}
		return ending{}, false
	case gap:
		return giveUp(unavailable("patch %d.%d does not follow on %s: a whole snapshot is needed", u.generation, u.revision, before.id()))
	case foreign:
		return giveUp(unavailable("the server sent what is of environment %s, not %s", prompt.Clip(u.environment, 60), prompt.Clip(before.snapshot.Environment, 60)))
	}
	f.full, f.confirmed = false, true
	began := f.first != nil && !f.client.started.Load() // New answers with this one
	f.client.view.Store(next)
	if f.seen != nil {
		f.seen(next)
	}
	f.agree()
	if verdict == applied {
		f.dirty = true
		f.save(false)
		f.tell(before, next, refused, !began)
	}
	return ending{}, false
}

// poll asks for the snapshot once.
func (f *follower) poll(ctx context.Context) ending {
	ctx, cancel := context.WithTimeout(ctx, 2*f.silence)
	defer cancel()
	header := make(http.Header)
	id := f.client.view.Load().id()
	if id != "" {
		header.Set("If-None-Match", `"`+id+`"`)
	}
	resp, end := f.remote.get(ctx, "snapshot", "application/json", header)
	if end.err != nil {
		return end
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotModified {
		if id == "" {
			return ending{err: unavailable("the server says that nothing changed, and was not asked that")}
		}
		f.agree()
		return ending{}
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, int64(f.maxEvent)+1))
	switch {
	case err != nil:
		return ending{err: unavailable("the snapshot broke off: %s", prompt.Clip(err.Error(), 200))}
	case len(data) > f.maxEvent:
		f.client.ignored.Add(1)
		return ending{err: unavailable("the snapshot is larger than %d bytes", f.maxEvent)}
	}
	if end, over := f.update(false, data); over {
		return end
	}
	return ending{}
}

// agree notes that what is served is what the server has.
func (f *follower) agree() {
	c := f.client
	v := c.view.Load()
	if v.source == fromDisk {
		same := *v
		same.source = fromStream
		c.view.Store(&same)
	}
	c.confirmed.Store(int64(c.clock.since()))
	if f.said != "" {
		f.said = ""
		c.trouble.Store(nil)
		f.log.Info("incipit: the server is there again", "environment", v.snapshot.Environment, "revision", v.snapshot.Revision)
	}
	if f.first != nil {
		close(f.first)
		f.first = nil
	}
	if f.clock.since()-f.saved > f.renewSaved { // so that its age says when the server was heard last
		f.dirty = true
		f.save(false)
	}
}

// tell reports what is served differently, and the entries that were refused.
func (f *follower) tell(before, next *view, refused map[prompt.ID]error, changes bool) {
	if c := diff(before, next); changes && len(c.Changed)+len(c.Removed) > 0 {
		f.log.Info("incipit: what is served has changed", "revision", c.Revision, "changed", c.Changed, "removed", c.Removed)
		callHook(f.hook, f.log, c)
	}
	for id, err := range refused {
		f.client.ignored.Add(1)
		err = fmt.Errorf("%s: %w", prompt.Clip(string(id), 80), err)
		f.log.Error("incipit: "+err.Error(), "revision", next.snapshot.Revision)
		callHook(f.hook, f.log, Change{Generation: next.snapshot.Generation, Revision: next.snapshot.Revision, Source: next.source, Err: err})
	}
}

// problem tells once what is wrong.
func (f *follower) problem(err error) {
	if err == nil || err.Error() == f.said {
		return
	}
	f.said = err.Error()
	f.client.trouble.Store(&err)
	v := f.client.view.Load()
	f.log.Warn("incipit: "+f.said, "serving", v.source, "revision", v.snapshot.Revision, "age", f.client.Age().Round(time.Second))
	callHook(f.hook, f.log, Change{Generation: v.snapshot.Generation, Revision: v.snapshot.Revision, Source: v.source, Err: err})
}

// save writes the copy on disk if there is something new, at most once in
// saveEvery unless it is the last time.
func (f *follower) save(last bool) {
	v := f.client.view.Load()
	if f.disk == nil || v.source != fromStream || !f.dirty && !last {
		return
	}
	if left := f.saved + f.saveEvery - f.clock.since(); f.saved != 0 && left > 0 && !last {
		f.saveTimer.Reset(left)
		return
	}
	f.dirty = false
	f.saved = f.clock.since()
	age := f.client.Age()
	if err := f.disk.save(v.snapshot, f.clock.now().Add(-age)); err != nil {
		f.log.Warn("incipit: the copy on disk was not written", "error", err)
	}
}
