package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func steadyNames() []string {
	return []string{"environment", "prompt", "deployment_seq", "state", "cursor", "since_us", "at_us", "alarmed", "quiet_us", "version", "seal"}
}

// A steadyRow is a release that is watched for changes, as the table has it.
type steadyRow struct {
	environment, prompt                           string
	deployment, cursor, since, at, quiet, version int64
	state, seal                                   []byte
	alarmed                                       bool
}

func (r *steadyRow) columns() []string {
	return []string{
		r.environment, r.prompt, itoa(r.deployment), string(r.state), itoa(r.cursor), itoa(r.since), itoa(r.at), fmt.Sprint(r.alarmed), itoa(r.quiet), itoa(r.version),
	}
}

// SaveSteady writes how releases that serve everybody go on, each as the version
// after the one that it says, and what was decided of them: all or nothing. It
// reports ErrConflict if one is not what followed on what is there.
func (s *Store) SaveSteady(ctx context.Context, all []registry.Steady, decisions []registry.Decision) error {
	now := s.now()
	return s.write(ctx, func(tx *tx) error {
		for rest := all; len(rest) > 0; rest = rest[min(batch, len(rest)):] {
			if err := saveSteady(ctx, tx, rest[:min(batch, len(rest))], now); err != nil {
				return err
			}
		}
		notices, err := s.follow(ctx, tx, nil, decisions)
		if err != nil {
			return err
		}
		return s.notify(ctx, tx, notices...)
	})
}

func saveSteady(ctx context.Context, tx *tx, all []registry.Steady, now time.Time) error {
	var values []any
	for _, w := range all {
		r := steadyRow{
			environment: w.Environment, prompt: string(w.Prompt), deployment: int64(w.Deployment), state: w.State, cursor: w.Cursor,
			since: toMicros(w.Since), at: toMicros(now), alarmed: w.Alarmed, quiet: w.Quiet.Microseconds(), version: w.Version + 1,
		}
		values = append(values, r.environment, r.prompt, r.deployment, r.state, r.cursor, r.since, r.at, r.alarmed, r.quiet, r.version, seal(r.columns()...))
	}
	names := steadyNames()
	set := make([]string, 0, len(names))
	for _, name := range names[2:] { // but for the key
		set = append(set, name+" = excluded."+name)
	}
	res, err := tx.ExecContext(ctx, insertRows("steady", names, len(all))+`
		ON CONFLICT (environment, prompt) DO UPDATE SET `+strings.Join(set, ", ")+` WHERE steady.version = excluded.version - 1`, values...)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == int64(len(all)) {
		return err
	}
	return finalError{registry.Errorf(registry.ErrConflict, "a release that serves everybody was watched further by another")}
}

// Steady is what is kept of the release that is watched at a place, and false if
// none was.
func (s *Store) Steady(ctx context.Context, at registry.Place) (registry.Steady, bool, error) {
	all, err := s.steady(ctx, `WHERE environment = $1 AND prompt = $2`, at.Environment, string(at.Prompt))
	if err != nil || len(all) == 0 {
		return registry.Steady{}, false, err
	}
	return all[0], true, nil
}

// AllSteady lists the releases that are watched for changes, those that were
// kept last first, at most limit of them.
func (s *Store) AllSteady(ctx context.Context, limit int) ([]registry.Steady, error) {
	return s.steady(ctx, `ORDER BY at_us DESC, environment, prompt LIMIT $1`, limit)
}

func (s *Store) steady(ctx context.Context, where string, args ...any) ([]registry.Steady, error) {
	return get(ctx, s, func(q querier) ([]registry.Steady, error) {
		var out []registry.Steady
		err := rows(ctx, q, func(rs *sql.Rows) error {
			var r steadyRow
			if err := rs.Scan(&r.environment, &r.prompt, &r.deployment, &r.state, &r.cursor, &r.since, &r.at, &r.alarmed, &r.quiet, &r.version, &r.seal); err != nil {
				return err
			}
			out = append(out, registry.Steady{
				Place: registry.Place{Prompt: prompt.ID(r.prompt), Environment: r.environment}, Deployment: int(r.deployment), State: r.state, Cursor: r.cursor,
				Since: fromMicros(r.since), At: fromMicros(r.at), Alarmed: r.alarmed, Quiet: time.Duration(r.quiet) * time.Microsecond, Version: r.version,
			})
			return sealed(fmt.Sprintf("the watch of %s in %s", prompt.Clip(r.prompt, 300), prompt.Clip(r.environment, 80)), r.seal, r.columns()...)
		}, `SELECT `+strings.Join(steadyNames(), ", ")+` FROM steady `+where, args...)
		return out, err
	})
}
