package calllog

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func TestABatchThatIsSentAgainCountsOnce(t *testing.T) {
	eachLog(t, func(t *testing.T, db storetest.Database, open func() *Log) {
		l := open()
		calls := newSource(1).calls(700, db.Clock.Now(), 3*time.Hour)
		if n := add(t, l, calls); n != 700 {
			t.Errorf("%d are new", n)
		}
		whole(t, l, calls)
		if n := add(t, l, calls); n != 0 {
			t.Errorf("again, %d are new", n)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = open()
		db.Clock.Advance(7 * 24 * time.Hour)
		if n := add(t, l, calls); n != 0 {
			t.Errorf("a week after, %d are new", n)
		}
		db.Clock.Advance(-7 * 24 * time.Hour)
		whole(t, l, calls)
	})
}

func TestOverlappingBatchesCountEachCallOnce(t *testing.T) {
	eachLog(t, func(t *testing.T, db storetest.Database, open func() *Log) {
		l := open()
		calls := newSource(2).calls(300, db.Clock.Now(), time.Hour)
		if n := add(t, l, calls[:200]); n != 200 {
			t.Errorf("%d", n)
		}
		fresh, err := l.Append(t.Context(), entriesOf(calls[100:]))
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range fresh {
			if f != (i >= 100) {
				t.Errorf("call %d of the second batch: new %t", i, f)
			}
		}
		whole(t, l, calls)
	})
}

func TestOfCallsWithOneIdInABatchTheFirstCounts(t *testing.T) {
	eachLog(t, func(t *testing.T, db storetest.Database, open func() *Log) {
		l := open()
		calls := newSource(3).calls(4, db.Clock.Now(), time.Hour)
		calls[2].ID, calls[3].ID = calls[0].ID, calls[0].ID
		fresh, err := l.Append(t.Context(), entriesOf(calls))
		if err != nil || !slices.Equal(fresh, []bool{true, true, false, false}) {
			t.Errorf("%v, %v", fresh, err)
		}
		whole(t, l, calls)
	})
}

func TestCallsOfThreeDaysAndLateOnes(t *testing.T) {
	eachLog(t, func(t *testing.T, db storetest.Database, open func() *Log) {
		l := open()
		s := newSource(4)
		calls := s.calls(400, db.Clock.Now(), 60*time.Hour)
		for _, c := range calls[:50] { // the id was made on the next day
			c.ID = s.id(c.StartedAt.Add(20 * time.Hour))
		}
		half := add(t, l, calls[:200])
		if n := add(t, l, calls); half+n != 400 {
			t.Errorf("%d and %d are new", half, n)
		}
		whole(t, l, calls)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = open()
		more := s.calls(10, db.Clock.Now(), 60*time.Hour)
		if n := add(t, l, more); n != 10 {
			t.Errorf("%d", n)
		}
		whole(t, l, slices.Concat(calls, more))
	})
}

func TestCallsOfADayThatIsNotKeptAreRefused(t *testing.T) {
	eachLog(t, func(t *testing.T, db storetest.Database, open func() *Log) {
		l := open()
		s := newSource(5)
		for _, at := range []time.Duration{-32 * 24 * time.Hour, 48 * time.Hour} {
			_, err := l.Append(t.Context(), entriesOf([]*registry.Call{s.call(db.Clock.Now()), s.call(db.Clock.Now().Add(at))}))
			if !errors.Is(err, prompt.ErrInvalid) {
				t.Errorf("%v: %v", at, err)
			}
		}
		whole(t, l, nil)
	})
}

func TestWhoeverMeetsARetiredDayIsToldAndNobodyElse(t *testing.T) {
	eachLog(t, func(t *testing.T, db storetest.Database, open func() *Log) {
		l := open()
		s := newSource(6)
		old := s.calls(5, db.Clock.Now().Add(-20*24*time.Hour), time.Hour)
		add(t, l, old)
		if err := l.write(t.Context(), common, func(ctx context.Context, tx *tx) error { return tx.retire(ctx, dayOf(old[0].ID.At())) }); err != nil {
			t.Fatal(err)
		}
		done, err := l.take(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		err = l.d.dropDay(t.Context(), dayOf(old[0].ID.At()))
		done()
		if err != nil {
			t.Fatal(err)
		}
		now := s.calls(5, db.Clock.Now(), time.Minute)
		late := &job{done: make(chan struct{})}
		fine := &job{done: make(chan struct{})}
		for j, calls := range map[*job][]*registry.Call{late: old, fine: now} {
			for _, e := range entriesOf(calls) {
				r, err := prepare(e, dayOf(e.Call.ID.At()), make(map[originFields]*origin))
				if err != nil {
					t.Fatal(err)
				}
				l.d.encode(&r)
				j.rows = append(j.rows, r)
			}
		}
		l.writeGroup(t.Context(), []*job{late, fine})
		if !errors.Is(late.err, prompt.ErrInvalid) || fine.err != nil {
			t.Errorf("late: %v; in time: %v", late.err, fine.err)
		}
		whole(t, l, now)
	})
}

func TestTheSameBatchAtTwoReplicasAtOnceCountsOnce(t *testing.T) {
	db := storetest.Postgres(t)
	one, two := openLog(t, configOf(db)), openLog(t, configOf(db))
	s := newSource(7)
	var all []*registry.Call
	for range 10 {
		calls := s.calls(100, db.Clock.Now(), time.Hour)
		all = append(all, calls...)
		results := make([]int, 4)
		var wg sync.WaitGroup
		for i, l := range []*Log{one, two, one, two} {
			wg.Go(func() {
				fresh, err := l.Append(t.Context(), entriesOf(calls))
				if err != nil {
					t.Error(err)
				}
				results[i] = count(fresh)
			})
		}
		wg.Wait()
		if sum := results[0] + results[1] + results[2] + results[3]; sum != 100 {
			t.Errorf("%v are new", results)
		}
	}
	whole(t, two, all)
}

func TestManyWhoAppendAtOnce(t *testing.T) {
	eachLog(t, func(t *testing.T, db storetest.Database, open func() *Log) {
		l := open()
		now := db.Clock.Now()
		var mu sync.Mutex
		var all []*registry.Call
		var wg sync.WaitGroup
		for i := range 64 {
			wg.Go(func() {
				s := newSource(uint64(100 + i))
				for range 5 {
					calls := s.calls(1+s.IntN(20), now, 30*time.Hour)
					fresh, err := l.Append(t.Context(), entriesOf(calls))
					if err != nil || count(fresh) != len(calls) {
						t.Errorf("%v, %v", fresh, err)
					}
					mu.Lock()
					all = append(all, calls...)
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		whole(t, l, all)
	})
}

func TestACallerWhoLeavesHurtsNobody(t *testing.T) {
	eachLog(t, func(t *testing.T, db storetest.Database, open func() *Log) {
		l := open()
		done, err := l.take(t.Context()) // nobody gets the turn for now
		if err != nil {
			t.Fatal(err)
		}
		s := newSource(8)
		gone, stays := s.calls(10, db.Clock.Now(), time.Hour), s.calls(10, db.Clock.Now(), time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := l.Append(ctx, entriesOf(gone)); !errors.Is(err, context.Canceled) {
				t.Errorf("who left: %v", err)
			}
		})
		wg.Go(func() {
			if n := add(t, l, stays); n != 10 {
				t.Errorf("who stays: %d", n)
			}
		})
		for waiting := 0; waiting < 2; time.Sleep(time.Millisecond) {
			l.queue.mu.Lock()
			waiting = len(l.queue.jobs)
			l.queue.mu.Unlock()
		}
		cancel()
		for waiting := 2; waiting > 1; time.Sleep(time.Millisecond) {
			l.queue.mu.Lock()
			waiting = len(l.queue.jobs)
			l.queue.mu.Unlock()
		}
		done()
		wg.Wait()
		whole(t, l, stays)
		if n := add(t, l, gone); n != 10 {
			t.Errorf("sent again: %d", n)
		}
	})
}
