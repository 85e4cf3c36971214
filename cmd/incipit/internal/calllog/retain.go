package calllog

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"
)

// retainChunk is how many rows are deleted while writers wait.
const retainChunk = 1000

// Retain deletes what is older than is to be kept, in pieces for which no
// writer waits. It may be ended or killed anywhere: the next one goes on. A day
// that cannot be deleted does not keep others from it.
func (l *Log) Retain(ctx context.Context) error {
	now := l.cfg.Now()
	failed := l.dropRetired(ctx)
	var live []day
	if err := l.read(ctx, func(v *view) error {
		live = v.live
		return nil
	}); err != nil {
		return errors.Join(failed, err)
	}
	for _, d := range live {
		switch age := now.Sub(d.end()); {
		case ctx.Err() != nil:
			return ctx.Err()
		case age >= l.cfg.KeepCalls:
			failed = errors.Join(failed, l.retire(ctx, d))
		case age >= l.cfg.KeepMinutes:
			failed = errors.Join(failed, l.dropMinutes(ctx, d))
		}
	}
	return errors.Join(failed,
		l.dropKept(ctx, dayOf(now.Add(-l.cfg.KeepRollups))),
		l.dropStale(ctx, now.Add(-l.cfg.KeepCalls)))
}

// dropRetired removes the tables of days that were retired, but not dropped
// since.
func (l *Log) dropRetired(ctx context.Context) error {
	var left []day
	if err := l.read(ctx, func(v *view) error {
		left = nil
		return rows(ctx, v.common, func(rs *sql.Rows) error {
			var n int64
			if err := rs.Scan(&n); err != nil {
				return err
			}
			d, err := dayNumbered(n)
			left = append(left, d)
			return err
		}, `SELECT day FROM call_day WHERE retired ORDER BY day`)
	}); err != nil {
		return err
	}
	var failed error
	for _, d := range left {
		failed = errors.Join(failed, l.drop(ctx, d))
	}
	return failed
}

// drop removes the tables of a retired day. If somebody reads them still, the
// next Retain does.
func (l *Log) drop(ctx context.Context, d day) error {
	err := l.d.dropDay(ctx, d)
	if errors.Is(err, errInUse) {
		l.cfg.Log.Info("a day of calls is over, but is still being read: it is deleted later", "day", d.String())
		return nil
	}
	return l.d.verdict(err).Err
}

// dropMinutes deletes the rollups of minutes of a day, in the order of their
// keys.
func (l *Log) dropMinutes(ctx context.Context, d day) error {
	const key = `(prompt, environment, span, start_us, version, arm)`
	var after rollupKey
	for {
		last, n, err := l.minutesAfter(ctx, d, after)
		if err != nil || n == 0 {
			return err
		}
		err = l.write(ctx, d, func(ctx context.Context, tx *tx) error {
			_, err := tx.ExecContext(ctx, d.sql(`
				DELETE FROM rollup_{day} WHERE span = 60 AND `+key+` > ($1, $2, $3, $4, $5, $6) AND `+key+` <= ($7, $8, $9, $10, $11, $12)`),
				append(after.values(), last.values()...)...)
			return err
		})
		if errors.Is(err, errRetired) {
			return nil
		}
		if err != nil || n < retainChunk {
			return err
		}
		after = last
	}
}

// minutesAfter is the key of the last of the n rollups of minutes behind one, at
// most retainChunk.
func (l *Log) minutesAfter(ctx context.Context, d day, after rollupKey) (last rollupKey, n int, err error) {
	err = l.read(ctx, func(v *view) error {
		n = 0
		if !slices.Contains(v.live, d) {
			return nil
		}
		return v.day(ctx, d, func(q querier) error {
			return rows(ctx, q, func(rs *sql.Rows) error {
				n++
				return rs.Scan(&last.Prompt, &last.Environment, &last.span, &last.start, &last.Version, &last.Arm)
			}, d.sql(`
				SELECT `+rollupKeys+` FROM rollup_{day} WHERE span = 60 AND (`+rollupKeys+`) > ($1, $2, $3, $4, $5, $6)
				ORDER BY `+rollupKeys+` LIMIT $7`), append(after.values(), retainChunk)...)
		})
	})
	return last, n, err
}

// values are those of rollupKeys.
func (k rollupKey) values() []any {
	return []any{string(k.Prompt), k.Environment, k.span, k.start, k.Version, k.Arm}
}

// dropKept deletes the rollups of days before one, a day at a time.
func (l *Log) dropKept(ctx context.Context, before day) error {
	var old []int64
	if err := l.read(ctx, func(v *view) error {
		old = nil
		return rows(ctx, v.common, func(rs *sql.Rows) error {
			var n int64
			err := rs.Scan(&n)
			old = append(old, n)
			return err
		}, `SELECT DISTINCT day FROM rollup_kept WHERE day < $1 ORDER BY day`, before.number())
	}); err != nil {
		return err
	}
	for _, n := range old {
		if err := l.write(ctx, common, func(ctx context.Context, tx *tx) error {
			_, err := tx.ExecContext(ctx, `DELETE FROM rollup_kept WHERE day = $1`, n)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// dropStale deletes feedback whose call never came.
func (l *Log) dropStale(ctx context.Context, before time.Time) error {
	const key = `ref, name, by_name`
	for n := int64(retainChunk); n == retainChunk; {
		if err := l.write(ctx, common, func(ctx context.Context, tx *tx) error {
			res, err := tx.ExecContext(ctx, `
				DELETE FROM feedback_waiting WHERE (`+key+`) IN (SELECT `+key+` FROM feedback_waiting WHERE at_us < $1 LIMIT $2)`,
				before.UnixMicro(), retainChunk)
			if err != nil {
				return err
			}
			n, err = res.RowsAffected()
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}
