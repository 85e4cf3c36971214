package calllog

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"github.com/incipit-dev/incipit/internal/registry"
)

const (
	// eraseScan is how many numbers are looked through at a time. No index leads
	// to a subject: it would cost every call, for what is rarely asked.
	eraseScan = 200_000
	// eraseChunk is how many calls are erased while writers wait.
	eraseChunk = 200
)

// Erase forgets the calls of a subject, with their feedback, tags and content,
// and reports how many there were. Of each the id stays, so that it is not
// taken in again. Rollups, which name nobody, stay.
//
// Calls that arrive meanwhile may stay. If it is ended early, what is left is
// found by the next Erase.
func (l *Log) Erase(ctx context.Context, s SubjectHash) (int64, error) {
	if s == (SubjectHash{}) {
		return 0, nil
	}
	var days []day
	if err := l.read(ctx, func(v *view) error {
		days = v.live
		return nil
	}); err != nil {
		return 0, err
	}
	var n int64
	for _, d := range days {
		erased, err := l.eraseDay(ctx, d, s)
		n += erased
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// eraseDay erases the calls of one day. Those of a day that is retired
// meanwhile are deleted anyway.
func (l *Log) eraseDay(ctx context.Context, d day, s SubjectHash) (n int64, err error) {
	for after := int64(0); ; {
		found, next, err := l.ofSubject(ctx, d, s, after)
		if err != nil {
			return n, err
		}
		if len(found) > 0 {
			erased, err := l.eraseCalls(ctx, d, found)
			n += erased
			if errors.Is(err, errRetired) {
				return n, nil
			}
			if err != nil {
				return n, err
			}
		}
		if next == 0 {
			break
		}
		after = next
	}
	if n > 0 {
		err = l.scrub(ctx, d)
	}
	return n, err
}

// A trail is what leads to a call and to what was said of it.
type trail struct {
	seq      int64
	id       registry.CallID
	response string
}

// ofSubject looks for calls of a subject behind a number. next is the number to
// go on after, 0 if the day is looked through.
func (l *Log) ofSubject(ctx context.Context, d day, s SubjectHash, after int64) (found []trail, next int64, err error) {
	err = l.read(ctx, func(v *view) error {
		found, next = nil, 0
		if !slices.Contains(v.live, d) {
			return nil
		}
		return v.day(ctx, d, func(q querier) error {
			var first sql.Null[int64]
			if err := q.QueryRowContext(ctx, d.sql(`SELECT MIN(seq) FROM call_{day} WHERE seq > $1`), after).Scan(&first); err != nil || !first.Valid {
				return err
			}
			next = first.V + eraseScan
			return rows(ctx, q, func(rs *sql.Rows) error {
				var (
					t        trail
					id       []byte
					response sql.Null[string]
				)
				err := rs.Scan(&t.seq, &id, &response)
				copy(t.id[:], id)
				t.response = response.V
				if found = append(found, t); len(found) == eraseChunk {
					next = t.seq
				}
				return err
			}, d.sql(`SELECT seq, id, response_id FROM call_{day} WHERE seq > $1 AND seq <= $2 AND subject_hash = $3 ORDER BY seq LIMIT $4`),
				after, next, s[:], eraseChunk)
		})
	})
	return found, next, err
}

// eraseCalls erases calls of one day, and reports how many. What waits for
// them goes first: once they are erased, nothing leads to it.
func (l *Log) eraseCalls(ctx context.Context, d day, found []trail) (n int64, err error) {
	var refs, seqs, ids []any
	for _, t := range found {
		refs = append(refs, t.id.String())
		if t.response != "" {
			refs = append(refs, t.response)
		}
		seqs, ids = append(seqs, t.seq), append(ids, t.id[:])
	}
	if err := l.write(ctx, common, func(ctx context.Context, tx *tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM feedback_waiting WHERE ref IN `+values(1, len(refs)), refs...)
		return err
	}); err != nil {
		return 0, err
	}
	err = l.write(ctx, d, func(ctx context.Context, tx *tx) error {
		if _, err := tx.ExecContext(ctx, d.sql(`DELETE FROM feedback_{day} WHERE call_id IN `)+values(1, len(ids)), ids...); err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, d.sql(`
			UPDATE call_{day} SET outcome = 9, origin = 0, started_us = 0, latency_us = 0, ttft_us = NULL,
				input_tokens = NULL, output_tokens = NULL, cached_tokens = NULL, cost_nano = NULL,
				response_hash = NULL, response_id = NULL, satisfaction = NULL,
				subject_hash = NULL, subject = NULL, tags = NULL, input = NULL, output = NULL
			WHERE outcome <> 9 AND seq IN `)+values(1, len(seqs)), seqs...)
		if err != nil {
			return err
		}
		n, err = res.RowsAffected()
		return err
	})
	if err != nil {
		n = 0
	}
	return n, err
}
