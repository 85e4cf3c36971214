package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// AddEvidence files what a report says about a digest. An empty ID is filled
// in.
func (s *Store) AddEvidence(ctx context.Context, e registry.Evidence, event registry.Event) (registry.Evidence, error) {
	all, err := s.AddAllEvidence(ctx, []registry.Evidence{e}, event)
	return all[0], err
}

// AddAllEvidence files several kinds of evidence of one prompt and one event,
// whole or not at all.
func (s *Store) AddAllEvidence(ctx context.Context, evidence []registry.Evidence, event registry.Event) ([]registry.Evidence, error) {
	all := slices.Clone(evidence)
	for i := range all {
		e := &all[i]
		if e.ID == "" {
			id, err := s.newID()
			if err != nil {
				return all, err
			}
			e.ID = id
		}
		if e.At.IsZero() {
			e.At = s.now()
		}
		if err := storable(e.ID, string(e.Prompt), e.Digest, e.Kind, e.Note, e.By, string(e.Statement)); err != nil {
			return all, err
		}
		event.Prompt = e.Prompt
	}
	err := s.write(ctx, func(tx *tx) error {
		if err := s.append(ctx, tx, event); err != nil {
			return err
		}
		for _, e := range all {
			if err := insertEvidence(ctx, tx, e); err != nil {
				return err
			}
		}
		return nil
	})
	return all, err
}

func insertEvidence(ctx context.Context, tx *tx, e registry.Evidence) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO evidence (id, prompt, digest, kind, passed, note, actor, at_us, seal, audit_seq)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		e.ID, string(e.Prompt), e.Digest, e.Kind, e.Passed, e.Note, e.By, toMicros(e.At), seal(evidenceColumns(e)...), tx.event.Seq)
	if err != nil || e.Statement == nil {
		return err
	}
	envelope := string(e.Statement)
	_, err = tx.ExecContext(ctx, `INSERT INTO statement (evidence, envelope, seal) VALUES ($1, $2, $3)`, e.ID, envelope, seal(e.ID, envelope))
	return err
}

func evidenceColumns(e registry.Evidence) []string {
	return []string{e.ID, string(e.Prompt), e.Digest, e.Kind, strconv.FormatBool(e.Passed), e.Note, e.By, itoa(toMicros(e.At))}
}

// Evidence lists the newest of each digest and kind of a prompt, with what was
// signed.
func (s *Store) Evidence(ctx context.Context, id prompt.ID) ([]registry.Evidence, error) {
	return getAll(ctx, s, func(q querier) ([]registry.Evidence, error) {
		out, err := newestEvidence(ctx, q, id)
		if err != nil {
			return nil, err
		}
		return out, signedStatements(ctx, q, id, out)
	})
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
		ORDER BY e.audit_seq, e.kind`, string(id))
	return out, err
}

// signedStatements fills in what was signed of the evidence of a prompt.
func signedStatements(ctx context.Context, q querier, id prompt.ID, into []registry.Evidence) error {
	place := make(map[string]int, len(into))
	for i, e := range into {
		place[e.ID] = i
	}
	return rows(ctx, q, func(rs *sql.Rows) error {
		var of, envelope string
		var sum []byte
		if err := rs.Scan(&of, &envelope, &sum); err != nil {
			return err
		}
		if i, ok := place[of]; ok { // else it is older than the newest
			into[i].Statement = json.RawMessage(envelope)
		}
		return sealed("the statement of the evidence "+prompt.Clip(of, 80), sum, of, envelope)
	}, `SELECT s.evidence, s.envelope, s.seal FROM statement s JOIN evidence e ON e.id = s.evidence WHERE e.prompt = $1`, string(id))
}
