package lifecycle

import (
	"context"
	"errors"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/guard"
	"github.com/incipit-dev/incipit/internal/registry"
)

const (
	// mostSteady is how many places are watched for changes at a time, about a
	// kilobyte each. Beyond it the one that was called longest ago has to wait for
	// its next call.
	mostSteady = 4096
	// beginsPerLook bounds the references that are made between two looks at the
	// rollouts.
	beginsPerLook = 8
	// mostBehind is how many calls are read again at most by whoever takes over:
	// a registry that was restored may be days behind its calls.
	mostBehind = 500_000
)

// steady keeps what is known of the releases that serve everybody, and begins to
// watch those that were called. Rollouts never wait for it.
func (w *watch) steady(ctx context.Context) error {
	s, now := &w.steadies, w.config.Now()
	if !s.looked.IsZero() {
		s.observed += min(max(now.Sub(s.looked), 0), longestTick)
	}
	s.looked = now
	if !s.loaded {
		return w.loadSteady(ctx)
	}
	if idle := now.Sub(s.kept); s.alarms || idle < 0 || idle >= saveIdle {
		if err := w.keepSteady(ctx); err != nil {
			return err
		}
	}
	n := min(len(s.line), beginsPerLook)
	begin := s.line[:n]
	if s.line = s.line[n:]; n == 0 {
		return nil
	}
	if err := w.makeRoom(ctx, n); err != nil {
		return err
	}
	var all error
	for _, at := range begin {
		if t := s.of[at]; t != nil && t.waits {
			t.waits = false
			all = errors.Join(all, w.beginSteady(ctx, t))
		}
	}
	return all
}

// loadSteady takes over what was kept, and goes back to where that was.
func (w *watch) loadSteady(ctx context.Context) error {
	s := &w.steadies
	rows, err := w.db.AllSteady(ctx, mostSteady)
	if err != nil {
		return err
	}
	var last int64
	for _, row := range rows {
		row.Cursor = min(row.Cursor, w.cursor) // of another log, if it is more
		last = max(last, row.Cursor)
		t := s.of[row.Place]
		if t == nil || t.row.Deployment != row.Deployment {
			continue
		}
		if c, err := guard.RestoreChange(row.State); err == nil { // else it begins anew
			s.wake(t, row, c)
		}
	}
	if s.loaded, s.kept = true, w.config.Now(); len(rows) > 0 {
		w.cursor = max(last, w.cursor-mostBehind)
	}
	return nil
}

// beginSteady goes on to watch a place from what was kept, or begins with what
// its calls were like so far. Without any there is nothing to compare with.
func (w *watch) beginSteady(ctx context.Context, t *steady) error {
	row, there, err := w.db.Steady(ctx, t.row.Place)
	if err != nil {
		return err
	}
	again := there && row.Deployment == t.row.Deployment
	if again && t.change == nil {
		if c, err := guard.RestoreChange(row.State); err == nil {
			w.steadies.wake(t, row, c)
			return nil
		}
	}
	now, since := w.config.Now(), t.since
	if again && row.Alarmed {
		since = now // it has changed: what is usual is another now
	}
	ref, err := w.usual(ctx, t.row.Place, since, now)
	if err != nil {
		return err
	}
	if t.asked = now; ref == nil {
		return nil
	}
	c, err := guard.NewChange(ref, guard.DriftARL)
	if err != nil {
		return err
	}
	t.asked, t.dirty, t.alarm = time.Time{}, true, false
	w.steadies.wake(t, registry.Steady{
		Place: t.row.Place, Deployment: t.row.Deployment, Cursor: w.cursor, Since: now, Version: row.Version,
	}, c)
	return nil
}

// usual is what the calls of a place were like in the week before a record was
// made, or before now if that is longer ago or there were none. A prompt whose
// first day is not over has no usual hours yet: nil.
func (w *watch) usual(ctx context.Context, at registry.Place, since, now time.Time) (*guard.Reference, error) {
	ends := []time.Time{now}
	if age := now.Sub(since); 0 < age && age < referenceSpan {
		ends = []time.Time{since, now}
	}
	for _, end := range ends {
		old, err := ReferenceBefore(ctx, w.log, at.Prompt, at.Environment, "", end.Add(-24*time.Hour))
		if err != nil {
			return nil, err
		}
		if old.Empty() {
			continue
		}
		return ReferenceBefore(ctx, w.log, at.Prompt, at.Environment, "", end)
	}
	return nil, nil
}

// makeRoom lets those sleep that were called longest ago, so that so many can
// begin.
func (w *watch) makeRoom(ctx context.Context, n int) error {
	s := &w.steadies
	if s.watched+n <= mostSteady {
		return nil
	}
	if err := w.keepSteady(ctx); err != nil {
		return err
	}
	for s.watched+n > mostSteady {
		var oldest *steady
		for _, t := range s.of {
			if t.change != nil && (oldest == nil || t.called < oldest.called) {
				oldest = t
			}
		}
		s.sleep(oldest)
	}
	return nil
}
