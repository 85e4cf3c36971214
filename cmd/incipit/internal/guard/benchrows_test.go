package guard

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// boundOf is the least mean number of candidate's calls in which a test of
// level 1 % can tell two laws of outcomes apart, the stable's being unknown.
func boundOf(split float64, stable, candidate []float64) float64 {
	info := 0.0
	for i, p0 := range stable {
		p1 := candidate[i]
		m := split*p1 + (1-split)*p0
		if p1 > 0 {
			info += split * p1 * math.Log(p1/m)
		}
		if p0 > 0 {
			info += (1 - split) * p0 * math.Log(p0/m)
		}
	}
	return split * math.Log(100) / info
}

func bernoulli(p float64) []float64 { return []float64{1 - p, p} }

// rated is the law of a rating that is given rarely.
func rated(part float64, marks [5]float64) []float64 {
	law := []float64{1 - part}
	for _, p := range marks {
		law = append(law, part*p)
	}
	return law
}

// logNormal is the law of the logarithm of a value, in fine steps. A part of the
// values is multiplied by far.
func logNormal(shift, sigma, part, far float64) []float64 {
	var law []float64
	density := func(x, mu float64) float64 {
		return math.Exp(-(x-mu)*(x-mu)/(2*sigma*sigma)) / (sigma * math.Sqrt(2*math.Pi))
	}
	const step = .005
	for x := -8.; x < 8; x += step {
		law = append(law, step*((1-part)*density(x, math.Log(shift))+part*density(x, math.Log(shift*far))))
	}
	return law
}

// An other is a regression of something that is not errors.
type other struct {
	name   string
	metric Metric
	change func(*stream)
	laws   [2][]float64

	must, moonshot float64 // median at 10 %; 0 if there is no aim
}

func others() []other {
	return []other{
		{"satisfaction 4.6 -> 4.3, 10 % rated", Satisfaction, func(s *stream) { s.marks[1] = marks43 }, [2][]float64{rated(.1, marks46), rated(.1, marks43)}, 1150, 990},
		{"latency x 1.2", Latency, func(s *stream) { s.medium[1] *= 1.2 }, [2][]float64{logNormal(1, sigmaMS, 0, 1), logNormal(1.2, sigmaMS, 0, 1)}, 150, 130},
		{"latency x 2.9 for 6 %", Latency, func(s *stream) { s.slow[1] = .06 }, [2][]float64{logNormal(1, sigmaMS, 0, 1), logNormal(1, sigmaMS, .06, 2.9)}, 350, 300},
		{"tokens x 1.15", Tokens, func(s *stream) { s.tokens[1] *= 1.15 }, [2][]float64{logNormal(1, sigmaTokens, 0, 1), logNormal(1.15, sigmaTokens, 0, 1)}, 0, 0},
	}
}

func printOthers(b *board, n int) {
	fmt.Print("\n| one metric alone " + delayHead)
	var all pace
	for _, o := range others() {
		for _, split := range splits {
			s := plain("", split, .01)
			o.change(&s)
			x, median := delay(o.name, Policy{Metrics: Of(o.metric)}, s, boundOf(split, o.laws[0], o.laws[1]), n)
			all.add(x)
			if split == .1 && o.must > 0 {
				b.note(o.name+" at 10 %, median of the candidate's calls", o.must, o.moonshot, median)
			}
		}
	}
	s := plain("", .1, .01)
	s.marks[1], s.late = marks43, [2]float64{2000, 6000}
	delay("satisfaction 4.6 -> 4.3, late", Policy{Metrics: Of(Satisfaction)}, s, boundOf(.1, rated(.1, marks46), rated(.1, marks43)), n)
	fmt.Println(all.String())
}

// printWhole prints the 24 regressions with all four metrics on.
func printWhole(b *board, n int) {
	fmt.Print("\n| whole system, four metrics " + delayHead)
	four := Policy{Metrics: allFour}
	var all pace
	for _, w := range worsenings {
		for _, split := range splits {
			s := plain("", split, w[0])
			s.errors[1] = w[1]
			x, median := delay(fmt.Sprintf("errors %.3g -> %.3g %%", w[0]*100, w[1]*100), four, s, boundOf(split, bernoulli(w[0]), bernoulli(w[1])), n)
			all.add(x)
			if w[1] == .06 && split == .05 {
				b.note("errors 1 -> 6 % at 5 %, four metrics, median of the candidate's calls", 140, 125, median)
			}
		}
	}
	for _, o := range others() {
		for _, split := range splits {
			s := plain("", split, .01)
			o.change(&s)
			x, _ := delay(o.name, four, s, boundOf(split, o.laws[0], o.laws[1]), n)
			all.add(x)
		}
	}
	fmt.Println(all.String())
	b.note("four metrics, 24 regressions, x bound, geometric mean", 1.55, 1.45, all.mean())
	b.note("four metrics, 24 regressions, x bound, worst", 2.0, 1.8, all.worst)
	for _, form := range []struct {
		name   string
		change func(*stream)
	}{
		{"errors 1 -> 6 %, each subject once", func(s *stream) { s.once = true }},
		{"errors 1 -> 6 %, 2,000 sticky subjects", func(s *stream) { s.users = 2000 }},
		{"errors 1 -> 6 %, behind a burst", func(s *stream) { s.burst = [3]float64{0, 500, .3} }},
		{"errors 1 -> 6 %, from call 20,000 on", func(s *stream) { s.from = 20_000 }},
	} {
		s := plain("", .1, .01)
		s.errors[1] = .06
		form.change(&s)
		delay(form.name, four, s, boundOf(.1, bernoulli(.01), bernoulli(.06)), n)
	}
}

func printBreakage(b *board, n int) {
	fmt.Print("\n| every call of the candidate fails | split | median | p90 |\n|---|---|---|---|\n")
	for _, p := range []Policy{{Metrics: Of(Errors)}, {Metrics: Of(Errors, Latency, Tokens, Satisfaction)}} {
		for _, form := range []string{"assigned by call", "each subject once", "no split"} {
			small, even := 0, 0
			for _, split := range splits {
				s := plain("", split, .01)
				s.errors[1], s.once, s.blind = 1, form == "each subject once", form == "no split"
				ends := many(fmt.Sprint(form, split, p.Metrics), n, func(seed uint64) end { return roll(p, s, seed, warm, 50_000, false) })
				median := quantile(ends, .5, toVerdict)
				fmt.Printf("| %s; %s | %g %% | %d | %d |\n", p.Metrics, form, 100*split, median, quantile(ends, .9, toVerdict))
				if split == .5 {
					even = median
				} else {
					small = max(small, median)
				}
			}
			b.note(fmt.Sprintf("all fails, %s, %s, at 5 and 10 %%, median", p.Metrics, form), 4, 3, float64(small))
			b.note(fmt.Sprintf("all fails, %s, %s, at 50 %%, median", p.Metrics, form), 10, 8, float64(even))
		}
	}
}

func printSafe(b *board, n int) {
	fmt.Print("\n| safe, split 10 % | candidate | safe of | median of candidate's calls | p90 |\n|---|---|---|---|---|\n")
	toSafe := func(e end) int {
		if !e.safe {
			return math.MaxInt32
		}
		return e.safeCalls
	}
	row := func(name string, p Policy, s stream, n int) (median, safe float64) {
		ends := many(fmt.Sprint(name, s.errors), n, func(seed uint64) end { return roll(p, s, seed, warm, 50_000, true) })
		half, found := quantile(ends, .5, toSafe), count(ends, func(e end) bool { return e.safe })
		fmt.Printf("| %s | %g -> %g %% | %d of %d | %s | %s |\n", name, 100*s.errors[0], 100*s.errors[1],
			found, n, orNever(half), orNever(quantile(ends, .9, toSafe)))
		return float64(half), 100 * float64(found) / float64(n)
	}
	for _, p1 := range []float64{.005, .01, .015, .02, .03} {
		median, safe := row("errors alone, margin 1 point", Policy{Metrics: Of(Errors)}, stream{split: .1, errors: [2]float64{.01, p1}}, n)
		switch p1 {
		case .01:
			b.note("safe, errors alone at 10 %, median of the candidate's calls", 950, 830, median)
		case .02:
			b.note("false safe, errors alone at the margin, %", aboveChance(.05, n), 5, safe)
		}
	}
	row("errors alone, each subject once", Policy{Metrics: Of(Errors)}, stream{split: .1, errors: [2]float64{.01, .01}, once: true}, n)
	row("errors alone, no split column", Policy{Metrics: Of(Errors)}, stream{split: .1, errors: [2]float64{.01, .01}, blind: true}, n)
	row("errors alone, no split column, at the margin", Policy{Metrics: Of(Errors)}, stream{split: .1, errors: [2]float64{.01, .02}, blind: true}, n)
	for _, m := range []Metric{Latency, Tokens, Satisfaction} {
		row(m.String()+" alone, no difference", Policy{Metrics: Of(m)}, plain("", .1, .01), delayed(n))
	}
	atMargin := plain("", .1, .01)
	atMargin.medium[1] *= 1.15
	row("latency alone, x 1.15", Policy{Metrics: Of(Latency)}, atMargin, delayed(n))
	atMargin = plain("", .1, .01)
	atMargin.tokens[1] *= 1.1
	row("tokens alone, x 1.1", Policy{Metrics: Of(Tokens)}, atMargin, delayed(n))
	atMargin = plain("", .1, .01)
	atMargin.marks[1] = [5]float64{.0725, .02, .05, .20, .6575}
	row("satisfaction alone, 0.25 lower", Policy{Metrics: Of(Satisfaction)}, atMargin, delayed(n))
	row("four metrics, no difference", Policy{Metrics: Of(Errors, Latency, Tokens, Satisfaction)}, plain("", .1, .01), delayed(n))
}

// dayRate is a rate in an hour of a day whose rate swings by 70 %.
func dayRate(p float64, hour int) float64 {
	return p * (1 + .7*math.Sin(2*math.Pi*float64(hour)/24))
}

func printDrift(b *board, n int) {
	fmt.Print("\n| drift at 100 % | false alarms of, per 50,000 calls | median delay | p90 | log(ARL)/KL | x |\n|---|---|---|---|---|---|\n")
	run := func(seed uint64, swing, p0, p1 float64) (e end) {
		r := rand.New(rand.NewPCG(seed, 3))
		rate := func(p float64, hour int) float64 {
			if swing == 0 {
				return p
			}
			return dayRate(p, hour)
		}
		var reference [24]HourCount
		for h := range reference {
			for range 7 * 2000 {
				reference[h].Calls++
				if r.Float64() < rate(p0, h) {
					reference[h].Errors++
				}
			}
		}
		d, err := NewDrift(reference, DriftARL)
		must(err)
		for i := range 50_000 {
			e.calls++
			if hour := i / 2000 % 24; d.Observe(hour, r.Float64() < rate(p1, hour)) {
				e.kind = Regressed
				return e
			}
		}
		return e
	}
	alarms, slowest := 0.0, 0.0
	for _, p := range []float64{.001, .01, .05} {
		for _, swing := range []float64{0, .7} {
			ends := many(fmt.Sprint(p, swing), n, func(seed uint64) end { return run(seed, swing, p, p) })
			fmt.Printf("| %g %%, swing %g %% | %d of %d | | | | |\n", 100*p, 100*swing, count(ends, regressed), n)
			alarms = max(alarms, 100*float64(count(ends, regressed))/float64(n))
		}
	}
	for _, w := range worsenings {
		ends := many(fmt.Sprint(w), delayed(n), func(seed uint64) end { return run(seed, 0, w[0], w[1]) })
		limit := math.Log(DriftARL) / (w[1]*math.Log(w[1]/w[0]) + (1-w[1])*math.Log((1-w[1])/(1-w[0])))
		median := quantile(ends, .5, toVerdict)
		fmt.Printf("| %.3g -> %.3g %% | | %d | %d | %.0f | %.2f |\n", 100*w[0], 100*w[1], median, quantile(ends, .9, toVerdict), limit, float64(median)/limit)
		slowest = max(slowest, float64(median)/limit)
	}
	b.note("drift, false alarms in 50,000 calls, the worst, %", aboveChance(.01, n), 1, alarms)
	b.note("drift, median delay x log(ARL)/KL, worst", 1, .8, slowest)
}

func printCost(b *board) {
	fmt.Print("\n| cost | metrics | ns a call | ns a metric and call | bytes of state | a metric |\n|---|---|---|---|---|---|\n")
	slowest, largest := 0.0, 0.0
	for _, c := range []struct {
		name string
		set  Set
		with func(*stream)
	}{
		{"errors alone", Of(Errors), func(*stream) {}},
		{"four metrics", Of(Errors, Latency, Tokens, Satisfaction), func(*stream) {}},
		{"four metrics, each subject once", Of(Errors, Latency, Tokens, Satisfaction), func(s *stream) { s.once = true }},
		{"four metrics, 2,000 subjects", Of(Errors, Latency, Tokens, Satisfaction), func(s *stream) { s.users = 2000 }},
		{"four metrics, no split column", Of(Errors, Latency, Tokens, Satisfaction), func(s *stream) { s.blind = true }},
	} {
		s := plain("", .1, .01)
		c.with(&s)
		d, err := New(Policy{Metrics: c.set, NoShares: s.blind})
		must(err)
		r := rand.New(rand.NewPCG(1, 1))
		s.history(r, warm, func(o Observation) { must(d.History(o)) })
		var list []Observation
		s.run(r, 50_000, func(o Observation) bool { list = append(list, o); return true })
		// The fastest of 20 parts: others use the machine as well.
		ns, part := math.MaxFloat64, len(list)/20
		for i := range 20 {
			began := time.Now()
			for _, o := range list[i*part : (i+1)*part] {
				_, err := d.Observe(o)
				must(err)
			}
			ns = min(ns, float64(time.Since(began).Nanoseconds())/float64(part))
		}
		n, size := float64(len(c.set.List())), len(d.State())
		fmt.Printf("| %s | %.0f | %.0f | %.0f | %d | %.0f |\n", c.name, n, ns, ns/n, size, float64(size)/n)
		slowest, largest = max(slowest, ns/n), max(largest, float64(size)/n)
	}
	b.note("cost, ns a metric and call", 1000, 200, slowest)
	b.note("state, bytes a metric", 16<<10, 16<<10, largest)
}

// orNever is a number of calls, unless there was no verdict within 50,000.
func orNever(calls int) string {
	if calls == math.MaxInt32 {
		return "-"
	}
	return fmt.Sprint(calls)
}
