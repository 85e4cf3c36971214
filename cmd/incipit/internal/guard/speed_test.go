package guard

import (
	"math/rand/v2"
	"testing"
)

// BenchmarkObserve is one call: of errors alone, and of four metrics.
func BenchmarkObserve(b *testing.B) {
	for _, set := range []Set{Of(Errors), allFour} {
		b.Run(set.String(), func(b *testing.B) {
			s := healthy(.1)
			d, err := New(Policy{Metrics: set})
			must(err)
			r := rand.New(rand.NewPCG(1, 1))
			s.history(r, 5000, func(o Observation) { must(d.History(o)) })
			var list []Observation
			s.run(r, 20_000, func(o Observation) bool { list = append(list, o); return true })
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if i++; i == len(list) {
					i = 0
				}
				if v, _ := d.Observe(list[i]); v.Kind == Regressed {
					b.Fatal("regressed")
				}
			}
		})
	}
}
