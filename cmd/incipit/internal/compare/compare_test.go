package compare

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		name   string
		pairs  []Pair
		want   Verdict
		needed int
	}{
		{"no cases decide nothing", nil, Inconclusive, 0},
		{"five cases that agree are too few", binary(5, 0, 0), Inconclusive, 29},
		{"28 cases that agree leave a loss of 10 points open", binary(28, 0, 0), Inconclusive, 29},
		{"29 cases that agree rule it out", binary(29, 0, 0), NotRegressed, 0},
		{"30 cases that agree pass", binary(30, 0, 0), NotRegressed, 0},
		{"ten of 100 lost is worse", binary(100, 10, 0), Regressed, 0},
		{"ten lost and ten gained of 100 is no loss of 10 points", binary(100, 10, 10), NotRegressed, 0},
		{"20 lost and 20 gained of 100 may be one", binary(100, 20, 20), Inconclusive, 113},
		{"ten of 100 gained is better", binary(100, 0, 10), NotRegressed, 0},
		{"five of five lost is worse, few as they are", binary(5, 5, 0), Regressed, 0},
		{"three of 30 lost may be chance", binary(30, 3, 0), Inconclusive, 31},
		{"30 of 1,000 lost is worse, and good enough", binary(1000, 30, 0), NotRegressed, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Compare(c.pairs, Rules{})
			if c.pairs == nil {
				c.needed = 20
			}
			if got.Verdict != c.want || got.Needed != c.needed {
				t.Errorf("%s, %d needed; want %s, %d: %s", got.Verdict, got.Needed, c.want, c.needed, got.Metrics[0].Why)
			}
		})
	}
}

// What is needed is enough, and one less is not.
func TestNeededCasesWouldDecide(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(20, 120).Draw(t, "n")
		b := rapid.IntRange(0, n/10).Draw(t, "b")
		c := rapid.IntRange(0, n/10).Draw(t, "c")
		m := Compare(binary(n, b, c), Rules{}).Metrics[0]
		if m.Verdict != Inconclusive || m.Needed == 0 || m.Diff <= -m.Margin {
			return
		}
		s := spreadOf(measureOf("pass").rows(binary(n, b, c)))
		at := func(cases int) float64 {
			f := float64(cases) / s.cases
			low, _ := spread{float64(cases), s.clusters * f, s.loss * f, s.gain * f, s.variance / f}.bounds(.05)
			return low
		}
		if at(m.Needed) <= -m.Margin || m.Needed > n+1 && at(m.Needed-1) > -m.Margin {
			t.Fatalf("%d of %d: %g, %g", m.Needed, n, at(m.Needed-1), at(m.Needed))
		}
	})
}

func drawPairs(t *rapid.T) []Pair {
	scene := scene{
		cases: rapid.IntRange(1, 60).Draw(t, "cases"), cluster: rapid.IntRange(1, 4).Draw(t, "cluster"),
		repeats: rapid.IntRange(1, 3).Draw(t, "repeats"), flaky: rapid.Float64Range(0, 1).Draw(t, "flaky"),
		drop: rapid.Float64Range(0, .3).Draw(t, "drop"), scores: rapid.IntRange(0, 2).Draw(t, "scores"),
	}
	return scene.pairs(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)))
}

func TestTheOrderOfCasesDoesNotShow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pairs := drawPairs(t)
		a := Compare(pairs, Rules{Gate: []string{"pass", "score0"}})
		b := Compare(rapid.Permutation(pairs).Draw(t, "order"), Rules{Gate: []string{"pass", "score0"}})
		slices.Sort(a.Worse)
		slices.Sort(b.Worse)
		if d := cmp.Diff(a, b); d != "" {
			t.Fatal(d)
		}
	})
}

func TestExchangingTheSidesTurnsTheDifference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pairs := drawPairs(t)
		turned := slices.Clone(pairs)
		for i := range turned {
			turned[i].Base, turned[i].Candidate = turned[i].Candidate, turned[i].Base
		}
		a, b := Compare(pairs, Rules{}).Metrics[0], Compare(turned, Rules{}).Metrics[0]
		const close = 1e-9
		if math.Abs(a.Diff+b.Diff) > close || math.Abs(a.Low+b.High) > close || math.Abs(a.P+b.P-1) > close ||
			a.Worse != b.Better || a.Better != b.Worse {
			t.Fatalf("%+v\n%+v", a, b)
		}
		if d := cmp.Diff(Undecided(pairs, Rules{}), Undecided(turned, Rules{})); d != "" {
			t.Fatal("which cases are asked again depends on the side:\n" + d)
		}
	})
}

func TestFiguresStayWhereTheyBelong(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for _, m := range Compare(drawPairs(t), Rules{Gate: []string{"pass", "latency", "score1"}}).Metrics {
			for _, v := range []float64{m.Base, m.Candidate, m.Diff, m.Low, m.High, m.P, m.Adjusted} {
				if math.IsNaN(v) || math.IsInf(v, 0) {
					t.Fatalf("%+v", m)
				}
			}
			if m.P < 0 || m.P > 1 || m.Adjusted < m.P || m.Low > m.Diff || m.High < m.Diff || m.Why == "" {
				t.Fatalf("%+v", m)
			}
		}
	})
}

func TestEachOfSeveralMetricsIsHeldToHolm(t *testing.T) {
	ms := []Metric{{P: .03}, {P: .01}, {P: .04}, {P: .5}}
	holm(ms)
	var got []float64
	for _, m := range ms {
		got = append(got, math.Round(m.Adjusted*1e9)/1e9)
	}
	if d := cmp.Diff([]float64{.09, .04, .09, .5}, got); d != "" {
		t.Error(d)
	}
}

func TestACaseThatOneSideDidNotAnswerIsLeftOut(t *testing.T) {
	pairs := binary(40, 0, 0)
	pairs[3].Candidate = nil
	got := Compare(pairs, Rules{})
	if got.Cases != 39 || got.Unpaired != 1 || got.Metrics[0].Cases != 39 {
		t.Errorf("%+v", got)
	}
}

func TestWhatCostsMoreIsToldAndDoesNotDecide(t *testing.T) {
	pairs := binary(40, 0, 0)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range pairs {
		cost, more := .01, .02
		pairs[i].Base[0].Cost, pairs[i].Candidate[0].Cost = &cost, &more
		pairs[i].Base[0].LatencyMS = 100 * (1 + r.Float64())
		pairs[i].Candidate[0].LatencyMS = 150 * (1 + r.Float64())
	}
	got := Compare(pairs, Rules{})
	said := make(map[string]Verdict)
	for _, m := range got.Metrics {
		said[m.Name] = m.Verdict
	}
	// No tokens were told, so there is nothing to say of them.
	if d := cmp.Diff(map[string]Verdict{"pass": NotRegressed, "latency": Regressed, "cost": Regressed}, said); d != "" {
		t.Error(d)
	}
	if got.Verdict != NotRegressed {
		t.Error("cost decides without being asked to")
	}
	if got := Compare(pairs, Rules{Gate: []string{"pass", "cost"}}); got.Verdict != Regressed {
		t.Error("cost does not decide although it is asked to")
	}
}

func TestAGatedMetricThatNobodyMeasuresIsNoPass(t *testing.T) {
	got := Compare(binary(40, 0, 0), Rules{Gate: []string{"pass", "tone"}})
	if got.Verdict != Inconclusive {
		t.Errorf("%s", got.Verdict)
	}
}

func TestWorseNamesWhatTheMajorityOfAnswersLost(t *testing.T) {
	p, f := Sample{Passed: true}, Sample{}
	pairs := []Pair{
		{Case: "lost", Base: []Sample{p, p, f}, Candidate: []Sample{f, f, p}},
		{Case: "kept", Base: []Sample{p, p, p}, Candidate: []Sample{p, p, f}},
		{Case: "gained", Base: []Sample{f}, Candidate: []Sample{p}},
	}
	got := Compare(pairs, Rules{})
	if d := cmp.Diff([]string{"lost"}, got.Worse); d != "" {
		t.Error(d)
	}
	if got.Metrics[0].Better != 1 || got.Metrics[0].Worse != 1 || got.Repeats != 3 {
		t.Errorf("%+v", got)
	}
	if d := cmp.Diff([]int{0, 1, 2}, Undecided(pairs, Rules{})); d != "" {
		t.Error(d)
	}
	if got := Undecided(binary(30, 0, 0), Rules{}); len(got) != 0 {
		t.Errorf("%v of cases that agree", got)
	}
}

// What was asked again only where the sides differed does not move the estimate:
// luck made some of the difference.
func TestAnswersThatOnlySomeCasesHaveAreTestedAndNotAveraged(t *testing.T) {
	pairs := binary(60, 6, 0)
	for _, i := range Undecided(pairs, Rules{}) {
		for range 4 { // on being asked again, both sides pass
			pairs[i].Base = append(pairs[i].Base, Sample{Passed: true})
			pairs[i].Candidate = append(pairs[i].Candidate, Sample{Passed: true})
		}
	}
	m := Compare(pairs, Rules{}).Metrics[0]
	if m.Diff != -.1 {
		t.Errorf("the difference is %g", m.Diff)
	}
	for i := range pairs {
		pairs[i].Candidate = append(pairs[i].Candidate[:1:1], Sample{Passed: true}, Sample{Passed: true}, Sample{Passed: true}, Sample{Passed: true})
		pairs[i].Base = append(pairs[i].Base[:1:1], Sample{Passed: true}, Sample{Passed: true}, Sample{Passed: true}, Sample{Passed: true})
	}
	if m := Compare(pairs, Rules{}).Metrics[0]; math.Abs(m.Diff+.02) > 1e-12 {
		t.Errorf("with as many answers of every case it is %g", m.Diff)
	}
}

// The vectors are published values; each says where.
func TestPublishedValues(t *testing.T) {
	var v struct {
		Quantiles []struct {
			Tail, DF, T float64
		} `json:"student"`
		McNemar []struct {
			B, C   int
			P      float64
			Source string
		} `json:"mcnemar_mid_p_two_sided"`
		Tango []struct {
			B, C, N   float64
			Low, High float64
			Source    string
		} `json:"tango_95"`
	}
	data, err := os.ReadFile("testdata/published.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Quantiles) == 0 || len(v.McNemar) == 0 || len(v.Tango) == 0 {
		t.Fatal("a table of vectors is empty")
	}
	for _, q := range v.Quantiles {
		if got := studentQuantile(q.Tail, q.DF); math.Abs(got-q.T) > .0005*(1+q.T/10) {
			t.Errorf("t(%g, %g) = %.4f, want %g", q.Tail, q.DF, got, q.T)
		}
	}
	for _, m := range v.McNemar {
		sums := append(slices.Repeat([]float64{-1}, m.C), slices.Repeat([]float64{1}, m.B)...)
		p, ok := flipTail(sums)
		if got := 2 * min(p, 1-p); !ok || math.Abs(got-m.P) > .0005 {
			t.Errorf("mid-p of %d and %d is %.4f, want %g (%s)", m.B, m.C, got, m.P, m.Source)
		}
	}
	for _, c := range v.Tango {
		low, high := -scoreBound(c.C, c.B, c.N, 1.959964), scoreBound(c.B, c.C, c.N, 1.959964)
		if math.Abs(low-c.Low) > .0006 || math.Abs(high-c.High) > .0006 {
			t.Errorf("%g and %g of %g: [%.4f, %.4f], want [%g, %g] (%s)", c.B, c.C, c.N, low, high, c.Low, c.High, c.Source)
		}
	}
}

func TestStudentHasKnownForms(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Float64Range(-40, 40).Draw(t, "x")
		df := rapid.Float64Range(.5, 5_000).Draw(t, "df")
		// One degree of freedom is Cauchy's distribution, two have a closed form.
		for _, c := range [][2]float64{
			{studentTail(x, 1), .5 - math.Atan(x)/math.Pi},
			{studentTail(x, 2), .5 - x/(2*math.Sqrt(2+x*x))},
			{studentTail(x, df) + studentTail(-x, df), 1},
		} {
			if math.Abs(c[0]-c[1]) > 1e-10 {
				t.Fatalf("%g at %g, %g: want %g", c[0], x, df, c[1])
			}
		}
		tail := rapid.Float64Range(1e-6, .5).Draw(t, "tail")
		if got := studentTail(studentQuantile(tail, df), df); math.Abs(got-tail) > 1e-9 {
			t.Fatalf("the quantile of %g at %g degrees of freedom has tail %g", tail, df, got)
		}
	})
}

// Every sign is tried here, which is what flipTail computes without.
func TestFlippingEverySignIsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.IntRange(-12, 12), 1, 10).Draw(t, "parts")
		sums := make([]float64, len(parts))
		seen := 0
		for i, p := range parts {
			sums[i] = float64(p) / 12
			seen += p
		}
		worse, as := 0, 0
		for signs := range 1 << len(parts) {
			total := 0
			for i, p := range parts {
				if signs>>i&1 == 1 {
					p = -p
				}
				total += p
			}
			if total < seen {
				worse++
			} else if total == seen {
				as++
			}
		}
		want := (float64(worse) + float64(as)/2) / float64(int(1)<<len(parts))
		if got, ok := flipTail(sums); !ok || math.Abs(got-want) > 1e-12 {
			t.Fatalf("%g, want %g", got, want)
		}
	})
}

// Beyond the exact computation stands Student's t, and nobody sees the seam.
func TestManyClustersAreComparedAsFewAre(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	var sums []float64
	for range maxFlips - 1 {
		sums = append(sums, r.NormFloat64()-.05)
	}
	exact, ok := flipTail(sums)
	if _, tooMany := flipTail(append(slices.Clone(sums), slices.Repeat([]float64{1}, 100)...)); !ok || tooMany {
		t.Fatal("the bound is not where it was")
	}
	var total float64
	for _, s := range sums {
		total += s
	}
	d := total / float64(len(sums))
	residuals := make([]float64, len(sums))
	for i, s := range sums {
		residuals[i] = s - d
	}
	approx := studentTail(-d/math.Sqrt(robust(residuals, len(sums))), float64(len(sums)-1))
	if math.Abs(exact-approx) > .005 {
		t.Errorf("%g and %g", exact, approx)
	}
}

func TestATenThousandCasesAreCompared(t *testing.T) {
	got := Compare(binary(10_000, 900, 700), Rules{})
	if got.Verdict != NotRegressed || got.Metrics[0].P > 1e-5 {
		t.Errorf("%+v", got.Metrics[0])
	}
}

func BenchmarkCompare(b *testing.B) {
	for _, n := range []int{100, 1_000, 10_000} {
		b.Run(fmt.Sprintf("cases=%d", n), func(b *testing.B) {
			pairs := binary(n, n/20, n/20)
			for b.Loop() {
				Compare(pairs, Rules{})
			}
		})
	}
}

// BenchmarkLevelAndPower prints the numbers that the issue names, each over 1,000
// comparisons, and how the rule does elsewhere.
func BenchmarkLevelAndPower(b *testing.B) {
	share := func(s scene, seed uint64) float64 {
		s.draws = comparisons
		return 100 * s.share(Regressed, seed)
	}
	for b.Loop() {
		most, least := 0.0, 100.0
		for i, s := range selves() {
			got := share(s, uint64(i))
			most = max(most, got)
			fmt.Printf("with itself: %-46s regress %5.1f %%\n", s.name, got)
		}
		for i, s := range drops() {
			got := share(s, 1000+uint64(i))
			least = min(least, got)
			fmt.Printf("true drop:   %-46s regress %5.1f %%\n", s.name, got)
		}
		b.ReportMetric(share(scene{cases: 100, cluster: 1, repeats: 1, flaky: .2}, 1), "%_regress_of_itself")
		b.ReportMetric(share(drops()[0], 2), "%_found_of_10_points")
		b.ReportMetric(most, "%_regress_of_itself_worst_row")
		b.ReportMetric(least, "%_found_worst_row")
	}
}
