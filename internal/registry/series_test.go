package registry

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

func TestTheStepIsChosenSoThatAChartHasRoomForTheSeries(t *testing.T) {
	const day = 24 * time.Hour
	for _, tt := range []struct {
		asked, period, want time.Duration
	}{
		{0, time.Minute, time.Minute},
		{0, 2 * time.Hour, time.Minute},
		{0, day, 5 * time.Minute},
		{0, 3 * day, 15 * time.Minute},
		{0, 7 * day, time.Hour},
		{0, 30 * day, 6 * time.Hour},
		{0, 400 * day, day},
		{0, 3000 * day, 7 * day},
		{time.Hour, day, time.Hour},
		{time.Minute, day, time.Minute},
		{day, time.Hour, day},
		{time.Minute, 2 * day, 0}, // too many points
		{2 * time.Minute, day, 0}, // no step
		{-time.Minute, day, 0},    // nor that
		{0, 7 * 2000 * day, 0},    // no step is long enough
		{7 * day, 7 * 2000 * day, 0},
	} {
		got, err := StepFor(tt.asked, tt.period)
		if got != tt.want || (err != nil) != (tt.want == 0) || err != nil && !errors.Is(err, prompt.ErrInvalid) {
			t.Errorf("%s over %s: %s, want %s; %v", tt.asked, tt.period, got, tt.want, err)
		}
	}
	always(t, func(d dice) string {
		// Short periods as often as long ones, and those at which the step changes.
		some := time.Duration(float64(time.Minute) * math.Pow(float64(2000*day/time.Minute), d.Float64()))
		full := pick(d, SeriesSteps()...)*fewPoints + time.Duration(d.IntN(3)-1)
		period := min(pick(d, time.Minute, 2000*day, some, some, full, full), 2000*day)
		step, err := StepFor(0, period)
		if err != nil || !slices.Contains(SeriesSteps(), step) || period/step > fewPoints {
			return fmt.Sprintf("%s: %s, %v", period, step, err)
		}
		return ""
	})
}
