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
// often it is wrong, how fast it is right, what it costs. GUARD_ROLLOUTS is the
// number of rollouts of a row about errors of the guard (1000 for the full
// table, 40 unless set); rows about delays have a quarter. GUARD_TABLES names
// tables, with commas between; all unless set.
//
//	GUARD_ROLLOUTS=1000 go test -run '^$' -bench '^BenchmarkGuard$' -benchtime 1x -timeout 5h ./cmd/incipit/internal/guard
func BenchmarkGuard(b *testing.B) {
	n := 40
	if text := os.Getenv("GUARD_ROLLOUTS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	fmt.Printf("%s/%s, %d of the processors' cores, %d rollouts a row of nulls, %d a row of delays\n", runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), n, delayed(n))
	tables := []struct {
		name  string
		print func()
	}{
		{"cost", printCost},
		{"breakage", func() { printBreakage(delayed(n)) }},
		{"errors", func() { printErrors(delayed(n)) }},
		{"whole", func() { printWhole(delayed(n)) }},
		{"others", func() { printOthers(delayed(n)) }},
		{"safe", func() { printSafe(n) }},
		{"drift", func() { printDrift(n) }},
		{"nulls", func() { printNulls(n) }},
	}
	only := os.Getenv("GUARD_TABLES")
	for range b.N {
		for _, t := range tables {
			if only == "" || slices.Contains(strings.Split(only, ","), t.name) {
				t.print()
			}
		}
	}
}

func delayed(n int) int { return max(n/4, 20) }

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
		with("ratings half as often", func(s *stream) { s.rated[1] = .05 }),
		with("polarized ratings of the same mean", func(s *stream) { s.marks[1] = polarized }),
		with("a better candidate", func(s *stream) {
			s.errors[1], s.medium[1], s.tokens[1] = .005, 700, 270
		}),
		with("without a split column", func(s *stream) { s.blind = true }),
		with("without a split column, ramp and daily cycle", func(s *stream) { s.blind, s.ramp, s.daily = true, true, .7 }),
	}
}

func printNulls(n int) {
	fmt.Print("\n| false rollbacks, four metrics, 50,000 calls | of | wrong | not trusted | safe at the end |\n|---|---|---|---|---|\n")
	for _, s := range nulls() {
		p := Policy{Metrics: Of(Errors, Latency, Tokens, Satisfaction)}
		ends := many(s.name, n, func(seed uint64) end { return roll(p, s, seed, warm, 50_000, false) })
		wrong := count(ends, regressed)
		fmt.Printf("| %s | %d | %.2f %% | %d | %d |\n", s.name, n, 100*float64(wrong)/float64(n),
			count(ends, func(e end) bool { return e.kind == Untrusted }), count(ends, func(e end) bool { return e.safe }))
	}
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

func (p *pace) String() string {
	return fmt.Sprintf("geometric mean %.2f, worst %.2f", math.Exp(p.logs/float64(p.cells)), p.worst)
}

// delay prints a row and returns the mean delay as a multiple of the bound.
// Rollouts that end without a verdict count with all their calls.
func delay(name string, p Policy, s stream, bound float64, n int) float64 {
	calls := s.from + int(math.Ceil(12*bound/s.split))
	ends := many(fmt.Sprint(name, s.split, s.once, s.blind, p.Metrics), n, func(seed uint64) end { return roll(p, s, seed, day, calls, false) })
	sum := 0.0
	for _, e := range ends {
		sum += float64(e.calls)
	}
	x := sum / float64(n) / bound
	fmt.Printf("| %s | %g %% | %.0f | %d | %d | %.2f | %d |\n", name, 100*s.split, bound,
		quantile(ends, .5, toVerdict), quantile(ends, .9, toVerdict), x, n-count(ends, regressed))
	return x
}

const delayHead = "| split | bound | median | p90 | x bound | missed |\n|---|---|---|---|---|---|---|\n"

var (
	splits     = []float64{.05, .1, .5}
	worsenings = [][2]float64{{.01, .02}, {.01, .06}, {.001, .005}, {.05, .07}}
)

func printErrors(n int) {
	for _, form := range []struct {
		name string
		with func(*stream)
	}{
		{"errors alone, assigned by call", func(*stream) {}},
		{"errors alone, each subject once", func(s *stream) { s.once = true }},
		{"errors alone, without a split column", func(s *stream) { s.blind = true }},
	} {
		fmt.Print("\n| " + form.name + " " + delayHead)
		var all pace
		for _, w := range worsenings {
			for _, split := range splits {
				s := stream{split: split, errors: w}
				form.with(&s)
				all.add(delay(fmt.Sprintf("%.3g -> %.3g %%", w[0]*100, w[1]*100), Policy{Metrics: Of(Errors)}, s, boundOf(split, bernoulli(w[0]), bernoulli(w[1])), n))
			}
		}
		fmt.Println(all.String())
	}
}
