package main

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/registry"
)

// sync has the server read Git, and wants it to find this wrong with a tag, or
// nothing if code is "".
func (g *guarded) sync(v *serving, tag, code string) {
	g.Helper()
	var r registry.SyncReport
	if err := v.client(nil).Send(g.Context(), http.MethodPost, "/v1/sync", nil, &r); err != nil {
		g.Fatal(err)
	}
	i := slices.IndexFunc(r.Problems, func(p registry.Problem) bool { return p.Tag == tag })
	if i < 0 != (code == "") || i >= 0 && r.Problems[i].Code != code {
		g.Fatalf("the server says of Git: %+v; want %q of %s", r.Problems, code, tag)
	}
}

// movedTags takes away the tag of the stable release, which keeps nothing from
// going back to it, and moves that of the candidate, which nobody else is moved
// to then.
func movedTags(f *fault) {
	v := f.serving(sqliteAtHand(f)).start()
	g := f.guarded(v)
	w := served()[0]
	stable, candidate := w.id+"@"+w.first, w.id+"@"+w.second

	f.Runs, f.Hit = f.Runs+1, f.Hit+1
	opened := g.begin(v, 90, guardedSteps()...)
	object := v.shop.gitOut("rev-parse", "refs/tags/"+stable)
	v.shop.gitOut("update-ref", "-d", "refs/tags/"+stable)
	g.sync(v, stable, "tag-vanished")
	g.flowing(func() { g.until("the rollout ends", func() bool { return g.hasEnded(v, opened) }) })
	g.went(v, opened, wentWrong)
	g.hold(v)
	v.shop.gitOut("update-ref", "refs/tags/"+stable, object)
	g.sync(v, stable, "")

	f.Runs, f.Hit = f.Runs+1, f.Hit+1
	opened = g.begin(v, 0, 95_000)
	object = v.shop.gitOut("rev-parse", "refs/tags/"+candidate)
	v.shop.gitOut("update-ref", "refs/tags/"+candidate, "refs/tags/"+stable)
	g.sync(v, candidate, "tag-moved")
	g.flowing(func() {
		var r registry.RolloutReport
		g.until("a person is asked", func() bool {
			r, _ = g.report(v, opened)
			return slices.ContainsFunc(r.Decisions, func(d registry.Decision) bool { return d.Kind == registry.DecisionAsk })
		})
		if last := r.Decisions[len(r.Decisions)-1]; !r.Open() || !strings.HasPrefix(last.Text, "cannot promote: ") || !strings.Contains(last.Text, candidate+" is not what was released") {
			g.Errorf("asked was: %+v", last)
		}
		if _, err := g.ask(v, registry.Request{Action: registry.Promote}); !errors.Is(err, registry.ErrGate) {
			g.Errorf("a person promotes it, too: %v", err)
		}
		v.shop.gitOut("update-ref", "refs/tags/"+candidate, object)
		g.sync(v, candidate, "")
		g.until("the rollout ends", func() bool { return g.hasEnded(v, opened) })
	})
	g.went(v, opened, "begin 95, promote 95")
	g.hold(v)
	g.ledger.audit(v)
}

// deploysBetween refuses what cannot be compared, and what would be in the way
// of an open rollout unless it is said to replace it.
func deploysBetween(f *fault) {
	s := f.shop("served")
	w := served()[0]
	file := "prompts/" + w.id + "/system-prompt.txt"
	s.write(file, s.gitOut("show", w.id+"@"+w.first+":"+file)+"\n")
	f.must(s.run("release", w.id, "--patch", "-m", "as it was"))
	v := f.serving(sqliteAtHand(f))
	v.repo = s.dir
	v.start()
	g := f.guarded(v)
	deploy := func(status int, words string, flags ...string) {
		f.Helper()
		f.Runs, f.Hit = f.Runs+1, f.Hit+1
		a := s.at(f.dir).run(append([]string{"deploy", w.id + "@1.0.2", "--env", servedIn, "--server", v.url()}, flags...)...)
		if a.status != status || !strings.Contains(a.err, words) {
			f.Errorf("want the exit status %d and %q: %s", status, words, a)
		}
	}
	deploy(2, "have the same digest: they ask a model the same, and there is nothing to compare", "--canary", "5,50,100")
	opened := g.begin(v, 0, guardedSteps()...)
	deploy(5, "finish it with incipit promote or incipit rollback, or replace it with --supersede")
	deploy(0, "", "--supersede", "--reason", "by the program")
	g.until("the guard has seen it", func() bool { return g.hasEnded(v, opened) })
	r, _ := g.report(v, opened)
	if got := r.Decisions[len(r.Decisions)-1]; got.Kind != registry.DecisionEnd || got.By == registry.GuardName || !strings.Contains(got.Text, "replaced by another deployment: by the program") {
		f.Errorf("the log ends with %+v", got)
	}
	g.hold(v)
	g.ledger.audit(v)
}

// racedRollouts lets a person roll back, promote or pause at the moment when the
// guard advances, promotes or rolls back.
func racedRollouts(f *fault, db *database) {
	v := f.serving(db).start()
	g := f.guarded(v)
	did, late := 0, 0
	races := f.times(6, 50)
	for n := range races {
		f.Runs++
		opened, key := 0, ""
		g.flowing(func() {
			opened = g.begin(v, int64(n/3%2*90), 50_000)
			time.Sleep(rand.N(900 * time.Millisecond)) // about as long as the guard takes
			var done bool
			switch n % 3 {
			case 0:
				key, done = g.person(v, registry.Rollback)
			case 1:
				key, done = g.person(v, registry.Promote)
			case 2:
				done = g.pause(v, opened)
			}
			if did++; !done {
				did, late = did-1, late+1
			}
			g.until("the rollout ends", func() bool { return g.hasEnded(v, opened) })
		})
		f.Hit++
		g.is(v, key)
		if _, err := g.ask(v, registry.Request{Action: registry.Deploy, Version: served()[0].first, Quarantined: true}); err != nil {
			f.Fatal(err)
		}
		if n%10 == 9 || n == races-1 {
			g.hold(v)
		}
	}
	f.Logf("of %d races the person did something in %d, and came too late in %d", races, did, late)
	g.ledger.audit(v)
}

// person changes something, and reports whether it was told that this was done:
// the guard may have been faster. The key is the reason of what was done.
func (g *guarded) person(v *serving, action registry.Action) (key string, done bool) {
	g.Helper()
	r, err := g.ask(v, registry.Request{Action: action})
	switch {
	case err == nil && r.Already == "":
		g.Acked++
		return r.Deployment.Reason, true
	case err == nil, errors.Is(err, registry.ErrNotFound):
		return "", false
	}
	g.Errorf("%s was refused: %v", action, err)
	return "", false
}

// is holds that what a person was told is done, once.
func (g *guarded) is(v *serving, key string) {
	g.Helper()
	if key == "" {
		return
	}
	tracks, err := v.client(nil).History(g.Context(), g.place.Prompt, g.place.Environment)
	if err != nil {
		g.Fatal(err)
	}
	n := 0
	for _, d := range tracks[g.place.Environment] {
		if d.Reason == key && d.By != registry.GuardName {
			n++
		}
	}
	if n != 1 {
		g.Lost++
		g.Errorf("what a person did, %s, is there %d times", key, n)
	}
}

// pause pauses a rollout, and if it was not over by then holds that the guard
// does nothing more, whatever it sees; in the end the person takes it back.
func (g *guarded) pause(v *serving, opened int) (done bool) {
	g.Helper()
	_, err := v.client(nil).HoldRollout(g.Context(), registry.HoldRequest{Place: g.place, Reason: "wait"})
	if errors.Is(err, registry.ErrNotFound) {
		return false
	}
	if err != nil {
		g.Errorf("pause: %v", err)
		return false
	}
	g.Acked++
	var r registry.RolloutReport
	g.until("the guard has a verdict", func() bool {
		r, _ = g.report(v, opened)
		return r.Verdict == "healthy" || r.Verdict == "regressed"
	})
	i := slices.IndexFunc(r.Decisions, func(d registry.Decision) bool { return d.Kind == registry.DecisionPause && d.By != registry.GuardName })
	if i < 0 || r.Phase != "paused" {
		g.Errorf("it was paused, and is %s: %s", r.Phase, logOf(r))
	}
	for _, d := range r.Decisions[i+1:] {
		if d.Deployment > 0 {
			g.Errorf("it was paused, and moved: %s", logOf(r))
		}
	}
	if _, done := g.person(v, registry.Rollback); !done {
		g.Error("it was paused, and could not be taken back")
	}
	return true
}
