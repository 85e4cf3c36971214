package sqlstore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"

	"github.com/incipit-dev/incipit/internal/registry"
)

// Notify puts notices into the outbox that belong to no other change.
func (s *Store) Notify(ctx context.Context, notices ...registry.Notice) error {
	return s.write(ctx, func(tx *tx) error { return s.notify(ctx, tx, notices...) })
}

// notify puts notices into the outbox of each webhook that wants them, in the
// transaction of what they tell of. A notice that is there already is left out.
//
// A transaction calls it once, after the rows it tells of and before its audit
// event: the rows of webhooks are locked in the order of their ids, and the
// audit log's head last.
func (s *Store) notify(ctx context.Context, tx *tx, notices ...registry.Notice) error {
	if len(notices) == 0 {
		return nil
	}
	for _, n := range notices {
		if err := n.Validate(); err != nil {
			return err
		}
	}
	var all []registry.Webhook
	err := rows(ctx, tx, func(rs *sql.Rows) error {
		w, err := scanWebhook(rs)
		if _, damaged := errors.AsType[*corruptError](err); damaged {
			return nil // is told where webhooks are listed, and keeps nobody from rolling back
		}
		all = append(all, w)
		return err
	}, `SELECT `+webhookColumns+` FROM webhook w ORDER BY w.id`)
	if err != nil || len(all) == 0 {
		return err
	}
	g, err := generation(ctx, tx)
	if err != nil {
		return err
	}
	for _, w := range all {
		for _, n := range notices {
			if !w.Wants(n) {
				continue
			}
			if _, err := s.outbox(ctx, tx, w, g, n); err != nil {
				return err
			}
		}
	}
	return nil
}

// outbox queues a notice for one webhook, and returns the id of its delivery.
func (s *Store) outbox(ctx context.Context, tx *tx, w registry.Webhook, generation int64, n registry.Notice) (string, error) {
	if n.At.IsZero() {
		n.At = s.now()
	}
	raw, err := json.Marshal(n)
	if err != nil {
		return "", err
	}
	if err := storable(n.ID, string(raw)); err != nil {
		return "", err
	}
	var seq int64
	// The row is locked until the end: numbers are given in the order of commits.
	err = tx.QueryRowContext(ctx, `UPDATE webhook SET last_seq = last_seq + 1 WHERE id = $1 RETURNING last_seq`, w.ID).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil // removed meanwhile
	}
	if err != nil {
		return "", err
	}
	id, now := messageID(w.ID, generation, n.ID), toMicros(s.now())
	_, err = tx.ExecContext(ctx, `
		INSERT INTO delivery (webhook, seq, id, notice, state, attempts, queued_us, next_us, ended_us, status, error)
		VALUES ($1, $2, $3, $4, 'waiting', 0, $5, $5, 0, 0, '') ON CONFLICT (id) DO NOTHING`, w.ID, seq, id, string(raw), now)
	return id, err
}

// messageID is the id by which a receiver knows a message again. It has no dot,
// which would make what is signed ambiguous. The generation is in it: after a
// restore an environment's revisions are given a second time.
func messageID(webhook string, generation int64, notice string) string {
	sum := sha256.Sum256([]byte(webhook + "\x00" + itoa(generation) + "\x00" + notice))
	return "msg_" + hex.EncodeToString(sum[:16])
}

// PingWebhook queues a notice for one webhook, whatever it wants, and has one that was
// paused go on.
func (s *Store) PingWebhook(ctx context.Context, webhookID string, event registry.Event) (registry.Delivery, error) {
	var out registry.Delivery
	nonce, err := s.newID()
	if err != nil {
		return out, err
	}
	n := registry.Notice{ID: "ping/" + nonce, Kind: registry.NoticePing, At: s.now(), By: event.Actor, Text: "incipit: a ping, to try this webhook"}
	return out, s.write(ctx, func(tx *tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE webhook SET paused_us = 0 WHERE id = $1`, webhookID)
		if err := one(res, err, unknownWebhook(webhookID)); err != nil {
			return err
		}
		g, err := generation(ctx, tx)
		if err != nil {
			return err
		}
		id, err := s.outbox(ctx, tx, registry.Webhook{ID: webhookID}, g, n)
		if err != nil {
			return err
		}
		if out, err = delivery(ctx, tx, `WHERE d.id = $1`, id); err != nil {
			return err
		}
		return s.append(ctx, tx, event)
	})
}
