package sqlstore

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// Adopt fills a database that has no environments yet: with these, and with
// what happened in another registry. The records are numbered anew, and keep
// who made them, when and why. Where there are environments already, another
// replica's perhaps, nothing is done and adopted is false.
func (s *Store) Adopt(ctx context.Context, envs []registry.Environment, tracks map[prompt.ID]map[string]registry.Track, event registry.Event) (records int, adopted bool, err error) {
	err = s.write(ctx, func(tx *tx) error {
		records, adopted = 0, false
		// The head of the audit log is what all writers wait for.
		if _, err := tx.ExecContext(ctx, `UPDATE audit_head SET seq = seq WHERE id = 1`); err != nil {
			return err
		}
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM environment`).Scan(&n); err != nil || n > 0 {
			return err
		}
		adopted = true
		for i, e := range envs {
			rules, err := json.Marshal(e)
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, `INSERT INTO environment (name, position, rules, seal, revision) VALUES ($1, $2, $3, $4, 0)`, e.Name, i+1, string(rules), seal(e.Name, string(rules))); err != nil {
				return err
			}
		}
		for _, id := range slices.Sorted(maps.Keys(tracks)) {
			for _, env := range slices.Sorted(maps.Keys(tracks[id])) {
				var st registry.State
				for _, d := range tracks[id][env] {
					d.Seq = st.Track.Seq() + 1
					if _, err := s.deploy(ctx, tx, id, env, st, d); err != nil { // long past: nobody is told
						return err
					}
					st.Track = append(st.Track, d)
					records++
				}
			}
		}
		event.Detail = map[string]string{"environments": fmt.Sprint(len(envs)), "records": fmt.Sprint(records)}
		return s.append(ctx, tx, event)
	})
	return records, adopted, err
}
