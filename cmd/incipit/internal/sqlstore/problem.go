package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// The codes of problems with a tag.
const (
	TagMoved    = "tag-moved"    // it names something else than what was indexed
	TagVanished = "tag-vanished" // it is gone
	Forged      = "tag-forged"   // it does not say what a release's tag says
	Invalid     = "tag-invalid"  // its prompt cannot be read
)

// A Problem is what is wrong with a tag. What was indexed before is served
// nevertheless: a tag in Git never changes what runs.
type Problem struct {
	Tag    string    `json:"tag"`
	Code   string    `json:"code"`
	Detail string    `json:"detail"`
	Seen   time.Time `json:"seen"` // the first time
}

// SetProblems replaces all problems with those that the last sync found. One
// that was known keeps the time it was first seen.
func (s *Store) SetProblems(ctx context.Context, problems []Problem) error {
	for _, p := range problems {
		if err := storable(p.Tag, p.Code, p.Detail); err != nil {
			return err
		}
	}
	return s.write(ctx, func(tx *tx) error {
		known, err := listProblems(ctx, tx)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM release_problem`); err != nil {
			return err
		}
		for _, p := range problems {
			if p.Seen.IsZero() {
				p.Seen = s.now()
			}
			if i := slices.IndexFunc(known, func(k Problem) bool { return k.Tag == p.Tag && k.Code == p.Code }); i >= 0 {
				p.Seen = known[i].Seen
			}
			_, err := tx.ExecContext(ctx, `
				INSERT INTO release_problem (tag, code, detail, seen_us) VALUES ($1, $2, $3, $4)
				ON CONFLICT (tag) DO NOTHING`, p.Tag, p.Code, p.Detail, toMicros(p.Seen))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Problems lists what is wrong with tags, in their order.
func (s *Store) Problems(ctx context.Context) ([]Problem, error) {
	return get(ctx, s, func(q querier) ([]Problem, error) { return listProblems(ctx, q) })
}

func listProblems(ctx context.Context, q querier) ([]Problem, error) {
	var out []Problem
	err := rows(ctx, q, func(rs *sql.Rows) error {
		p, err := scanProblem(rs.Scan)
		out = append(out, p)
		return err
	}, `SELECT tag, code, detail, seen_us FROM release_problem`)
	slices.SortFunc(out, func(a, b Problem) int { return strings.Compare(a.Tag, b.Tag) })
	return out, err
}

func scanProblem(scan func(...any) error) (Problem, error) {
	var p Problem
	var seen int64
	err := scan(&p.Tag, &p.Code, &p.Detail, &seen)
	p.Seen = fromMicros(seen)
	return p, err
}

// Problem is what is wrong with the tag of a release, nil if nothing is. What
// runs goes on; whether something new may start with it is a rule of change.
func (s *Store) Problem(ctx context.Context, id prompt.ID, v prompt.Version) (*Problem, error) {
	return get(ctx, s, func(q querier) (*Problem, error) {
		p, err := scanProblem(q.QueryRowContext(ctx, `SELECT tag, code, detail, seen_us FROM release_problem WHERE tag = $1`, id.Tag(v)).Scan)
		if errors.Is(err, sql.ErrNoRows) {
			return nil, nil
		}
		return &p, err
	})
}
