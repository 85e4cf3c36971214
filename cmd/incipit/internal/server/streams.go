package server

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/auth"
	"github.com/incipit-dev/incipit/internal/registry"
)

// streams are those that are open.
type streams struct {
	leaving chan time.Duration // each stream that reads from it goes away

	mu   sync.Mutex
	open map[*stream]struct{}
	gone bool
}

func newStreams() *streams {
	return &streams{leaving: make(chan time.Duration), open: make(map[*stream]struct{})}
}

func (ss *streams) add(st *stream, most int) bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.gone || len(ss.open) >= most {
		return false
	}
	ss.open[st] = struct{}{}
	return true
}

func (ss *streams) remove(st *stream) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	delete(ss.open, st)
}

func (ss *streams) count() int {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return len(ss.open)
}

// goaway sends every stream away. The more there are, the more time they get to
// spread over when they come back.
func (ss *streams) goaway() {
	ss.mu.Lock()
	ss.gone = true
	open := make([]*stream, 0, len(ss.open))
	for st := range ss.open {
		open = append(open, st)
	}
	ss.mu.Unlock()
	retry := min(max(time.Duration(len(open))*5*time.Millisecond, time.Second), 30*time.Second)
	patience := time.NewTimer(2 * time.Second)
	defer patience.Stop()
	for range open {
		select {
		case ss.leaving <- retry:
		case <-patience.C: // the others do not read what they are sent, or have ended by themselves
			for _, st := range open {
				st.end()
			}
			return
		}
	}
}

// callers are the open streams, by the key that they came with.
func (ss *streams) callers() map[string][]*stream {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	out := make(map[string][]*stream)
	for st := range ss.open {
		if st.caller.Key != "" {
			out[st.caller.Key] = append(out[st.caller.Key], st)
		}
	}
	return out
}

// recheck asks again and again whether the keys of the open streams still
// open: once for each key, however many streams it has.
func (s *Server) recheck(ctx context.Context) {
	if s.config.Verifier == nil {
		return
	}
	t := time.NewTicker(auth.Recheck)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		for _, open := range s.streams.callers() {
			s.recheckKey(ctx, open)
		}
	}
}

func (s *Server) recheckKey(ctx context.Context, open []*stream) {
	c, err := s.config.Verifier.Valid(ctx, open[0].caller)
	for _, st := range open {
		switch {
		case errors.Is(err, registry.ErrForbidden):
			st.end()
		case err != nil: // it cannot be asked, and is not known to be bad
		default:
			was := st.sees.Load()
			st.grant(c)
			if now := st.sees.Load(); len(*now) == 0 {
				st.end()
			} else if !slices.Equal(*was, *now) {
				select {
				case st.kick <- struct{}{}:
				default:
				}
			}
		}
	}
}
