package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// State is what a decision about a prompt in an environment is made from, all
// of one moment. It reports ErrNotFound for an unknown environment.
func (s *Store) State(ctx context.Context, id prompt.ID, env string) (registry.State, error) {
	return getAll(ctx, s, func(q querier) (registry.State, error) { return state(ctx, q, id, env) })
}

func state(ctx context.Context, q querier, id prompt.ID, env string) (registry.State, error) {
	var st registry.State
	var err error
	if st.Environment, st.Revision, err = environment(ctx, q, env); err != nil {
		return st, err
	}
	if st.Track, err = track(ctx, q, id, env); err != nil {
		return st, err
	}
	if st.Environment.After != "" {
		if st.Before, err = track(ctx, q, id, st.Environment.After); err != nil {
			return st, err
		}
	}
	if st.Approvals, err = openApprovals(ctx, q, id, env); err != nil {
		return st, err
	}
	if st.Evidence, err = newestEvidence(ctx, q, id); err != nil || len(st.Environment.Require) == 0 {
		return st, err
	}
	return st, signedStatements(ctx, q, id, st.Evidence) // a gate asks who signed
}

// Change records what decide comes to, whole or not at all: the deployment, the
// approvals it used up, the audit event, the answer, what the mirror has to do,
// and what webhooks are told. It works under a lock on the environment, so
// decide sees a state that stays; where that could not be had, or the database
// went away, decide is called again with another one.
func (s *Store) Change(ctx context.Context, id prompt.ID, env string, once registry.Once, decide func(registry.State) (registry.Change, error)) (registry.Recorded, error) {
	var out registry.Recorded
	err := s.write(ctx, func(tx *tx) error {
		out = registry.Recorded{}
		if err := lock(ctx, tx, env); err != nil {
			return err
		}
		var err error
		if out.Replayed, err = s.answered(ctx, tx, once); err != nil || out.Replayed != nil {
			return err
		}
		st, err := state(ctx, tx, id, env)
		if err != nil {
			return err
		}
		c, err := decide(st)
		if err != nil {
			return finalError{err}
		}
		notices := c.Notices
		if c.Deployment != nil {
			n, err := s.deploy(ctx, tx, id, env, st, *c.Deployment)
			if err != nil {
				return err
			}
			notices = append([]registry.Notice{n}, notices...)
			if c.Event.Action == "" {
				c.Event.Action = string(c.Deployment.Action) // no change without an event
			}
		}
		decided, err := s.follow(ctx, tx, c.Watched, c.Decisions)
		if err != nil {
			return err
		}
		if err := s.answer(ctx, tx, once, c.Answer); err != nil {
			return err
		}
		if err := s.notify(ctx, tx, append(notices, decided...)...); err != nil {
			return err
		}
		if c.Event.Action == "" {
			return nil
		}
		c.Event.Environment, c.Event.Prompt = env, id
		return s.append(ctx, tx, c.Event)
	})
	return out, err
}

// lock keeps all others from changing the environment until tx ends.
func lock(ctx context.Context, tx *tx, env string) error {
	err := tx.QueryRowContext(ctx, `UPDATE environment SET revision = revision WHERE name = $1 RETURNING revision`, env).Scan(new(int64))
	if errors.Is(err, sql.ErrNoRows) {
		return unknownEnvironment(ctx, tx, env)
	}
	return err
}

// deploy appends d, which must be the one after the last, as the environment's
// next revision. It returns the notice that tells of it.
func (s *Store) deploy(ctx context.Context, tx *tx, id prompt.ID, env string, st registry.State, d registry.Deployment) (registry.Notice, error) {
	var none registry.Notice
	if d.Seq != st.Track.Seq()+1 {
		return none, registry.WithFix(registry.Errorf(registry.ErrConflict, "deployment %d of %s in %s cannot follow on %d", d.Seq, id, env, st.Track.Seq()), "read what runs now, then try again")
	}
	if d.At.IsZero() {
		d.At = s.now()
	}
	if err := storable(string(id), string(d.Action), d.Digest, d.From, d.By, d.Reason); err != nil {
		return none, err
	}
	if err := knownPrompt(ctx, tx, id); err != nil {
		return none, err
	}
	err := tx.QueryRowContext(ctx, `UPDATE environment SET revision = revision + 1 WHERE name = $1 RETURNING revision`, env).Scan(&d.Revision)
	if err != nil {
		return none, err
	}
	if err := insertDeployment(ctx, tx, env, id, d); err != nil {
		return none, err
	}
	if err := useApprovals(ctx, tx, id, env, d); err != nil {
		return none, err
	}
	return registry.NoticeOf(env, id, st.Track, d), s.enqueue(ctx, tx, env, id, d.Revision)
}

// knownPrompt adds a prompt that has no release here yet.
func knownPrompt(ctx context.Context, tx *tx, id prompt.ID) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO prompt (id, version, model, maintainer) VALUES ($1, '', '', '') ON CONFLICT (id) DO NOTHING`, string(id))
	return err
}

// answered is the answer that was given under once before, nil if there is
// none. Another request under the same key is refused.
func (s *Store) answered(ctx context.Context, tx *tx, once registry.Once) ([]byte, error) {
	if once.Key == "" {
		return nil, nil
	}
	if err := storable(once.Caller, once.Key, once.Hash); err != nil {
		return nil, err
	}
	var hash, answer string
	err := tx.QueryRowContext(ctx, `SELECT hash, answer FROM once WHERE caller = $1 AND once_key = $2 AND created_us > $3`,
		once.Caller, once.Key, s.expired()).Scan(&hash, &answer)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, err
	case hash != once.Hash:
		return nil, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "the idempotency key %s was used for another request", prompt.Clip(once.Key, 80)),
			"choose a new key for each request, and send the same request with it when you try again")
	}
	return []byte(answer), nil
}

// expired is the time, in microseconds, before which answers are forgotten.
func (s *Store) expired() int64 { return toMicros(s.now().Add(-registry.KeptFor)) }

// answer keeps what the caller is told. If another request with the same key
// was faster, the key is taken and the change is tried again, to find its
// answer.
func (s *Store) answer(ctx context.Context, tx *tx, once registry.Once, answer any) error {
	if once.Key == "" {
		return nil
	}
	raw, err := json.Marshal(answer)
	if err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM once WHERE caller = $1 AND once_key = $2 AND created_us <= $3`, once.Caller, once.Key, s.expired())
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO once (caller, once_key, hash, answer, created_us) VALUES ($1, $2, $3, $4, $5)`,
		once.Caller, once.Key, once.Hash, string(raw), toMicros(s.now()))
	return err
}

// DeleteExpired forgets the answers that are older than registry.KeptFor.
func (s *Store) DeleteExpired(ctx context.Context) (int64, error) {
	var n int64
	err := s.write(ctx, func(tx *tx) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM once WHERE created_us <= $1`, s.expired())
		if err == nil {
			n, err = res.RowsAffected()
		}
		return err
	})
	return n, err
}
