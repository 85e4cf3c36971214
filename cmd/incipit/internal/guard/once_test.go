package guard

import (
	"math/rand/v2"
	"testing"

	"github.com/incipit-dev/incipit/internal/registry"
)

// A cancelled call was assigned, and tells nothing else.
func TestACancelledCallCountsForTheSharesAlone(t *testing.T) {
	for _, blind := range []bool{false, true} {
		s := healthy(.2)
		s.blind = blind
		d := grownUp(t, Policy{Metrics: allFour}, s, 3)
		o := Observation{
			Candidate: true, Share: .2, Cancelled: true, Error: registry.Some(true),
			LatencyMS: registry.Some(90_000.), Tokens: registry.Some(-1.),
		}
		next := after(t, d.State(), o)
		if next.calls[1] != d.calls[1]+1 || next.values != d.values {
			t.Errorf("calls %v, were %v; values %v, were %v", next.calls, d.calls, next.values, d.values)
		}
		if next.capital != d.capital || next.safety != d.safety || next.errors.pooled != d.errors.pooled || next.errors.mix.v != d.errors.mix.v || len(next.block.calls) != len(d.block.calls) {
			t.Error("it was bet on")
		}
		if moved := next.ratio.wealth != d.ratio.wealth; moved == blind {
			t.Errorf("capital against the shares: %v, was %v", next.ratio.wealth, d.ratio.wealth)
		}
	}
}

// A rating may stand in the log twice, or be replaced: the first is bet on.
func TestARatingIsBetOnOncePerCall(t *testing.T) {
	for _, blind := range []bool{false, true} {
		s := healthy(.2)
		s.blind = blind
		d := grownUp(t, Policy{Metrics: allFour}, s, 4)
		rated := func(call uint64, mark float64) Observation {
			return Observation{Candidate: true, Share: .2, Call: call, Satisfaction: registry.Some(mark)}
		}
		first := after(t, d.State(), rated(7, 1))
		known := func(d *Detector) [2]float64 {
			return [2]float64{d.capital[Satisfaction], float64(len(d.block.ratings))}
		}
		if known(first) == known(d) {
			t.Error("the first was not bet on")
		}
		if again := after(t, first.State(), rated(7, 5)); known(again) != known(first) || again.sticky {
			t.Error("it was bet on twice")
		}
		for _, other := range []Observation{rated(8, 1), rated(0, 1)} {
			if again := after(t, first.State(), other); known(again) == known(first) {
				t.Errorf("call %d was not bet on", other.Call)
			}
		}
	}
}

// However many calls there are, none is bet on twice; few are taken for others.
func TestOnceForgetsNobody(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	u := newUnits(100, 1<<15)
	var list []uint64
	lost := 0
	for range 3000 {
		unit := scattered(r.Uint64())
		if list = append(list, unit); !u.once(unit) {
			lost++
		}
	}
	for _, unit := range list {
		if u.once(unit) {
			t.Fatal("forgotten")
		}
	}
	if lost > 60 {
		t.Errorf("%d of %d were taken for others", lost, len(list))
	}
}
