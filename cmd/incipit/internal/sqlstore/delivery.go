package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

const deliveryColumns = `d.id, d.webhook, d.seq, d.notice, d.state, d.attempts, d.queued_us, d.next_us, d.ended_us, d.status, d.error`

// DueWebhooks lists the webhooks to which something may be sent now: the first
// that waits is due, and nobody is sending.
func (s *Store) DueWebhooks(ctx context.Context) ([]string, error) {
	return get(ctx, s, func(q querier) (out []string, err error) {
		err = rows(ctx, q, func(rs *sql.Rows) error {
			var id string
			err := rs.Scan(&id)
			out = append(out, id)
			return err
		}, `SELECT w.id FROM webhook w JOIN delivery d ON d.webhook = w.id
			WHERE d.state = 'waiting' AND d.seq = (SELECT MIN(x.seq) FROM delivery x WHERE x.webhook = w.id AND x.state = 'waiting')
			AND d.next_us <= $1 AND w.paused_us = 0 AND w.lease_us <= $1 ORDER BY d.next_us, w.id`, toMicros(s.now()))
		return out, err
	})
}

// ClaimDelivery takes or keeps the right to send to a webhook for a time, and
// returns what is to be sent to it now. It returns nil, and gives the right
// back, if another one has it or nothing is due: a delivery that waits to be
// tried again holds up those behind it.
func (s *Store) ClaimDelivery(ctx context.Context, webhookID, holder string, lease time.Duration) (*registry.Webhook, *registry.Delivery, error) {
	var w *registry.Webhook
	var d *registry.Delivery
	err := s.write(ctx, func(tx *tx) error {
		w, d = nil, nil
		now := s.now()
		res, err := tx.ExecContext(ctx, `
			UPDATE webhook SET holder = $1, lease_us = $2 WHERE id = $3 AND paused_us = 0 AND (lease_us <= $4 OR holder = $1)`,
			holder, toMicros(now.Add(lease)), webhookID, toMicros(now))
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return err
		}
		head, err := delivery(ctx, tx, `WHERE d.webhook = $1 AND d.state = 'waiting' ORDER BY d.seq LIMIT 1`, webhookID)
		if errors.Is(err, registry.ErrNotFound) || err == nil && head.NextAt.After(now) {
			return s.release(ctx, tx, webhookID, holder)
		}
		if err != nil {
			return err
		}
		to, err := webhook(ctx, tx, webhookID)
		w, d = &to, &head
		return err
	})
	return w, d, err
}

// ReleaseWebhook gives back the right to send, so that another one need not
// wait until its time is over.
func (s *Store) ReleaseWebhook(ctx context.Context, webhookID, holder string) error {
	return s.write(ctx, func(tx *tx) error { return s.release(ctx, tx, webhookID, holder) })
}

func (s *Store) release(ctx context.Context, tx *tx, webhookID, holder string) error {
	_, err := tx.ExecContext(ctx, `UPDATE webhook SET holder = '', lease_us = 0 WHERE id = $1 AND holder = $2`, webhookID, holder)
	return err
}

// Attempted notes what came of sending d: its State, NextAt, Status and Error
// are the new ones, its Attempts those that were claimed. It does nothing if
// another one was faster. With gone the webhook is paused, and all that waits
// is given up.
func (s *Store) Attempted(ctx context.Context, d registry.Delivery, gone bool) error {
	now := toMicros(s.now())
	ended := now
	if d.State == registry.Waiting {
		ended = 0
	}
	return s.write(ctx, func(tx *tx) error {
		if gone {
			if _, err := tx.ExecContext(ctx, `UPDATE webhook SET paused_us = $1, holder = '', lease_us = 0 WHERE id = $2`, now, d.Webhook); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, `
			UPDATE delivery SET state = $1, attempts = attempts + 1, next_us = $2, ended_us = $3, status = $4, error = $5
			WHERE id = $6 AND state = 'waiting' AND attempts = $7`,
			string(d.State), toMicros(d.NextAt), ended, d.Status, prompt.Clip(d.Error, 500), d.ID, d.Attempts)
		if err != nil || !gone {
			return err
		}
		_, err = tx.ExecContext(ctx, `
			UPDATE delivery SET state = 'given-up', ended_us = $1, error = 'the webhook is gone' WHERE webhook = $2 AND state = 'waiting'`, now, d.Webhook)
		return err
	})
}

// Redeliver has a delivery sent again, under the same id, before those that
// wait: for another DeliverWithin it is tried.
func (s *Store) Redeliver(ctx context.Context, id string, event registry.Event) (registry.Delivery, error) {
	var out registry.Delivery
	return out, s.write(ctx, func(tx *tx) error {
		res, err := tx.ExecContext(ctx, `
			UPDATE delivery SET state = 'waiting', attempts = 0, queued_us = $1, next_us = $1, ended_us = 0, status = 0, error = '' WHERE id = $2`, toMicros(s.now()), id)
		if err := one(res, err, unknownDelivery(id)); err != nil {
			return err
		}
		if out, err = delivery(ctx, tx, `WHERE d.id = $1`, id); err != nil {
			return err
		}
		event.Detail = map[string]string{"delivery": out.ID, "webhook": out.Webhook}
		return s.append(ctx, tx, event)
	})
}

// Deliveries lists what a webhook was or will be told, the newest first, at
// most limit.
func (s *Store) Deliveries(ctx context.Context, webhookID string, limit int) ([]registry.Delivery, error) {
	return getAll(ctx, s, func(q querier) ([]registry.Delivery, error) {
		if _, err := webhook(ctx, q, webhookID); err != nil {
			return nil, err
		}
		return deliveries(ctx, q, `WHERE d.webhook = $1 ORDER BY d.seq DESC LIMIT $2`, webhookID, limit)
	})
}

// Deliveries that ended are kept for a time, and of each webhook so many.
const (
	keptDeliveries    = 1000
	keepDeliveriesFor = 7 * 24 * time.Hour
)

// ForgetDeliveries forgets those that ended long ago, and returns how many.
func (s *Store) ForgetDeliveries(ctx context.Context) (int64, error) {
	var n int64
	err := s.write(ctx, func(tx *tx) error {
		res, err := tx.ExecContext(ctx, `
			DELETE FROM delivery WHERE state <> 'waiting' AND (ended_us <= $1
			OR seq <= (SELECT w.last_seq - $2 FROM webhook w WHERE w.id = delivery.webhook))`, toMicros(s.now().Add(-keepDeliveriesFor)), keptDeliveries)
		if err == nil {
			n, err = res.RowsAffected()
		}
		return err
	})
	return n, err
}

func unknownDelivery(id string) error {
	return registry.WithFix(fmt.Errorf("delivery %s is %w", prompt.Clip(id, 80), registry.ErrNotFound), "list those of a webhook: incipit admin webhook deliveries ID; they are kept for 7 days")
}

// delivery finds one. It reports ErrNotFound if there is none.
func delivery(ctx context.Context, q querier, where string, args ...any) (registry.Delivery, error) {
	found, err := deliveries(ctx, q, where, args...)
	if err == nil && len(found) == 0 {
		err = unknownDelivery(fmt.Sprint(args...))
	}
	if err != nil {
		return registry.Delivery{}, err
	}
	return found[0], nil
}

func deliveries(ctx context.Context, q querier, where string, args ...any) (out []registry.Delivery, err error) {
	err = rows(ctx, q, func(rs *sql.Rows) error {
		var d registry.Delivery
		var notice string
		var queued, next, ended int64
		if err := rs.Scan(&d.ID, &d.Webhook, &d.Seq, &notice, &d.State, &d.Attempts, &queued, &next, &ended, &d.Status, &d.Error); err != nil {
			return err
		}
		d.QueuedAt, d.EndedAt = fromMicros(queued), fromMicros(ended)
		if d.State == registry.Waiting {
			d.NextAt = fromMicros(next)
		}
		if err := json.Unmarshal([]byte(notice), &d.Notice); err != nil {
			return fmt.Errorf("%w: %w", &corruptError{"delivery " + prompt.Clip(d.ID, 80)}, err)
		}
		out = append(out, d)
		return nil
	}, `SELECT `+deliveryColumns+` FROM delivery d `+where, args...)
	return out, err
}
