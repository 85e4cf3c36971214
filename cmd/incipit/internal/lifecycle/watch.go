package lifecycle

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"sort"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/calllog"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/rollout"
	"github.com/incipit-dev/incipit/internal/registry"
)

const (
	// watchPause is the time between two looks at what is new.
	watchPause = 200 * time.Millisecond
	// watchBatch is how many calls are read at once: then what they decided is
	// done before more are read.
	watchBatch = 1000
	// watchBatches bounds what is read before all rollouts are looked at.
	watchBatches = 50
	// longestTick bounds the time that one tick counts as observed: what a
	// process slept, or a clock jumped, nobody saw.
	longestTick = 2 * time.Second
)

// A watch follows the rollouts that are open, and the releases that serve
// everybody: it takes each call in once, in the order in which they were
// committed, and does what the evidence asks for. One
// of several replicas has it at a time; the others cannot do any harm, since
// what they would write says on what it follows.
type watch struct {
	*Shared
	log    *calllog.Log
	lease  leaseholder
	cursor int64     // number up to which calls were handed out; below 0 before the first look
	looked time.Time // when everything was looked at last

	revisions  map[string]int64 // by environment, as of the last look
	generation int64
	rollouts   map[registry.Place]*tracked
	steadies   steadies
}

// Watch follows the open rollouts until ctx is done. What fails is logged and
// tried again.
func (s *Shared) Watch(ctx context.Context) error {
	id := make([]byte, 8)
	if _, err := io.ReadFull(s.config.Random, id); err != nil {
		return err
	}
	w := newWatch(s, hex.EncodeToString(id))
	defer w.lease.free(ctx)
	var said string
	return again(ctx, 0, func() time.Duration {
		err := w.look(ctx)
		switch {
		case err == nil:
			said = ""
		case ctx.Err() == nil && err.Error() != said:
			said = err.Error()
			s.config.Log.Warn("the guard cannot see; it looks again", "error", err)
		}
		return watchPause
	})
}

func newWatch(s *Shared, id string) *watch {
	return &watch{
		Shared: s, log: s.config.Calls, lease: leaseholder{db: s.db, name: "guard", id: id, now: s.config.Now}, cursor: -1,
		steadies: steadies{of: make(map[registry.Place]*steady)},
	}
}

// look takes in what is new, once.
func (w *watch) look(ctx context.Context) error {
	mine, err := w.lease.hold(ctx)
	if err != nil {
		return err
	}
	if !mine {
		w.drop()
		w.cursor = -1
		return nil
	}
	// What is called after this number may be of a rollout that the next lines
	// do not know yet: it is read by the next look.
	end, err := w.log.Latest(ctx)
	if err != nil {
		return err
	}
	if w.cursor < 0 {
		w.cursor = end
	}
	if err := w.refresh(ctx); err != nil {
		return err
	}
	if err := w.follow(ctx, end); err != nil {
		return err
	}
	return errors.Join(w.tick(ctx), w.steady(ctx))
}

// follow hands out what was called up to a number. What it could not hand out is
// read again; who has taken a call in knows that.
func (w *watch) follow(ctx context.Context, end int64) error {
	for n := 0; n < watchBatches && w.cursor != end; n++ {
		calls, last, err := w.log.Follow(ctx, w.cursor, watchBatch)
		if err != nil {
			return err
		}
		if last < w.cursor {
			w.config.Log.Warn("the call log is not the one that the guard read; it goes on with what is there", "at", last, "was", w.cursor)
			for _, t := range w.rollouts {
				t.row.Cursor = min(t.row.Cursor, last)
			}
			w.steadies.back(last)
		}
		if last > end {
			calls, last = calls[:sort.Search(len(calls), func(i int) bool { return calls[i].Seq > end })], end
		}
		was := w.cursor
		w.cursor = last
		if err := w.take(ctx, calls); err != nil {
			w.cursor = min(was, last)
			return err
		}
	}
	return nil
}

// forget drops what is in memory: what was kept is read again when it is this
// replica's turn.
func (w *watch) forget() {
	w.rollouts, w.revisions = nil, nil
}

// drop is forget, for the releases that serve everybody, too.
func (w *watch) drop() {
	w.forget()
	w.steadies = steadies{of: make(map[registry.Place]*steady)}
}

// take hands calls out to the rollouts that they belong to, and does at once
// what they decide.
func (w *watch) take(ctx context.Context, calls []calllog.Seen) error {
	for i := range calls {
		at := registry.Place{Prompt: calls[i].Prompt, Environment: calls[i].Environment}
		t := w.rollouts[at]
		if t == nil {
			w.steadies.take(at, &calls[i])
			continue
		}
		if calls[i].Seq <= t.row.Cursor || !t.broken.IsZero() {
			continue
		}
		if err := w.wake(ctx, t); err != nil {
			return err
		}
		decided, err := t.take(&calls[i])
		if err != nil { // one that cannot be, and would be so each time: the others count
			w.config.Log.Warn("a call is not judged", "call", calls[i].Call, "error", err)
		}
		if decided {
			// The cursor stands at the deciding call, whoever reads it again.
			if err := w.tickOne(ctx, t); err != nil {
				return err
			}
		}
	}
	for _, t := range w.rollouts {
		if t.broken.IsZero() {
			t.row.Cursor = max(t.row.Cursor, w.cursor)
		}
	}
	return nil
}

// tick looks at every rollout.
func (w *watch) tick(ctx context.Context) error {
	var all error
	for _, t := range w.rollouts {
		all = errors.Join(all, w.tickOne(ctx, t))
	}
	return all
}

// tickOne looks at a rollout. If another was faster it is read again from where
// that one left it; the calls since then, too.
func (w *watch) tickOne(ctx context.Context, t *tracked) error {
	if !t.broken.IsZero() {
		return nil
	}
	err := w.advance(ctx, t)
	if errors.Is(err, registry.ErrConflict) {
		w.forget()
		return nil
	}
	if t.state.Phase == rollout.Ended {
		delete(w.rollouts, t.row.Place)
	}
	return err
}
