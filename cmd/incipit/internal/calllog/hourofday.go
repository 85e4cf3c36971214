package calllog

import (
	"context"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/telemetry"
	"github.com/incipit-dev/incipit/internal/prompt"
)

// An HourCount is how many calls that ended failed. Those that were cancelled
// say nothing of it and are not counted.
type HourCount struct{ Errors, Calls int64 }

// ByHourOfDay counts the calls of a period by hour of the day in UTC, as
// HoursOfDay does.
func (l *Log) ByHourOfDay(ctx context.Context, id prompt.ID, env, version string, from, to time.Time) ([24]HourCount, error) {
	sums, err := l.HoursOfDay(ctx, id, env, version, from, to)
	var out [24]HourCount
	for h := range sums {
		out[h] = HourCount{sums[h].Errors(), sums[h].Calls - sums[h].Cancelled}
	}
	return out, err
}

// HoursOfDay adds up the whole hours of a period, by hour of the day in UTC. An
// empty env or version is all. Days of which only a sum is kept are not told
// apart and left out.
func (l *Log) HoursOfDay(ctx context.Context, id prompt.ID, env, version string, from, to time.Time) ([24]telemetry.Rollup, error) {
	var out [24]telemetry.Rollup
	err := l.Rollups(ctx, RollupQuery{
		Prompt: id, Environment: env, Version: version,
		From: from.UTC().Add(time.Hour - 1).Truncate(time.Hour), To: to.UTC().Truncate(time.Hour),
	}, func(r Row) error {
		if r.Span == time.Hour {
			out[r.Start.UTC().Hour()].Merge(&r.Rollup)
		}
		return nil
	})
	if err != nil {
		return [24]telemetry.Rollup{}, err
	}
	return out, nil
}
