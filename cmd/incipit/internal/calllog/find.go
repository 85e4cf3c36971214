package calllog

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// Find finds a call by its id or, the newest one, by the provider's id of the
// response, with its feedback in the order of names. It reports
// registry.ErrNotFound.
func (l *Log) Find(ctx context.Context, ref string) (Record, []registry.Feedback, error) {
	var (
		found    Record
		feedback []registry.Feedback
	)
	err := l.read(ctx, func(v *view) error {
		at, seq, err := locate(ctx, v, ref)
		if err != nil || seq == 0 {
			return err
		}
		return v.day(ctx, at, func(q querier) error {
			found, err = scanRecord(q.QueryRowContext(ctx, at.sql(`
				SELECT `+recordColumns+` FROM call_{day} c JOIN origin_{day} o ON o.id = c.origin WHERE c.seq = $1 AND c.outcome <> 9`), seq).Scan)
			if errors.Is(err, sql.ErrNoRows) { // erased just now
				found = Record{}
				return nil
			}
			if err == nil {
				feedback, err = feedbackOf(ctx, q, at, found.Call.ID)
			}
			return err
		})
	})
	if err == nil && found.Seq == 0 {
		err = registry.Errorf(registry.ErrNotFound, "there is no call %q", prompt.Clip(prompt.Visible(ref), 80))
	}
	return found, feedback, err
}

// locate finds the day and the number of the call that ref names; the number is
// 0 if there is none. Some providers' ids are UUIDv7, too.
func locate(ctx context.Context, v *view, ref string) (day, int64, error) {
	if id, err := registry.ParseCallID(ref); err == nil {
		at := dayOf(id.At())
		seq, err := one(ctx, v, at, `SELECT seq FROM call_{day} WHERE id = $1 AND outcome <> 9`, id[:])
		if err != nil || seq != 0 {
			return at, seq, err
		}
	}
	for _, d := range slices.Backward(v.live) {
		var found []int64
		if err := v.day(ctx, d, func(q querier) (err error) {
			found, err = responses(ctx, q, d, ref, 1)
			return err
		}); err != nil || len(found) > 0 {
			return d, append(found, 0)[0], err
		}
	}
	return 0, 0, nil
}

// one is the number that a query returns, 0 if it returns none or if the day is
// not live.
func one(ctx context.Context, v *view, d day, query string, args ...any) (n int64, err error) {
	if !slices.Contains(v.live, d) {
		return 0, nil
	}
	err = v.day(ctx, d, func(q querier) error {
		err := q.QueryRowContext(ctx, d.sql(query), args...).Scan(&n)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return n, err
}

func feedbackOf(ctx context.Context, q querier, d day, id registry.CallID) ([]registry.Feedback, error) {
	var out []registry.Feedback
	err := rows(ctx, q, func(rs *sql.Rows) error {
		var (
			f  registry.Feedback
			at int64
		)
		err := rs.Scan(&f.Name, &f.Value, &f.Comment, &f.By, &at)
		f.At = time.UnixMicro(at).UTC()
		out = append(out, f)
		return err
	}, d.sql(`SELECT name, value, comment, by_name, at_us FROM feedback_{day} WHERE call_id = $1 ORDER BY name`), id[:])
	return out, err
}
