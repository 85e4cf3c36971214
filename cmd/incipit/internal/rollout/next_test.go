package rollout

import (
	"testing"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// rules are the defaults, changed.
func rules(change func(*registry.GuardRules)) registry.GuardRules {
	r := registry.Environment{}.GuardOf("support")
	if change != nil {
		change(&r)
	}
	return r
}

func began(t *testing.T, s registry.Strategy, steps string, change func(*registry.GuardRules)) (Plan, State) {
	t.Helper()
	shares, err := registry.ParseSteps(steps)
	if err != nil {
		t.Fatal(err)
	}
	r := registry.NewRollout(s, registry.DefaultBucketing, "salt", registry.Arm{}, registry.Arm{}, shares)
	if s == registry.Canary {
		r = r.WithShare(shares[0])
	}
	return PlanOf(r, rules(change)), Begin(registry.Deployment{Seq: 1, Action: registry.Deploy, Rollout: &r})
}

// shifted is the record of a shift.
func shifted(seq int, share registry.Share) Moved {
	r := registry.NewRollout(registry.Canary, registry.DefaultBucketing, "salt", registry.Arm{}, registry.Arm{Version: prompt.Version{}}, nil).WithShare(share)
	return Moved{registry.Deployment{Seq: seq, Action: registry.Shift, Rollout: &r}}
}

// run gives ticks of a second until a command moves the rollout, or n are over.
func run(p Plan, s State, n int, t Tick) (State, Command, int) {
	t.Elapsed = time.Second
	for i := range n {
		var out []Command
		s, out = Next(p, s, t)
		for _, c := range out {
			if c.Action != "" {
				return s, c, i + 1
			}
		}
	}
	return s, Command{}, n
}

var good = Tick{Verdict: Healthy, Calls: 5, Ready: true}

func TestACanaryThatIsSafeGoesThroughItsStepsAndIsPromoted(t *testing.T) {
	p, s := began(t, registry.Canary, "5,25,50,100", nil)
	for i, want := range []registry.Share{25_000, 50_000, 95_000} {
		var c Command
		var seconds int
		s, c, seconds = run(p, s, 1000, good)
		if c.Action != registry.Shift || c.Share != want || seconds != 300 {
			t.Fatalf("after %d s: %+v, want a shift to %s after the bake of 300 s", seconds, c, want)
		}
		// Until it is told that it was done, it says the same.
		if _, again, _ := run(p, s, 1, good); again != c {
			t.Fatalf("then %+v", again)
		}
		s, _ = Next(p, s, shifted(2+i, want))
	}
	s, c, seconds := run(p, s, 10_000, good)
	if c.Action != registry.Promote || seconds != 3600 {
		t.Fatalf("after %d s: %+v, want it promoted after an hour of hold-back", seconds, c)
	}
	if s, _ = Next(p, s, Moved{registry.Deployment{Seq: 5, Action: registry.Promote}}); s.Phase != Ended || s.End != registry.Promote {
		t.Errorf("it ended as %+v", s)
	}
}

func TestAVerdictDecides(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(*registry.GuardRules)
		tick    Tick
		seconds int
		action  registry.Action
		asks    Question
	}{
		{"worse is taken back at once", nil, Tick{Verdict: Regressed, Calls: 1}, 1, registry.Rollback, ""},
		{"worse is a question where the rules say so", func(r *registry.GuardRules) { r.OnRegress = "ask" }, Tick{Verdict: Regressed, Calls: 1}, 10, "", IsWorse},
		{"worse is taken back in a freeze, too", nil, Tick{Verdict: Regressed, Calls: 1, Frozen: true}, 1, registry.Rollback, ""},
		{"safe does not advance in a freeze", nil, Tick{Verdict: Healthy, Calls: 1, Frozen: true}, 10_000, "", ""},
		{"safe is a question where the rules say so", func(r *registry.GuardRules) { r.Advance = "ask" }, Tick{Verdict: Healthy, Calls: 1}, 301, "", MayMove},
		{"insufficient holds", nil, Tick{Verdict: Insufficient, Calls: 1}, 86_399, "", ""},
		{"insufficient is a question at the limit", nil, Tick{Verdict: Insufficient, Calls: 1}, 86_401, "", AtLimit},
		{"insufficient may advance at the limit", func(r *registry.GuardRules) { r.AtLimit = "advance" }, Tick{Verdict: Insufficient, Calls: 1}, 86_400, registry.Shift, ""},
		{"insufficient may end at the limit", func(r *registry.GuardRules) { r.AtLimit = "rollback" }, Tick{Verdict: Insufficient, Calls: 1}, 86_400, registry.Rollback, ""},
		{"silence never advances", func(r *registry.GuardRules) { r.AtLimit = "advance" }, Tick{Verdict: Insufficient}, 90_000, "", AtLimit},
		{"silence never takes back", func(r *registry.GuardRules) { r.AtLimit = "rollback" }, Tick{Verdict: Insufficient}, 90_000, "", AtLimit},
		{"what is not trusted neither advances nor is taken back", func(r *registry.GuardRules) { r.AtLimit = "rollback" }, Tick{Verdict: Untrusted, Calls: 1}, 90_000, "", AtLimit},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, s := began(t, registry.Canary, "5,25,50,100", c.change)
			s, command, seconds := run(p, s, c.seconds, c.tick)
			if command.Action != c.action || seconds != c.seconds || s.Question != c.asks {
				t.Errorf("after %d s: %+v, asks %q", seconds, command, s.Question)
			}
		})
	}
}

func TestTimeWithoutCallsIsNoBakeTime(t *testing.T) {
	p, s := began(t, registry.Canary, "5,25,100", nil)
	s, _, _ = run(p, s, 200, good)
	told := 0
	for range 3600 {
		var out []Command
		s, out = Next(p, s, Tick{Elapsed: time.Second, Verdict: Healthy})
		for _, c := range out {
			if c.Action != "" {
				t.Fatalf("in silence it moves: %+v", c)
			}
			told++
		}
	}
	if !s.Silent || s.Verdict != Unmeasured || told != 1 || s.Healthy != 200*time.Second {
		t.Fatalf("an hour of silence: %+v, told %d times", s, told)
	}
	s, out := Next(p, s, good)
	if s.Silent || len(out) == 0 || out[0].Tell != TellVerdict {
		t.Errorf("calls come again: %+v, %+v", s, out)
	}
}

func TestAPersonWins(t *testing.T) {
	p, s := began(t, registry.Canary, "5,25,50,100", nil)
	s, _ = Next(p, s, Held{})
	if s, c, _ := run(p, s, 10_000, good); c.Action != "" || s.Phase != Paused {
		t.Errorf("paused, and yet %+v", c)
	}
	worse := Tick{Verdict: Regressed, Calls: 1}
	held, c, _ := run(p, s, 100, worse)
	if c.Action != "" {
		t.Errorf("paused, and yet %+v", c)
	}
	held, _ = Next(p, held, Held{Resume: true})
	if _, c, n := run(p, held, 100, worse); c.Action != registry.Rollback || n != 1 {
		t.Errorf("let go on, it is %+v", c)
	}
	s, _ = Next(p, s, Held{Resume: true})
	s, _ = Next(p, s, shifted(2, 60_000)) // past a step
	if _, c, n := run(p, s, 1000, good); c.Share != 95_000 || n != 300 {
		t.Errorf("from 60 %% it goes to %s after %d s", c.Share, n)
	}
	s, _ = Next(p, s, shifted(3, 1_000)) // back
	if _, c, _ := run(p, s, 1000, good); c.Share != 5_000 {
		t.Errorf("from 1 %% it goes to %s", c.Share)
	}
	s, _ = Next(p, s, Moved{registry.Deployment{Seq: 4, Action: registry.Deploy}})
	if s.Phase != Ended || s.End != "" {
		t.Errorf("superseded: %+v", s)
	}
}

func TestBlueGreenIsOneSwitch(t *testing.T) {
	p, s := began(t, registry.BlueGreen, "5", nil)
	s, c, _ := run(p, s, 10, Tick{Verdict: Unmeasured, Calls: 1})
	if c.Action != "" || s.Question != "" {
		t.Fatalf("before it is ready: %+v, %+v", c, s)
	}
	s, c, _ = run(p, s, 1, Tick{Verdict: Unmeasured, Calls: 1, Ready: true})
	if c.Action != "" || s.Question != MaySwitch {
		t.Fatalf("once it is ready: %+v, %+v", c, s)
	}
	s, _ = Next(p, s, Held{Resume: true})
	if s, c, _ = run(p, s, 1, Tick{Verdict: Unmeasured, Calls: 1, Ready: true}); c.Action != registry.Shift || c.Share != 95_000 {
		t.Fatalf("after a yes: %+v", c)
	}
	s, _ = Next(p, s, shifted(2, 95_000))
	s, c, _ = run(p, s, 10_000, good)
	if c.Action != "" || s.Question != MayMove {
		t.Fatalf("at its end: %+v, %+v", c, s)
	}

	p, s = began(t, registry.BlueGreen, "5", func(r *registry.GuardRules) { r.Advance = registry.GuardAuto })
	if _, c, _ = run(p, s, 10, Tick{Verdict: Unmeasured, Ready: true}); c.Action != "" {
		t.Errorf("without a call it switches: %+v", c)
	}
	if _, c, _ = run(p, s, 10, Tick{Verdict: Unmeasured, Ready: true, Calls: 1}); c.Action != registry.Shift {
		t.Errorf("it does not switch by itself: %+v", c)
	}
}

func TestNoHoldBackIsNoLastStep(t *testing.T) {
	p, _ := began(t, registry.Canary, "5,50,100", func(r *registry.GuardRules) { r.HoldBack = new(registry.Share(0)) })
	if len(p.Steps) != 2 || p.Steps[1] != 50_000 {
		t.Errorf("steps are %v", p.Steps)
	}
}
