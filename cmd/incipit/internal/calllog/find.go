package calllog

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// Find finds a call by its id or, the newest one, by the provider's id of the
// response, with its feedback in the order of names. A call that may does not
// let through is not there: whoever records may give a call any response's id.
// It reports registry.ErrNotFound.
func (l *Log) Find(ctx context.Context, ref string, may func(env string, id prompt.ID) bool) (Record, []registry.Feedback, error) {
	var (
		found    Record
		feedback []registry.Feedback
	)
	err := l.read(ctx, func(v *view) error {
		p, there, err := ratable(ctx, v, ref, may)
		if err != nil || !there {
			return err
		}
		return v.day(ctx, p.day, func(q querier) error {
			found, err = scanRecord(q.QueryRowContext(ctx, p.day.sql(`
				SELECT `+recordColumns+` FROM call_{day} c JOIN origin_{day} o ON o.id = c.origin WHERE c.id = $1 AND c.outcome <> 9`), p.id[:]).Scan)
			if errors.Is(err, sql.ErrNoRows) { // erased
				found = Record{}
				return nil
			}
			if err == nil {
				feedback, err = feedbackOf(ctx, q, p.day, found.Call.ID)
			}
			return err
		})
	})
	if err == nil && found.Seq == 0 {
		err = registry.Errorf(registry.ErrNotFound, "there is no call %q", prompt.Clip(prompt.Visible(ref), 80))
	}
	return found, feedback, err
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
