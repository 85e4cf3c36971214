package calllog

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A waiting is feedback whose call has not arrived.
type waiting struct {
	ref string // a call's id in lower case, or a response's
	registry.Feedback
	grants []registry.Grant
}

const waitingColumns = `ref, name, by_name, value, comment, grants, at_us`

func scanWaiting(rs *sql.Rows) (waiting, error) {
	var (
		w      waiting
		grants []byte
		at     int64
	)
	if err := rs.Scan(&w.ref, &w.Name, &w.By, &w.Value, &w.Comment, &grants, &at); err != nil {
		return w, err
	}
	w.At = time.UnixMicro(at).UTC()
	return w, json.Unmarshal(grants, &w.grants)
}

// used is feedback that waits no more once a transaction is committed. In
// SQLite it is removed afterwards, since it is in another file.
//
// If we are killed in between, it stays there and does no harm. What waits for
// a call's id is taken by that call as it arrives, which it does once. What
// waits for a response's id might be taken by a second call with that id: so
// before it is, takeWaiting looks whether an earlier one has it already.
type used []waiting

// takeWaiting gives calls the feedback that waited for them.
func (l *Log) takeWaiting(ctx context.Context, t *tx, d day, fresh []*row, used *used) error {
	at := make(map[string][]*row)
	for _, r := range fresh {
		if l.seen.awaited(r) {
			id, response := r.call.ID.String(), refOf(r.call.ResponseID)
			at[id] = append(at[id], r)
			if response != "" && response != id {
				at[response] = append(at[response], r)
			}
		}
	}
	if len(at) == 0 {
		return nil
	}
	all, err := waitingFor(ctx, t, at)
	if err != nil {
		return err
	}
	type key struct {
		row  *row
		name string
	}
	taken := make(map[key]waiting) // the last one of each name counts
	for _, w := range all {
		r := newest(at[w.ref], recorder(w.grants))
		if r == nil {
			continue
		}
		stale := false
		if w.ref != r.call.ID.String() {
			if stale, err = l.taken(ctx, t, w); err != nil {
				return err
			}
		}
		*used = append(*used, w)
		if !stale {
			taken[key{r, w.Name}] = w
		}
	}
	if len(taken) == 0 {
		return l.dropUsed(ctx, t, *used)
	}
	number, err := t.numbers(ctx, len(taken))
	if err != nil {
		return err
	}
	for k, w := range taken {
		if err := putFeedback(ctx, t, d, k.row.call.ID, w.Feedback, number); err != nil {
			return err
		}
		number++
		if w.Name == "" {
			k.row.satisfaction = registry.Some(w.Value)
			l.d.encode(k.row)
		}
	}
	return l.dropUsed(ctx, t, *used)
}

// readWaiting learns what began to wait since it was asked last.
func (l *Log) readWaiting(ctx context.Context, t *tx) error {
	if l.seen.read && !l.d.together() { // nobody else writes
		return nil
	}
	if err := t.on(ctx, common, func(q querier) error {
		return rows(ctx, q, func(rs *sql.Rows) error {
			var (
				ref string
				seq int64
			)
			if err := rs.Scan(&ref, &seq); err != nil {
				return err
			}
			l.seen.waits(ref, seq)
			return nil
		}, `SELECT ref, seq FROM feedback_waiting WHERE seq > $1 ORDER BY seq`, l.seen.upTo)
	}); err != nil {
		return err
	}
	l.seen.read = true
	return nil
}

// waitingFor reads what waits, the oldest first.
func waitingFor(ctx context.Context, t *tx, at map[string][]*row) ([]waiting, error) {
	var refs []any
	for ref := range at {
		refs = append(refs, ref)
	}
	var out []waiting
	err := t.on(ctx, common, func(q querier) error {
		return pieces(len(refs), func(from, to int) error {
			return rows(ctx, q, func(rs *sql.Rows) error {
				w, err := scanWaiting(rs)
				out = append(out, w)
				return err
			}, `SELECT `+waitingColumns+` FROM feedback_waiting WHERE ref IN `+values(1, to-from), refs[from:to]...)
		}, 64, 8, 1)
	})
	slices.SortStableFunc(out, func(a, b waiting) int { return a.At.Compare(b.At) })
	return out, err
}

// newest is the newest of some rows that may be recorded.
func newest(all []*row, may func(string, prompt.ID) bool) *row {
	var out *row
	for _, r := range all {
		if may(r.call.Environment, r.call.Prompt) && (out == nil || r.seq > out.seq) {
			out = r
		}
	}
	return out
}

// taken reports whether an earlier call has the feedback that waits for a
// response's id: we were killed before we could remove it.
func (l *Log) taken(ctx context.Context, t *tx, w waiting) (bool, error) {
	if l.d.together() {
		return false, nil
	}
	var live []day
	if err := t.on(ctx, common, func(q querier) (err error) {
		live, err = liveDays(ctx, q)
		return err
	}); err != nil {
		return false, err
	}
	for _, d := range live {
		n := 0
		err := t.on(ctx, d, func(q querier) error {
			seqs, err := responses(ctx, q, d, w.ref, sameResponse)
			for _, seq := range seqs {
				if err == nil && n == 0 {
					err = q.QueryRowContext(ctx, d.sql(`
						SELECT COUNT(*) FROM call_{day} c JOIN feedback_{day} f ON f.call_id = c.id
						WHERE c.seq = $1 AND f.name = $2 AND f.by_name = $3 AND f.at_us = $4 AND f.value = $5`),
						seq, w.Name, w.By, w.At.UnixMicro(), w.Value).Scan(&n)
				}
			}
			return err
		})
		if err != nil || n > 0 {
			return n > 0, err
		}
	}
	return false, nil
}

// dropUsed removes what was used, in PostgreSQL.
func (l *Log) dropUsed(ctx context.Context, t *tx, used used) error {
	if !l.d.together() {
		return nil
	}
	return deleteWaiting(ctx, t, used)
}

// forgetUsed removes what was used, in SQLite.
func (l *Log) forgetUsed(ctx context.Context, used used) {
	if l.d.together() || len(used) == 0 {
		return
	}
	err := l.again(ctx, func() error {
		return l.once(ctx, common, 0, func(ctx context.Context, t *tx) error { return deleteWaiting(ctx, t, used) })
	})
	if err != nil {
		l.cfg.Log.Warn("feedback that waited was counted and could not be removed; it goes with its age", "error", err)
	}
}

func deleteWaiting(ctx context.Context, t *tx, used used) error {
	for _, w := range used {
		if _, err := t.ExecContext(ctx, `DELETE FROM feedback_waiting WHERE ref = $1 AND name = $2 AND by_name = $3 AND at_us = $4`,
			w.ref, w.Name, w.By, w.At.UnixMicro()); err != nil {
			return err
		}
	}
	return nil
}

// putFeedback writes feedback in place of that of the same name.
func putFeedback(ctx context.Context, t *tx, d day, id registry.CallID, f registry.Feedback, seq int64) error {
	return t.exec(ctx, d.sql(`
		INSERT INTO feedback_{day} (call_id, name, seq, value, comment, by_name, at_us) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (call_id, name) DO UPDATE SET seq = excluded.seq, value = excluded.value, comment = excluded.comment, by_name = excluded.by_name, at_us = excluded.at_us`),
		id[:], f.Name, seq, f.Value, f.Comment, f.By, f.At.UnixMicro())
}
