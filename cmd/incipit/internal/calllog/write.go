package calllog

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/telemetry"
)

// errTaken is of an insert that met an id which is there already.
var errTaken = errors.New("the id of a call is taken")

// append writes rows, which are sorted, in one transaction, and says of each
// whether it is new. Rows that an earlier attempt wrote, whose commit was not
// answered, are found by their numbers.
//
// Unless it is told to be careful, it takes all for new if a few of them are:
// looking each up costs more than now and then a second attempt. It reports
// errTaken if one was not new.
func (l *Log) append(ctx context.Context, all []*row, careful bool) error {
	days := byDay(all)
	for _, of := range days {
		if err := l.d.makeDay(ctx, of[0].day); err != nil {
			return err
		}
	}
	var (
		written, landed []*row
		used            used
		head            int64
		sums            = make(map[rollupOf]*telemetry.Rollup)
	)
	err := l.once(ctx, all[0].day, len(all), func(ctx context.Context, t *tx) error {
		number := t.last - int64(len(all))
		if !l.seen.alone(number) {
			if err := l.readWaiting(ctx, t); err != nil {
				return err
			}
		}
		for _, of := range days {
			fresh, before, err := l.sift(ctx, t, of, careful)
			if err != nil {
				return err
			}
			landed = append(landed, before...)
			for _, r := range fresh {
				number++
				r.seq = number
			}
			if err := l.writeDay(ctx, t, of[0].day, fresh, &used, sums); err != nil {
				return err
			}
			written = append(written, fresh...)
		}
		head = t.last
		return nil
	})
	if err != nil {
		l.seen.unsure()
		if _, maybe := errors.AsType[unanswered](err); !maybe {
			for _, r := range all { // others may get these numbers
				r.seq = 0
			}
		}
		return err
	}
	for _, r := range written {
		r.fresh = true
	}
	for _, r := range landed {
		r.fresh = true
	}
	l.seen.keep(written)
	l.seen.wrote(sums, head)
	l.forgetUsed(ctx, used)
	return nil
}

// probes is how many rows of a group are looked up, to see whether it was sent
// before.
const probes = 16

// sift finds the rows of a day that are new, and those that an earlier attempt
// of this group has written.
func (l *Log) sift(ctx context.Context, t *tx, of []*row, careful bool) (fresh, landed []*row, err error) {
	fresh = make([]*row, 0, len(of))
	for _, r := range of {
		r.there = 0
		if r.twin == nil {
			fresh = append(fresh, r)
		}
	}
	if !careful {
		var some []*row
		for i := 0; i < len(fresh); i += 1 + len(fresh)/probes {
			some = append(some, fresh[i])
		}
		if err := l.d.known(ctx, t, of[0].day, some); err != nil {
			return nil, nil, err
		}
		if !slices.ContainsFunc(some, func(r *row) bool { return r.there != 0 }) {
			return fresh, nil, nil
		}
	}
	if err := l.d.known(ctx, t, of[0].day, fresh); err != nil {
		return nil, nil, err
	}
	return slices.DeleteFunc(fresh, func(r *row) bool {
		if r.there != 0 && r.there == r.seq {
			landed = append(landed, r)
		}
		return r.there != 0
	}), landed, nil
}

// writeDay writes new calls of a day, what waited for them, and what they add
// to the rollups.
func (l *Log) writeDay(ctx context.Context, t *tx, d day, fresh []*row, used *used, sums map[rollupOf]*telemetry.Rollup) error {
	if len(fresh) == 0 {
		return nil
	}
	if err := l.takeWaiting(ctx, t, d, fresh, used); err != nil {
		return err
	}
	var (
		wg  sync.WaitGroup
		add map[rollupKey]*telemetry.Rollup
	)
	wg.Go(func() { add = l.sums(fresh) }) // while the database works
	err := l.d.insert(ctx, t, d, fresh)
	wg.Wait()
	if err != nil {
		return err
	}
	if err := l.writeOrigins(ctx, t, d, fresh); err != nil {
		return err
	}
	return l.addSums(ctx, t, d, add, sums)
}

// addSums adds to the rollups of a day, and puts what they are now into all.
func (l *Log) addSums(ctx context.Context, t *tx, d day, sums map[rollupKey]*telemetry.Rollup, all map[rollupOf]*telemetry.Rollup) error {
	at := rollupPlace{day: d}
	var keys, asked []rollupKey
	for k, s := range sums {
		keys = append(keys, k)
		if was := l.seen.rollups[rollupOf{d, k}]; was != nil {
			s.Merge(was)
		} else {
			asked = append(asked, k)
		}
		all[rollupOf{d, k}] = s
	}
	if err := findRollups(ctx, t, at, asked, func(r Row) error {
		sums[r.key()].Merge(&r.Rollup)
		return nil
	}); err != nil {
		return err
	}
	return putRollups(ctx, t, at, keys, sums)
}

// writeOrigins writes the origins of calls that may not be there yet.
func (l *Log) writeOrigins(ctx context.Context, t *tx, d day, fresh []*row) error {
	var all []*origin
	asked := make(map[int64]bool)
	for _, r := range fresh {
		if !asked[r.origin.id] && !l.seen.origin(d, r.origin.id) {
			asked[r.origin.id] = true
			all = append(all, r.origin)
		}
	}
	return pieces(len(all), func(from, to int) error {
		var args []any
		for _, o := range all[from:to] {
			var share sql.NullInt64
			share.Int64, share.Valid = int64(o.share.Value), o.share.Known
			args = append(args, o.id, string(o.prompt), o.environment, o.version, o.arm, o.rollout, share, o.model, o.finish)
		}
		return t.exec(ctx, d.sql(`INSERT INTO origin_{day} (id, prompt, environment, version, arm, rollout, share, model, finish_reason) VALUES `)+
			values(to-from, 9)+` ON CONFLICT (id) DO NOTHING`, args...)
	}, 64, 8, 1)
}

// sums adds calls up, to rollups of the minutes and hours in which they
// started. Minutes that are not kept any more are not begun again.
func (l *Log) sums(fresh []*row) map[rollupKey]*telemetry.Rollup {
	oldest := l.cfg.Now().Add(-l.cfg.KeepMinutes).UnixMicro()
	minutes := make(map[rollupKey]*telemetry.Rollup)
	for _, r := range fresh {
		k := rollupKey{telemetry.SeriesOf(r.call), minute, startOf(r.call.StartedAt, minute)}
		s := minutes[k]
		if s == nil {
			s = new(telemetry.Rollup)
			minutes[k] = s
		}
		s.Add(r.call)
		if r.satisfaction != r.call.Satisfaction {
			s.Rate(r.call.Satisfaction, r.satisfaction)
		}
	}
	out := make(map[rollupKey]*telemetry.Rollup, 2*len(minutes))
	for k, s := range minutes {
		h := k
		h.span, h.start = hour, k.start-k.start%(hour*1e6)
		if out[h] == nil {
			out[h] = new(telemetry.Rollup)
		}
		out[h].Merge(s)
		if k.start >= oldest {
			out[k] = s
		}
	}
	return out
}
