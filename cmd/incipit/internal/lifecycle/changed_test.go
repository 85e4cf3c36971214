package lifecycle

import (
	"testing"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/calllog"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/guard"
	"github.com/incipit-dev/incipit/internal/registry"
)

// The reference is what the calls of the days before were like, hour by hour,
// and those that are as they were are no change.
func TestTheReferenceIsTheSevenDaysBefore(t *testing.T) {
	eachRecording(t, func(t *testing.T, _ *rig, log *calllog.Log) {
		at := called(0).StartedAt
		const days, minutes = 2, 24 * 60
		var calls []registry.Call
		for n := -days * minutes; n < 0; n++ {
			calls = append(calls, called(n, func(c *registry.Call) {
				c.Latency = time.Duration(c.StartedAt.Minute()+1) * 10 * time.Millisecond
				switch hour := c.StartedAt.Hour(); {
				case hour == 5 && c.StartedAt.Minute()%4 == 0:
					c.Outcome, c.ErrorClass = registry.Failed, registry.ProviderError
				case hour == 5 && c.StartedAt.Minute()%4 == 1:
					c.Outcome = registry.Cancelled
				case hour == 7 && c.StartedAt.Minute()%2 == 0:
					c.Satisfaction = registry.Some(4.0)
				case hour == 8:
					c.Version = "1.1.0"
				case hour == 9:
					c.Environment = "dev"
				}
			}))
		}
		keep(t, log, calllog.SubjectHash{}, calls...)
		ref, err := ReferenceBefore(t.Context(), log, "support", "production", "1.0.0", at)
		if err != nil {
			t.Fatal(err)
		}
		for h := range ref {
			want := guard.HourReference{HourCount: guard.HourCount{Calls: days * 60}, Timed: 3 * days * 60}
			switch h {
			case 5:
				want.Errors, want.Calls = days*15, days*45
			case 7:
				want.Ratings, want.Marks, want.Squares = days*30, days*30*4, days*30*16
			case 8, 9:
				want.Calls = 0
			}
			switch h {
			case 7, 10:
				want.Timed = 2 * days * 60
			case 8, 9:
				want.Timed = days * 60
			}
			got := ref[h]
			if got.SlowMS < 570 || got.SlowMS > 570*1.025 {
				t.Errorf("hour %d: one of twenty takes longer than %v ms", h, got.SlowMS)
			}
			got.SlowMS = 0
			if got != want {
				t.Errorf("hour %d: %+v, not %+v", h, got, want)
			}
		}
		c, err := guard.NewChange(ref, guard.DriftARL)
		if err != nil {
			t.Fatal(err)
		}
		for i := range calls {
			o := guard.Observation{
				Error: registry.Some(calls[i].Outcome == registry.Failed), LatencyMS: registry.Some(float64(calls[i].Latency) / float64(time.Millisecond)),
				Satisfaction: calls[i].Satisfaction,
			}
			if c.Observe(calls[i].StartedAt.Hour(), o) {
				t.Fatalf("call %d: %s", i, c.Report().Words())
			}
		}
	})
}
