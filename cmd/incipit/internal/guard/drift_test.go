package guard

import (
	"math/rand/v2"
	"testing"
)

// A day that is as uneven as the reference raises no alarm; a change does, in
// about the calls that it must take.
func TestDrift(t *testing.T) {
	run := func(seed uint64, times float64, calls int) (alarm int) {
		r := rand.New(rand.NewPCG(seed, 1))
		var reference [24]HourCount
		for h := range reference {
			for range 7000 {
				reference[h].Calls++
				if r.Float64() < dayRate(.02, h) {
					reference[h].Errors++
				}
			}
		}
		d, err := NewDrift(reference, DriftARL)
		must(err)
		for i := range calls {
			hour := i / 1000
			if d.Observe(hour, r.Float64() < times*dayRate(.02, hour%24)) {
				return i + 1
			}
			if e := d.Evidence(); e < 0 || e >= 1 {
				t.Fatalf("the evidence is %v, and there is no alarm", e)
			}
		}
		return 0
	}
	for seed := range uint64(20) {
		if at := run(seed, 1, 20_000); at > 0 {
			t.Errorf("seed %d: an alarm at call %d, for nothing", seed, at)
		}
		if at := run(seed, 4, 20_000); at == 0 || at > 2000 {
			t.Errorf("seed %d: four times the errors give an alarm at call %d", seed, at)
		}
	}
	if _, err := NewDrift([24]HourCount{}, 0); err == nil {
		t.Error("a false alarm at every call was not refused")
	}
}

// In Shiryaev and Roberts' form the capital less the calls so far is fair: at a
// rate that is not above the reference it grows by no more than 1 a call.
func TestNoDriftIsABargain(t *testing.T) {
	var reference [24]HourCount
	for h := range reference {
		reference[h] = HourCount{Errors: 5 + uint64(h), Calls: 500}
	}
	d, err := NewDrift(reference, DriftARL)
	must(err)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range 2000 {
		hour := i / 80
		for _, rate := range []float64{0, d.rates[hour%24] / 2, d.rates[hour%24]} {
			bad, good := *d, *d
			bad.Observe(hour, true)
			good.Observe(hour, false)
			for k := range d.m {
				if mean := rate*bad.m[k] + (1-rate)*good.m[k]; mean > (d.m[k]+1)*(1+slack) {
					t.Fatalf("call %d: from %v to %v on average", i, d.m[k], mean)
				}
			}
		}
		d.Observe(hour, r.Float64() < .03)
	}
}

// The rule of thumb finds what is coarse, in its own way.
func TestClassic(t *testing.T) {
	run := func(s stream, n int) (Kind, int) {
		e := roll(Policy{Rule: Classic}, s, 1, 4000, n, false)
		return e.kind, e.observed
	}
	bad, sad := healthy(.2), healthy(.2)
	bad.errors = [2]float64{.05, .5}
	sad.marks[1], sad.rated = [5]float64{.5, .5, 0, 0, 0}, [2]float64{.5, .5}
	for _, s := range []stream{bad, sad} {
		if kind, n := run(s, 5000); kind != Regressed || n > 600 {
			t.Errorf("%s after %d", kind, n)
		}
	}
	calm := healthy(.2)
	calm.errors, calm.rated = [2]float64{0, 0}, [2]float64{0, 0}
	if kind, _ := run(calm, 8000); kind != Healthy {
		t.Error(kind)
	}
}
