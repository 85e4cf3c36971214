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

// statsSpan is how far back statistics reach unless they are asked for more.
const statsSpan = 24 * time.Hour

// Stats is how calls of a prompt fared, in the environments that the caller may
// read. The period is widened to whole minutes; without an end it ends now, and
// without a beginning it is a day. Groups keep environments apart.
func (s *Shared) Stats(ctx context.Context, q registry.StatsQuery) (registry.Stats, error) {
	log, err := s.callLog()
	if err != nil {
		return registry.Stats{}, err
	}
	if q, err = s.statsQuery(ctx, q); err != nil {
		return registry.Stats{}, err
	}
	c, _ := registry.CallerOf(ctx)
	visible := make(map[string]bool)
	var total telemetry.Rollup
	groups := make(map[group]*telemetry.Rollup)
	err = log.Rollups(ctx, calllog.RollupQuery{Prompt: q.Prompt, Environment: q.Environment, Version: q.Version, Arm: q.Arm, From: q.From, To: q.To}, func(row calllog.Row) error {
		may, known := visible[row.Environment]
		if !known {
			may = c.May(registry.MayRead, row.Environment, q.Prompt) == nil
			visible[row.Environment] = may
		}
		if !may {
			return nil
		}
		total.Merge(&row.Rollup)
		if q.By == "" {
			return nil
		}
		g := groupOf(q.By, row)
		if groups[g] == nil {
			groups[g] = new(telemetry.Rollup)
		}
		groups[g].Merge(&row.Rollup)
		return nil
	})
	if err != nil {
		return registry.Stats{}, err
	}
	out := registry.Stats{
		Prompt: q.Prompt, Environment: q.Environment, Version: q.Version, Arm: q.Arm, From: q.From, To: q.To,
		Figures: total.Figures(), By: q.By,
	}
	if len(groups) > 0 {
		out.Groups, err = s.grouped(ctx, groups)
	}
	return out, err
}

// statsQuery fills in what was left out, and refuses what cannot be answered.
func (s *Shared) statsQuery(ctx context.Context, q registry.StatsQuery) (registry.StatsQuery, error) {
	if q.Prompt == "" {
		return q, registry.Errorf(prompt.ErrInvalid, "whose calls? Name a prompt")
	}
	if err := s.readable(ctx, q.Environment, q.Prompt); err != nil {
		return q, err
	}
	if q.Version != "" {
		v, err := prompt.ParseVersion(q.Version)
		if err != nil {
			return q, err
		}
		if _, err := s.Release(ctx, q.Prompt, v); err != nil {
			return q, err
		}
		q.Version = v.String()
	}
	if err := registry.CheckBy(q.By); err != nil {
		return q, err
	}
	if q.To.IsZero() {
		q.To = s.config.Now()
	}
	if q.From.IsZero() {
		q.From = q.To.Add(-statsSpan)
	}
	if !q.From.Before(q.To) {
		return q, registry.Errorf(prompt.ErrInvalid, "the period begins at %s, and ends at %s", q.From.UTC().Format(time.RFC3339), q.To.UTC().Format(time.RFC3339))
	}
	q.From = q.From.UTC().Truncate(time.Minute)
	q.To = q.To.UTC().Add(time.Minute - 1).Truncate(time.Minute)
	return q, nil
}

// A group is what calls are grouped by. Fields that do not count are zero.
type group struct {
	environment, version, arm string
	hour                      int64 // its beginning, in seconds since 1970
}

func groupOf(by string, row calllog.Row) group {
	g := group{environment: row.Environment}
	switch by {
	case "hour": // or the day, where hours are not kept any more
		g.hour = row.Start.Truncate(max(row.Span, time.Hour)).Unix()
	case "arm":
		g.version, g.arm = row.Version, row.Arm
	case "version":
		g.version = row.Version
	}
	return g
}

// grouped puts the groups in order: by hour, then as environments are, the
// newest version first.
func (s *Shared) grouped(ctx context.Context, groups map[group]*telemetry.Rollup) ([]registry.Group, error) {
	envs, err := s.Environments(ctx)
	if err != nil {
		return nil, err
	}
	place := make(map[string]int, len(envs))
	for i, e := range envs {
		place[e.Name] = i
	}
	keys := slices.SortedFunc(maps.Keys(groups), func(a, b group) int {
		return cmp.Or(cmp.Compare(a.hour, b.hour), cmp.Compare(place[a.environment], place[b.environment]), newerFirst(a.version, b.version), cmp.Compare(a.arm, b.arm))
	})
	out := make([]registry.Group, len(keys))
	for i, k := range keys {
		out[i] = registry.Group{Environment: k.environment, Version: k.version, Arm: k.arm, Figures: groups[k].Figures()}
		if k.hour != 0 {
			out[i].Hour = new(time.Unix(k.hour, 0).UTC())
		}
	}
	return out, nil
}

func newerFirst(a, b string) int {
	v, errA := prompt.ParseVersion(a)
	w, errB := prompt.ParseVersion(b)
	if errA != nil || errB != nil {
		return cmp.Compare(a, b)
	}
	return w.Compare(v)
}
