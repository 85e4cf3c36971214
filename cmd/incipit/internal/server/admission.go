package server

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// An admission bounds the requests with calls that are under way, and the
// bytes that they hold: what comes beyond is refused before it is read, so a
// flood costs neither memory nor much else. One caller alone gets at most half,
// so that others get through. Methods may be called at once.
type admission struct {
	most  load
	turns chan struct{} // one for each request that is worked on

	mu      sync.Mutex
	all     load            // guarded by mu
	by      map[string]load // by caller; guarded by mu
	refused int64           // since told; guarded by mu
	told    time.Time       // when the log was told last; guarded by mu
}

// A load is requests and their bytes.
type load struct {
	requests int
	bytes    int64
}

// maxOne is what the largest body takes, packed and unpacked, in bytes.
const maxOne = 2*maxCalls + 2<<10

// refusedEvery is how often the log is told of refused requests.
const refusedEvery = 10 * time.Second

func newAdmission(most load, turns int) *admission {
	return &admission{most: most, turns: make(chan struct{}, turns), by: make(map[string]load)}
}

// A pass is a request's place. Whoever got it leaves.
type pass struct {
	a     *admission
	who   string
	bytes int64
}

// enter takes a place for a request of so many bytes, and reports false if
// there is none.
func (a *admission) enter(who string, bytes int64) (*pass, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.take(who, load{1, bytes}) {
		return nil, false
	}
	return &pass{a, who, bytes}, true
}

// grow takes room for more bytes, and reports false if there is none.
func (p *pass) grow(bytes int64) bool {
	p.a.mu.Lock()
	defer p.a.mu.Unlock()
	if !p.a.take(p.who, load{0, bytes}) {
		return false
	}
	p.bytes += bytes
	return true
}

// leave gives the place back.
func (p *pass) leave() {
	p.a.mu.Lock()
	defer p.a.mu.Unlock()
	p.a.all = p.a.all.plus(load{-1, -p.bytes})
	own := p.a.by[p.who].plus(load{-1, -p.bytes})
	if own == (load{}) {
		delete(p.a.by, p.who)
		return
	}
	p.a.by[p.who] = own
}

func (a *admission) take(who string, more load) bool {
	all, own := a.all.plus(more), a.by[who].plus(more)
	half := load{(a.most.requests + 1) / 2, max(a.most.bytes/2, maxOne)}
	if all.over(a.most) || own.over(half) {
		return false
	}
	a.all, a.by[who] = all, own
	return true
}

func (l load) plus(o load) load { return load{l.requests + o.requests, l.bytes + o.bytes} }

func (l load) over(most load) bool { return l.requests > most.requests || l.bytes > most.bytes }

// now is what is under way.
func (a *admission) now() load {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.all
}

// refuse counts a refused request, and reports how many there were if it is
// time to tell the log.
func (a *admission) refuse(now time.Time) int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refused++
	if now.Sub(a.told) < refusedEvery {
		return 0
	}
	n := a.refused
	a.refused, a.told = 0, now
	return n
}

// turn waits until a request may be worked on. Whoever got nil calls done.
func (a *admission) turn(ctx context.Context) error {
	select {
	case a.turns <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (a *admission) done() { <-a.turns }

// A crowdedError says that there was no room, and when to come back.
type crowdedError struct {
	error
	seconds int
}

func (e *crowdedError) Unwrap() error { return e.error }

// crowded refuses a request, whose sender comes back after one to three
// seconds.
func (s *Server) crowded(w *answer) error {
	w.counted = true
	s.metrics.crowded.Inc()
	if n := s.admission.refuse(s.config.Now()); n > 0 {
		s.log.Warn("more calls come than can be taken; their senders are told to come back", "refused", n)
	}
	var jitter [1]byte
	_, _ = io.ReadFull(s.config.Random, jitter[:]) // without it all of them come back at once, and are refused again
	return &crowdedError{registry.WithFix(registry.Errorf(registry.ErrUnavailable, "more calls come than can be taken now"), "send the same again after the time in Retry-After"), 1 + int(jitter[0])%3}
}

// dawdle keeps a request that is refused waiting a moment. It costs those who
// come back later nothing, and keeps those who come back at once from taking
// the processors from all others.
func (s *Server) dawdle(ctx context.Context) {
	t := time.NewTimer(s.config.RefusalPause)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// sender is whom a request counts for.
func sender(c registry.Caller) string {
	if c.Key != "" {
		return c.Key
	}
	return c.Kind + ":" + c.Name
}

// onceOf is what a sender calls a batch: the same for each time that it is
// sent.
func onceOf(c registry.Caller, h http.Header) (string, error) {
	key := h.Get(api.IdempotencyKey)
	if key == "" {
		return "", nil
	}
	if !isOnce(key) {
		return "", registry.Errorf(prompt.ErrInvalid, "%s has at most %d letters, digits and . _ - :", api.IdempotencyKey, maxOnce)
	}
	return sender(c) + "\x00" + key, nil
}
