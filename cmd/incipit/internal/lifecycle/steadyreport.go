package lifecycle

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/guard"
	"github.com/incipit-dev/incipit/internal/registry"
)

// ending is the record by which one release served everybody after the rollout
// that began with record opened, and false if there is none, or another rollout
// took its place.
func ending(t registry.Track, opened int) (registry.Deployment, bool) {
	for _, d := range t {
		if d.Seq > opened && !d.Continues() {
			return d, d.Rollout == nil && d.Action != registry.Retire
		}
	}
	return registry.Deployment{}, false
}

// steadyReport is how the release fares that serves everybody, and false if
// there is none that is watched, or it came by a rollout that the guard followed
// and is asked for as that.
func (s *Shared) steadyReport(ctx context.Context, st registry.State, at registry.Place, opened int) (registry.RolloutReport, bool, error) {
	d, running := st.Track.Current()
	if !running || d.Rollout != nil || opened != 0 && opened != d.Seq {
		return registry.RolloutReport{}, false, nil
	}
	if opened == 0 && d.Action != registry.Deploy {
		there, err := s.db.Rollouts(ctx, at, 1)
		if err != nil {
			return registry.RolloutReport{}, false, err
		}
		if len(there) > 0 {
			if end, ok := ending(st.Track, there[0].Opened); ok && end.Seq == d.Seq {
				return registry.RolloutReport{}, false, nil
			}
		}
	}
	row, there, err := s.db.Steady(ctx, at)
	if err != nil || !there || row.Deployment != d.Seq {
		return registry.RolloutReport{}, false, err
	}
	c, err := guard.RestoreChange(row.State)
	if err != nil {
		return registry.RolloutReport{}, false, nil //nolint:nilerr // it begins anew when it is called next
	}
	known := c.Report()
	r := registry.RolloutReport{
		Place: at, Opened: d.Seq, Strategy: registry.Full, Stable: d.Version.String(), Share: registry.Scale, Steps: []registry.Share{},
		Phase: registry.PhaseSteady, Verdict: registry.Unchanged, Since: row.Since, At: row.At, Rules: st.Environment.GuardOf(at.Prompt),
		Text: fmt.Sprintf("as usual, after %d calls: neither errors nor slow calls nor ratings are worse than in the same hours of the days before", known.Calls),
		Next: "a change is told, and nothing is done about it",
	}
	if known.Changed {
		left := registry.Duration(max(quietTime-row.Quiet, 0).Round(time.Minute))
		r.Verdict, r.Text = registry.Changed, changedText(known)
		r.Next = "after " + left.String() + " of quiet it is compared anew with the days before"
	}
	if r.Evidence, err = json.Marshal(known); err != nil {
		return r, false, err
	}
	r.Decisions, err = s.db.Decisions(ctx, at, d.Seq)
	return r, err == nil, err
}

// changedText says what is worse than it was, and what that cannot tell.
func changedText(r guard.ChangeReport) string {
	var all []string
	for _, m := range r.Metrics {
		if !m.Guilty {
			continue
		}
		what, unit := map[string]string{"latency": "slow calls"}[m.Metric], "calls"
		if what == "" {
			what = spelled(m.Metric)
		}
		now, usual := percent(m.Now), "up to "+percent(m.Reference)
		if m.Metric == "satisfaction" {
			unit, now, usual = "ratings", fmt.Sprintf("%.2f", m.Now), fmt.Sprintf("%.2f or more", m.Reference)
		}
		all = append(all, fmt.Sprintf("%s %s in the last %d %s, where %s is usual at this hour", what, now, m.Recent, unit, usual))
	}
	return "changed: " + strings.Join(all, "; ") + "; what caused it cannot be told by this: only a hold-back could"
}

func percent(part float64) string { return fmt.Sprintf("%.3g %%", 100*part) }
