package compare

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// How often each row is drawn: the ones that the issue names, and the others.
const (
	comparisons = 1_000
	fewer       = 300
)

// A scene is how the cases of a simulated comparison behave. A case is flaky
// with probability Flaky, and then passes half of the time; else it is firm.
type scene struct {
	name    string
	cases   int
	cluster int     // cases that share their fate; 1: none
	repeats int     // of each side
	flaky   float64 // share of cases
	drop    float64 // share of cases that the base passes for certain and the candidate fails
	scores  int     // named scores that decide too
	again   int     // repeats of the cases that Undecided names
	draws   int     // fewer, if it is not said
}

func (s scene) rules() Rules {
	r := Rules{Gate: []string{"pass"}}
	for i := range s.scores {
		r.Gate = append(r.Gate, fmt.Sprintf("score%d", i))
	}
	return r
}

// pairs draws one comparison. What a cluster shares is whether its cases are
// flaky or dropped, and for flaky ones the luck of each answer.
func (s scene) pairs(r *rand.Rand) []Pair {
	out := make([]Pair, 0, s.cases)
	var kinds [][2]bool
	for len(out) < s.cases {
		u := r.Float64()
		flaky, dropped := u < s.flaky, u > 1-s.drop
		luck := [2]uint64{r.Uint64(), r.Uint64()}
		for k := range s.cluster {
			p := Pair{Case: fmt.Sprint(len(out))}
			if s.cluster > 1 {
				p.Cluster = fmt.Sprint(len(out) - k)
			}
			for i := range s.repeats {
				p.Base = append(p.Base, s.sample(r, flaky, false, luck[0]>>i&1))
				p.Candidate = append(p.Candidate, s.sample(r, flaky, dropped, luck[1]>>i&1))
			}
			out, kinds = append(out, p), append(kinds, [2]bool{flaky, dropped})
		}
	}
	if s.again > 0 {
		for _, i := range Undecided(out, s.rules()) {
			for range s.again {
				out[i].Base = append(out[i].Base, s.sample(r, kinds[i][0], false, r.Uint64()&1))
				out[i].Candidate = append(out[i].Candidate, s.sample(r, kinds[i][0], kinds[i][1], r.Uint64()&1))
			}
		}
	}
	return out
}

func (s scene) sample(r *rand.Rand, flaky, dropped bool, luck uint64) Sample {
	out := Sample{Passed: !dropped, Score: 1}
	if flaky {
		out.Passed = luck == 1
	}
	if s.scores > 0 {
		out.Metrics = make(map[string]float64)
		for i := range s.scores {
			out.Metrics[fmt.Sprintf("score%d", i)] = .8 + .2*r.Float64()
		}
	}
	return out
}

// share of the verdict v over the simulated comparisons.
func (s scene) share(v Verdict, seed uint64) float64 {
	n := 0
	for i := range s.drawn() {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		if Compare(s.pairs(r), s.rules()).Verdict == v {
			n++
		}
	}
	return float64(n) / float64(s.drawn())
}

func (s scene) drawn() int { return cmp.Or(s.draws, fewer) }

// strays is three standard errors of a share that is 5 %.
func (s scene) strays() float64 { return 3 * math.Sqrt(.05*.95/float64(s.drawn())) }

func selves() []scene {
	var out []scene
	for _, n := range []int{20, 50, 100} {
		for _, d := range []float64{.1, .2, 1} {
			out = append(out, scene{name: fmt.Sprintf("%d cases, %g %% flaky", n, 100*d), cases: n, cluster: 1, repeats: 1, flaky: d, draws: comparisons})
		}
	}
	return append(out,
		scene{name: "60 cases, 5 repeats", cases: 60, cluster: 1, repeats: 5, flaky: .5},
		scene{name: "100 cases in clusters of 5", cases: 100, cluster: 5, repeats: 1, flaky: .4},
		scene{name: "100 cases in clusters of 5, 3 repeats", cases: 100, cluster: 5, repeats: 3, flaky: .4},
		scene{name: "100 cases, pass and 4 scores (Holm)", cases: 100, cluster: 1, repeats: 1, flaky: .2, scores: 4},
		scene{name: "100 cases, asked again where undecided", cases: 100, cluster: 1, repeats: 1, flaky: .2, again: 4},
		scene{name: "40 cases, asked again where undecided", cases: 40, cluster: 1, repeats: 1, flaky: .6, again: 2},
	)
}

// drops are candidates that fail a tenth of the cases which the base passes.
func drops() []scene {
	return []scene{
		{name: "100 cases, 10 % drop, nothing else differs", cases: 100, cluster: 1, repeats: 1, drop: .1, draws: comparisons},
		{name: "100 cases, 10 % drop, 4 scores (Holm)", cases: 100, cluster: 1, repeats: 1, drop: .1, scores: 4},
		{name: "100 cases, 10 % drop, 4 % flaky", cases: 100, cluster: 1, repeats: 1, drop: .1, flaky: .04},
		{name: "100 cases, 10 % drop, 10 % flaky, 3 repeats", cases: 100, cluster: 1, repeats: 3, drop: .1, flaky: .1},
		{name: "100 cases, 10 % drop, 10 % flaky, asked again", cases: 100, cluster: 1, repeats: 1, drop: .1, flaky: .1, again: 4},
	}
}

// The level itself is held by enumeration (TestTheLevelIsHeldByEnumeration);
// what is drawn a thousand times strays from it by 0.7 points, so a row may
// stand three times that much above, and the mean of the rows may not at all.
func TestAPromptComparedWithItselfSeldomRegresses(t *testing.T) {
	const nominal = .05
	var sum float64
	all := selves()
	for i, s := range all {
		got := s.share(Regressed, uint64(i))
		sum += got / float64(len(all))
		t.Logf("%-42s regress %4.1f %% of %d", s.name, 100*got, s.drawn())
		if got > nominal+s.strays() {
			t.Errorf("%s: regress is said of %.1f %% of the comparisons of a prompt with itself", s.name, 100*got)
		}
	}
	t.Logf("%-42s regress %4.1f %%", fmt.Sprintf("mean of %d rows", len(all)), 100*sum)
	if sum > nominal {
		t.Error("more than 5 % on average")
	}
}

func TestADropOfTenPointsOver100CasesIsFound(t *testing.T) {
	for i, s := range drops() {
		got := s.share(Regressed, 1000+uint64(i))
		t.Logf("%-46s regress %5.1f %% of %d", s.name, 100*got, s.drawn())
		if got < .8 {
			t.Errorf("%s: found in %.1f %%", s.name, 100*got)
		}
	}
}

// A candidate whose loss is the margin itself is called good enough with about
// the probability alpha, however few differences there are. (With 60 cases it is
// 5.3 %, by the binomial distribution; the score interval is not exact.)
func TestALossOfTheMarginSeldomPasses(t *testing.T) {
	for i, s := range []scene{
		{name: "25 cases", cases: 25, cluster: 1, repeats: 1, drop: .1},
		{name: "30 cases", cases: 30, cluster: 1, repeats: 1, drop: .1},
		{name: "60 cases", cases: 60, cluster: 1, repeats: 1, drop: .1},
		{name: "200 cases, 20 % flaky", cases: 200, cluster: 1, repeats: 1, drop: .1, flaky: .2},
		{name: "200 cases in clusters of 5", cases: 200, cluster: 5, repeats: 1, drop: .1, flaky: .2},
		{name: "100 cases, 20 % flaky, asked again", cases: 100, cluster: 1, repeats: 1, drop: .1, flaky: .2, again: 4},
	} {
		got := s.share(NotRegressed, 2000+uint64(i))
		t.Logf("%-42s pass %4.1f %% of %d", s.name, 100*got, s.drawn())
		if got > .05+s.strays() {
			t.Errorf("%s: called good enough in %.1f %%", s.name, 100*got)
		}
	}
}

// TestTheLevelIsHeldByEnumeration adds up the probability of every outcome of a
// prompt compared with itself in which regress is said. No draw is made. Beside
// it stand the rules that were not taken: the smaller of the two p-values, and
// Student's alone.
func TestTheLevelIsHeldByEnumeration(t *testing.T) {
	for _, n := range []int{20, 30, 50, 75, 100} {
		for _, d := range []float64{.05, .1, .2, .3, .5} {
			rule, smaller, student := level(n, d)
			t.Logf("%3d cases, %2.0f %% discordant: regress %.2f %%; mid-p or t %.2f %%, t alone %.2f %%", n, 100*d, 100*rule, 100*smaller, 100*student)
			if rule > .05 {
				t.Errorf("%d cases, discordance %g: regress is said with probability %.4f", n, d, rule)
			}
		}
	}
}

// level is the probability that a prompt of n cases, of which each is discordant
// with probability d, regresses against itself: by the rule, by the smaller of
// McNemar's mid-p and Student's p, and by Student's.
func level(n int, d float64) (rule, smaller, student float64) {
	lf := func(k int) float64 { v, _ := math.Lgamma(float64(k + 1)); return v }
	for b := range n + 1 {
		for c := range min(b, n-b+1) {
			chance := math.Exp(lf(n) - lf(b) - lf(c) - lf(n-b-c) + float64(b+c)*math.Log(d/2) + float64(n-b-c)*math.Log(1-d))
			if chance < 1e-8 {
				continue
			}
			m := Compare(binary(n, b, c), Rules{}).Metrics[0]
			v := (float64(b+c)/float64(n) - m.Diff*m.Diff) / float64(n-1)
			p := studentTail(-m.Diff/math.Sqrt(v), float64(n-1))
			if m.Verdict == Regressed {
				rule += chance
			}
			if min(m.P, p) <= .05 {
				smaller += chance
			}
			if p <= .05 {
				student += chance
			}
		}
	}
	return rule, smaller, student
}

// binary are n cases of which b went from pass to fail and c from fail to pass.
func binary(n, b, c int) []Pair {
	out := make([]Pair, n)
	for i := range out {
		out[i] = Pair{
			Case:      fmt.Sprint(i),
			Base:      []Sample{{Passed: i < b || i >= b+c}},
			Candidate: []Sample{{Passed: i >= b}},
		}
	}
	return out
}
