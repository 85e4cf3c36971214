package lifecycle

import (
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/calllog"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/guard"
	"github.com/incipit-dev/incipit/internal/registry"
)

// quietTime is the observed time after an alarm before there can be another.
const quietTime = 24 * time.Hour

// A steady is a place where one release serves everybody.
type steady struct {
	row     registry.Steady // as it was kept last, but for State and Cursor
	version string          // of the release
	since   time.Time       // when the record was made by which it serves everybody

	change *guard.Change // nil while it is not watched
	asked  time.Time     // when there was nothing to compare with, the zero time before
	waits  bool          // it is in line to begin
	alarm  bool          // that was not kept yet
	dirty  bool          // there is something to keep
	called int64         // number of the last call that it took in
	quiet  time.Duration // what the watch had observed when the quiet time began
}

// steadies are the places where one release serves everybody. Each is watched
// from its first call on, for a change since the same hours of the week before.
//
// Its calls are taken in the order of their numbers, once each: in a row that is
// kept stands up to where they are in it, and since all that changed is kept in
// one transaction, nothing is missing up to the highest of these numbers.
type steadies struct {
	of       map[registry.Place]*steady
	line     []registry.Place // that wait to begin
	loaded   bool             // what was kept is in memory
	watched  int              // of them
	observed time.Duration    // by this watch, since it was loaded
	looked   time.Time        // when it looked last
	kept     time.Time        // when all was kept last
	alarms   bool             // one has an alarm that was not kept yet
}

// know brings the steady places of an environment in line with what runs there.
// A new record begins anew.
func (s *steadies) know(e registry.Environment, running registry.Current) {
	for id, d := range running.Prompts {
		at := registry.Place{Prompt: id, Environment: e.Name}
		was := s.of[at]
		if was != nil && was.row.Deployment == d.Seq && e.GuardOf(id).Policy != registry.GuardOff {
			continue
		}
		if was != nil {
			s.sleep(was)
			delete(s.of, at)
		}
		if d.Rollout == nil && d.Action != registry.Retire && e.GuardOf(id).Policy != registry.GuardOff {
			s.of[at] = &steady{row: registry.Steady{Place: at, Deployment: d.Seq}, version: d.Version.String(), since: d.At}
		}
	}
}

// sleep forgets what is known of a place. What was kept is read again when it is
// called next.
func (s *steadies) sleep(t *steady) {
	if t.change != nil {
		s.watched--
	}
	t.change, t.dirty, t.alarm = nil, false, false
}

// wake goes on from a change that is known of a place.
func (s *steadies) wake(t *steady, row registry.Steady, c *guard.Change) {
	if t.change == nil {
		s.watched++
	}
	t.row, t.change, t.called, t.quiet = row, c, row.Cursor, s.observed-row.Quiet
	t.row.State = nil
}

// take takes in a call, if it is one of a release that serves everybody.
func (s *steadies) take(at registry.Place, c *calllog.Seen) {
	t := s.of[at]
	if t == nil || c.Version != t.version || c.Rollout != "" || c.Seq <= t.called {
		return
	}
	if t.change == nil || t.row.Alarmed && s.observed-t.quiet >= quietTime {
		if s.loaded && !t.waits && s.may(t) {
			t.waits, s.line = true, append(s.line, at)
		}
		return
	}
	if t.row.Alarmed || t.alarm {
		return
	}
	t.called, t.dirty = c.Seq, true
	hour := int(c.StartedAt.Unix() / 3600 % 24)
	if t.change.Observe(hour, observation(c, 0)) {
		t.alarm, s.alarms = true, true
	}
}

// may reports whether it may be asked what is usual at a place: not for an hour
// after there was nothing.
func (s *steadies) may(t *steady) bool {
	age := s.looked.Sub(t.asked)
	return t.asked.IsZero() || age < 0 || age >= time.Hour
}

// back says that the log ends at a number, before what was read of it.
func (s *steadies) back(last int64) {
	for _, t := range s.of {
		t.called = min(t.called, last)
	}
}
