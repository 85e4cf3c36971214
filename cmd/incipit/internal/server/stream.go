package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/incipit-dev/incipit/internal/registry"
)

const (
	heartbeat     = 15 * time.Second
	streamTimeout = 20 * time.Second // for each piece that is written
	pieceSize     = 64 << 10         // bytes
)

// maySee are the permissions that show what runs.
func maySee() []registry.Permission {
	return []registry.Permission{registry.MayResolve, registry.MayRead}
}

// stream sends what runs in an environment, and each change of it: a snapshot
// first, unless the client has one that patches can continue.
func (s *Server) stream(w *answer, r *http.Request) error {
	f, err := s.hub.feed(r.Context(), r.PathValue("environment"))
	if err != nil {
		return err
	}
	ctx, end := context.WithCancel(r.Context())
	defer end()
	one := &stream{feed: f, caller: w.caller, end: end, kick: make(chan struct{}, 1)}
	one.grant(w.caller)
	if !s.streams.add(one, s.config.MaxStreams) {
		return registry.WithFix(registry.Errorf(registry.ErrUnavailable, "this server has as many streams as it may"), "try again in a moment")
	}
	defer s.streams.remove(one)
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	w.unhurried(s.config.Now())
	out := &events{w: w, control: http.NewResponseController(w.ResponseWriter), now: s.config.Now, sent: s.metrics.sent}
	one.resume(r.Header.Get("Last-Event-ID"), out)
	if err := one.run(ctx, out, s.streams.leaving); err != nil && ctx.Err() == nil {
		s.log.DebugContext(ctx, "a stream broke off", "request", w.request, "error", err)
	}
	return nil
}

// A stream is one client that follows an environment. It takes what it is to
// send from the feed when it gets to it, so a slow client costs nobody but
// itself: if it falls too far behind, the next thing it gets is a snapshot.
type stream struct {
	feed   *feed
	caller registry.Caller // as it came
	end    context.CancelFunc
	kick   chan struct{}                     // its grants have changed
	sees   atomic.Pointer[registry.Patterns] // what it may see now

	generation, told int64 // what the client has; generation 0: nothing
	at               int64 // what was looked at for it: told, and later revisions that it may not see
	shown            *registry.Patterns
}

func (st *stream) grant(c registry.Caller) {
	p := c.Patterns(st.feed.env, maySee()...)
	st.sees.Store(&p)
}

// resume takes up where the client left off. Who sees a part alone starts
// anew: what they may see can have changed meanwhile.
func (st *stream) resume(id string, out *events) {
	g, r, ok := strings.Cut(id, ".")
	generation, err1 := strconv.ParseInt(g, 10, 64)
	revision, err2 := strconv.ParseInt(r, 10, 64)
	sees := st.sees.Load()
	if !ok || err1 != nil || err2 != nil || generation <= 0 || revision < 0 || !sees.All() {
		return
	}
	st.generation, st.told, st.at, st.shown = generation, revision, revision, sees
	if _, missed, ok := st.feed.since(generation, revision); ok && len(missed) == 0 {
		out.comment("current")
	}
}

func (st *stream) run(ctx context.Context, out *events, leaving <-chan time.Duration) error {
	beat := time.NewTimer(heartbeat)
	defer beat.Stop()
	for {
		now, err := st.catchUp(out)
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case retry := <-leaving:
			out.event("goaway", "", fmt.Appendf(nil, `{"retry_ms":%d}`, retry.Milliseconds()))
			return out.flush()
		case <-now.next:
		case <-st.kick:
		case <-beat.C:
			out.comment("heartbeat")
		}
		beat.Reset(heartbeat)
	}
}

// catchUp sends what the client does not have yet.
func (st *stream) catchUp(out *events) (*state, error) {
	now, missed, ok := st.feed.since(st.generation, st.at)
	sees := st.sees.Load()
	if st.shown == nil || !slices.Equal(*st.shown, *sees) {
		ok = false
	}
	for _, p := range missed {
		if !ok {
			break
		}
		if st.at = p.revision; !sees.Fit(string(p.id)) {
			continue
		}
		if ok = p.revision == st.told+1; ok { // or it missed what it may not see: a gap to the client
			out.raw("patch", p.event)
			st.told = p.revision
		}
	}
	if !ok {
		out.event("snapshot", now.id(), now.view(*sees).json)
		st.generation, st.told, st.at, st.shown = now.generation, now.revision, now.revision, sees
	}
	return now, out.flush()
}

// events writes the events of a stream. The first error stays: flush tells it.
type events struct {
	w       *answer
	control *http.ResponseController
	now     func() time.Time
	sent    counter
	err     error
}

type counter interface{ count(event string) }

func (e *events) raw(name string, event []byte) {
	e.sent.count(name)
	e.write(event)
}

// event writes data, which has no line break, as an event.
func (e *events) event(name, id string, data []byte) {
	if id != "" {
		id = "id: " + id + "\n"
	}
	e.raw(name, []byte(id+"event: "+name+"\ndata: "))
	e.write(data)
	e.write([]byte("\n\n"))
}

func (e *events) comment(text string) { e.write([]byte(": " + text + "\n\n")) }

// write writes in pieces, so that a slow client has its time for each.
func (e *events) write(data []byte) {
	for piece := range slices.Chunk(data, pieceSize) {
		if e.err != nil {
			return
		}
		_ = e.control.SetWriteDeadline(e.now().Add(streamTimeout)) // a recorder in a test has none
		_, e.err = e.w.Write(piece)
	}
}

func (e *events) flush() error {
	return errors.Join(e.err, e.control.Flush())
}
