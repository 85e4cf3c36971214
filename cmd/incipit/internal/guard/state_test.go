package guard

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"testing"
)

// kinds are streams that between them use every part of the state.
func kinds() []stream {
	users, once, blind, twice := healthy(.1), healthy(.3), healthy(.1), healthy(.2)
	users.users, users.ramp = 400, true
	once.once = true
	blind.blind, blind.ramp = true, true
	twice.twice, twice.gaveUp, twice.rated = true, .1, [2]float64{.5, .5}
	return []stream{healthy(.1), users, once, blind, twice}
}

// A detector that is stored and restored at any call goes on bit by bit as if
// nothing had been.
func TestAStoredDetectorGoesOnAsItWas(t *testing.T) {
	for i, s := range kinds() {
		for _, p := range []Policy{{Metrics: allFour}, {Rule: Classic}, {Metrics: allFour, P95Only: true, Regress: Margins{Errors: .004, Latency: .05, Satisfaction: .1}}} {
			p.NoShares = s.blind
			d, err := New(p)
			must(err)
			r := rand.New(rand.NewPCG(uint64(i), 1))
			s.history(r, 500, func(o Observation) { must(d.History(o)) })
			var other *Detector
			n := 0
			s.run(r, 9000, func(o Observation) bool {
				if n%97 == 0 {
					state := d.State()
					if other, err = Restore(state); err != nil {
						t.Fatal(err)
					}
					if again := other.State(); !bytes.Equal(state, again) {
						t.Fatalf("%s: the state of a restored detector is another one", s.name)
					}
				}
				n++
				v, err := d.Observe(o)
				must(err)
				w, err := other.Observe(o)
				must(err)
				if v != w || d.capital != other.capital || d.safety != other.safety || d.ratings.wealth != other.ratings.wealth {
					t.Fatalf("call %d: %v and %v, %v and %v", n, v, w, d.capital, other.capital)
				}
				return v.Kind != Regressed
			})
			if n < 100 {
				t.Errorf("only %d calls", n)
			}
		}
	}
}

func TestStateIsSmall(t *testing.T) {
	for _, set := range []Set{Of(Errors), allFour, everything} {
		d, err := New(Policy{Metrics: set})
		must(err)
		r := rand.New(rand.NewPCG(1, 1))
		s := healthy(.1)
		s.once = true
		s.errors = [2]float64{.2, .2}
		s.rated = [2]float64{.5, .5}
		s.history(r, 2000, func(o Observation) { must(d.History(o)) })
		s.run(r, 60_000, func(o Observation) bool {
			o.Cost, o.FirstTokenMS = o.Tokens, o.LatencyMS
			v, err := d.Observe(o)
			must(err)
			return v.Kind != Regressed
		})
		n := len(set.List())
		if size := len(d.State()); size > 16<<10*n {
			t.Errorf("%s: %d bytes, %d a metric", set, size, size/n)
		}
	}
}

func FuzzRestore(f *testing.F) {
	for i, s := range kinds() {
		for _, n := range []int{1, 300} {
			d, err := New(Policy{NoShares: s.blind})
			must(err)
			s.run(rand.New(rand.NewPCG(uint64(i), 1)), n, func(o Observation) bool {
				_, err := d.Observe(o)
				must(err)
				return true
			})
			f.Add(d.State())
		}
	}
	f.Add([]byte{stateVersion})
	f.Fuzz(func(t *testing.T, state []byte) {
		var before, behind runtime.MemStats
		runtime.ReadMemStats(&before)
		d, err := Restore(state)
		runtime.ReadMemStats(&behind)
		if used := behind.TotalAlloc - before.TotalAlloc; used > uint64(200_000+64*len(state)) {
			t.Fatalf("%d bytes took %d of memory", len(state), used)
		}
		if err != nil {
			return
		}
		s := healthy(.1)
		s.users = 20
		s.run(rand.New(rand.NewPCG(1, 1)), 60, func(o Observation) bool {
			_, err := d.Observe(o)
			must(err)
			return true
		})
		d.Report()
		if again, err := Restore(d.State()); err == nil {
			if !bytes.Equal(again.State(), d.State()) {
				t.Error("the state of a restored detector is another one")
			}
		}
	})
}
