package sqlstore

import (
	"context"
	"database/sql"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A SearchedPrompt is what can be found of a prompt.
type SearchedPrompt struct {
	ID       prompt.ID
	Newest   string             // its version; "" for a draft
	Text     string             // of the newest release: JSON of a prompt.Prompt
	Metadata string             // of the newest release: JSON of a prompt.Metadata
	Releases []registry.Release // with version, author and notes alone, in no order
}

// Searched is what can be found of every prompt, in no order.
func (s *Store) Searched(ctx context.Context) ([]SearchedPrompt, error) {
	return getAll(ctx, s, func(q querier) ([]SearchedPrompt, error) {
		var out []SearchedPrompt
		at := make(map[string]int)
		if err := rows(ctx, q, func(rs *sql.Rows) error {
			var p SearchedPrompt
			err := rs.Scan(&p.ID, &p.Newest, &p.Text, &p.Metadata)
			at[string(p.ID)] = len(out)
			out = append(out, p)
			return err
		}, `
			SELECT p.id, p.version, COALESCE(r.prompt_json, ''), COALESCE(r.metadata_json, '')
			FROM prompt p LEFT JOIN release r ON r.prompt = p.id AND r.version = p.version`); err != nil {
			return nil, err
		}
		return out, rows(ctx, q, func(rs *sql.Rows) error {
			var id, version string
			var r registry.Release
			if err := rs.Scan(&id, &version, &r.Author, &r.Notes); err != nil {
				return err
			}
			var err error
			r.Version, err = prompt.ParseVersion(version)
			if i, ok := at[id]; ok {
				out[i].Releases = append(out[i].Releases, r)
			}
			return err
		}, `SELECT prompt, version, author, notes FROM release`)
	})
}
