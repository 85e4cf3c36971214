package lifecycle

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/calllog"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/telemetry"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// Series is how calls of a prompt fared over time, in the environments that the
// caller may read, and what was deployed there meanwhile. The period is that of
// Stats.
func (s *Shared) Series(ctx context.Context, q registry.SeriesQuery) (registry.Series, error) {
	log, err := s.callLog()
	if err != nil {
		return registry.Series{}, err
	}
	out, err := s.seriesOf(ctx, q)
	if err != nil {
		return registry.Series{}, err
	}
	c, _ := registry.CallerOf(ctx)
	sums := make(map[group]map[int64]*telemetry.Rollup) // of each line, by the beginning of the step
	err = log.Rollups(ctx, calllog.RollupQuery{
		Prompt: q.Prompt, Environment: q.Environment, From: out.From, To: out.To, Minutes: out.Step < registry.Duration(time.Hour),
	}, func(row calllog.Row) error {
		if c.May(registry.MayRead, row.Environment, q.Prompt) != nil {
			return nil
		}
		g := groupOf(out.By, row)
		if sums[g] == nil {
			sums[g] = make(map[int64]*telemetry.Rollup)
		}
		at := row.Start.Truncate(max(row.Span, time.Duration(out.Step))).Unix()
		if sums[g][at] == nil {
			sums[g][at] = new(telemetry.Rollup)
		}
		sums[g][at].Merge(&row.Rollup)
		return nil
	})
	if err != nil {
		return registry.Series{}, err
	}
	if out.Lines, err = s.lines(ctx, sums); err != nil {
		return registry.Series{}, err
	}
	out.Marks, err = s.marks(ctx, q.Prompt, out)
	return out, err
}

// seriesOf is the series that is asked for, without what is in it.
func (s *Shared) seriesOf(ctx context.Context, q registry.SeriesQuery) (registry.Series, error) {
	by := cmp.Or(q.By, "version")
	if by != "version" && by != "arm" {
		return registry.Series{}, registry.Errorf(prompt.ErrInvalid, "a series is by version or arm, and not by %q", prompt.Clip(by, 40))
	}
	whole, err := s.statsQuery(ctx, registry.StatsQuery{Prompt: q.Prompt, Environment: q.Environment, From: q.From, To: q.To})
	if err != nil {
		return registry.Series{}, err
	}
	step, err := registry.StepFor(q.Step, whole.To.Sub(whole.From))
	return registry.Series{Prompt: q.Prompt, Environment: q.Environment, From: whole.From, To: whole.To, Step: registry.Duration(step), By: by}, err
}

// lines puts sums in order.
func (s *Shared) lines(ctx context.Context, sums map[group]map[int64]*telemetry.Rollup) ([]registry.SeriesLine, error) {
	totals := make(map[group]*telemetry.Rollup, len(sums))
	for g, points := range sums {
		totals[g] = new(telemetry.Rollup)
		for _, p := range points {
			totals[g].Merge(p)
		}
	}
	groups, err := s.grouped(ctx, totals)
	if err != nil {
		return nil, err
	}
	lines := make([]registry.SeriesLine, len(groups))
	for i, of := range groups {
		points := sums[group{environment: of.Environment, version: of.Version, arm: of.Arm}]
		line := registry.SeriesLine{Environment: of.Environment, Version: of.Version, Arm: of.Arm, Figures: of.Figures, Points: make([]registry.SeriesPoint, 0, len(points))}
		for _, at := range slices.Sorted(maps.Keys(points)) {
			line.Points = append(line.Points, registry.SeriesPoint{At: time.Unix(at, 0).UTC(), Figures: points[at].Figures()})
		}
		lines[i] = line
	}
	return lines, nil
}

// marks are the deployments within a series that the caller may see.
func (s *Shared) marks(ctx context.Context, id prompt.ID, in registry.Series) ([]registry.SeriesMark, error) {
	tracks, err := s.db.Tracks(ctx, id)
	if err != nil {
		return nil, err
	}
	c, _ := registry.CallerOf(ctx)
	out := []registry.SeriesMark{}
	for env, track := range tracks {
		if in.Environment != "" && env != in.Environment || c.May(registry.MayRead, env, id) != nil {
			continue
		}
		for _, d := range track {
			if d.At.Before(in.From) || !d.At.Before(in.To) {
				continue
			}
			now := d.Status()
			out = append(out, registry.SeriesMark{
				Environment: env, Seq: d.Seq, At: d.At, Action: d.Action, Version: now.Version, Candidate: now.Candidate, Share: now.Share, By: d.By, Reason: d.Reason,
			})
		}
	}
	slices.SortFunc(out, func(a, b registry.SeriesMark) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Environment, b.Environment), cmp.Compare(a.Seq, b.Seq))
	})
	return out, nil
}
