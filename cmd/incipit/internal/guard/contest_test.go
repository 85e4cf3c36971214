package guard

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A trial is traffic of an experiment, dealt out by a real rollout.
type trial struct {
	shares [][]registry.Share // of b, c, …, one after the other, each for as many calls
	errors []float64          // rate by arm, the stable one first
	ms     []float64          // median latency by arm; nil is the same for all
	users  int                // subjects with rates of their own; 0: each call is assigned by itself
}

// run gives n calls, until to says stop.
func (s trial) run(r *rand.Rand, n int, to func(Turn) bool) {
	rates := make([]float64, s.users)
	for i := range rates {
		rates[i] = 6 * r.Float64() * r.Float64() * r.Float64()
	}
	ro := s.rollout(r)
	deal := 0
	for i := range n {
		if k := i * len(s.shares) / n; k != deal {
			var err error
			ro, err = ro.WithShares(s.named(k))
			must(err)
			deal = k
		}
		o, user := Turn{Deal: uint64(deal)}, i
		factor := 1.0
		if s.users > 0 {
			user = r.IntN(s.users)
			o.Subject, factor = fmt.Sprint("user-", user), rates[user]
		}
		arm := ro.Assign(fmt.Sprint("user-", user))
		o.Arm = arm.Name
		for _, a := range ro.Contenders() {
			o.Shares = append(o.Shares, float64(a.Share())/registry.Scale)
		}
		law := 0
		if o.Arm != registry.StableArm {
			law = int(o.Arm[0]-'b') + 1
		}
		o.Error = registry.Some(r.Float64() < s.errors[law]*factor)
		if s.ms != nil {
			call := (&stream{medium: [2]float64{s.ms[law]}}).call(r, 0, 0, 0)
			o.LatencyMS = call.LatencyMS
		}
		if !to(o) {
			return
		}
	}
}

func (s trial) named(k int) map[string]registry.Share {
	out := make(map[string]registry.Share)
	for i, share := range s.shares[k] {
		out[string('b'+rune(i))] = share
	}
	return out
}

func (s trial) rollout(r *rand.Rand) registry.Rollout {
	var arms []registry.Arm
	for i := range s.shares[0] {
		arms = append(arms, registry.Arm{Name: string('b' + rune(i)), Version: prompt.Version{Major: 1, Minor: uint32(i + 1)}})
	}
	ro, err := registry.NewExperiment(registry.DefaultBucketing, fmt.Sprint(r.Uint64()), "errors", registry.Arm{Version: prompt.Version{Major: 1}}, arms, s.named(0))
	must(err)
	return ro
}

// judged is an experiment of n calls.
func (s trial) judged(p Policy, primary Metric, seed uint64, n int) *Contest {
	r := rand.New(rand.NewPCG(seed, 11))
	c := s.contest(p, primary)
	s.run(r, n, func(t Turn) bool {
		_, err := c.Observe(t)
		must(err)
		return true
	})
	return c
}

func (s trial) contest(p Policy, primary Metric) *Contest {
	var arms []string
	for i := range s.shares[0] {
		arms = append(arms, string('b'+rune(i)))
	}
	c, err := NewContest(p, primary, arms...)
	must(err)
	return c
}

// alike are three arms with the same errors.
func alike(rate float64) trial {
	return trial{shares: [][]registry.Share{{25_000, 25_000}}, errors: []float64{rate, rate, rate}}
}

// Three arms that are alike: hardly ever is one ever called better, or worse.
// Alpha is 1 %: more than 8 of 300 has a probability below 1 %.
func TestArmsThatAreAlikeHaveNoWinner(t *testing.T) {
	sticky := alike(.05)
	sticky.users = 150
	moving := sticky // subjects go from arm to arm, and take their habits along
	moving.shares = [][]registry.Share{{10_000, 40_000}, {60_000, 10_000}, {20_000, 70_000}, {10_000, 40_000}}
	for name, s := range map[string]trial{"calls": alike(.05), "subjects": sticky, "subjects that move": moving} {
		won, lost := 0, 0
		for seed := range uint64(300) {
			c := s.judged(Policy{Metrics: Of(Errors)}, Errors, seed, 400)
			if len(c.won) > 0 {
				won++
			}
			if len(c.Worse()) > 0 {
				lost++
			}
		}
		t.Logf("%s: %d of 300 had a winner, %d an arm that was worse", name, won, lost)
		if won > 3 || lost > 8 {
			t.Errorf("%s: %d of 300 had a winner, %d an arm that was worse", name, won, lost)
		}
	}
}

func TestABetterArmIsFoundAndAWorseOneNamed(t *testing.T) {
	s := trial{shares: [][]registry.Share{{25_000, 25_000, 10_000}}, errors: []float64{.10, .10, .02, .30}, ms: []float64{800, 800, 800, 800}}
	found, named := 0, 0
	for seed := range uint64(20) {
		c := s.judged(Policy{Metrics: Of(Errors, Latency)}, Errors, seed, 6000)
		if c.Winner() == "c" {
			found++
		} else if c.Winner() != "" {
			t.Errorf("the winner is %s", c.Winner())
		}
		if slices.Equal(c.Worse(), []string{"d"}) {
			named++
		}
	}
	t.Logf("found %d of 20, named %d of 20", found, named)
	if found < 19 || named < 19 {
		t.Errorf("found %d of 20, named %d of 20", found, named)
	}
}

// An arm that makes fewer errors, and is slower, does not win.
func TestAnArmThatIsWorseOnAnotherMetricDoesNotWin(t *testing.T) {
	s := trial{shares: [][]registry.Share{{50_000}}, errors: []float64{.10, .01}, ms: []float64{800, 1600}}
	c := s.judged(Policy{Metrics: Of(Errors, Latency)}, Errors, 1, 4000)
	report := c.Report()
	a := report.Arms[0]
	if c.Winner() != "" || a.Standing != registry.ArmWorse || !slices.Equal(a.Worse, []string{"latency"}) || a.PBetter > .01 {
		t.Errorf("%+v", report)
	}
	if report.Primary != "errors" || a.Calls == 0 || a.StableCalls == 0 || len(a.Metrics) != 2 || a.Metrics[0].Difference == nil || *a.Metrics[0].Difference > 0 {
		t.Errorf("%+v", report)
	}
}

// The arm for which there is most evidence first stays the winner.
func TestASecondArmThatIsBetterDoesNotTakeTheWin(t *testing.T) {
	s := trial{shares: [][]registry.Share{{40_000, 10_000}}, errors: []float64{.30, .05, .01}}
	r := rand.New(rand.NewPCG(3, 11))
	c, first := s.contest(Policy{Metrics: Of(Errors)}, Errors), ""
	s.run(r, 8000, func(turn Turn) bool {
		_, err := c.Observe(turn)
		must(err)
		if first == "" {
			first = c.Winner()
		} else if c.Winner() != first {
			t.Fatalf("first %s, then %s", first, c.Winner())
		}
		return true
	})
	if len(c.won) != 2 {
		t.Errorf("%v are better", c.won)
	}
}

func TestAStoredContestGoesOnAsItWas(t *testing.T) {
	s := alike(.08)
	s.users, s.ms = 300, []float64{800, 900, 700}
	s.shares = append(s.shares, []registry.Share{40_000, 5_000})
	c := s.contest(Policy{Metrics: Of(Errors, Latency)}, Latency)
	var other *Contest
	n := 0
	s.run(rand.New(rand.NewPCG(5, 11)), 3000, func(turn Turn) bool {
		if n%97 == 0 {
			var err error
			state := c.State()
			if other, err = RestoreContest(state); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(other.State(), state) {
				t.Fatal("the state of a restored contest is another one")
			}
		}
		n++
		a, err := c.Observe(turn)
		must(err)
		b, err := other.Observe(turn)
		must(err)
		if a != b {
			t.Fatalf("call %d: one standing changed, and the other did not", n)
		}
		return true
	})
	if !bytes.Equal(c.State(), other.State()) {
		t.Error("they parted")
	}
	// The same calls come to the same bits.
	if again := s.judged(Policy{Metrics: Of(Errors, Latency)}, Latency, 5, 3000); !bytes.Equal(again.State(), c.State()) {
		t.Error("a replay comes to another state")
	}
	state := c.State()
	for _, bad := range [][]byte{nil, {contestVersion}, state[:len(state)-1], append(slices.Clone(state), 0), append([]byte{stateVersion}, state[1:]...)} {
		if _, err := RestoreContest(bad); !errors.Is(err, prompt.ErrInvalid) {
			t.Errorf("%d bytes: %v", len(bad), err)
		}
	}
}

// Whoever was seen under other shares is not bet on any more, nor whoever still
// comes under those.
func TestSubjectsCountUnderTheSharesTheyWereFirstSeenAt(t *testing.T) {
	c := alike(.1).contest(Policy{Metrics: Of(Errors)}, Errors)
	observe := func(subject string, deal uint64) uint64 {
		t.Helper()
		turn := Turn{Arm: "b", Shares: []float64{.25, .25}, Deal: deal, Observation: Observation{Subject: subject, Error: registry.Some(true)}}
		_, err := c.Observe(turn)
		must(err)
		return c.arms[0].worse.calls[1]
	}
	for i, step := range []struct {
		subject string
		deal    uint64
		calls   uint64
	}{{"ann", 1, 1}, {"ann", 1, 2}, {"ben", 1, 3}, {"eva", 2, 4}, {"ann", 2, 4}, {"ben", 2, 4}, {"max", 1, 4}, {"max", 2, 4}, {"eva", 2, 5}, {"", 1, 6}, {"eva", 3, 6}, {"ida", 3, 7}} {
		if got := observe(step.subject, step.deal); got != step.calls {
			t.Fatalf("step %d: %d calls of b count, want %d", i, got, step.calls)
		}
	}
}

func TestAContestIsRefused(t *testing.T) {
	for name, make := range map[string]func() (*Contest, error){
		"without arms":      func() (*Contest, error) { return NewContest(Policy{}, Errors) },
		"with an arm twice": func() (*Contest, error) { return NewContest(Policy{}, Errors, "b", "b") },
		"with a bad name":   func() (*Contest, error) { return NewContest(Policy{}, Errors, registry.StableArm) },
		"by a rule of thumb": func() (*Contest, error) {
			return NewContest(Policy{Rule: Classic}, Errors, "b")
		},
		"without shares":       func() (*Contest, error) { return NewContest(Policy{NoShares: true}, Errors, "b") },
		"on an unknown metric": func() (*Contest, error) { return NewContest(Policy{}, Metric(9), "b") },
	} {
		if _, err := make(); !errors.Is(err, prompt.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	c := alike(.1).contest(Policy{}, Errors)
	before := c.State()
	for name, turn := range map[string]Turn{
		"an unknown arm":       {Arm: "x", Shares: []float64{.2, .2}},
		"too few shares":       {Arm: "b", Shares: []float64{.2}},
		"too large a share":    {Arm: "b", Shares: []float64{1.2, 0}},
		"shares of too much":   {Arm: "b", Shares: []float64{.6, .6}},
		"a rating out of five": {Arm: "b", Shares: []float64{.2, .2}, Observation: Observation{Satisfaction: registry.Some(7.)}},
	} {
		turn.Subject, turn.Deal = "ann", 9
		if _, err := c.Observe(turn); !errors.Is(err, prompt.ErrInvalid) || !bytes.Equal(before, c.State()) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i, m := range Metrics() {
		if registry.Metrics()[i] != m.String() {
			t.Errorf("%s is called %s in the registry", m, registry.Metrics()[i])
		}
	}
}
