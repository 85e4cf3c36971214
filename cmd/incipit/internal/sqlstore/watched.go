package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

const watchedColumns = `environment, prompt, opened_seq, rules, state, detector, cursor, begun, since_us, at_us, ended, version, seal`

// A watchedRow is a rollout as the table has it.
type watchedRow struct {
	environment, prompt, rules, state         string
	opened, cursor, begun, since, at, version int64
	detector, seal                            []byte
	ended                                     bool
}

func (r *watchedRow) columns() []string {
	return []string{
		r.environment, r.prompt, itoa(r.opened), r.rules, r.state, string(r.detector), itoa(r.cursor), itoa(r.begun), itoa(r.since), itoa(r.at),
		fmt.Sprint(r.ended), itoa(r.version),
	}
}

// noDetector stands where there is none yet: an empty text of bytes is read as
// NULL by some, and then copied as that. No detector's bytes begin with it.
const noDetector = 0

// saveWatched writes a rollout as the version after the one that w says. It
// reports ErrConflict if that is not the one that is there: another replica, or
// a person, was faster.
func saveWatched(ctx context.Context, tx *tx, w registry.Watched) error {
	rules, err := json.Marshal(w.Rules)
	if err != nil {
		return err
	}
	r := watchedRow{
		environment: w.Environment, prompt: string(w.Prompt), opened: int64(w.Opened), rules: string(rules), state: string(w.State), detector: w.Detector,
		cursor: w.Cursor, begun: w.Begun, since: toMicros(w.Since), at: toMicros(w.At), ended: w.Ended, version: w.Version + 1,
	}
	if len(r.detector) == 0 {
		r.detector = []byte{noDetector}
	}
	var res sql.Result
	if w.Version == 0 {
		res, err = tx.ExecContext(ctx, `
			INSERT INTO rollout (`+watchedColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
			ON CONFLICT (environment, prompt, opened_seq) DO NOTHING`,
			r.environment, r.prompt, r.opened, r.rules, r.state, r.detector, r.cursor, r.begun, r.since, r.at, r.ended, r.version, seal(r.columns()...))
	} else {
		res, err = tx.ExecContext(ctx, `
			UPDATE rollout SET state = $1, detector = $2, cursor = $3, at_us = $4, ended = $5, version = $6, seal = $7
			WHERE environment = $8 AND prompt = $9 AND opened_seq = $10 AND version = $11`,
			r.state, r.detector, r.cursor, r.at, r.ended, r.version, seal(r.columns()...), r.environment, r.prompt, r.opened, w.Version)
	}
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 1 {
		return err
	}
	return finalError{registry.Errorf(registry.ErrConflict, "the rollout of %s was taken further by another", w.Place)}
}

func watched(ctx context.Context, q querier, where string, args ...any) ([]registry.Watched, error) {
	var out []registry.Watched
	err := rows(ctx, q, func(rs *sql.Rows) error {
		var r watchedRow
		if err := rs.Scan(&r.environment, &r.prompt, &r.opened, &r.rules, &r.state, &r.detector, &r.cursor, &r.begun, &r.since, &r.at, &r.ended, &r.version, &r.seal); err != nil {
			return err
		}
		what := fmt.Sprintf("the rollout %d of %s in %s", r.opened, prompt.Clip(r.prompt, 300), prompt.Clip(r.environment, 80))
		if err := sealed(what, r.seal, r.columns()...); err != nil {
			return err
		}
		w := registry.Watched{
			Place: registry.Place{Prompt: prompt.ID(r.prompt), Environment: r.environment}, Opened: int(r.opened), State: json.RawMessage(r.state), Detector: r.detector,
			Cursor: r.cursor, Begun: r.begun, Since: fromMicros(r.since), At: fromMicros(r.at), Ended: r.ended, Version: r.version,
		}
		if len(r.detector) == 1 && r.detector[0] == noDetector {
			w.Detector = nil
		}
		if err := json.Unmarshal([]byte(r.rules), &w.Rules); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		out = append(out, w)
		return nil
	}, `SELECT `+watchedColumns+` FROM rollout `+where, args...)
	return out, err
}

// OpenRollouts lists the rollouts that the guard follows.
func (s *Store) OpenRollouts(ctx context.Context) ([]registry.Watched, error) {
	return get(ctx, s, func(q querier) ([]registry.Watched, error) {
		return watched(ctx, q, `WHERE NOT ended ORDER BY environment, prompt, opened_seq`)
	})
}

// RolloutVersions are the versions of the rollouts that the guard follows. It is
// cheap, and asked several times a second.
func (s *Store) RolloutVersions(ctx context.Context) (map[registry.Place]int64, error) {
	return get(ctx, s, func(q querier) (map[registry.Place]int64, error) {
		out := make(map[registry.Place]int64)
		err := rows(ctx, q, func(rs *sql.Rows) error {
			var at registry.Place
			var version int64
			err := rs.Scan(&at.Environment, &at.Prompt, &version)
			out[at] = version
			return err
		}, `SELECT environment, prompt, version FROM rollout WHERE NOT ended`)
		return out, err
	})
}

// Rollouts lists the rollouts of a prompt in an environment, the newest first,
// at most limit of them.
func (s *Store) Rollouts(ctx context.Context, at registry.Place, limit int) ([]registry.Watched, error) {
	return get(ctx, s, func(q querier) ([]registry.Watched, error) {
		return watched(ctx, q, `WHERE environment = $1 AND prompt = $2 ORDER BY opened_seq DESC LIMIT $3`, at.Environment, string(at.Prompt), limit)
	})
}

// SaveRollout writes how a rollout goes on, and what was decided, where nothing
// was deployed by it. It reports ErrConflict if w is not what followed on what
// is there.
func (s *Store) SaveRollout(ctx context.Context, w registry.Watched, decisions []registry.Decision, event registry.Event) error {
	return s.write(ctx, func(tx *tx) error {
		notices, err := s.follow(ctx, tx, &w, decisions)
		if err != nil {
			return err
		}
		if err := s.notify(ctx, tx, notices...); err != nil {
			return err
		}
		if event.Action == "" {
			return nil
		}
		return s.append(ctx, tx, event)
	})
}

// follow writes what a change says of a rollout, and returns what people are
// told of it.
func (s *Store) follow(ctx context.Context, tx *tx, w *registry.Watched, decisions []registry.Decision) ([]registry.Notice, error) {
	if w != nil {
		if w.At.IsZero() {
			w.At = s.now()
		}
		if w.Since.IsZero() {
			w.Since = w.At
		}
		if err := saveWatched(ctx, tx, *w); err != nil {
			return nil, err
		}
	}
	var notices []registry.Notice
	for _, d := range decisions {
		d, err := s.decided(ctx, tx, d)
		if err != nil {
			return nil, err
		}
		if n, ok := d.Notice(); ok {
			notices = append(notices, n)
		}
	}
	return notices, nil
}
