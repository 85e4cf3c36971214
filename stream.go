package incipit

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// A reading is a stream that is being read, by a goroutine of its own.
type reading struct {
	io.Reader // the body
	clock     clock
	heard     atomic.Int64 // when the last byte came, on the clock; 0 before the first
	events    chan event
	end       ending // set before events is closed
}

// Read notes that something was heard.
func (r *reading) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if n > 0 {
		r.heard.Store(int64(r.clock.since()) | 1)
	}
	return n, err
}

// stream follows one connection until it ends.
func (f *follower) stream(ctx context.Context) ending {
	ctx, cancel := context.WithCancel(ctx)
	r := &reading{clock: f.clock, events: make(chan event)}
	var reader sync.WaitGroup
	defer reader.Wait()
	defer cancel()
	header := make(http.Header)
	header.Set("Accept-Encoding", "identity") // what is compressed is held back until there is enough of it
	header.Set("Cache-Control", "no-cache")
	resumed := ""
	if !f.full {
		resumed = f.client.view.Load().id()
	}
	if resumed != "" {
		header.Set("Last-Event-ID", resumed)
	}
	f.confirmed = false
	reader.Go(func() {
		r.end = f.read(ctx, r, header)
		close(r.events)
	})

	limit := f.silence
	if f.starting > 0 {
		limit = f.starting
	}
	opened := f.clock.since()
	lastEvent := opened
	silence := time.NewTimer(limit)
	defer silence.Stop()
	for {
		select {
		case <-ctx.Done():
			return ending{err: ctx.Err()}
		case <-f.saveTimer.C:
			f.save(false)
		case <-silence.C:
			heard := time.Duration(r.heard.Load())
			if heard != 0 {
				limit = f.silence
			}
			now := f.clock.since()
			switch left := max(heard, opened) + limit - now; {
			case left <= 0 && heard == 0:
				return ending{silent: true, dead: true, err: unavailable("nothing came over the stream for %s", limit)}
			case left <= 0:
				return ending{dead: true, err: unavailable("the server was not heard for %s: the connection is dead", limit)}
			case now-lastEvent > f.eventLimit:
				return ending{dead: true, err: unavailable("no event was complete after %s", f.eventLimit)}
			default:
				silence.Reset(left)
			}
		case e, open := <-r.events:
			if !open {
				return r.end
			}
			lastEvent = f.clock.since()
			silence.Reset(f.silence)
			if end, over := f.event(e, resumed != ""); over {
				return end
			}
		}
	}
}

// read opens the stream and hands its events on until it ends.
func (f *follower) read(ctx context.Context, r *reading, header http.Header) ending {
	resp, end := f.remote.get(ctx, "stream", "text/event-stream", header)
	if end.err != nil {
		return end
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return ending{err: unavailable("the stream answers with status %d", resp.StatusCode)}
	}
	r.Reader = resp.Body
	events := newEventReader(r, f.maxEvent)
	for {
		e, err := events.next()
		if err != nil {
			if errors.Is(err, errEventTooLarge) {
				f.client.ignored.Add(1)
			}
			return ending{err: unavailable("the stream ended: %s", prompt.Clip(err.Error(), 200))}
		}
		select {
		case r.events <- e:
		case <-ctx.Done():
			return ending{err: ctx.Err()}
		}
	}
}
