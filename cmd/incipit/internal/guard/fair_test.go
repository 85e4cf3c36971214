package guard

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"

	"github.com/incipit-dev/incipit/internal/registry"
)

// slack is what rounding may add to a mean.
const slack = 1e-9

// grownUp is a detector in the middle of a rollout of some kind.
func grownUp(t *testing.T, p Policy, s stream, seed uint64) *Detector {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 11))
	p.NoShares = s.blind
	d, err := New(p)
	if err != nil {
		t.Fatal(err)
	}
	s.history(r, r.IntN(3000), func(o Observation) { must(d.History(o)) })
	left := r.IntN(3000)
	s.run(r, left+1, func(o Observation) bool {
		left--
		if v, err := d.Observe(o); err != nil || v.Kind == Regressed {
			t.Fatal(v, err)
		}
		return left > 0
	})
	return d
}

// after is a detector like d that has seen o as well.
func after(t *testing.T, state []byte, o Observation) *Detector {
	t.Helper()
	d, err := Restore(state)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Observe(o); err != nil {
		t.Fatal(err)
	}
	return d
}

// allFour are the metrics of the streams.
const allFour = Set(1<<Errors | 1<<Latency | 1<<Tokens | 1<<Satisfaction)

func healthy(split float64) stream { return plain("", split, .02) }

// Whatever comes of a call, over the arms that it may have the capital of every
// pot stays what it was.
func TestNoCallIsABargain(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	for seed := range uint64(25) {
		s := healthy([]float64{.03, .1, .5, .9}[seed%4])
		if seed%3 == 1 {
			s.users = 300
		}
		d := grownUp(t, Policy{Metrics: allFour, P95Only: seed%5 == 2}, s, seed)
		if seed%2 == 0 && s.users == 0 {
			d = after(t, d.State(), Observation{Candidate: seed%4 == 0, Share: s.split, Error: registry.Some(true)})
		}
		state := d.State()
		for range 20 {
			o := s.call(r, 0, 0, .3)
			o.Satisfaction = registry.Opt[float64]{Value: float64(1 + r.IntN(5)), Known: r.IntN(2) == 0}
			o.LatencyMS.Value *= math.Exp(3 * r.NormFloat64())
			o.Share = .02 + .96*r.Float64()
			if seed%3 == 1 {
				o.Subject = fmt.Sprintf("new-%d", r.IntN(1000))
			}
			stable, candidate := o, o
			candidate.Candidate = true
			d0, d1 := after(t, state, stable), after(t, state, candidate)
			for _, pot := range d.pots() {
				if pot == Of(Satisfaction) {
					continue
				}
				if mean := o.Share*d1.sum(pot) + (1-o.Share)*d0.sum(pot); mean > d.sum(pot)*(1+slack) {
					t.Fatalf("seed %d: the capital of %s is %v, and will be %v on average", seed, pot, d.sum(pot), mean)
				}
			}
			if mean := o.Share*d1.ratio.wealth + (1-o.Share)*d0.ratio.wealth; mean > d.ratio.wealth*(1+slack) {
				t.Fatalf("the capital against the shares grows from %v to %v on average", d.ratio.wealth, mean)
			}
			if mean := o.Share*d1.runs.wealth + (1-o.Share)*d0.runs.wealth; mean > d.runs.wealth*(1+slack) {
				t.Fatalf("the capital against runs grows from %v to %v on average", d.runs.wealth, mean)
			}
		}
	}
}

// Linear bets are fair for every pair of laws with equal means, or a better one
// for the candidate, though the laws differ.
func TestNoRatingIsABargain(t *testing.T) {
	flat := [5]float64{.2, .2, .2, .2, .2} // mean 3
	ends := [5]float64{.5, 0, 0, 0, .5}    // mean 3
	upper := [5]float64{.1, .1, .2, .3, .3}
	margins := []float64{0, .15}
	for seed := range uint64(20) {
		for _, laws := range [][2][5]float64{{flat, ends}, {ends, flat}, {marks46, polarized}, {flat, upper}, {marks43, marks46}} {
			p := Policy{Metrics: allFour}
			p.Regress.Satisfaction = margins[seed%2]
			s := healthy([]float64{.03, .1, .5, .9}[seed%4])
			d := grownUp(t, p, s, seed)
			state := d.State()
			var mean, safe float64
			for a, law := range laws {
				for y, q := range law {
					o := Observation{Candidate: a == 1, Share: s.split, Satisfaction: registry.Some(float64(y + 1))}
					next := after(t, state, o)
					part := q * (1 - s.split)
					if a == 1 {
						part = q * s.split
					}
					mean += part * next.capital[Satisfaction]
					// The other way round: the stable release has the better marks, by the margin.
					o = Observation{Candidate: a == 0, Share: s.split, Satisfaction: o.Satisfaction}
					next = after(t, state, o)
					part = q * (1 - s.split)
					if a == 0 {
						part = q * s.split
					}
					safe += part * next.ratings.wealth
				}
			}
			if mean > d.capital[Satisfaction]*(1+slack) {
				t.Fatalf("seed %d: from %v to %v on average", seed, d.capital[Satisfaction], mean)
			}
			if gap := meanOf(laws[1]) - meanOf(laws[0]); gap >= d.policy.Safe.Satisfaction && safe > d.ratings.wealth*(1+slack) {
				t.Fatalf("seed %d: safe from %v to %v on average", seed, d.ratings.wealth, safe)
			}
		}
	}
}

func meanOf(law [5]float64) (m float64) {
	for y, p := range law {
		m += p * float64(y+1)
	}
	return m
}

// The tests of margins are fair for every pair of error rates on their side.
func TestNoMarginIsABargain(t *testing.T) {
	for seed := range uint64(12) {
		p := Policy{Metrics: Of(Errors)}
		if seed%2 == 1 {
			p.Regress.Errors = .005
		}
		s := stream{split: []float64{.03, .1, .5}[seed%3], errors: [2]float64{.02, .02}}
		d := grownUp(t, p, s, seed)
		state := d.State()
		var next [2][2]*Detector
		for a := range 2 {
			for y := range 2 {
				next[a][y] = after(t, state, Observation{Candidate: a == 1, Share: s.split, Error: registry.Some(y == 1)})
			}
		}
		mean := func(p0, p1 float64, of func(*Detector) float64) (m float64) {
			for a, rate := range []float64{p0, p1} {
				part := []float64{1 - s.split, s.split}[a]
				m += part * ((1-rate)*of(next[a][0]) + rate*of(next[a][1]))
			}
			return m
		}
		for p0 := 0.; p0 <= .98; p0 += .014 {
			for p1 := 0.; p1 <= 1; p1 += .01 {
				if m := mean(p0, p1, func(d *Detector) float64 { return d.safety }); p1 >= p0+d.policy.Safe.Errors && m > d.safety*(1+slack) {
					t.Fatalf("safe at %v and %v: from %v to %v", p0, p1, d.safety, m)
				}
				if m := mean(p0, p1, func(d *Detector) float64 { return d.capital[Errors] }); p1 <= p0+d.policy.Regress.Errors && m > d.capital[Errors]*(1+slack) {
					t.Fatalf("regress at %v and %v: from %v to %v", p0, p1, d.capital[Errors], m)
				}
			}
		}
	}
}

// Safe tests of shapes are fair where the candidate is worse by the margin.
func TestNoShiftIsABargain(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	for seed := range uint64(10) {
		s := healthy([]float64{.1, .5}[seed%2])
		d := grownUp(t, Policy{Metrics: allFour}, s, seed)
		state := d.State()
		for _, m := range []Metric{Latency, Tokens} {
			for range 30 {
				x := math.Exp(6 + 2*r.NormFloat64())
				make := func(candidate bool) Observation {
					v := registry.Some(x)
					if candidate {
						v.Value *= 1 + d.policy.Safe.of(m)
					}
					o := Observation{Candidate: candidate, Share: s.split}
					if m == Latency {
						o.LatencyMS = v
					} else {
						o.Tokens = v
					}
					return o
				}
				w0, w1 := after(t, state, make(false)).shapes[m].wealth, after(t, state, make(true)).shapes[m].wealth
				if mean := s.split*w1 + (1-s.split)*w0; mean > d.shapes[m].wealth*(1+1e-6) {
					t.Fatalf("%s: from %v to %v on average", m, d.shapes[m].wealth, mean)
				}
			}
		}
	}
}

// Over all choices of as many calls of a block the stake stays what it was.
func TestNoBlockIsABargain(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for range 50 {
		n := 2 + r.IntN(9)
		list := make([]odds, n)
		for i := range list {
			for k := range list[i] {
				list[i][k] = math.Exp(2 * r.NormFloat64())
			}
		}
		for chosen := range n + 1 {
			var sum, all float64
			for choices := range 1 << n {
				if bits.OnesCount(uint(choices)) != chosen {
					continue
				}
				m := newMixture(errorPrior[:]...)
				c := newChoice(m.n, chosen)
				for i := range n {
					m.stake(&list[i], 0)
					c.add(&m, choices>>i&1 == 1)
				}
				all++
				best := c.best(&m)
				became := c.settle(&m)
				if became > best*(1+slack) {
					t.Fatalf("%v is better than the best, %v", became, best)
				}
				sum += became
			}
			if mean := sum / all; math.Abs(mean-1) > slack {
				t.Fatalf("%d of %d: the mean is %v", chosen, n, mean)
			}
		}
	}
}

// Where the share is not known, the tests of margins are fair for as many calls
// of each arm as there happen to be.
func TestNoMarginOfABlockIsABargain(t *testing.T) {
	for _, candidate := range []int{1, 4, 20, 39} {
		for _, rates := range [][2]float64{{.02, .03}, {0, .01}, {.3, .31}, {.05, .2}, {.001, 1}} {
			d := grownUp(t, Policy{Metrics: Of(Errors)}, stream{split: .2, errors: [2]float64{.02, .02}, blind: true}, 1)
			for d.block.margins != [2][2]uint64{} {
				d.collectMargins(false, 0)
			}
			d.safety = 1
			state := d.State()
			mean := 0.0
			for k0 := range blockCalls - candidate + 1 {
				for k1 := range candidate + 1 {
					chance := binomial(blockCalls-candidate, k0, rates[0]) * binomial(candidate, k1, rates[1])
					if chance == 0 {
						continue
					}
					next, err := Restore(state)
					must(err)
					for i := range blockCalls {
						a := arm(i < candidate)
						next.collectMargins(a == 1 && i < k1 || a == 0 && i < candidate+k0, a)
					}
					mean += chance * next.safety
				}
			}
			if mean > 1+slack {
				t.Errorf("%d of the candidate, rates %v: %v on average", candidate, rates, mean)
			}
		}
	}
}

func binomial(n, k int, p float64) float64 {
	x := 1.0
	for i := range k {
		x *= float64(n-i) / float64(i+1) * p
	}
	return x * math.Pow(1-p, float64(n-k))
}

// Subjects have calls and errors as they like, shares grow and shrink, and the
// arms follow from where each subject stands: over all places the capital stays
// 1 at every step, and a verdict is as rare as it should be.
func TestNoSubjectIsABargain(t *testing.T) {
	ladder := []float64{.1, .3, .6}
	edges := []float64{0, .1, .3, .6, 1}
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 2))
		const users, calls = 3, 30
		type step struct {
			user  int
			share float64
			o     Observation
		}
		var script []step
		for i := range calls {
			share := ladder[i*3/calls]
			if seed%4 == 3 {
				share = ladder[r.IntN(3)]
			}
			o := Observation{Share: share, Error: registry.Some(r.Float64() < .4)}
			if !o.failed() {
				o.LatencyMS = registry.Some(math.Exp(6 + r.NormFloat64()))
			}
			if r.Float64() < .5 {
				o.Satisfaction = registry.Some(float64(1 + r.IntN(5)))
			}
			u := r.IntN(users)
			o.Subject = fmt.Sprint(u)
			script = append(script, step{u, share, o})
		}
		var mean [calls][3]float64
		alarms := 0.0
		p := Policy{Metrics: allFour, Alpha: .3}
		for places := range 4 * 4 * 4 {
			d, err := New(p)
			must(err)
			h := rand.New(rand.NewPCG(1, 1))
			s := healthy(.1)
			s.history(h, 100, func(o Observation) { must(d.History(o)) })
			chance, at := 1.0, [users]float64{}
			for u := range users {
				k := places >> (2 * u) & 3
				chance *= edges[k+1] - edges[k]
				at[u] = edges[k]
			}
			for i, x := range script {
				x.o.Candidate = at[x.user] < x.share
				_, err := d.Observe(x.o)
				must(err)
				for j, pot := range d.pots() {
					mean[i][j] += chance * d.sum(pot)
				}
			}
			if d.verdict.Kind == Regressed {
				alarms += chance
			}
		}
		d, err := New(p)
		must(err)
		d.sticky = true
		for i := range mean {
			for j, pot := range d.pots() {
				// Ratings are fair for equal means, not for each outcome.
				if pot != Of(Satisfaction) && mean[i][j] > d.sum(pot)*(1+slack) {
					t.Fatalf("seed %d, step %d: the capital of %s is %v on average, from %v", seed, i, pot, mean[i][j], d.sum(pot))
				}
			}
		}
		if alarms > p.Alpha {
			t.Errorf("seed %d: alarms in %v of all cases", seed, alarms)
		}
	}
}
