package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// decided appends a decision as the next one of its rollout, and returns it with
// its number.
func (s *Store) decided(ctx context.Context, tx *tx, d registry.Decision) (registry.Decision, error) {
	if d.At.IsZero() {
		d.At = s.now()
	}
	if err := storable(d.By, d.Verdict, d.Text); err != nil {
		return d, err
	}
	err := tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(seq), 0) + 1 FROM decision WHERE environment = $1 AND prompt = $2 AND opened_seq = $3`,
		d.Environment, string(d.Prompt), int64(d.Opened)).Scan(&d.Seq)
	if err != nil {
		return d, err
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO decision (environment, prompt, opened_seq, seq, at_us, kind, actor, verdict, message, share, deployment_seq, cursor, evidence, seal)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
		d.Environment, string(d.Prompt), int64(d.Opened), int64(d.Seq), toMicros(d.At), d.Kind, d.By, d.Verdict, d.Text,
		int64(d.Share), int64(d.Deployment), d.Cursor, string(d.Evidence), seal(decisionColumns(d)...))
	return d, err
}

func decisionColumns(d registry.Decision) []string {
	return []string{
		d.Environment, string(d.Prompt), itoa(int64(d.Opened)), itoa(int64(d.Seq)), itoa(toMicros(d.At)), d.Kind, d.By, d.Verdict, d.Text,
		itoa(int64(d.Share)), itoa(int64(d.Deployment)), itoa(d.Cursor), string(d.Evidence),
	}
}

// Decisions lists what was decided in a rollout, the oldest first.
func (s *Store) Decisions(ctx context.Context, at registry.Place, opened int) ([]registry.Decision, error) {
	return get(ctx, s, func(q querier) ([]registry.Decision, error) {
		out := []registry.Decision{}
		err := rows(ctx, q, func(rs *sql.Rows) error {
			d := registry.Decision{Place: at, Opened: opened}
			var seq, when, share, deployment int64
			var evidence string
			var sum []byte
			if err := rs.Scan(&seq, &when, &d.Kind, &d.By, &d.Verdict, &d.Text, &share, &deployment, &d.Cursor, &evidence, &sum); err != nil {
				return err
			}
			d.Seq, d.At, d.Share, d.Deployment = int(seq), fromMicros(when), registry.Share(share), int(deployment)
			if evidence != "" {
				d.Evidence = json.RawMessage(evidence)
			}
			out = append(out, d)
			return sealed(fmt.Sprintf("decision %d of %s in %s", seq, prompt.Clip(string(at.Prompt), 300), prompt.Clip(at.Environment, 80)), sum, decisionColumns(d)...)
		}, `SELECT seq, at_us, kind, actor, verdict, message, share, deployment_seq, cursor, evidence, seal FROM decision
			WHERE environment = $1 AND prompt = $2 AND opened_seq = $3 ORDER BY seq`, at.Environment, string(at.Prompt), int64(opened))
		return out, err
	})
}
