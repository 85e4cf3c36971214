package calllog

import (
	"context"
	"database/sql"
	"slices"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/telemetry"
)

// retire moves the rollups of a day to rollup_kept, as days, and deletes the
// rest of it. They are added up before writers wait, and again if something was
// written since, such as late feedback.
func (l *Log) retire(ctx context.Context, d day) error {
	for {
		var sum draft
		if err := l.read(ctx, func(v *view) (err error) {
			sum = draft{}
			if !slices.Contains(v.live, d) { // another replica was faster
				return nil
			}
			return v.day(ctx, d, func(q querier) error {
				sum, err = draftOf(ctx, q, d)
				return err
			})
		}); err != nil {
			return err
		}
		done, err := l.move(ctx, d, sum)
		if err != nil {
			return err
		}
		if done {
			return l.drop(ctx, d)
		}
	}
}

// move makes what was added up all that is known of a day, in one transaction:
// whoever reads sees the one or the other. It does nothing if that is not all
// any more. It reports whether the day is retired now.
func (l *Log) move(ctx context.Context, d day, sum draft) (done bool, err error) {
	err = l.write(ctx, common, func(ctx context.Context, tx *tx) error {
		done = false
		live, err := liveDays(ctx, tx)
		if err != nil {
			return err
		}
		if !slices.Contains(live, d) { // another replica was faster
			done = true
			return nil
		}
		var last int64
		if err := tx.on(ctx, d, func(q querier) error {
			last, err = lastOf(ctx, q, d)
			return err
		}); err != nil || last != sum.last {
			return err
		}
		done = true
		if err := putRollups(ctx, tx, rollupPlace{day: d, kept: true}, sum.keys(), sum.days); err != nil {
			return err
		}
		return tx.retire(ctx, d)
	})
	return done && err == nil, err
}

// A draft is what of a day is kept.
type draft struct {
	last int64 // the last number that it has
	days map[rollupKey]*telemetry.Rollup
}

func (s *draft) keys() []rollupKey {
	out := make([]rollupKey, 0, len(s.days))
	for k := range s.days {
		out = append(out, k)
	}
	return out
}

func draftOf(ctx context.Context, q querier, d day) (draft, error) {
	s := draft{days: make(map[rollupKey]*telemetry.Rollup)}
	var err error
	if s.last, err = lastOf(ctx, q, d); err != nil {
		return s, err
	}
	return s, rows(ctx, q, func(rs *sql.Rows) error {
		r, err := scanRollup(rs)
		if err != nil {
			return err
		}
		k := rollupKey{r.Series, ofDay, startOf(r.Start, ofDay)}
		if s.days[k] == nil {
			s.days[k] = new(telemetry.Rollup)
		}
		s.days[k].Merge(&r.Rollup)
		return nil
	}, d.sql(`SELECT `+rollupColumns+` FROM rollup_{day} WHERE span = 3600`))
}

// lastOf is the last number on a day: whatever changes a rollup takes one.
func lastOf(ctx context.Context, q querier, d day) (int64, error) {
	var calls, feedback int64
	err := q.QueryRowContext(ctx, d.sql(`
		SELECT (SELECT COALESCE(MAX(seq), 0) FROM call_{day}), (SELECT COALESCE(MAX(seq), 0) FROM feedback_{day})`)).Scan(&calls, &feedback)
	return max(calls, feedback), err
}
