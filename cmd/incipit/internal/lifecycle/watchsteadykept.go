package lifecycle

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/incipit-dev/incipit/internal/registry"
)

// keepQuiet is how much of a quiet time may be in memory alone.
const keepQuiet = 10 * time.Minute

// keepSteady writes all that changed, and the alarms. If another was faster, all
// is read again from where that one left it.
func (w *watch) keepSteady(ctx context.Context) error {
	s := &w.steadies
	var rows []registry.Steady
	var kept []*steady
	var said []registry.Decision
	for _, t := range s.of {
		if t.change == nil {
			continue
		}
		row := t.row
		if row.Alarmed {
			row.Quiet = s.observed - t.quiet
		}
		if !t.dirty && row.Quiet < t.row.Quiet+keepQuiet {
			continue
		}
		if t.alarm {
			said = append(said, t.changed())
			row.Alarmed, row.Quiet = true, 0
		}
		row.State, row.Cursor = t.change.State(), w.cursor
		rows, kept = append(rows, row), append(kept, t)
	}
	if len(rows) > 0 {
		if err := w.db.SaveSteady(ctx, rows, said); errors.Is(err, registry.ErrConflict) {
			w.drop()
			return nil
		} else if err != nil {
			return err
		}
	}
	for i, t := range kept {
		rows[i].Version++
		s.wake(t, rows[i], t.change)
		t.dirty, t.alarm = false, false
	}
	for _, d := range said {
		w.config.Log.Warn("calls changed, and nothing is done about it", "prompt", d.Prompt, "environment", d.Environment, "version", s.of[d.Place].version, "what", d.Text)
	}
	s.kept, s.alarms = w.config.Now(), false
	return nil
}

// changed is the decision that there is a change.
func (t *steady) changed() registry.Decision {
	r := t.change.Report()
	raw, err := json.Marshal(r)
	if err != nil {
		raw = nil // as in evidence
	}
	return registry.Decision{
		Place: t.row.Place, Opened: t.row.Deployment, Kind: registry.DecisionChanged, By: registry.GuardName, Verdict: registry.Changed,
		Text: shortened(changedText(r)), Share: registry.Scale, Cursor: t.called, Evidence: raw,
	}
}
