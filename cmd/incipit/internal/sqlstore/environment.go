package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// SetEnvironment adds an environment after those there are, or changes the
// rules of one, which keeps its place and its revision.
func (s *Store) SetEnvironment(ctx context.Context, e registry.Environment, event registry.Event) error {
	return s.setEnvironment(ctx, e, event, func(*tx) error { return nil })
}

// ReplaceEnvironment is SetEnvironment for somebody who saw the rules that they
// change: seen is their registry.Environment.Seen, or "" for an environment that
// there is not yet. It reports ErrConflict if they are others now.
func (s *Store) ReplaceEnvironment(ctx context.Context, seen string, e registry.Environment, event registry.Event) error {
	return s.setEnvironment(ctx, e, event, func(tx *tx) error {
		// Its row first: whoever else changes it waits, and then sees what this comes to.
		if _, err := tx.ExecContext(ctx, `UPDATE environment SET revision = revision WHERE name = $1`, e.Name); err != nil {
			return err
		}
		now, _, err := environment(ctx, tx, e.Name)
		switch {
		case errors.Is(err, registry.ErrNotFound) && seen == "":
			return nil
		case err != nil:
			return err
		case now.Seen() == e.Seen(): // the same form, sent again
			return nil
		case seen == "":
			return registry.WithFix(registry.Errorf(registry.ErrConflict, "there is an environment %s already", e.Name), "choose another name, or change its rules")
		case now.Seen() != seen:
			return registry.WithFix(registry.Errorf(registry.ErrConflict, "somebody else changed the rules of %s meanwhile", e.Name), "compare what you typed with the rules as they are now, then save again")
		}
		return nil
	})
}

func (s *Store) setEnvironment(ctx context.Context, e registry.Environment, event registry.Event, check func(*tx) error) error {
	if err := e.Validate(); err != nil {
		return err
	}
	if e.Name == "" {
		return registry.Errorf(prompt.ErrInvalid, "an environment needs a name")
	}
	rules, err := json.Marshal(e)
	if err != nil {
		return err
	}
	event.Environment = e.Name
	return s.write(ctx, func(tx *tx) error {
		if err := check(tx); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `
			INSERT INTO environment (name, position, rules, seal, revision)
			SELECT $1, COALESCE(MAX(position), 0) + 1, $2, $3, 0 FROM environment WHERE true
			ON CONFLICT (name) DO UPDATE SET rules = excluded.rules, seal = excluded.seal`, e.Name, string(rules), seal(e.Name, string(rules)))
		if err != nil {
			return err
		}
		return s.append(ctx, tx, event)
	})
}

// Environments lists the environments in their order.
func (s *Store) Environments(ctx context.Context) ([]registry.Environment, error) {
	return get(ctx, s, func(q querier) (out []registry.Environment, err error) {
		err = rows(ctx, q, func(rs *sql.Rows) error {
			var name, rules string
			var sum []byte
			if err := rs.Scan(&name, &rules, &sum); err != nil {
				return err
			}
			e, err := readRules(name, rules, sum)
			out = append(out, e)
			return err
		}, `SELECT name, rules, seal FROM environment ORDER BY position, name`)
		return out, err
	})
}

// readRules refuses rules that it does not understand: they would not be kept.
func readRules(name, rules string, sum []byte) (registry.Environment, error) {
	var e registry.Environment
	what := "the rules of environment " + prompt.Clip(name, 80)
	if err := sealed(what, sum, name, rules); err != nil {
		return e, err
	}
	d := json.NewDecoder(strings.NewReader(rules))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil || e.Name != name {
		return e, fmt.Errorf("%w: %w", &corruptError{what}, err)
	}
	return e, nil
}

// environment reads one, and its revision. It reports ErrNotFound, and which
// ones there are.
func environment(ctx context.Context, q querier, name string) (registry.Environment, int64, error) {
	var rules string
	var sum []byte
	var revision int64
	err := q.QueryRowContext(ctx, `SELECT rules, seal, revision FROM environment WHERE name = $1`, name).Scan(&rules, &sum, &revision)
	if errors.Is(err, sql.ErrNoRows) {
		return registry.Environment{}, 0, unknownEnvironment(ctx, q, name)
	}
	if err != nil {
		return registry.Environment{}, 0, err
	}
	e, err := readRules(name, rules, sum)
	return e, revision, err
}

func unknownEnvironment(ctx context.Context, q querier, name string) error {
	var names []string
	err := rows(ctx, q, func(rs *sql.Rows) error {
		var n string
		err := rs.Scan(&n)
		names = append(names, n)
		return err
	}, `SELECT name FROM environment ORDER BY position, name`)
	if err != nil {
		return err
	}
	return registry.WithFix(fmt.Errorf("environment %q is %w", prompt.Clip(name, 80), registry.ErrNotFound), "%s", among("environments are ", names))
}

// among lists names to choose from, not all if they are many.
func among(intro string, names []string) string {
	const most = 8
	switch {
	case len(names) == 0:
		return intro + "none yet"
	case len(names) > most:
		return intro + strings.Join(names[:most], ", ") + ", …"
	default:
		return intro + strings.Join(names, ", ")
	}
}

// Revisions is the generation, and the revision of each environment: what a
// server asks for several times a second.
func (s *Store) Revisions(ctx context.Context) (gen int64, revisions map[string]int64, err error) {
	revisions, err = get(ctx, s, func(q querier) (map[string]int64, error) {
		out := make(map[string]int64)
		return out, rows(ctx, q, func(rs *sql.Rows) error {
			var name string
			var n int64
			err := rs.Scan(&name, &n)
			if name == "" {
				gen = n
			} else {
				out[name] = n
			}
			return err
		}, `SELECT '' AS name, number FROM meta WHERE name = 'generation' UNION ALL SELECT name, revision FROM environment`)
	})
	return gen, revisions, err
}

// gapless reports an environment whose revision is not that of its last
// deployment.
func gapless(ctx context.Context, q querier) error {
	return rows(ctx, q, func(rs *sql.Rows) error {
		var name string
		if err := rs.Scan(&name); err != nil {
			return err
		}
		return &corruptError{"the revision of environment " + prompt.Clip(name, 80)}
	}, `SELECT e.name FROM environment e WHERE e.revision <> (SELECT COUNT(*) FROM deployment d WHERE d.environment = e.name)
		OR e.revision <> (SELECT COALESCE(MAX(d.revision), 0) FROM deployment d WHERE d.environment = e.name)`)
}

// Generation grows when a backup is restored: a higher one replaces what was
// known of a lower one.
func (s *Store) Generation(ctx context.Context) (int64, error) {
	return get(ctx, s, func(q querier) (int64, error) { return generation(ctx, q) })
}

func generation(ctx context.Context, q querier) (int64, error) {
	var g int64
	err := q.QueryRowContext(ctx, `SELECT number FROM meta WHERE name = 'generation'`).Scan(&g)
	return g, err
}
