package guard

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/incipit-dev/incipit/internal/registry"
)

// A stream is a kind of traffic. The zero field means that there is none of it.
type stream struct {
	name   string
	split  float64
	ramp   bool       // 5, 25 and 50 %, by thirds
	errors [2]float64 // rate by arm
	daily  float64    // the rate's swing over 24 hours of 2,000 calls
	burst  [3]float64 // from call, to call, error rate of both arms in it
	users  int        // subjects, each with calls and a rate of their own
	once   bool       // every subject comes once
	retry  float64    // a failed call is tried again, under the same subject
	medium [2]float64 // latency, ms, log-normal with sigmaMS
	slow   [2]float64 // part of the calls that take 2.9 times as long
	tokens [2]float64 // median, log-normal with sigmaTokens
	rated  [2]float64 // part of the calls that are rated
	late   [2]float64 // mean delay of a rating, calls
	marks  [2][5]float64
	from   int     // the candidate is as the stable until this call
	blind  bool    // the policy has NoShares
	twice  bool    // calls are told apart, and each rating comes with its call and again later
	gaveUp float64 // part of the calls that are cancelled
}

const sigmaMS, sigmaTokens = .6, .65

// plain is healthy traffic with all metrics.
func plain(name string, split, rate float64) stream {
	return stream{
		name: name, split: split, errors: [2]float64{rate, rate}, medium: [2]float64{800, 800},
		tokens: [2]float64{300, 300}, rated: [2]float64{.1, .1}, marks: [2][5]float64{marks46, marks46},
	}
}

// The mean is 4.6 or 4.3; polarized has the same mean as the first.
var (
	marks46   = [5]float64{.01, .02, .05, .20, .72}
	marks43   = [5]float64{.03, .04, .11, .24, .58}
	polarized = [5]float64{.10, 0, 0, 0, .90}
)

// history gives n calls of the stable release.
func (s *stream) history(r *rand.Rand, n int, to func(Observation)) {
	for range n {
		o := s.call(r, 0, 0, s.errors[0])
		o.Satisfaction = s.mark(r, 0)
		to(o)
	}
}

// A due is a rating on its way.
type due struct {
	at int
	o  Observation
}

// run gives up to n calls, and their ratings, until to says stop.
func (s *stream) run(r *rand.Rand, n int, to func(Observation) bool) {
	var queue []due
	type user struct{ place, rate, pace float64 }
	users := make([]user, s.users)
	for i := range users {
		users[i] = user{r.Float64(), math.Exp(1.5*r.NormFloat64() - 1.125), .6 * r.NormFloat64()}
	}
	for i := range n {
		split := s.split
		if s.ramp {
			split = [3]float64{.05, .25, .5}[min(i*3/n, 2)]
		}
		a, subject, factor, pace := 0, "", 1.0, 0.0
		place := r.Float64()
		switch {
		case s.users > 0:
			k := r.IntN(s.users)
			place, factor, pace = users[k].place, users[k].rate, users[k].pace
			subject = fmt.Sprintf("user-%d", k)
		case s.once:
			subject = fmt.Sprintf("request-%d", i)
		}
		if place < split {
			a = 1
		}
		law := a
		if i < s.from {
			law = 0
		}
		rate := s.errors[law] * factor * (1 + s.daily*math.Sin(float64(i)/48000*2*math.Pi))
		if f := float64(i); f >= s.burst[0] && f < s.burst[1] {
			rate = max(rate, s.burst[2])
		}
		o := s.call(r, law, pace, rate)
		o.Candidate, o.Share, o.Subject = a == 1, split, subject
		if m := s.mark(r, law); m.Known {
			if s.late[law] > 0 {
				queue = append(queue, due{i + int(s.late[law]*r.ExpFloat64()), Observation{Candidate: o.Candidate, Share: split, Subject: subject, Satisfaction: m}})
			} else {
				o.Satisfaction = m
			}
			if s.twice {
				again := due{i + r.IntN(100), Observation{Candidate: o.Candidate, Share: split, Call: uint64(i + 1), Satisfaction: m}}
				o.Call, queue = again.o.Call, append(queue, again)
			}
		}
		o.Cancelled = s.gaveUp > 0 && r.Float64() < s.gaveUp
		if !to(o) {
			return
		}
		for s.retry > 0 && o.Error.Value && r.Float64() < .8 {
			o.Error.Value = r.Float64() < s.retry
			if !to(o) {
				return
			}
		}
		queue = slices.DeleteFunc(queue, func(d due) bool {
			if d.at > i {
				return false
			}
			to(d.o)
			return true
		})
	}
}

func (s *stream) call(r *rand.Rand, law int, pace, rate float64) (o Observation) {
	o.Error = registry.Some(r.Float64() < rate)
	if m := s.medium[law]; m > 0 {
		ms := m * math.Exp(sigmaMS*r.NormFloat64()+pace)
		if r.Float64() < s.slow[law] {
			ms *= 2.9
		}
		o.LatencyMS = registry.Some(ms)
	}
	if m := s.tokens[law]; m > 0 && !o.Error.Value {
		o.Tokens = registry.Some(m * math.Exp(sigmaTokens*r.NormFloat64()+pace))
	}
	return o
}

func (s *stream) mark(r *rand.Rand, law int) (m registry.Opt[float64]) {
	if r.Float64() >= s.rated[law] {
		return m
	}
	x := r.Float64()
	for y, p := range s.marks[law] {
		if x -= p; x < 0 {
			return registry.Some(float64(y + 1))
		}
	}
	return registry.Some(5.)
}

// An end is how a rollout went.
type end struct {
	kind      Kind
	calls     int // candidate's, to the verdict
	safe      bool
	safeCalls int
	guilty    Set
	observed  int
}

// follow gives d a history of so many calls, and to the n calls of a rollout.
func follow(d *Detector, s stream, seed uint64, warm, n int, to func(Observation) bool) {
	r := rand.New(rand.NewPCG(seed, 7))
	s.history(r, warm, func(o Observation) { must(d.History(o)) })
	s.run(r, n, to)
}

// roll runs one rollout of n calls.
func roll(p Policy, s stream, seed uint64, warm, n int, untilSafe bool) (e end) {
	p.NoShares = s.blind
	d, err := New(p)
	must(err)
	follow(d, s, seed, warm, n, func(o Observation) bool {
		if o.isCall() && o.Candidate && e.observed >= s.from {
			e.calls++
		}
		e.observed++
		v, err := d.Observe(o)
		must(err)
		e.kind, e.guilty = v.Kind, v.Guilty
		if v.Kind == Healthy && !e.safe {
			e.safe, e.safeCalls = true, e.calls
			if untilSafe {
				return false
			}
		}
		return v.Kind != Regressed
	})
	return e
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
