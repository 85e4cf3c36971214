package guard

import (
	"math/rand/v2"
	"testing"
)

// A few calls say little, but no difference of error rates is above 100 points.
func TestAnIntervalHoldsWhatCanBeAndNothingElse(t *testing.T) {
	missed, cut := 0, 0
	const tries = 200
	for seed := range uint64(tries) {
		r := rand.New(rand.NewPCG(seed, 1))
		d, err := New(Policy{Metrics: Of(Errors)})
		must(err)
		s := healthy(.2)
		s.errors = [2]float64{.1, .4}
		outside := false
		s.run(r, 600, func(o Observation) bool {
			_, err := d.Observe(o)
			must(err)
			i := d.Report().Metrics[0].Difference
			if i == nil {
				return true
			}
			if i.Low < -1 || i.High > 1 || i.Low > i.Estimate || i.Estimate > i.High {
				t.Fatalf("seed %d: %+v", seed, *i)
			}
			if i.High == 1 {
				cut++
			}
			c := d.Report().Calls
			outside = outside || c.Candidate >= 30 && c.Stable >= 30 && (i.Low > .3 || i.High < .3)
			return true
		})
		if outside {
			missed++
		}
	}
	if cut == 0 {
		t.Error("no interval was cut: this test tries nothing")
	}
	if missed > tries/20 { // level 1 % at all times together, from 30 calls of each arm on
		t.Errorf("the difference was outside in %d of %d runs", missed, tries)
	}
	t.Logf("outside in %d of %d runs", missed, tries)
}
