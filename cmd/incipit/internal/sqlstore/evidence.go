package sqlstore

import (
	"context"
	"database/sql"
	"strconv"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// AddEvidence files what a report says about a digest. An empty ID is filled
// in.
func (s *Store) AddEvidence(ctx context.Context, e registry.Evidence, event registry.Event) (registry.Evidence, error) {
	if e.ID == "" {
		id, err := s.newID()
		if err != nil {
			return e, err
		}
		e.ID = id
	}
	if e.At.IsZero() {
		e.At = s.now()
	}
	if err := storable(e.ID, string(e.Prompt), e.Digest, e.Kind, e.Note, e.By); err != nil {
		return e, err
	}
	event.Prompt = e.Prompt
	err := s.write(ctx, func(tx *tx) error {
		if err := s.append(ctx, tx, event); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `
			INSERT INTO evidence (id, prompt, digest, kind, passed, note, actor, at_us, seal, audit_seq)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			e.ID, string(e.Prompt), e.Digest, e.Kind, e.Passed, e.Note, e.By, toMicros(e.At), seal(evidenceColumns(e)...), tx.event.Seq)
		return err
	})
	return e, err
}

func evidenceColumns(e registry.Evidence) []string {
	return []string{e.ID, string(e.Prompt), e.Digest, e.Kind, strconv.FormatBool(e.Passed), e.Note, e.By, itoa(toMicros(e.At))}
}

// Evidence lists the newest of each digest and kind of a prompt.
func (s *Store) Evidence(ctx context.Context, id prompt.ID) ([]registry.Evidence, error) {
	return get(ctx, s, func(q querier) ([]registry.Evidence, error) { return newestEvidence(ctx, q, id) })
}

func newestEvidence(ctx context.Context, q querier, id prompt.ID) ([]registry.Evidence, error) {
	var out []registry.Evidence
	err := rows(ctx, q, func(rs *sql.Rows) error {
		e := registry.Evidence{Prompt: id}
		var at int64
		var sum []byte
		if err := rs.Scan(&e.ID, &e.Digest, &e.Kind, &e.Passed, &e.Note, &e.By, &at, &sum); err != nil {
			return err
		}
		e.At = fromMicros(at)
		out = append(out, e)
		return sealed("evidence "+prompt.Clip(e.ID, 80), sum, evidenceColumns(e)...)
	}, `SELECT e.id, e.digest, e.kind, e.passed, e.note, e.actor, e.at_us, e.seal FROM evidence e
		WHERE e.prompt = $1 AND e.audit_seq = (
			SELECT MAX(x.audit_seq) FROM evidence x WHERE x.prompt = e.prompt AND x.digest = e.digest AND x.kind = e.kind)
		ORDER BY e.audit_seq`, string(id))
	return out, err
}
