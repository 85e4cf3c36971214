package sqlstore

import (
	"context"
	"database/sql"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// Released prompts and their digests are read without their texts, and so
// without their seals: they tell what there is, and nothing is served of them.

// ReleasedPrompts are the prompts that have a release, in no order.
func (s *Store) ReleasedPrompts(ctx context.Context) ([]prompt.ID, error) {
	return get(ctx, s, func(q querier) (out []prompt.ID, err error) {
		err = rows(ctx, q, func(rs *sql.Rows) error {
			var id string
			err := rs.Scan(&id)
			out = append(out, prompt.ID(id))
			return err
		}, `SELECT id FROM prompt WHERE version <> ''`)
		return out, err
	})
}

// Digests are those of the releases of a prompt, by version.
func (s *Store) Digests(ctx context.Context, id prompt.ID) (map[string]string, error) {
	return get(ctx, s, func(q querier) (map[string]string, error) {
		out := make(map[string]string)
		return out, rows(ctx, q, func(rs *sql.Rows) error {
			var version, digest string
			err := rs.Scan(&version, &digest)
			out[version] = digest
			return err
		}, `SELECT version, digest FROM release WHERE prompt = $1`, string(id))
	})
}
