package lifecycle

import (
	"context"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/calllog"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/guard"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/telemetry"
	"github.com/incipit-dev/incipit/internal/prompt"
)

// referenceSpan is how many days a release that serves everybody is compared
// with: each weekday counts once.
const referenceSpan = 7 * 24 * time.Hour

// sketchError is how much larger a quantile may be than a sketch says.
const sketchError = 0.011

// ReferenceBefore is how a prompt fared in an environment, by hour of the day,
// in the seven days before a moment; of one version, or of all if it is empty. An
// hour without calls is not watched, so a prompt that is new raises no alarms.
func ReferenceBefore(ctx context.Context, log *calllog.Log, id prompt.ID, env, version string, at time.Time) (*guard.Reference, error) {
	hours, err := log.HoursOfDay(ctx, id, env, version, at.Add(-referenceSpan), at)
	if err != nil {
		return nil, err
	}
	var out guard.Reference
	for h := range hours {
		r := &hours[h]
		out[h].Calls = natural(r.Calls - r.Cancelled)
		out[h].Errors = natural(r.Errors())
		if out[h].Ratings = natural(r.Ratings); out[h].Ratings > 0 {
			out[h].Marks, out[h].Squares = r.RatingSum, r.RatingSquares
		}
		var near telemetry.Sketch
		for _, n := range [3]int{h + 23, h, h + 1} {
			near.Merge(&hours[n%24].Latency)
		}
		if slow, known := near.Quantile(.95); known {
			out[h].SlowMS, out[h].Timed = slow*(1+sketchError), natural(near.Count())
		}
	}
	return &out, nil
}

func natural(n int64) uint64 { return uint64(max(n, 0)) }
