package calllog

import (
	"context"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// An HourCount is how many calls that ended failed. Those that were cancelled
// say nothing of it and are not counted.
type HourCount struct{ Errors, Calls int64 }

// ByHourOfDay adds up the whole hours of a period, by hour of the day in UTC. An
// empty env or version is all. Days of which only a sum is kept are not told
// apart and left out.
func (l *Log) ByHourOfDay(ctx context.Context, id prompt.ID, env, version string, from, to time.Time) ([24]HourCount, error) {
	var out [24]HourCount
	q := RollupQuery{Prompt: id, Environment: env, Version: version, From: from.UTC().Add(time.Hour - time.Microsecond).Truncate(time.Hour), To: to.UTC().Truncate(time.Hour)}
	err := l.Rollups(ctx, q, func(r Row) error {
		if r.Span == time.Hour {
			h := &out[r.Start.UTC().Hour()]
			h.Errors += r.Errors()
			h.Calls += r.Calls - r.Cancelled
		}
		return nil
	})
	if err != nil {
		return [24]HourCount{}, err
	}
	return out, nil
}
