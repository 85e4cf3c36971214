package lifecycle

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/calllog"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// trying starts traffic, and after some of it an experiment of b 1.1.0 and c
// 1.2.0, each with a third. rates are how often an arm fails.
func trying(t *testing.T, r *rig, seed uint64, rates map[string]float64) *traffic {
	t.Helper()
	w := &traffic{rig: r, t: t, r: rand.New(rand.NewPCG(seed, 5)), rates: rates}
	w.restart()
	r.done(deploying("dev", "1.0.0"))
	w.calls(300)
	r.done(deploying("dev", "", trial("b=1.1.0:33", "c=1.2.0:33")))
	w.look()
	return w
}

// standingIn is how an arm stands by the evidence of a report.
func standingIn(t *testing.T, raw json.RawMessage, arm string) registry.ContestArm {
	t.Helper()
	var c registry.ContestReport
	if err := json.Unmarshal(raw, &c); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	i := slices.IndexFunc(c.Arms, func(a registry.ContestArm) bool { return a.Name == arm })
	if i < 0 {
		t.Fatalf("there is no arm %s in %s", arm, raw)
	}
	return c.Arms[i]
}

func TestArmsThatAreAlikeHaveNoWinner(t *testing.T) {
	eachRecording(t, func(t *testing.T, r *rig, _ *calllog.Log) {
		end := trying(t, r, 1, map[string]float64{"stable": .05, "b": .05, "c": .05}).goOn(15, 100, nil)
		if kinds(end) != "begin" || !end.Open() || end.Verdict != "insufficient evidence" || end.Strategy != registry.Experiment || end.Candidate != "" {
			t.Fatalf("%s\n%+v", kinds(end), end)
		}
		b, c := standingIn(t, end.Evidence, "b"), standingIn(t, end.Evidence, "c")
		if b.Standing != registry.ArmUndecided || c.Standing != registry.ArmUndecided || b.Calls+c.Calls+b.StableCalls != 1500 {
			t.Errorf("%+v\n%+v", b, c)
		}
		if got := r.arms("dev"); got != "b 33 %, c 33 %, stable 34 %" {
			t.Error(got)
		}
	})
}

func TestAnArmThatIsBetterIsAskedAboutOnce(t *testing.T) {
	eachRecording(t, func(t *testing.T, r *rig, _ *calllog.Log) {
		w := trying(t, r, 2, map[string]float64{"stable": .4, "b": .05, "c": .4})
		end := w.goOn(20, 100, nil)
		if kinds(end) != "begin, ask" || end.Phase != "asking" || end.Verdict != "better" {
			t.Fatalf("%s\n%+v", kinds(end), end)
		}
		asked := end.Decisions[1]
		if !strings.HasPrefix(asked.Text, "b is better: errors -") || !strings.HasSuffix(asked.Text, "; incipit experiment promote support b --env dev makes it the stable release") {
			t.Errorf("asked: %q", asked.Text)
		}
		if b := standingIn(t, asked.Evidence, "b"); b.Standing != registry.ArmBetter || b.PBetter > .0051 {
			t.Errorf("%+v", b)
		}
		if got := r.arms("dev"); got != "b 33 %, c 33 %, stable 34 %" {
			t.Errorf("it moved by itself: %s", got)
		}
		if _, err := w.shared.HoldRollout(by(t, "ada@example.com"), registry.HoldRequest{Place: inDev(), Resume: true}); err != nil {
			t.Fatal(err)
		}
		if on := w.goOn(3, 50, nil); kinds(on) != "begin, ask, resume by ada@example.com" || on.Phase != "watching" {
			t.Errorf("told to watch on: %s, %s", kinds(on), on.Phase)
		}
		r.done(ask(registry.Promote, "dev", "", arm("b")))
		w.look()
		if done := w.report(); kinds(done) != "begin, ask, resume by ada@example.com, promote by bob@example.com" || done.Open() {
			t.Errorf("%s, %s", kinds(done), done.Phase)
		}
	})
}

func TestAnArmThatIsWorseIsTakenOutOnce(t *testing.T) {
	eachRecording(t, func(t *testing.T, r *rig, _ *calllog.Log) {
		w := trying(t, r, 3, map[string]float64{"stable": .02, "b": .02, "c": .4})
		end := w.goOn(30, 60, nil)
		if kinds(end) != "begin, rollback" || !end.Open() || end.Phase != "watching" {
			t.Fatalf("%s\n%+v", kinds(end), end)
		}
		out := end.Decisions[1]
		if !strings.HasPrefix(out.Text, "c was taken out: c is worse: errors +") || out.Deployment != 3 || out.Share != 33_000 || out.Verdict != "regressed" {
			t.Errorf("%+v", out)
		}
		if got := r.arms("dev"); got != "b 33 %, stable 67 %" {
			t.Error(got)
		}
		if b, at := standingIn(t, end.Evidence, "b"), standingIn(t, out.Evidence, "b"); b.Calls <= at.Calls {
			t.Errorf("b had %d calls then, and has %d", at.Calls, b.Calls)
		}
		track, err := r.History(by(t, "ada@example.com"), "support", "dev")
		if err != nil {
			t.Fatal(err)
		}
		d, _ := track["dev"].Current()
		if d.Action != registry.Rollback || d.By != registry.GuardName || d.From != "1.2.0" || d.Reason != out.Text {
			t.Errorf("%+v", d)
		}
		w.refused(registry.ErrGate, "1.2.0 was rolled back here by deployment 3", deploying("dev", "", trial("b=1.1.0:33", "d=1.2.0:33"), supersede))
	})
}

// Killed at any moment, the guard takes the arm out at the same call.
func TestAKilledGuardTakesAnArmOutAtTheSameCall(t *testing.T) {
	decided := make(map[string]int64)
	for _, every := range []int{0, 7} {
		eachRecording(t, func(t *testing.T, r *rig, _ *calllog.Log) {
			w := trying(t, r, 4, map[string]float64{"stable": .02, "b": .02, "c": .2})
			end := w.goOn(80, 20, func(round int) {
				if every > 0 && round%every == 0 {
					w.restart()
				}
			})
			if kinds(end) != "begin, rollback" {
				t.Fatalf("%s\n%+v", kinds(end), end)
			}
			name := t.Name()[strings.LastIndex(t.Name(), "/")+1:]
			if was, ok := decided[name]; ok && was != end.Decisions[1].Cursor {
				t.Errorf("killed every %d rounds it decides at call %d, else at %d", every, end.Decisions[1].Cursor, was)
			}
			decided[name] = end.Decisions[1].Cursor
		})
	}
}

func TestAPersonWinsAgainstTheGuardOfAnExperiment(t *testing.T) {
	eachRecording(t, func(t *testing.T, r *rig, _ *calllog.Log) {
		w := trying(t, r, 5, map[string]float64{"stable": .02, "b": .02, "c": .6})
		ada := by(t, "ada@example.com")
		if _, err := w.shared.HoldRollout(ada, registry.HoldRequest{Place: inDev()}); err != nil {
			t.Fatal(err)
		}
		if held := w.goOn(4, 100, nil); kinds(held) != "begin, pause by ada@example.com" || held.Verdict != "regressed" {
			t.Fatalf("%s\n%+v", kinds(held), held)
		}
		r.done(ask(registry.Shift, "dev", "", shares(map[string]registry.Share{"b": 20_000})))
		w.look()
		if _, err := w.shared.HoldRollout(ada, registry.HoldRequest{Place: inDev(), Resume: true}); err != nil {
			t.Fatal(err)
		}
		w.look()
		r.done(deploying("dev", "", trial("b=1.1.0:20", "d=1.3.0:20"), supersede)) // other arms: another contest
		w.look()
		all := kinds(w.report())
		for _, row := range w.rollouts(2) {
			log, err := r.db.Decisions(t.Context(), inDev(), row)
			if err != nil {
				t.Fatal(err)
			}
			all += " | " + kinds(registry.RolloutReport{Decisions: log})
		}
		want := "begin | begin, pause by ada@example.com, shift by bob@example.com, resume by ada@example.com, rollback, end by bob@example.com"
		if all != want {
			t.Errorf("%s\nwant %s", all, want)
		}
	})
}

// rollouts are the numbers of the records by which the older rollouts began.
func (w *traffic) rollouts(n int) (out []int) {
	w.t.Helper()
	rows, err := w.db.Rollouts(w.t.Context(), inDev(), n)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, row := range rows[1:] {
		out = append(out, row.Opened)
	}
	return out
}

// An arm that keeps its share does not show by which record its call was dealt:
// what is in doubt is not taken, from no arm.
func TestCallsAreThoseOfTheRecordOfTheirTime(t *testing.T) {
	began := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	arms := func(shares map[string]registry.Share, names ...string) *registry.Rollout {
		r := registry.Rollout{Strategy: registry.Experiment, Salt: "s"}
		for i, name := range names {
			r.Arms = append(r.Arms, registry.Arm{Name: name, Version: prompt.Version{Major: 1, Minor: uint32(i)}, Ranges: []registry.Range{{From: 0, To: uint32(shares[name])}}})
		}
		return &r
	}
	all := map[string]registry.Share{"b": 30_000, "c": 30_000, "stable": 40_000}
	without := arms(map[string]registry.Share{"b": 30_000, "stable": 70_000}, "b", "c", "stable")
	without.Arms = slices.Delete(without.Arms, 1, 2)
	d := dealsOf(registry.Track{
		{Seq: 1, Action: registry.Deploy, At: began.Add(-time.Hour)},
		{Seq: 2, Action: registry.Deploy, At: began, Rollout: arms(all, "b", "c", "stable")},
		{Seq: 3, Action: registry.Rollback, At: began.Add(time.Hour), Rollout: without},
		{Seq: 4, Action: registry.Promote, At: began.Add(2 * time.Hour)},
	}, 2)
	share := registry.Some[registry.Share]
	for _, c := range []struct {
		name string
		call calllog.Seen
		deal uint64 // 0 if it is not taken
	}{
		{"at once", calllog.Seen{Arm: "b", Version: "1.0.0", Share: share(30_000), StartedAt: began}, 2},
		{"before it began", calllog.Seen{Arm: "b", Version: "1.0.0", Share: share(30_000), StartedAt: began.Add(-1)}, 0},
		{"by the time alone", calllog.Seen{Arm: "stable", Version: "1.2.0", StartedAt: began.Add(time.Minute)}, 2},
		{"another version", calllog.Seen{Arm: "b", Version: "1.1.0", Share: share(30_000), StartedAt: began}, 0},
		{"another experiment", calllog.Seen{Arm: "b", Version: "1.0.0", Rollout: "other", StartedAt: began}, 0},
		{"just after a change", calllog.Seen{Arm: "b", Version: "1.0.0", Share: share(30_000), StartedAt: began.Add(time.Hour + time.Second)}, 0},
		{"just before it", calllog.Seen{Arm: "b", Version: "1.0.0", Share: share(30_000), StartedAt: began.Add(time.Hour - 1)}, 2},
		{"after it", calllog.Seen{Arm: "b", Version: "1.0.0", Share: share(30_000), StartedAt: began.Add(time.Hour + time.Minute)}, 3},
		{"by shares that are no more", calllog.Seen{Arm: "stable", Version: "1.2.0", Share: share(40_000), StartedAt: began.Add(time.Hour + time.Minute)}, 0},
		{"an arm that is no more", calllog.Seen{Arm: "c", Version: "1.1.0", Share: share(30_000), StartedAt: began.Add(time.Hour + time.Minute)}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.call.Rollout == "" {
				c.call.Rollout = "s"
			}
			turn, ok := d.turn(&c.call)
			if ok != (c.deal > 0) || turn.Deal != c.deal {
				t.Errorf("%v, %+v", ok, turn)
			}
		})
	}
	if d.in("c") || !d.in("b") {
		t.Error("c was taken out, and b was not")
	}
}

func TestAnExperimentThatPeopleMoveIsNotFollowed(t *testing.T) {
	eachRecording(t, func(t *testing.T, r *rig, _ *calllog.Log) {
		w := &traffic{rig: r, t: t, r: rand.New(rand.NewPCG(6, 5)), rates: map[string]float64{"b": .9}}
		w.restart()
		r.done(deploying("dev", "1.0.0"))
		r.done(deploying("dev", "", trial("b=1.1.0:50"), func(q *registry.Request) { q.Manual = true }))
		w.calls(100)
		w.look()
		if rows, err := r.db.Rollouts(t.Context(), inDev(), 9); err != nil || len(rows) != 0 {
			t.Errorf("%+v, %v", rows, err)
		}
	})
}
