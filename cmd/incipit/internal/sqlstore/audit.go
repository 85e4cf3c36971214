package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// append adds an event to the audit log, in the transaction of what it tells
// of. It is the last thing a transaction does: from here on no other one can
// append until this one has ended.
func (s *Store) append(ctx context.Context, tx *tx, e registry.Event) error {
	if e.Action == "" {
		return errors.New("sqlstore: an audit event needs an action")
	}
	if err := storable(e.Actor, e.Key, e.Source, e.Action, e.Environment, string(e.Prompt), e.Version, e.Reason, e.Request); err != nil {
		return err
	}
	e.At = s.now()
	err := tx.QueryRowContext(ctx, `UPDATE audit_head SET seq = seq + 1 WHERE id = 1 RETURNING seq, hash`).Scan(&e.Seq, &e.Previous)
	if err != nil {
		return err
	}
	detail := ""
	if len(e.Detail) > 0 {
		raw, err := json.Marshal(e.Detail)
		if err != nil {
			return err
		}
		detail = string(raw)
	}
	if e.Hash, err = e.Sum(); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO audit (seq, at_us, actor, key_id, source, action, environment, prompt, version, reason, request_id, detail, previous, hash)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
		e.Seq, toMicros(e.At), e.Actor, e.Key, e.Source, e.Action, e.Environment, string(e.Prompt), e.Version, e.Reason, e.Request, detail, e.Previous, e.Hash)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE audit_head SET hash = $1 WHERE id = 1`, e.Hash)
	tx.event = e
	return err
}

// storable refuses texts that one of the databases cannot hold.
func storable(texts ...string) error {
	for _, t := range texts {
		if !utf8.ValidString(t) || strings.ContainsRune(t, 0) {
			return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%q is no text that can be recorded", prompt.Clip(t, 80)), "leave out zero bytes, and write UTF-8")
		}
	}
	return nil
}

// AddEvent appends an event that stands for itself: a sign-in, a refusal. Its
// time, number and hashes are the store's.
func (s *Store) AddEvent(ctx context.Context, e registry.Event) error {
	return s.write(ctx, func(tx *tx) error { return s.append(ctx, tx, e) })
}

// Events lists the audit log after a number, at most limit events.
func (s *Store) Events(ctx context.Context, after int64, limit int) ([]registry.Event, error) {
	return get(ctx, s, func(q querier) ([]registry.Event, error) { return events(ctx, q, after, limit) })
}

const eventColumns = `seq, at_us, actor, key_id, source, action, environment, prompt, version, reason, request_id, detail, previous, hash`

func events(ctx context.Context, q querier, after int64, limit int) ([]registry.Event, error) {
	return scanEvents(ctx, q, `SELECT `+eventColumns+` FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2`, after, limit)
}

func scanEvents(ctx context.Context, q querier, query string, args ...any) (out []registry.Event, err error) {
	err = rows(ctx, q, func(rs *sql.Rows) error {
		var e registry.Event
		var at int64
		var detail string
		err := rs.Scan(&e.Seq, &at, &e.Actor, &e.Key, &e.Source, &e.Action, &e.Environment, &e.Prompt, &e.Version, &e.Reason, &e.Request, &detail, &e.Previous, &e.Hash)
		e.At = fromMicros(at)
		if err == nil && detail != "" {
			err = json.Unmarshal([]byte(detail), &e.Detail)
		}
		out = append(out, e)
		return err
	}, query, args...)
	return out, err
}

// LastEvent is the number of the last line of the audit log, 0 if it has none.
func (s *Store) LastEvent(ctx context.Context) (int64, error) {
	return get(ctx, s, func(q querier) (int64, error) {
		var seq int64
		err := q.QueryRowContext(ctx, `SELECT COALESCE(MAX(seq), 0) FROM audit`).Scan(&seq)
		return seq, err
	})
}

// VerifyAudit reads the whole audit log and returns how many events it has. An
// event that was changed, taken out or moved is named, with ErrConflict; so is
// an end that was cut off.
func (s *Store) VerifyAudit(ctx context.Context) (int64, error) {
	return getAll(ctx, s, func(q querier) (int64, error) { return verifyAudit(ctx, q) })
}

func verifyAudit(ctx context.Context, q querier) (int64, error) {
	const page = 1000
	var at registry.Event
	for {
		es, err := events(ctx, q, at.Seq, page)
		if err != nil {
			return at.Seq, err
		}
		if at, err = registry.CheckChain(at, es); err != nil {
			return at.Seq, err
		}
		if len(es) < page {
			break
		}
	}
	var seq int64
	var hash string
	if err := q.QueryRowContext(ctx, `SELECT seq, hash FROM audit_head WHERE id = 1`).Scan(&seq, &hash); err != nil {
		return at.Seq, err
	}
	if seq != at.Seq || hash != at.Hash {
		return at.Seq, registry.Errorf(registry.ErrConflict, "audit event %d is missing: the log should end with event %d, and ends with %d", at.Seq+1, seq, at.Seq)
	}
	return at.Seq, nil
}
