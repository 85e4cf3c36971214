package registry

import (
	"math/rand/v2"
	"slices"
	"testing"
	"testing/quick"
)

// always holds a law to five hundred draws. A law says what broke it, or "";
// what testing/quick says it failed on is the seed of the dice.
func always(t *testing.T, law func(dice) string) {
	t.Helper()
	check := func(seed uint64) bool {
		why := law(dice{rand.New(rand.NewPCG(seed, 27))})
		if why != "" {
			t.Log(why)
		}
		return why == ""
	}
	if err := quick.Check(check, &quick.Config{MaxCount: 500}); err != nil {
		t.Error(err)
	}
}

// A dice draws what a law is held to.
type dice struct{ *rand.Rand }

// few is at most n and mostly far less, so that nothing and one come up.
func (d dice) few(n int) int { return d.IntN(d.IntN(n+1) + 1) }

// pick is one of a list.
func pick[T any](d dice, from ...T) T { return from[d.IntN(len(from))] }

// pickSome are one or more of a list, each once, in any order.
func pickSome[T any](d dice, from []T) []T {
	from = slices.Clone(from)
	d.Shuffle(len(from), func(i, j int) { from[i], from[j] = from[j], from[i] })
	return from[:1+d.IntN(len(from))]
}

// times is what is drawn n times.
func times[T any](n int, draw func() T) []T {
	out := make([]T, n)
	for i := range out {
		out[i] = draw()
	}
	return out
}
