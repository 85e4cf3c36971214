package lifecycle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/calllog"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/guard"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// everybody starts traffic of 1.0.0, lets two days of it go by, and deploys 1.1.0
// to all. What was before was watched by nobody.
func everybody(t *testing.T, r *rig) *traffic {
	t.Helper()
	w := &traffic{rig: r, t: t}
	r.done(deploying("dev", "1.0.0"))
	for range 48 {
		w.serve("1.0.0", 60, 60)
		w.clock.Advance(time.Hour)
	}
	w.restart()
	w.look()
	r.done(deploying("dev", "1.1.0"))
	w.look()
	return w
}

// serve makes n calls of a release that serves all, of which one of so many
// fails.
func (w *traffic) serve(version string, n, fails int, edit ...func(*registry.Call)) {
	w.t.Helper()
	entries := make([]calllog.Entry, n)
	for i := range entries {
		w.n++
		c := w.called(append(edit, func(c *registry.Call) {
			c.Version, c.Share = version, registry.Some(registry.Share(0))
			c.ID = registry.MakeCallID(c.StartedAt, [10]byte{byte(w.n), byte(w.n >> 8), byte(w.n >> 16), 1})
			c.Latency = time.Duration(400+37*w.n%800) * time.Millisecond
			if w.n%fails == 0 {
				c.Outcome, c.ErrorClass = registry.Failed, registry.ProviderError
			}
		})...)
		entries[i] = calllog.Entry{Call: &c}
	}
	if _, err := w.shared.config.Calls.Append(w.t.Context(), entries); err != nil {
		w.t.Fatal(err)
	}
}

// rounds serves some calls a second, for some seconds.
func (w *traffic) rounds(version string, n, fails int, edit ...func(*registry.Call)) {
	w.t.Helper()
	for range n {
		w.serve(version, 10, fails, edit...)
		w.clock.Advance(time.Second)
		w.look()
	}
}

// kept is what is kept of the place, once all is.
func (w *traffic) kept() (registry.Steady, bool) {
	w.t.Helper()
	w.clock.Advance(saveIdle)
	w.look()
	row, ok, err := w.db.Steady(w.t.Context(), inDev())
	if err != nil {
		w.t.Fatal(err)
	}
	return row, ok
}

// It is told once, with what it rests on, and nothing is done; killed at any
// moment the watch tells it at the same call.
func TestAChangeForEverybodyIsToldAndNothingIsDone(t *testing.T) {
	told := make(map[string]int64)
	for _, every := range []int{0, 7, 11} {
		eachRecording(t, func(t *testing.T, r *rig, _ *calllog.Log) {
			w := everybody(t, r)
			var said bytes.Buffer
			r.shared.config.Log = slog.New(slog.NewTextHandler(&said, nil))
			w.rounds("1.1.0", 40, 60)
			if row, ok := w.kept(); !ok || row.Deployment != 2 || row.Alarmed {
				t.Fatalf("%v, %+v", ok, row)
			}
			usual := w.report()
			if usual.Phase != registry.PhaseSteady || usual.Verdict != registry.Unchanged || usual.Strategy != registry.Full || usual.Stable != "1.1.0" ||
				usual.Share != registry.Scale || usual.Opened != 2 || usual.Open() || !strings.HasPrefix(usual.Text, "as usual, after 39") || len(usual.Decisions) != 0 {
				t.Errorf("%+v", usual)
			}
			for round := range 60 {
				if every > 0 && round%every == 0 {
					w.restart()
					w.look()
				}
				w.rounds("1.1.0", 1, 4)
			}
			if row, _ := w.kept(); !row.Alarmed {
				t.Fatalf("%+v", row)
			}
			changed := w.report()
			if kinds(changed) != "changed" || changed.Verdict != registry.Changed || !strings.Contains(changed.Next, " of quiet ") {
				t.Fatalf("%s\n%+v", kinds(changed), changed)
			}
			d := changed.Decisions[0]
			if !strings.HasPrefix(d.Text, "changed: errors ") || !strings.Contains(d.Text, "is usual at this hour; what caused it cannot be told by this: only a hold-back could") ||
				d.Opened != 2 || d.Deployment != 0 || d.Share != registry.Scale || d.Text != changed.Text {
				t.Errorf("%+v", d)
			}
			var evidence guard.ChangeReport
			if err := json.Unmarshal(d.Evidence, &evidence); err != nil || !evidence.Changed || string(d.Evidence) != string(changed.Evidence) {
				t.Errorf("%s, %v", d.Evidence, err)
			}
			if n := strings.Count(said.String(), "level=WARN"); n != 1 || !strings.Contains(said.String(), "version=1.1.0") {
				t.Errorf("%d warnings: %s", n, &said)
			}
			r.check("dev", "1.1.0")
			name := t.Name()[strings.LastIndex(t.Name(), "/")+1:]
			if was, ok := told[name]; ok && was != d.Cursor {
				t.Errorf("killed every %d rounds it tells at call %d, else at %d", every, d.Cursor, was)
			}
			told[name] = d.Cursor
		})
	}
}

// After an alarm it is quiet, whatever comes, and then what is usual is another.
func TestAfterAnAlarmItIsQuietAndBeginsAnew(t *testing.T) {
	eachRecording(t, func(t *testing.T, r *rig, _ *calllog.Log) {
		w := everybody(t, r)
		w.rounds("1.1.0", 60, 4)
		if row, _ := w.kept(); !row.Alarmed {
			t.Fatalf("%+v", row)
		}
		for range 24 { // not observed: nobody looks
			w.serve("1.1.0", 2000, 3)
			w.clock.Advance(time.Hour)
		}
		w.rounds("1.1.0", 60, 3)
		if r := w.report(); kinds(r) != "changed" || r.Verdict != registry.Changed {
			t.Errorf("%s, %s", kinds(r), r.Verdict)
		}
		w.watch.steadies.observed += quietTime
		w.rounds("1.1.0", 2, 3)
		if row, _ := w.kept(); row.Alarmed || row.Quiet != 0 {
			t.Errorf("it did not begin anew: %+v", row)
		}
		w.rounds("1.1.0", 60, 3)
		w.kept()
		if r := w.report(); kinds(r) != "changed" || r.Verdict != registry.Unchanged {
			t.Errorf("%s\n%+v", kinds(r), r)
		}
		w.rounds("1.1.0", 60, 1)
		if r := w.report(); kinds(r) != "changed, changed" {
			t.Errorf("%s", kinds(r))
		}
	})
}

// Calls that are not of the release which serves everybody say nothing of it.
func TestOnlyWhatServesEverybodyIsWatched(t *testing.T) {
	eachRecording(t, func(t *testing.T, r *rig, _ *calllog.Log) {
		w := everybody(t, r)
		w.rounds("1.1.0", 3, 60)
		w.rounds("1.0.0", 30, 1)
		w.rounds("1.1.0", 30, 1, func(c *registry.Call) { c.Rollout = "salt" })
		if row, _ := w.kept(); row.Alarmed {
			t.Errorf("%+v", row)
		}
		r.done(deploying("dev", "1.2.0", canary))
		w.look()
		w.rounds("1.1.0", 30, 1)
		if at := w.watch.steadies.of[inDev()]; at != nil {
			t.Errorf("beside a rollout it is watched: %+v", at)
		}
		// Once the rollout has ended, what is found stands at the end of its log.
		r.done(ask(registry.Promote, "dev", ""))
		w.look()
		w.rounds("1.2.0", 90, 2)
		w.kept()
		end := w.report()
		if got := kinds(end); got != "begin, promote by bob@example.com, changed" || end.Opened != 3 || end.Decisions[2].Opened != 4 {
			t.Errorf("%s\n%+v", got, end)
		}
		own, err := r.shared.Rollout(by(t, "ada@example.com"), inDev(), 4)
		if err != nil || own.Phase != registry.PhaseSteady || kinds(own) != "changed" {
			t.Errorf("%+v, %v", own, err)
		}
		off := registry.Environment{Name: "dev", Guard: &registry.Guard{GuardRules: registry.GuardRules{Policy: registry.GuardOff}}}
		if err := r.shared.SetEnvironment(by(t, "admin"), off); err != nil {
			t.Fatal(err)
		}
		w.clock.Advance(lookAgain)
		w.look()
		if len(w.watch.steadies.of) != 0 || w.watch.steadies.watched != 0 {
			t.Errorf("the guard is off, and watches")
		}
	})
}

// A new prompt has no usual hours until its first day is over. It is asked for
// once an hour.
func TestANewPromptHasNothingToBeComparedWith(t *testing.T) {
	eachRecording(t, func(t *testing.T, r *rig, _ *calllog.Log) {
		w := &traffic{rig: r, t: t}
		w.restart()
		r.done(deploying("dev", "1.0.0"))
		for hour := range 25 {
			w.rounds("1.0.0", 3, 3)
			at := w.watch.steadies.of[inDev()]
			if hour < 24 && (at.change != nil || w.clock.Now().Sub(at.asked) > time.Minute) || at.waits {
				t.Fatalf("hour %d: %+v", hour, at)
			}
			w.clock.Advance(time.Hour)
		}
		w.rounds("1.0.0", 30, 3)
		if row, ok := w.kept(); !ok || row.Alarmed {
			t.Errorf("%v, %+v", ok, row)
		}
		if _, err := r.shared.HoldRollout(by(t, "ada@example.com"), registry.HoldRequest{Place: inDev()}); err == nil {
			t.Error("what is no rollout was paused")
		}
	})
}

// Who was called longest ago makes room.
func TestThereIsRoomForSoMany(t *testing.T) {
	w := steadyWatch(t, mostSteady)
	if err := w.makeRoom(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	if w.steadies.watched != mostSteady-3 {
		t.Errorf("%d are watched", w.steadies.watched)
	}
	for i := range mostSteady {
		if asleep := w.steadies.of[placeNumber(i)].change == nil; asleep != (i < 3) {
			t.Fatalf("of place %d it is %v that it sleeps", i, asleep)
		}
	}
}

func placeNumber(i int) registry.Place {
	return registry.Place{Prompt: prompt.ID(fmt.Sprint("prompt-", i)), Environment: "production"}
}

// steadyWatch watches many places, and nothing is new.
func steadyWatch(tb testing.TB, places int) *watch {
	tb.Helper()
	w := newWatch(NewShared(SharedConfig{Now: time.Now, Log: slog.New(slog.DiscardHandler)}), "here")
	w.steadies.loaded, w.steadies.kept = true, time.Now()
	var ref guard.Reference
	for h := range ref {
		ref[h] = guard.HourReference{HourCount: guard.HourCount{Errors: 100, Calls: 10_000}, SlowMS: 2000, Timed: 30_000, Ratings: 1000, Marks: 4000, Squares: 17_000}
	}
	for i := range places {
		c, err := guard.NewChange(&ref, guard.DriftARL)
		if err != nil {
			tb.Fatal(err)
		}
		at := placeNumber(i)
		t := &steady{row: registry.Steady{Place: at, Deployment: 1}, version: "1.0.0"}
		w.steadies.of[at] = t
		w.steadies.wake(t, registry.Steady{Place: at, Deployment: 1, Cursor: int64(i)}, c)
	}
	return w
}
