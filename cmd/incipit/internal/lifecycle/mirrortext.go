package lifecycle

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/guard"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/registry"
)

// mostEvidence bounds how many deployments of the guard one commit tells of in
// full.
const mostEvidence = 20

// guardText is what a commit of the mirror says of the deployments that the
// guard made: why, and the evidence, so that Git alone tells of both.
func (s *Shared) guardText(ctx context.Context, entries []sqlstore.MirrorEntry, tracks map[registry.Place]registry.Track) (string, error) {
	var b strings.Builder
	told := 0
	for _, e := range entries {
		at := registry.Place{Prompt: e.Prompt, Environment: e.Environment}
		for _, d := range tracks[at] {
			if d.Revision != e.Revision || d.By != registry.GuardName {
				continue
			}
			if told++; told > mostEvidence {
				return b.String() + "\nThere are more; incipit rollout show tells of each.\n", nil
			}
			fmt.Fprintf(&b, "\n%s of %s (deployment %d): %s\n", d.Action, at, d.Seq, d.Reason)
			if err := s.evidenceText(ctx, &b, at, tracks[at], d); err != nil {
				return "", err
			}
		}
	}
	return b.String(), nil
}

// evidenceText writes the evidence of a deployment that the guard made.
func (s *Shared) evidenceText(ctx context.Context, b *strings.Builder, at registry.Place, t registry.Track, d registry.Deployment) error {
	before := t[:d.Seq-t[0].Seq]
	began, ok := before.Began()
	if !ok {
		return nil
	}
	log, err := s.db.Decisions(ctx, at, began.Seq)
	if err != nil {
		return err
	}
	for _, one := range log {
		if began.Rollout.Strategy == registry.Experiment {
			if one.Deployment == d.Seq {
				contestText(b, one)
			}
			continue
		}
		var r guard.Report
		if one.Deployment != d.Seq || json.Unmarshal(one.Evidence, &r) != nil {
			continue
		}
		fmt.Fprintf(b, "Verdict: %s, p = %.3g, %d calls of the candidate, %d of the stable release, up to call %d\n", r.Verdict, r.PValue, r.Calls.Candidate, r.Calls.Stable, one.Cursor)
		for _, m := range r.Metrics {
			fmt.Fprintf(b, "Metric: %s, evidence %.3g of %.3g", spelled(m.Metric), m.Capital, m.Goal)
			if m.Difference != nil {
				fmt.Fprintf(b, ", %s", words.Difference(m.Metric, *m.Difference))
			}
			if m.Guilty {
				b.WriteString(", worse")
			}
			b.WriteString("\n")
		}
	}
	return nil
}

// contestText writes how the arms of an experiment stood at a decision.
func contestText(b *strings.Builder, d registry.Decision) {
	var r registry.ContestReport
	if json.Unmarshal(d.Evidence, &r) != nil {
		return
	}
	for _, a := range r.Arms {
		fmt.Fprintf(b, "Arm: %s, %s, p = %.3g for worse and %.3g for better, %d calls, %d of the stable release, up to call %d\n", a.Name, a.Standing, a.PWorse, a.PBetter, a.Calls, a.StableCalls, d.Cursor)
	}
}
