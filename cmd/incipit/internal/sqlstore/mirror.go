package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A MirrorEntry is a deployment that registry.json does not have yet.
type MirrorEntry struct {
	ID          string    `json:"id"`
	Environment string    `json:"environment"`
	Prompt      prompt.ID `json:"prompt"`
	Revision    int64     `json:"revision"` // of the environment: which deployment it is
	Attempts    int       `json:"attempts"`
	LastError   string    `json:"last_error,omitempty"`
	CreatedAt   time.Time `json:"created_at"`
}

// enqueue puts a deployment into the backlog of the mirror, if there is one.
func (s *Store) enqueue(ctx context.Context, tx *tx, env string, id prompt.ID, revision int64) error {
	if !s.cfg.Mirror {
		return nil
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO mirror (id, environment, prompt, revision, attempts, last_error, created_us) VALUES ($1, $2, $3, $4, 0, '', $5)`,
		fmt.Sprintf("%s/%d", env, revision), env, string(id), revision, toMicros(s.now()))
	return err
}

// MirrorBacklog lists the oldest deployments that are not mirrored yet, at most
// limit.
func (s *Store) MirrorBacklog(ctx context.Context, limit int) ([]MirrorEntry, error) {
	return get(ctx, s, func(q querier) (out []MirrorEntry, err error) {
		err = rows(ctx, q, func(rs *sql.Rows) error {
			var m MirrorEntry
			var created int64
			err := rs.Scan(&m.ID, &m.Environment, &m.Prompt, &m.Revision, &m.Attempts, &m.LastError, &created)
			m.CreatedAt = fromMicros(created)
			out = append(out, m)
			return err
		}, `SELECT id, environment, prompt, revision, attempts, last_error, created_us FROM mirror
			ORDER BY created_us, environment, revision LIMIT $1`, limit)
		return out, err
	})
}

// MirrorSize is how many deployments are not mirrored yet.
func (s *Store) MirrorSize(ctx context.Context) (int, error) {
	return get(ctx, s, func(q querier) (n int, err error) {
		err = q.QueryRowContext(ctx, `SELECT COUNT(*) FROM mirror`).Scan(&n)
		return n, err
	})
}

// MirrorDone takes entries out of the backlog.
func (s *Store) MirrorDone(ctx context.Context, ids []string) error {
	return s.write(ctx, func(tx *tx) error {
		for _, id := range ids {
			if _, err := tx.ExecContext(ctx, `DELETE FROM mirror WHERE id = $1`, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// MirrorFailed notes for entries why they could not be mirrored.
func (s *Store) MirrorFailed(ctx context.Context, ids []string, why error) error {
	text := registry.Errorf(why, "%s", prompt.Visible(why.Error())).Error()
	return s.write(ctx, func(tx *tx) error {
		for _, id := range ids {
			if _, err := tx.ExecContext(ctx, `UPDATE mirror SET attempts = attempts + 1, last_error = $1 WHERE id = $2`, prompt.Clip(text, 1000), id); err != nil {
				return err
			}
		}
		return nil
	})
}
