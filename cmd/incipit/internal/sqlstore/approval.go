package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// Approve records a person's word, under the lock of the environment: a
// deployment sees it or does not. An empty ID is filled in.
func (s *Store) Approve(ctx context.Context, a registry.Approval, event registry.Event) (registry.Approval, error) {
	if a.ID == "" {
		id, err := s.newID()
		if err != nil {
			return a, err
		}
		a.ID = id
	}
	if a.At.IsZero() {
		a.At = s.now()
	}
	if err := storable(a.ID, string(a.Prompt), a.Environment, a.Version, a.Digest, a.By, a.Reason); err != nil {
		return a, err
	}
	event.Environment, event.Prompt, event.Version = a.Environment, a.Prompt, a.Version
	err := s.write(ctx, func(tx *tx) error {
		if err := lock(ctx, tx, a.Environment); err != nil {
			return err
		}
		if err := s.append(ctx, tx, event); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `
			INSERT INTO approval (id, prompt, environment, version, digest, actor, at_us, reason, seal, used_seq, revoked_us, audit_seq)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0, $10)`,
			a.ID, string(a.Prompt), a.Environment, a.Version, a.Digest, a.By, toMicros(a.At), a.Reason, seal(approvalColumns(a)...), tx.event.Seq)
		return err
	})
	return a, err
}

// RevokeApproval takes an approval back. It reports ErrNotFound if there is
// none that was not used up or taken back before.
func (s *Store) RevokeApproval(ctx context.Context, id string, event registry.Event) error {
	return s.write(ctx, func(tx *tx) error {
		var env string
		err := tx.QueryRowContext(ctx, `SELECT environment FROM approval WHERE id = $1`, id).Scan(&env)
		if errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("approval %s is %w", prompt.Clip(id, 80), registry.ErrNotFound)
		}
		if err != nil {
			return err
		}
		if err := lock(ctx, tx, env); err != nil {
			return err
		}
		err = tx.QueryRowContext(ctx, `
			UPDATE approval SET revoked_us = $1 WHERE id = $2 AND used_seq = 0 AND revoked_us = 0
			RETURNING environment, prompt, version`, toMicros(s.now()), id).Scan(&event.Environment, &event.Prompt, &event.Version)
		if errors.Is(err, sql.ErrNoRows) {
			return registry.Errorf(registry.ErrConflict, "approval %s was used or taken back already", prompt.Clip(id, 80))
		}
		if err != nil {
			return err
		}
		return s.append(ctx, tx, event)
	})
}

func approvalColumns(a registry.Approval) []string {
	return []string{a.ID, string(a.Prompt), a.Environment, a.Version, a.Digest, a.By, itoa(toMicros(a.At)), a.Reason}
}

// openApprovals are those that were neither used up nor taken back; of every
// prompt if id is "".
func openApprovals(ctx context.Context, q querier, id prompt.ID, env string) ([]registry.Approval, error) {
	var out []registry.Approval
	err := rows(ctx, q, func(rs *sql.Rows) error {
		a := registry.Approval{Environment: env}
		var at int64
		var sum []byte
		if err := rs.Scan(&a.ID, &a.Prompt, &a.Version, &a.Digest, &a.By, &at, &a.Reason, &sum); err != nil {
			return err
		}
		a.At = fromMicros(at)
		out = append(out, a)
		return sealed("approval "+prompt.Clip(a.ID, 80), sum, approvalColumns(a)...)
	}, `SELECT id, prompt, version, digest, actor, at_us, reason, seal FROM approval
		WHERE environment = $1 AND (prompt = $2 OR $2 = '') AND used_seq = 0 AND revoked_us = 0 ORDER BY audit_seq`, env, string(id))
	return out, err
}

// Approvals lists those of a prompt in an environment that are open; of every
// prompt if id is "".
func (s *Store) Approvals(ctx context.Context, id prompt.ID, env string) ([]registry.Approval, error) {
	return get(ctx, s, func(q querier) ([]registry.Approval, error) { return openApprovals(ctx, q, id, env) })
}

// useApprovals uses up those of what a new deployment brings in: what its
// rollout tries beside the stable release, or the release for everybody. The steps that follow are part
// of what was approved.
func useApprovals(ctx context.Context, tx *tx, id prompt.ID, env string, d registry.Deployment) error {
	if d.Action != registry.Deploy {
		return nil
	}
	digests := []string{d.Digest}
	if d.Rollout != nil {
		digests = nil
		for _, a := range d.Rollout.Contenders() {
			digests = append(digests, a.Digest)
		}
	}
	for _, digest := range digests {
		if _, err := tx.ExecContext(ctx, `
			UPDATE approval SET used_seq = $1
			WHERE environment = $2 AND prompt = $3 AND digest = $4 AND used_seq = 0 AND revoked_us = 0`, int64(d.Seq), env, string(id), digest); err != nil {
			return err
		}
	}
	return nil
}
