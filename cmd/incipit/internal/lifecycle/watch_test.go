package lifecycle

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/calllog"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/guard"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
	"github.com/incipit-dev/incipit/internal/registry"
)

// traffic is an application that makes calls of support in dev and records
// them, and the guard beside it.
type traffic struct {
	*rig
	t     *testing.T
	r     *rand.Rand
	watch *watch
	n     int                // requests so far
	fails float64            // how often the candidate does; the stable release fails one call in a hundred
	rates map[string]float64 // how often the arms of an experiment do
}

// inDev is where the rollouts of the tests are.
func inDev() registry.Place { return registry.Place{Prompt: "support", Environment: "dev"} }

// rolling starts traffic, and after some of it a canary of 1.1.0.
func rolling(t *testing.T, r *rig, seed uint64, fails float64, edit ...func(*registry.Request)) *traffic {
	t.Helper()
	w := &traffic{rig: r, t: t, r: rand.New(rand.NewPCG(seed, 5)), fails: fails}
	w.restart()
	r.done(deploying("dev", "1.0.0"))
	w.calls(300)
	r.done(deploying("dev", "1.1.0", append([]func(*registry.Request){canary}, edit...)...))
	w.look()
	return w
}

// restart is what a kill of the server comes to.
func (w *traffic) restart() {
	w.watch = newWatch(w.shared, fmt.Sprint("server-", w.n))
}

func (w *traffic) look() {
	w.t.Helper()
	if err := w.watch.look(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// calls makes n calls of subjects that come once.
func (w *traffic) calls(n int) {
	w.t.Helper()
	snap, err := w.Snapshot(by(w.t, "app"), "dev", "support")
	if err != nil {
		w.t.Fatal(err)
	}
	entries := make([]calllog.Entry, n)
	for i := range entries {
		w.n++
		_, arm, err := registry.Resolve(snap, "support", fmt.Sprint("user-", w.n))
		if err != nil {
			w.t.Fatal(err)
		}
		c := w.called(func(c *registry.Call) {
			c.Version, c.Arm, c.Rollout = arm.Version.String(), arm.Name, snap.Prompts["support"].Rollout.Salt
			c.Share = registry.Some(arm.Share())
			c.OutputTokens = registry.Some(int64(200 + w.r.IntN(200)))
			c.Latency = time.Duration(400+w.r.IntN(800)) * time.Millisecond
			rate := .01
			if arm.Name == registry.CandidateArm {
				rate = w.fails
			}
			if w.rates != nil {
				rate = w.rates[arm.Name]
			}
			if w.r.Float64() < rate {
				c.Outcome, c.ErrorClass = registry.Failed, registry.PromptError
			}
			c.ID = registry.MakeCallID(c.StartedAt, [10]byte{byte(w.n), byte(w.n >> 8), byte(w.n >> 16), 1})
		})
		entries[i] = calllog.Entry{Call: &c, Subject: calllog.SubjectHash{byte(w.n), byte(w.n >> 8), byte(w.n >> 16), 7}}
	}
	if _, err := w.shared.config.Calls.Append(w.t.Context(), entries); err != nil {
		w.t.Fatal(err)
	}
}

// go on makes calls until the rollout has ended, or rounds are over. Each round
// is a second.
func (w *traffic) goOn(rounds, calls int, each func(round int)) registry.RolloutReport {
	w.t.Helper()
	for round := range rounds {
		if each != nil {
			each(round)
		}
		if calls > 0 {
			w.calls(calls)
		}
		w.clock.Advance(time.Second)
		w.look()
		if r := w.report(); !r.Open() {
			return r
		}
	}
	return w.report()
}

func (w *traffic) report() registry.RolloutReport {
	w.t.Helper()
	r, err := w.shared.Rollout(by(w.t, "ada@example.com"), inDev(), 0)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// spoil makes the evidence that was kept that of a program nobody knows.
func (w *traffic) spoil() {
	w.t.Helper()
	rows, err := w.db.OpenRollouts(w.t.Context())
	if err != nil || len(rows) != 1 {
		w.t.Fatal(rows, err)
	}
	rows[0].Detector = []byte{99}
	if err := w.db.SaveRollout(w.t.Context(), rows[0], nil, registry.Event{}); err != nil {
		w.t.Fatal(err)
	}
	if r := w.report(); r.Verdict == "" || len(r.Evidence) == 0 {
		w.t.Errorf("it cannot be shown: %s", r.Text)
	}
}

// kinds are the decisions, and who made them.
func kinds(r registry.RolloutReport) string {
	all := make([]string, len(r.Decisions))
	for i, d := range r.Decisions {
		all[i] = d.Kind
		if d.By != registry.GuardName {
			all[i] += " by " + d.By
		}
	}
	return strings.Join(all, ", ")
}

func TestAWorseCandidateIsTakenBackWithItsEvidence(t *testing.T) {
	eachRecording(t, func(t *testing.T, r *rig, _ *calllog.Log) {
		w := rolling(t, r, 1, .3)
		end := w.goOn(200, 20, nil)
		if kinds(end) != "begin, rollback" || end.Verdict != "regressed" || end.Share != 5_000 {
			t.Fatalf("%s\n%+v", kinds(end), end)
		}
		last := end.Decisions[1]
		if !strings.HasPrefix(last.Text, "rolled back: worse: errors ") || last.Deployment != 3 || last.Verdict != "regressed" {
			t.Errorf("%+v", last)
		}
		var evidence guard.Report
		if err := json.Unmarshal(last.Evidence, &evidence); err != nil || evidence.Calls.Candidate == 0 || evidence.Calls.Candidate > 60 || evidence.PValue > .0101 {
			t.Errorf("%s, %v", last.Evidence, err)
		}
		track, err := r.History(by(t, "ada@example.com"), "support", "dev")
		if err != nil {
			t.Fatal(err)
		}
		d, _ := track["dev"].Current()
		if d.Action != registry.Rollback || d.By != registry.GuardName || d.Reason != last.Text || d.Version.String() != "1.0.0" {
			t.Errorf("%+v", d)
		}
		// What was taken back stays so until a person clears it.
		w.refused(registry.ErrGate, "was rolled back here by deployment 3", deploying("dev", "1.1.0", canary))

		again, err := w.shared.ReplayRollout(by(t, "ada@example.com"), inDev(), 0, registry.GuardRules{})
		if err != nil || len(again.Verdicts) != 1 || again.Verdicts[0].Verdict != "regressed" || again.Verdicts[0].Cursor != last.Cursor {
			t.Errorf("replayed: %+v, %v; it was decided at %d", again, err, last.Cursor)
		}
		if string(again.Evidence) != string(last.Evidence) {
			t.Errorf("replayed evidence\n%s\nwas\n%s", again.Evidence, last.Evidence)
		}
		strict, err := w.shared.ReplayRollout(by(t, "ada@example.com"), inDev(), 0, registry.GuardRules{Alpha: new(1e-9)})
		if err != nil || len(strict.Verdicts) != 0 {
			t.Errorf("by a stricter rule: %+v, %v", strict, err)
		}
	})
}

// Where the first call of all is one of the rollout, nothing is history.
func TestARolloutBeforeTheFirstCallIsReplayedAlike(t *testing.T) {
	eachRecording(t, func(t *testing.T, r *rig, _ *calllog.Log) {
		w := &traffic{rig: r, t: t, r: rand.New(rand.NewPCG(4, 5)), fails: .5}
		w.restart()
		r.done(deploying("dev", "1.0.0"))
		r.done(deploying("dev", "1.1.0", canary))
		w.look()
		end := w.goOn(200, 20, nil)
		again, err := w.shared.ReplayRollout(by(t, "ada@example.com"), inDev(), 0, registry.GuardRules{})
		if kinds(end) != "begin, rollback" || err != nil || len(again.Verdicts) != 1 || again.Verdicts[0].Cursor != end.Decisions[1].Cursor {
			t.Errorf("%s; replayed: %+v, %v", kinds(end), again, err)
		}
	})
}

func TestASafeCandidateIsPromotedStepByStep(t *testing.T) {
	eachRecording(t, func(t *testing.T, r *rig, _ *calllog.Log) {
		quick := registry.Environment{Name: "dev", Guard: &registry.Guard{GuardRules: registry.GuardRules{
			Bake: new(registry.Duration(20 * time.Second)), HoldFor: new(registry.Duration(time.Minute)), MaxErrorIncrease: new(.1), MaxLatencyIncreasePct: new(100.), MaxTokensIncreasePct: new(100.),
		}}}
		if err := r.shared.SetEnvironment(by(t, "admin"), quick); err != nil {
			t.Fatal(err)
		}
		end := rolling(t, r, 2, .01).goOn(400, 60, nil)
		// That it was found to be safe before it had its bake time may be told, too.
		if got := strings.ReplaceAll(kinds(end), "hold, ", ""); got != "begin, advance, advance, promote" {
			t.Fatal(kinds(end))
		}
		var shares []string
		for _, d := range end.Decisions {
			if d.Kind == registry.DecisionAdvance {
				shares = append(shares, d.Share.Number())
			}
		}
		if strings.Join(shares, " ") != "50 95" {
			t.Errorf("it went by %v", shares)
		}
		track, err := r.History(by(t, "ada@example.com"), "support", "dev")
		if d, _ := track["dev"].Current(); err != nil || d.Version.String() != "1.1.0" || d.Rollout != nil || d.Action != registry.Promote {
			t.Errorf("%+v, %v", d, err)
		}
	})
}

// Killed at any moment, the guard goes on from what it kept, and decides at the
// same call; also if that is not what this program can read.
func TestAKilledGuardDecidesAtTheSameCall(t *testing.T) {
	decided := make(map[string]int64)
	for _, every := range []int{0, 7, 11} {
		eachRecording(t, func(t *testing.T, r *rig, _ *calllog.Log) {
			w := rolling(t, r, 3, .08)
			end := w.goOn(600, 20, func(round int) {
				if every == 11 && round == 22 {
					w.spoil()
				}
				if every > 0 && round%every == 0 {
					w.restart()
				}
			})
			if kinds(end) != "begin, rollback" {
				t.Fatalf("%s", kinds(end))
			}
			name := t.Name()[strings.LastIndex(t.Name(), "/")+1:]
			if was, ok := decided[name]; ok && was != end.Decisions[1].Cursor {
				t.Errorf("killed every %d rounds it decides at call %d, else at %d", every, end.Decisions[1].Cursor, was)
			}
			decided[name] = end.Decisions[1].Cursor
		})
	}
}

func TestAPersonWinsAgainstTheGuard(t *testing.T) {
	eachRecording(t, func(t *testing.T, r *rig, _ *calllog.Log) {
		w := rolling(t, r, 4, .9)
		ada := by(t, "ada@example.com")
		if _, err := w.shared.HoldRollout(ada, registry.HoldRequest{Place: inDev(), Reason: "a demo"}); err != nil {
			t.Fatal(err)
		}
		end := w.goOn(30, 50, nil)
		if got := kinds(end); got != "begin, pause by ada@example.com, hold" || !end.Open() {
			t.Fatalf("%s", got)
		}
		r.done(ask(registry.Shift, "dev", "", share(10_000)))
		w.calls(10)
		w.look()
		if _, err := w.shared.HoldRollout(ada, registry.HoldRequest{Place: inDev(), Resume: true}); err != nil {
			t.Fatal(err)
		}
		// Before the guard looks again, the person promotes it: that stays.
		r.done(ask(registry.Promote, "dev", ""))
		w.look()
		if got := kinds(w.report()); got != "begin, pause by ada@example.com, hold, shift by bob@example.com, resume by ada@example.com, promote by bob@example.com" {
			t.Errorf("%s", got)
		}
		track, err := r.History(ada, "support", "dev")
		if d, _ := track["dev"].Current(); err != nil || d.Version.String() != "1.1.0" || d.By != "bob@example.com" {
			t.Errorf("%+v, %v", d, err)
		}
		events, err := r.db.Events(t.Context(), 0, 1000)
		if err != nil || !slices.ContainsFunc(events, func(e registry.Event) bool { return e.Action == "rollout.pause" && e.Reason == "a demo" }) {
			t.Errorf("the pause is not in the audit log: %v", err)
		}
	})
}

func TestSilenceHoldsAndIsTold(t *testing.T) {
	eachRecording(t, func(t *testing.T, r *rig, _ *calllog.Log) {
		w := rolling(t, r, 5, .01)
		w.goOn(5, 20, nil)
		silent := w.goOn(3600/2, 0, func(int) { w.clock.Advance(time.Second) })
		if got := kinds(silent); got != "begin, hold" || !strings.Contains(silent.Decisions[1].Text, "nothing can be measured: no call was recorded for") || silent.Verdict != "cannot measure" {
			t.Fatalf("%s\n%+v", got, silent)
		}
		w.fails = .9
		if end := w.goOn(100, 20, nil); kinds(end) != "begin, hold, hold, rollback" {
			t.Errorf("after the silence: %s", kinds(end))
		}
	})
}

func TestAClockThatJumpsMovesNothing(t *testing.T) {
	eachRecording(t, func(t *testing.T, r *rig, _ *calllog.Log) {
		w := rolling(t, r, 6, .01)
		end := w.goOn(20, 20, func(round int) {
			switch round {
			case 5, 15:
				w.clock.Advance(24 * time.Hour)
			case 10:
				w.clock.Advance(-24 * time.Hour)
			}
		})
		if got := kinds(end); got != "begin" || end.InStep > registry.Duration(time.Minute) {
			t.Errorf("%s, after %s", got, end.InStep)
		}
	})
}

// A candidate whose tag was moved goes no further, and a person is asked once;
// with the tag put back it goes on.
func TestADoubtfulCandidateGoesNoFurther(t *testing.T) {
	eachRecording(t, func(t *testing.T, r *rig, _ *calllog.Log) {
		quick := registry.Environment{Name: "dev", Guard: &registry.Guard{GuardRules: registry.GuardRules{
			Bake: new(registry.Duration(20 * time.Second)), Metrics: []string{"errors"}, MaxErrorIncrease: new(.1),
		}}}
		if err := r.shared.SetEnvironment(by(t, "admin"), quick); err != nil {
			t.Fatal(err)
		}
		w := rolling(t, r, 7, .01)
		if err := r.db.SetProblems(t.Context(), []sqlstore.Problem{{Tag: "support@1.1.0", Code: sqlstore.TagMoved, Detail: "it names another commit now"}}); err != nil {
			t.Fatal(err)
		}
		held := w.goOn(60, 60, nil)
		if got := kinds(held); got != "begin, hold, ask" || held.Share != 5_000 {
			t.Fatalf("%s\n%+v", got, held)
		}
		if text := held.Decisions[2].Text; !strings.Contains(text, "cannot shift") || !strings.Contains(text, "it names another commit now") {
			t.Errorf("asked: %q", text)
		}
		w.refused(registry.ErrGate, "support@1.1.0 is not what was released", ask(registry.Promote, "dev", ""))
		w.refused(registry.ErrGate, "support@1.1.0 is not what was released", ask(registry.Shift, "dev", "", share(90_000)))
		if err := r.db.SetProblems(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if got := kinds(w.goOn(2, 60, nil)); got != "begin, hold, ask, advance" {
			t.Errorf("with the tag put back: %s", got)
		}
	})
}
