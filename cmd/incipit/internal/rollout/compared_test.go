package rollout

import (
	"testing"
	"time"

	"github.com/incipit-dev/incipit/internal/registry"
)

func compares(c Compared) Compared {
	c.Elapsed, c.Calls = time.Second, 5
	return c
}

func TestAnArmThatIsWorseIsTakenOutUntilItIs(t *testing.T) {
	p, s := Plan{}, State{Phase: Watching, Seq: 1, Verdict: Unmeasured}
	both := compares(Compared{Worse: []string{"b", "c"}})
	for range 2 { // what was not done is said again
		next, out := Next(p, s, both)
		if len(out) != 1 || out[0] != (Command{Action: registry.Rollback, Arm: "b", Tell: TellRolled}) || next.Verdict != Regressed {
			t.Fatalf("%+v, %+v", next, out)
		}
		s = next
	}
	if _, out := Next(p, s, compares(Compared{Worse: []string{"c"}})); len(out) != 1 || out[0].Arm != "c" {
		t.Errorf("then %+v", out)
	}
	held, _ := Next(p, s, Held{})
	if _, out := Next(p, held, both); len(out) != 0 {
		t.Errorf("paused, and yet %+v", out)
	}
	left := registry.Rollout{Strategy: registry.Experiment, Arms: []registry.Arm{{Name: "c"}, {Name: registry.StableArm}}}
	if s, _ = Next(p, s, Moved{registry.Deployment{Seq: 2, Action: registry.Rollback, Rollout: &left}}); s.Phase != Watching || s.Seq != 2 {
		t.Errorf("without b: %+v", s)
	}
	if s, _ = Next(p, s, Moved{registry.Deployment{Seq: 3, Action: registry.Rollback}}); s.Phase != Ended || s.End != registry.Rollback {
		t.Errorf("without any: %+v", s)
	}
}

func TestPeopleAreAskedOnceAboutAnArm(t *testing.T) {
	p, s := Plan{OnRegress: registry.GuardAsk}, State{Phase: Watching, Seq: 1, Verdict: Unmeasured}
	asked := func(c Compared, want ...string) {
		t.Helper()
		var out []Command
		s, out = Next(p, s, compares(c))
		got := make([]string, 0, len(out))
		for _, c := range out {
			if c.Tell != TellAsks || c.Action != "" {
				t.Errorf("%+v", c)
			}
			got = append(got, c.Arm)
		}
		if len(got) != len(want) || len(got) > 0 && got[0] != want[0] {
			t.Errorf("asked about %v, want %v", got, want)
		}
	}
	asked(Compared{})
	asked(Compared{Worse: []string{"bb"}}, "bb")
	asked(Compared{Worse: []string{"bb"}})
	asked(Compared{Worse: []string{"b", "bb"}}, "b")
	asked(Compared{Worse: []string{"b", "bb"}, Winner: "c"}, "c")
	if s.Question != IsBetter || s.Winner != "c" || s.Verdict != Regressed {
		t.Errorf("%+v", s)
	}
	s, _ = Next(p, s, Held{Resume: true})
	asked(Compared{Worse: []string{"b", "bb"}, Winner: "c"})
	if s.Phase != Watching {
		t.Errorf("told to watch on: %+v", s)
	}
	asked(Compared{Winner: "d"}, "d")
	asked(Compared{})
	if s.Phase != Watching || s.Verdict != Insufficient {
		t.Errorf("what it asked about is no more: %+v", s)
	}
}

func TestAnExperimentThatIsNotTrustedIsToldOnce(t *testing.T) {
	s := State{Phase: Watching, Seq: 1, Verdict: Unmeasured}
	told := 0
	for _, untrusted := range []bool{false, true, true, false} {
		var out []Command
		s, out = Next(Plan{}, s, compares(Compared{Untrusted: untrusted}))
		told += len(out)
	}
	if told != 2 {
		t.Errorf("told %d times", told)
	}
}
