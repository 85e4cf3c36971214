package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

const webhookColumns = `w.id, w.url, w.format, w.wants, w.created_us, w.created_by, w.seal, w.paused_us`

// wants is what a webhook is told of, as its row has it.
type wants struct {
	Kinds        registry.Patterns `json:"kinds"`
	Environments registry.Patterns `json:"environments"`
	Prompts      registry.Patterns `json:"prompts"`
}

// AddWebhook adds a webhook. Its id is made here, and told in the event.
func (s *Store) AddWebhook(ctx context.Context, w registry.Webhook, event registry.Event) (registry.Webhook, error) {
	if err := errors.Join(w.Validate(), storable(w.URL, w.CreatedBy)); err != nil {
		return w, err
	}
	var err error
	if w.ID, err = s.newID(); err != nil {
		return w, err
	}
	if w.CreatedAt.IsZero() {
		w.CreatedAt = s.now()
	}
	raw, err := json.Marshal(wants{w.Kinds, w.Environments, w.Prompts})
	if err != nil {
		return w, err
	}
	event.Detail = maps.Clone(event.Detail)
	if event.Detail == nil {
		event.Detail = make(map[string]string)
	}
	event.Detail["id"] = w.ID
	return w, s.write(ctx, func(tx *tx) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO webhook (id, url, format, wants, created_us, created_by, seal, paused_us, last_seq, holder, lease_us)
			VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0, '', 0)`,
			w.ID, w.URL, string(w.Format), string(raw), toMicros(w.CreatedAt), w.CreatedBy, seal(webhookSealed(w, string(raw))...))
		if err != nil {
			return err
		}
		return s.append(ctx, tx, event)
	})
}

// RemoveWebhook ends a webhook. What it was not told yet, it never will be.
func (s *Store) RemoveWebhook(ctx context.Context, id string, event registry.Event) error {
	return s.write(ctx, func(tx *tx) error {
		// Its row first, as everybody does: then nobody waits in a circle.
		res, err := tx.ExecContext(ctx, `UPDATE webhook SET last_seq = last_seq WHERE id = $1`, id)
		if err := one(res, err, unknownWebhook(id)); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM delivery WHERE webhook = $1`, id); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM webhook WHERE id = $1`, id); err != nil {
			return err
		}
		return s.append(ctx, tx, event)
	})
}

// Webhooks lists all webhooks, the oldest first.
func (s *Store) Webhooks(ctx context.Context) ([]registry.Webhook, error) {
	return getAll(ctx, s, func(q querier) ([]registry.Webhook, error) {
		out, err := webhooks(ctx, q, `ORDER BY w.created_us, w.id`)
		if err != nil {
			return nil, err
		}
		for i := range out {
			err := q.QueryRowContext(ctx, `SELECT COUNT(*) FROM delivery WHERE webhook = $1 AND state = 'waiting'`, out[i].ID).Scan(&out[i].Waiting)
			if err != nil {
				return nil, err
			}
		}
		return out, nil
	})
}

func webhooks(ctx context.Context, q querier, where string, args ...any) (out []registry.Webhook, err error) {
	err = rows(ctx, q, func(rs *sql.Rows) error {
		w, err := scanWebhook(rs)
		out = append(out, w)
		return err
	}, `SELECT `+webhookColumns+` FROM webhook w `+where, args...)
	return out, err
}

// webhook finds one. It reports ErrNotFound if there is none.
func webhook(ctx context.Context, q querier, id string) (registry.Webhook, error) {
	found, err := webhooks(ctx, q, `WHERE w.id = $1`, id)
	if err == nil && len(found) == 0 {
		err = unknownWebhook(id)
	}
	if err != nil {
		return registry.Webhook{}, err
	}
	return found[0], nil
}

func unknownWebhook(id string) error {
	return registry.WithFix(fmt.Errorf("webhook %s is %w", prompt.Clip(id, 80), registry.ErrNotFound), "list those there are: incipit admin webhook list")
}

// webhookSealed is all of a webhook that never changes.
func webhookSealed(w registry.Webhook, wants string) []string {
	return []string{w.ID, w.URL, string(w.Format), wants, itoa(toMicros(w.CreatedAt)), w.CreatedBy}
}

func scanWebhook(rs *sql.Rows) (registry.Webhook, error) {
	var w registry.Webhook
	var text string
	var created, paused int64
	var sum []byte
	if err := rs.Scan(&w.ID, &w.URL, &w.Format, &text, &created, &w.CreatedBy, &sum, &paused); err != nil {
		return w, err
	}
	w.CreatedAt, w.PausedAt = fromMicros(created), fromMicros(paused)
	what := "webhook " + prompt.Clip(w.ID, 80)
	if err := sealed(what, sum, webhookSealed(w, text)...); err != nil {
		return registry.Webhook{}, err
	}
	var told wants
	if err := json.Unmarshal([]byte(text), &told); err != nil {
		return registry.Webhook{}, fmt.Errorf("%w: %w", &corruptError{what}, err)
	}
	w.Kinds, w.Environments, w.Prompts = told.Kinds, told.Environments, told.Prompts
	return w, nil
}
