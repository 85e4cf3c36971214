package calllog

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/telemetry"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A rating is feedback on its way into the log.
type rating struct {
	Rating
	receipt registry.FeedbackReceipt
}

// Rate keeps feedback: it replaces earlier feedback of the same name for that
// call, and the rollups tell. If there is no such call, or none that the grants
// let the sender record, it waits for one, as long as calls are kept.
//
// It reports registry.ErrNotFound for a call that was erased.
func (l *Log) Rate(ctx context.Context, r Rating) (registry.FeedbackReceipt, error) {
	if r.At.IsZero() {
		r.At = l.cfg.Now()
	}
	r.At = r.At.UTC().Truncate(time.Microsecond)
	j := &job{rating: &rating{Rating: r}, done: make(chan struct{})}
	if err := l.submit(ctx, j); err != nil {
		return registry.FeedbackReceipt{}, err
	}
	return j.rating.receipt, nil
}

// writeRatings writes the ratings of some jobs, in as few transactions as there
// can be, and sets the jobs' errors.
func (l *Log) writeRatings(ctx context.Context, jobs []*job) {
	if l.d.together() {
		l.rated(ctx, jobs, l.transact(ctx, common, func(ctx context.Context, t *tx) error {
			live, err := liveDays(ctx, t)
			if err != nil {
				return err
			}
			at, err := locateAll(ctx, &view{common: t, live: live, on: t.on}, jobs)
			if err != nil {
				return err
			}
			return l.writeThese(ctx, t, jobs, at)
		}))
		return
	}
	var at map[*job]place
	if err := l.read(ctx, func(v *view) (err error) {
		at, err = locateAll(ctx, v, jobs)
		return err
	}); err != nil {
		l.rated(ctx, jobs, err)
		return
	}
	days := make(map[day][]*job)
	for _, j := range jobs {
		days[at[j].day] = append(days[at[j].day], j)
	}
	for d, of := range days {
		l.rated(ctx, of, l.transact(ctx, d, func(ctx context.Context, t *tx) error { return l.writeThese(ctx, t, of, at) }))
	}
}

// rated ends ratings that were written together. If one of them may be the
// reason why they were not, each is tried alone.
func (l *Log) rated(ctx context.Context, jobs []*job, err error) {
	if err != nil && len(jobs) > 1 && l.particular(ctx, err) {
		for _, j := range jobs {
			l.writeRatings(ctx, []*job{j})
		}
		return
	}
	for _, j := range jobs {
		if err != nil {
			j.err = ourPatience(err)
		}
	}
}

func (l *Log) writeThese(ctx context.Context, t *tx, jobs []*job, at map[*job]place) error {
	for _, j := range jobs {
		if err := l.writeRating(ctx, t, j, at[j]); err != nil {
			return err
		}
	}
	return nil
}

// locateAll finds the calls that are rated. The day of one that is not there is
// common.
func locateAll(ctx context.Context, v *view, jobs []*job) (map[*job]place, error) {
	at := make(map[*job]place, len(jobs))
	for _, j := range jobs {
		p, found, err := ratable(ctx, v, j.rating.Ref, recorder(j.rating.Grants))
		if err != nil {
			return nil, err
		}
		if !found {
			p = place{day: common}
		}
		at[j] = p
	}
	return at, nil
}

func (l *Log) writeRating(ctx context.Context, t *tx, j *job, at place) error {
	number, err := t.numbers(ctx, 1)
	if err != nil {
		return err
	}
	r, f := j.rating, j.rating.Feedback
	j.err = nil
	r.receipt = registry.FeedbackReceipt{Waiting: at.day == common, Feedback: &f}
	if at.erased {
		j.err = registry.Errorf(registry.ErrNotFound, "call %s was deleted", at.id)
		return nil
	}
	if at.day == common {
		return l.letWait(ctx, t, r, number)
	}
	r.receipt.Call = at.id.String()
	if r.receipt.Replaced, err = exists(ctx, t, at.day.sql(`SELECT COUNT(*) FROM feedback_{day} WHERE call_id = $1 AND name = $2`), at.id[:], f.Name); err != nil {
		return err
	}
	if err := putFeedback(ctx, t, at.day, at.id, f, number); err != nil {
		return err
	}
	if f.Name != "" {
		return nil
	}
	return rateCall(ctx, t, at, registry.Some(f.Value))
}

// rateCall makes a number the satisfaction of a call, and of the rollups that
// count it.
func rateCall(ctx context.Context, t *tx, at place, after registry.Opt[float64]) error {
	var (
		started int64
		was     sql.NullFloat64
		k       telemetry.Series
	)
	if err := t.QueryRowContext(ctx, at.day.sql(`
		SELECT c.started_us, c.satisfaction, o.prompt, o.environment, o.version, o.arm
		FROM call_{day} c JOIN origin_{day} o ON o.id = c.origin WHERE c.id = $1`), at.id[:]).
		Scan(&started, &was, &k.Prompt, &k.Environment, &k.Version, &k.Arm); err != nil {
		return err
	}
	if _, err := t.ExecContext(ctx, at.day.sql(`UPDATE call_{day} SET satisfaction = $1 WHERE id = $2`), after.Value, at.id[:]); err != nil {
		return err
	}
	var diff telemetry.Rollup
	diff.Rate(registry.Opt[float64]{Value: was.Float64, Known: was.Valid}, after)
	start := time.UnixMicro(started)
	_, err := t.ExecContext(ctx, at.day.sql(`
		UPDATE rollup_{day} SET ratings = ratings + $1, rating_sum = rating_sum + $2, rating_squares = rating_squares + $3
		WHERE prompt = $4 AND environment = $5 AND version = $6 AND arm = $7 AND (span = $8 AND start_us = $9 OR span = $10 AND start_us = $11)`),
		diff.Ratings, diff.RatingSum, diff.RatingSquares, string(k.Prompt), k.Environment, k.Version, k.Arm,
		minute, startOf(start, minute), hour, startOf(start, hour))
	return err
}

// letWait keeps feedback for a call that is not there.
func (l *Log) letWait(ctx context.Context, t *tx, r *rating, seq int64) error {
	ref := refOf(r.Ref)
	grants, err := json.Marshal(r.Grants)
	if err != nil {
		return err
	}
	f := r.Feedback
	if r.receipt.Replaced, err = exists(ctx, t, `SELECT COUNT(*) FROM feedback_waiting WHERE ref = $1 AND name = $2 AND by_name = $3`, ref, f.Name, f.By); err != nil {
		return err
	}
	if err := t.exec(ctx, `
		INSERT INTO feedback_waiting (ref, name, by_name, seq, value, comment, grants, at_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (ref, name, by_name) DO UPDATE SET seq = excluded.seq, value = excluded.value, comment = excluded.comment, grants = excluded.grants, at_us = excluded.at_us`,
		ref, f.Name, f.By, seq, f.Value, f.Comment, string(grants), f.At.UnixMicro()); err != nil {
		return err
	}
	if l.seen.read && !l.d.together() {
		l.seen.waits(ref, seq)
	}
	return nil
}
