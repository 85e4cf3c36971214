package guard

import (
	"fmt"
	"math"
	"strings"
)

// An aim is a figure with what it must be at most and, beyond that, what would be
// as good as the best that is known.
type aim struct {
	what           string
	must, moonshot float64
	got            float64
}

// A board collects the aims while tables are printed.
type board struct{ aims []aim }

func (b *board) note(what string, must, moonshot, got float64) {
	b.aims = append(b.aims, aim{what, must, moonshot, got})
}

// print ends the run: aims and figures side by side, then what is not met.
func (b *board) print() {
	fmt.Print("\n| aim | at most | moonshot | measured | |\n|---|---|---|---|---|\n")
	var missed []string
	for _, a := range b.aims {
		word := "moonshot"
		switch {
		case a.got > a.must:
			word = "not met"
			missed = append(missed, fmt.Sprintf("%s: %s, at most %s", a.what, short(a.got), short(a.must)))
		case a.got > a.moonshot:
			word = "met"
		}
		fmt.Printf("| %s | %s | %s | %s | %s |\n", a.what, short(a.must), short(a.moonshot), short(a.got), word)
	}
	if len(missed) == 0 {
		fmt.Println("\nall of them are met")
		return
	}
	fmt.Printf("\nnot met:\n- %s\n", strings.Join(missed, "\n- "))
}

func short(x float64) string {
	if x >= 100 {
		return fmt.Sprintf("%.0f", x)
	}
	return fmt.Sprintf("%.3g", x)
}

// aboveChance is how many percent of n cases may be wrong by chance, where a part
// of p is to be: three standard errors more.
func aboveChance(p float64, n int) float64 {
	return 100 * (p + 3*math.Sqrt(p*(1-p)/float64(n)))
}

// pooled is what most teams write second: a z-test of the totals of both arms,
// one-sided at 1 %, every 100 calls. It is here to be compared with.
type pooled struct {
	arms  [2]tally
	calls int
}

func (z *pooled) observe(o *Observation) (regressed bool) {
	if !o.Error.Known {
		return false
	}
	z.arms[arm(o.Candidate)].add(o.Error.Value)
	if z.calls++; z.calls%100 != 0 || z.arms[0].calls < 30 || z.arms[1].calls < 30 {
		return false
	}
	a, b := z.arms[0], z.arms[1]
	p := (a.errors + b.errors) / (a.calls + b.calls)
	return b.errors/b.calls-a.errors/a.calls > 2.326*math.Sqrt(p*(1-p)*(1/a.calls+1/b.calls))
}

// yardsticks are how often the classic rule and the pooled test take a stream for
// a regression, in percent of n rollouts.
func yardsticks(s stream, n int) (classic, z float64) {
	rule := many(s.name, n, func(seed uint64) end { return roll(Policy{Rule: Classic}, s, seed, warm, 50_000, false) })
	test := many(s.name, n, func(seed uint64) (e end) {
		d, err := New(Policy{Rule: Classic})
		must(err)
		var p pooled
		follow(d, s, seed, warm, 50_000, func(o Observation) bool {
			if p.observe(&o) {
				e.kind = Regressed
			}
			return e.kind != Regressed
		})
		return e
	})
	percent := func(ends []end) float64 { return 100 * float64(count(ends, regressed)) / float64(n) }
	return percent(rule), percent(test)
}
