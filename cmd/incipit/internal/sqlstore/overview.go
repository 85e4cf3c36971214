package sqlstore

import (
	"context"
	"database/sql"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// What stands here is read of many rows at once, without the columns that are
// large, and so without seals: it tells what there is, and nothing is served or
// decided by it.

// A Mark is another one when something changed: each number but the last belongs
// to releases, the last to what runs.
type Mark struct{ Generation, Releases, Prompts, Running int64 }

// Catalog is the part of the mark that changes with the releases.
func (m Mark) Catalog() Mark { return Mark{m.Generation, m.Releases, m.Prompts, 0} }

// Mark is cheap: whoever keeps something in memory asks for it each time.
func (s *Store) Mark(ctx context.Context) (Mark, error) {
	return get(ctx, s, func(q querier) (m Mark, err error) {
		err = q.QueryRowContext(ctx, `
			SELECT (SELECT number FROM meta WHERE name = 'generation'), (SELECT number FROM meta WHERE name = 'releases'),
				(SELECT COUNT(*) FROM prompt), (SELECT CAST(COALESCE(SUM(revision), 0) AS BIGINT) FROM environment)`).
			Scan(&m.Generation, &m.Releases, &m.Prompts, &m.Running)
		return m, err
	})
}

// Versions are those of every prompt's releases, in no order.
func (s *Store) Versions(ctx context.Context) (map[prompt.ID][]prompt.Version, error) {
	return get(ctx, s, func(q querier) (map[prompt.ID][]prompt.Version, error) {
		out := make(map[prompt.ID][]prompt.Version)
		return out, rows(ctx, q, func(rs *sql.Rows) error {
			var id, text string
			if err := rs.Scan(&id, &text); err != nil {
				return err
			}
			v, err := prompt.ParseVersion(text)
			out[prompt.ID(id)] = append(out[prompt.ID(id)], v)
			return err
		}, `SELECT prompt, version FROM release`)
	})
}

// Followed are the open rollouts that the guard follows.
func (s *Store) Followed(ctx context.Context) (map[registry.Place]registry.FollowedRollout, error) {
	return get(ctx, s, func(q querier) (map[registry.Place]registry.FollowedRollout, error) {
		out := make(map[registry.Place]registry.FollowedRollout)
		return out, rows(ctx, q, func(rs *sql.Rows) error {
			var at registry.Place
			var f registry.FollowedRollout
			err := rs.Scan(&at.Environment, &at.Prompt, &f.Opened, &f.State)
			out[at] = f
			return err
		}, `SELECT environment, prompt, opened_seq, state FROM rollout WHERE NOT ended`)
	})
}

// WatchedReleases are those that serve everybody and are watched for changes.
func (s *Store) WatchedReleases(ctx context.Context) (map[registry.Place]registry.WatchedRelease, error) {
	return get(ctx, s, func(q querier) (map[registry.Place]registry.WatchedRelease, error) {
		out := make(map[registry.Place]registry.WatchedRelease)
		return out, rows(ctx, q, func(rs *sql.Rows) error {
			var at registry.Place
			var w registry.WatchedRelease
			err := rs.Scan(&at.Environment, &at.Prompt, &w.Deployment, &w.Alarmed)
			out[at] = w
			return err
		}, `SELECT environment, prompt, deployment_seq, alarmed FROM steady`)
	})
}
