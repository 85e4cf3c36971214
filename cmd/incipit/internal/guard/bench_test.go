package guard

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// BenchmarkGuard prints what the guard reaches on streams made up here: how
// often it is wrong, how fast it is right, what it costs, and at the end each
// aim beside its figure and what is not met. GUARD_ROLLOUTS is the number of
// rollouts of a row: 100 unless set, with which a row of delays is known to a
// tenth; 1000 for the table of docs/benchmarks.md. GUARD_TABLES names tables,
// with commas between; all unless set.
func BenchmarkGuard(b *testing.B) {
	n := 100
	if text := os.Getenv("GUARD_ROLLOUTS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 1 {
			b.Fatalf("GUARD_ROLLOUTS is %q", text)
		}
	}
	fmt.Printf("%s/%s, %d of the processors' cores, %d rollouts a row of nulls, %d a row of delays\n", runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), n, delayed(n))
	tables := []struct {
		name  string
		print func(*board)
	}{
		{"cost", printCost},
		{"breakage", func(a *board) { printBreakage(a, delayed(n)) }},
		{"errors", func(a *board) { printErrors(a, delayed(n)) }},
		{"whole", func(a *board) { printWhole(a, delayed(n)) }},
		{"others", func(a *board) { printOthers(a, delayed(n)) }},
		{"safe", func(a *board) { printSafe(a, n) }},
		{"drift", func(a *board) { printDrift(a, n) }},
		{"nulls", func(a *board) { printNulls(a, n) }},
	}
	only := os.Getenv("GUARD_TABLES")
	for range b.N {
		var aims board
		for _, t := range tables {
			if only == "" || slices.Contains(strings.Split(only, ","), t.name) {
				t.print(&aims)
			}
		}
		aims.print()
	}
}

// delayed is how many rollouts a row of delays has.
func delayed(n int) int { return min(max(n, 20), 400) }

// warm is the length of the history before a stream that may not alarm: five hours
// at 2,000 calls an hour. day is the one where delays are measured.
const warm, day = 10_000, 48_000

// many runs n rollouts of a row on all cores, each row with seeds of its own.
func many(row string, n int, one func(seed uint64) end) []end {
	base := (&Observation{Subject: row + "."}).unit() &^ 0xffffffff
	ends := make([]end, n)
	var next sync.Mutex
	at := 0
	var wait sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for {
				next.Lock()
				i := at
				at++
				next.Unlock()
				if i >= n {
					return
				}
				ends[i] = one(base + uint64(i))
			}
		})
	}
	wait.Wait()
	return ends
}

func count(ends []end, is func(end) bool) (n int) {
	for _, e := range ends {
		if is(e) {
			n++
		}
	}
	return n
}

// quantile of the candidate's calls.
func quantile(ends []end, q float64, of func(end) int) int {
	var list []int
	for _, e := range ends {
		list = append(list, of(e))
	}
	slices.Sort(list)
	return list[min(int(q*float64(len(list))), len(list)-1)]
}

func regressed(e end) bool { return e.kind == Regressed }
func toVerdict(e end) int  { return e.calls }

// nulls are streams on which no candidate may be taken back.
func nulls() []stream {
	steady := func(rate float64) stream { return plain(fmt.Sprintf("steady, errors %g %%", rate*100), .1, rate) }
	with := func(name string, change func(*stream)) stream {
		s := plain(name, .1, .01)
		change(&s)
		return s
	}
	return []stream{
		steady(.001), steady(.01), steady(.05),
		with("steady, split 50 %", func(s *stream) { s.split = .5 }),
		with("ramp during a daily cycle", func(s *stream) { s.ramp, s.daily = true, .7 }),
		with("provider burst on both arms", func(s *stream) { s.burst = [3]float64{5000, 7000, .3} }),
		with("sticky subjects, 2,000", func(s *stream) { s.users = 2000 }),
		with("sticky subjects, 200", func(s *stream) { s.users = 200 }),
		with("sticky subjects, ramp and daily cycle", func(s *stream) { s.users, s.ramp, s.daily = 2000, true, .7 }),
		with("each subject once", func(s *stream) { s.once = true }),
		with("late ratings, the candidate's 3 times later", func(s *stream) { s.late = [2]float64{2000, 6000} }),
		with("retries, as lines of one subject", func(s *stream) { s.once, s.retry = true, .8 }),
		with("retries, as lines of no subject", func(s *stream) { s.retry = .8 }),
		with("ratings half as often", func(s *stream) { s.rated[1] = .05 }),
		with("polarized ratings of the same mean", func(s *stream) { s.marks[1] = polarized }),
		with("a better candidate", func(s *stream) {
			s.errors[1], s.medium[1], s.tokens[1] = .005, 700, 270
		}),
		with("without a split column", func(s *stream) { s.blind = true }),
		with("without a split column, ramp and daily cycle", func(s *stream) { s.blind, s.ramp, s.daily = true, true, .7 }),
	}
}

func printNulls(b *board, n int) {
	fmt.Print("\n| false rollbacks, four metrics, 50,000 calls | of | wrong | not trusted | safe at the end | the classic rule | a pooled z-test |\n|---|---|---|---|---|---|---|\n")
	worst, all, rows := 0.0, 0.0, 0
	for _, s := range nulls() {
		ends := many(s.name, n, func(seed uint64) end { return roll(Policy{Metrics: allFour}, s, seed, warm, 50_000, false) })
		wrong := 100 * float64(count(ends, regressed)) / float64(n)
		classic, z := yardsticks(s, max(n/10, 10))
		fmt.Printf("| %s | %d | %.2f %% | %d | %d | %.0f %% | %.0f %% |\n", s.name, n, wrong,
			count(ends, func(e end) bool { return e.kind == Untrusted }), count(ends, func(e end) bool { return e.safe }), classic, z)
		worst, all, rows = max(worst, wrong), all+wrong, rows+1
	}
	b.note("false rollbacks, the worst stream, %", aboveChance(.01, n), 1, worst)
	b.note("false rollbacks, all streams, %", aboveChance(.01, n*rows), 1, all/float64(rows))
}

// A pace is a table of delays against the bound.
type pace struct {
	logs  float64
	cells int
	worst float64
}

func (p *pace) add(x float64) {
	p.logs += math.Log(x)
	p.cells++
	p.worst = max(p.worst, x)
}

func (p *pace) mean() float64 { return math.Exp(p.logs / float64(p.cells)) }

func (p *pace) String() string {
	return fmt.Sprintf("geometric mean %.2f, worst %.2f", p.mean(), p.worst)
}

// delay prints a row and returns the mean delay as a multiple of the bound, and
// the median. Rollouts that end without a verdict count with all their calls.
func delay(name string, p Policy, s stream, bound float64, n int) (x, median float64) {
	calls := s.from + int(math.Ceil(12*bound/s.split))
	ends := many(fmt.Sprint(name, s.split, s.once, s.blind, p.Metrics), n, func(seed uint64) end { return roll(p, s, seed, day, calls, false) })
	sum := 0.0
	for _, e := range ends {
		sum += float64(e.calls)
	}
	x = sum / float64(n) / bound
	half := quantile(ends, .5, toVerdict)
	fmt.Printf("| %s | %g %% | %.0f | %d | %d | %.2f | %d |\n", name, 100*s.split, bound,
		half, quantile(ends, .9, toVerdict), x, n-count(ends, regressed))
	return x, float64(half)
}

const delayHead = "| split | bound | median | p90 | x bound | missed |\n|---|---|---|---|---|---|---|\n"

var (
	splits     = []float64{.05, .1, .5}
	worsenings = [][2]float64{{.01, .02}, {.01, .06}, {.001, .005}, {.05, .07}}
)

func printErrors(b *board, n int) {
	for _, form := range []struct {
		name  string
		split []float64
		with  func(*stream)
	}{
		{"assigned by call", splits, func(*stream) {}},
		{"assigned by call, other splits", []float64{.01, .25, .95}, func(*stream) {}},
		{"each subject once", splits, func(s *stream) { s.once = true }},
		{"without a split", splits, func(s *stream) { s.blind = true }},
	} {
		fmt.Print("\n| errors alone, " + form.name + " " + delayHead)
		var all pace
		for _, w := range worsenings {
			for _, split := range form.split {
				s := stream{split: split, errors: w}
				form.with(&s)
				x, median := delay(fmt.Sprintf("%.3g -> %.3g %%", w[0]*100, w[1]*100), Policy{Metrics: Of(Errors)}, s, boundOf(split, bernoulli(w[0]), bernoulli(w[1])), n)
				all.add(x)
				if w[1] == .06 && split == .05 {
					b.note("errors 1 -> 6 % at 5 %, "+form.name+", median of the candidate's calls", 110, 95, median)
				}
			}
		}
		fmt.Println(all.String())
		b.note("errors, "+form.name+", x bound, geometric mean", 1.30, 1.20, all.mean())
		b.note("errors, "+form.name+", x bound, worst", 1.45, 1.30, all.worst)
	}
}
