package guard

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A steady is a release that serves everybody, with 1,000 calls an hour whose
// errors, latency and ratings go up and down with the day.
type steady struct {
	rate  float64    // errors
	times float64    // of them
	slow  float64    // latency is times this
	marks [5]float64 // of one call in ten
}

func usual() steady { return steady{.02, 1, 1, marks46} }

func (s steady) call(r *rand.Rand, hour int) Observation {
	swing := 1 + .7*math.Sin(2*math.Pi*float64(hour)/24)
	o := Observation{
		Error:     registry.Some(r.Float64() < s.times*dayRate(s.rate, hour)),
		LatencyMS: registry.Some(800 * swing * s.slow * math.Exp(sigmaMS*r.NormFloat64())),
	}
	marks := s.marks
	marks[0] += .02 * (swing - 1)
	marks[4] -= .02 * (swing - 1)
	if r.Float64() < .1 {
		u, y := r.Float64(), 5.0
		for k, part := range marks {
			if u -= part; u < 0 {
				y = float64(k + 1)
				break
			}
		}
		o.Satisfaction = registry.Some(y)
	}
	return o
}

// week is the reference that seven usual days leave.
func week(r *rand.Rand) *Reference {
	var out Reference
	var times [24]histogram
	for h := range out {
		for range 7000 {
			o := usual().call(r, h)
			out[h].Calls++
			if o.Error.Value {
				out[h].Errors++
			}
			if y := o.Satisfaction; y.Known {
				out[h].Ratings++
				out[h].Marks += y.Value
				out[h].Squares += y.Value * y.Value
			}
			for _, near := range [3]int{h + 23, h, h + 1} {
				times[near%24].count[bin(o.LatencyMS.Value)]++
				out[near%24].Timed++
			}
		}
	}
	for h := range out {
		left := slowPart * float64(out[h].Timed)
		b := bins - 1
		for ; left >= float64(times[h].count[b]); b-- {
			left -= float64(times[h].count[b])
		}
		out[h].SlowMS = math.Exp(float64(b+1) * binWidth)
	}
	return &out
}

// until is the call of the alarm, 0 if there is none.
func (s steady) until(t *testing.T, seed uint64, calls int) (int, *Change) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	c, err := NewChange(week(r), DriftARL)
	must(err)
	for i := range calls {
		hour := i / 1000
		if c.Observe(hour, s.call(r, hour%24)) {
			return i + 1, c
		}
	}
	return 0, c
}

// A day that is as uneven as the days before raises no alarm.
func TestUsualDaysRaiseNoAlarm(t *testing.T) {
	for seed := range uint64(12) {
		if at, c := usual().until(t, seed, 50_000); at > 0 {
			t.Errorf("seed %d: at call %d, for nothing: %s", seed, at, c.Report().Words())
		}
	}
}

// A change is found in about the calls that it must take, and named.
func TestAChangeIsFoundAndNamed(t *testing.T) {
	fails, slow, sad := usual(), usual(), usual()
	fails.times, slow.slow, sad.marks = 3, 1.4, [5]float64{.10, .10, .15, .25, .40}
	for _, c := range []struct {
		what   steady
		metric Metric
		most   int
		words  string
	}{{fails, Errors, 1800, "More calls fail"}, {slow, Latency, 2500, "More calls are slow"}, {sad, Satisfaction, 3000, "Ratings fell"}} {
		for seed := range uint64(4) {
			at, change := c.what.until(t, seed, 10_000)
			if at == 0 || at > c.most {
				t.Errorf("%s: an alarm at call %d", c.metric, at)
			}
			r := change.Report()
			if !r.Changed || !strings.Contains(r.Words(), c.words) {
				t.Errorf("%s: %s", c.metric, r.Words())
			}
			for _, m := range r.Metrics {
				if m.Guilty != (m.Metric == c.metric.String()) || m.Evidence < 0 || m.Evidence > 1 {
					t.Errorf("%s: %+v", c.metric, m)
				}
				if better := m.Metric == Satisfaction.String(); m.Guilty && (m.Recent < 10 || int(m.Recent) > at+1 || (m.Now < m.Reference) != better) {
					t.Errorf("%s at call %d: %+v", c.metric, at, m)
				}
			}
			if before := change.State(); !change.Observe(3, usual().call(rand.New(rand.NewPCG(1, 1)), 3)) || !bytes.Equal(before, change.State()) {
				t.Error("after the alarm it goes on")
			}
		}
	}
}

// While a metric is as in the reference, or better, its capital grows by no more
// than 1 on average with whatever it sees next.
func TestNoChangeIsABargain(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 1))
	c, err := NewChange(week(r), DriftARL)
	must(err)
	for i := range 3000 {
		hour := i / 100 % 24
		mean, before := c.ratings.of[hour].mean, *c
		for _, low := range []float64{1, 1 + 3*r.Float64(), mean} {
			high := mean + (5-mean)*r.Float64()
			part := 0.0 // of the low marks: the mean is the reference's
			if high > low {
				part = (high - mean) / (high - low)
			}
			bad, good := before.ratings, before.ratings
			bad.observe(hour, low)
			good.observe(hour, high)
			for k, m := range before.ratings.m {
				if after := part*bad.m[k] + (1-part)*good.m[k]; bad.m[k] < 0 || good.m[k] < 0 || after > (m+1)*(1+slack) {
					t.Fatalf("marks %v and %v: from %v to %v on average", low, high, m, after)
				}
			}
		}
		p := c.slow.rates[hour]
		if p < slowPart || p > .07 {
			t.Fatalf("%v are slow in hour %d", p, hour)
		}
		bad, good := before.slow, before.slow
		bad.Observe(hour, true)
		good.Observe(hour, false)
		if after := p*bad.mean() + (1-p)*good.mean(); after > (before.slow.mean()+1)*(1+slack) {
			t.Fatalf("from %v to %v on average", before.slow.mean(), after)
		}
		c.Observe(hour, usual().call(r, hour))
	}
}

// What is stored and restored at any call goes on bit by bit as if nothing had
// been.
func TestAStoredChangeGoesOnAsItWas(t *testing.T) {
	r := rand.New(rand.NewPCG(10, 1))
	c, err := NewChange(week(r), DriftARL)
	must(err)
	s := usual()
	s.times = 2.5
	for i := range 4000 {
		state := c.State()
		if len(state) > 2000 {
			t.Fatalf("%d bytes", len(state))
		}
		other, err := RestoreChange(state)
		must(err)
		if *other != *c {
			t.Fatalf("call %d: another one", i)
		}
		o := s.call(r, i/500)
		if c.Observe(i/500, o) != other.Observe(i/500, o) || *other != *c {
			t.Fatalf("call %d: it goes another way", i)
		}
	}
	if c.guilty != Of(Errors) {
		t.Errorf("%s", c.guilty)
	}
}

func TestAReferenceThatIsNone(t *testing.T) {
	var nothing Reference
	c, err := NewChange(&nothing, DriftARL)
	must(err)
	r := rand.New(rand.NewPCG(11, 1))
	if !nothing.Empty() || week(r).Empty() {
		t.Error("nothing is not empty, or a week is")
	}
	bad := steady{.5, 1, 10, marks43}
	for i := range 5000 { // without days before nothing can have changed
		if c.Observe(i/100, bad.call(r, 3)) {
			t.Fatalf("call %d: %s", i, c.Report().Words())
		}
	}
	for _, h := range []HourReference{{SlowMS: math.NaN()}, {SlowMS: -1}, {Ratings: 3, Marks: 30, Squares: 40}, {Marks: 1}, {Ratings: 2, Marks: 4, Squares: math.Inf(1)}} {
		if _, err := NewChange(&Reference{5: h}, DriftARL); !errors.Is(err, prompt.ErrInvalid) {
			t.Errorf("%+v: %v", h, err)
		}
	}
	if _, err := NewChange(&nothing, 1); !errors.Is(err, prompt.ErrInvalid) {
		t.Error(err)
	}
	c.Observe(3, Observation{Satisfaction: registry.Some(math.NaN()), LatencyMS: registry.Some(math.NaN())})
	if got := c.Report(); got.Changed || got.Words() != "" {
		t.Errorf("%+v", got)
	}
}

// A call that is rated again, or whose rating comes twice, is bet on once; of a
// cancelled one nobody knows how it would have ended.
func TestAChangeBetsOnceOnACall(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 1))
	c, err := NewChange(week(r), DriftARL)
	must(err)
	for i := range uint64(3 * lastRated) {
		o := Observation{Call: 1 + i, Satisfaction: registry.Some(5.)}
		c.Observe(3, o)
		before := c.State()
		o.Satisfaction.Value = 1
		c.Observe(3, o)
		o.Call = max(1, i) // and the one before
		c.Observe(3, o)
		c.Observe(3, Observation{Cancelled: true, Error: registry.Some(true)})
		if after := *c; after.calls != i+1 {
			t.Fatalf("%d calls", after.calls)
		} else if after.calls = i; !bytes.Equal(before, after.State()) {
			t.Fatalf("rating %d counts twice", i)
		}
		if c.guilty != 0 {
			t.Fatal(c.Report().Words())
		}
	}
}

func FuzzRestoreChange(f *testing.F) {
	r := rand.New(rand.NewPCG(12, 1))
	for _, ref := range []*Reference{week(r), {}} {
		c, err := NewChange(ref, DriftARL)
		must(err)
		f.Add(c.State())
		for i := range 500 {
			c.Observe(i/50, usual().call(r, i/50))
		}
		f.Add(c.State())
	}
	f.Add([]byte{changeVersion})
	f.Fuzz(func(t *testing.T, state []byte) {
		c, err := RestoreChange(state)
		if err != nil {
			if !errors.Is(err, prompt.ErrInvalid) {
				t.Error(err)
			}
			return
		}
		for h := range 30 {
			c.Observe(h, Observation{Error: registry.Some(h%2 == 0), LatencyMS: registry.Some(500.), Satisfaction: registry.Some(2.)})
		}
		for _, m := range c.Report().Metrics {
			if math.IsNaN(m.Capital) || math.IsNaN(m.Evidence) || math.IsNaN(m.Now) {
				t.Errorf("%+v", m)
			}
		}
		if again, err := RestoreChange(c.State()); err != nil || *again != *c {
			t.Errorf("a state that was accepted cannot be restored: %v", err)
		}
	})
}
