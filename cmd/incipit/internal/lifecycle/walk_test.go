package lifecycle

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A walk is a random life of two prompts in an environment, and what was
// counted on the way.
type walk struct {
	*rig
	env       string
	changes   int                            // that were made
	others    int                            // events of anything else
	snapshots map[int64]*registry.Snapshot   // by revision
	answers   map[string][]*registry.Receipt // of a request's key: the first, and those after it
}

func (w *walk) request(t *rapid.T) registry.Request {
	version := rapid.SampledFrom([]string{"1.0.0", "1.1.0", "1.2.0", "1.3.0"})
	req := registry.Request{Environment: w.env, Prompt: rapid.SampledFrom([]prompt.ID{"support", "billing/refunds"}).Draw(t, "prompt")}
	req.Action = rapid.SampledFrom([]registry.Action{registry.Deploy, registry.Deploy, registry.Deploy, registry.Shift, registry.Promote, registry.Rollback, registry.Retire}).Draw(t, "action")
	switch req.Action {
	case registry.Deploy:
		req.Version, req.Quarantined, req.Supersede = version.Draw(t, "version"), rapid.Bool().Draw(t, "clear"), rapid.Bool().Draw(t, "supersede")
		switch rapid.IntRange(0, 3).Draw(t, "how") {
		case 0, 1:
			canary(&req)
		case 2:
			trial("b="+req.Version+":25", "c=1.3.0:25")(&req)
			req.Version = ""
		}
	case registry.Shift:
		req.Share = registry.Share(rapid.IntRange(0, 4).Draw(t, "share") * 20_000)
		if rapid.Bool().Draw(t, "arms") {
			req.Shares = map[string]registry.Share{"b": req.Share}
		}
	case registry.Promote:
		req.Arm = rapid.SampledFrom([]string{"", "b", registry.StableArm}).Draw(t, "arm")
	case registry.Rollback:
		if rapid.Bool().Draw(t, "to") {
			req.Version = version.Draw(t, "version")
		} else {
			req.Arm = rapid.SampledFrom([]string{"", "", "c"}).Draw(t, "arm")
		}
	}
	return req
}

// change asks for something, and for the same once more if it is told to: what
// it is told then is what it was told first.
func (w *walk) change(t *rapid.T) {
	req := w.request(t)
	key := fmt.Sprint(w.env, "/", len(w.answers))
	req.Once = registry.Once{Caller: "ci", Key: key, Hash: "h"}
	got, err := w.Do(by(w, "bob@example.com"), req)
	switch {
	case err != nil:
		if !slices.ContainsFunc([]error{registry.ErrNotFound, registry.ErrConflict, registry.ErrGate, prompt.ErrInvalid}, func(kind error) bool { return errors.Is(err, kind) }) {
			t.Fatalf("%+v: %v", req, err)
		}
		if len(w.records(t)) != w.changes {
			t.Fatalf("%+v was refused and recorded: %v", req, err)
		}
		return
	case got.Already == "":
		w.changes++
	}
	if len(w.records(t)) != w.changes {
		t.Fatalf("%d records after %d changes", len(w.records(t)), w.changes)
	}
	w.answers[key] = append(w.answers[key], got)
	for again := range w.answers {
		if rapid.IntRange(0, 9).Draw(t, "again") > 0 {
			continue
		}
		req := w.request(t) // the hash tells what was asked, not the request: that is the caller's word
		req.Once = registry.Once{Caller: "ci", Key: again, Hash: "h"}
		got, err := w.Do(by(w, "bob@example.com"), req)
		if err != nil {
			t.Fatalf("%s again: %v", again, err)
		}
		w.answers[again] = append(w.answers[again], got)
		break
	}
	snap, err := w.Snapshot(w.Context(), w.env)
	if err != nil {
		t.Fatal(err)
	}
	w.snapshots[snap.Revision] = snap
}

func (w *walk) records(t *rapid.T) []registry.Record {
	records, err := w.db.Since(w.Context(), w.env, 0, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

func (w *walk) word(t *rapid.T) {
	version := rapid.SampledFrom([]string{"1.0.0", "1.1.0"}).Draw(t, "version")
	var err error
	switch rapid.IntRange(0, 2).Draw(t, "word") {
	case 0:
		_, err = w.shared.Approve(by(w, "carol@example.com"), registry.Approval{Prompt: "support", Environment: w.env, Version: version})
	case 1:
		_, err = w.shared.FileEvidence(by(w, "ci"), registry.Evidence{Prompt: "support", Digest: digestOf(w, "support", version), Kind: "tests", Passed: true})
	case 2:
		err = w.shared.SetEnvironment(by(w, "admin"), registry.Environment{Name: w.env, Approvals: rapid.IntRange(0, 1).Draw(t, "approvals")})
	}
	if err != nil {
		t.Fatal(err)
	}
	w.others++
}

// Whatever is asked for: each change has its line in the audit log, revisions
// have no gap, a repeated request is answered as the first time, and who
// follows the patches sees what a snapshot shows.
func TestAWalkOfChangesLeavesACompleteLog(t *testing.T) {
	eachShared(t, nil, func(t *testing.T, r *rig) {
		walks, changes, replays, last := 0, 0, 0, int64(0)
		rapid.Check(t, func(t *rapid.T) {
			walks++
			w := &walk{rig: r, env: fmt.Sprint("e", walks), snapshots: make(map[int64]*registry.Snapshot), answers: make(map[string][]*registry.Receipt)}
			before := last
			if err := r.shared.SetEnvironment(by(r, "admin"), registry.Environment{Name: w.env}); err != nil {
				t.Fatal(err)
			}
			empty, err := r.Snapshot(r.Context(), w.env)
			if err != nil {
				t.Fatal(err)
			}
			w.snapshots[0] = empty
			for range rapid.IntRange(6, 18).Draw(t, "steps") {
				if rapid.IntRange(0, 5).Draw(t, "other") == 0 {
					w.word(t)
				} else {
					w.change(t)
				}
			}
			told := make(map[string]int)
			for _, e := range events(t, w, before) {
				told[e.Action]++
				last = e.Seq
				if e.Actor == "" || e.Source != "api" || e.Request != "r-1" || e.Key == "" {
					t.Fatalf("an event that does not say who: %+v", e)
				}
			}
			made := 0
			for _, a := range []registry.Action{registry.Deploy, registry.Shift, registry.Promote, registry.Rollback, registry.Retire} {
				made += told[string(a)]
				delete(told, string(a))
			}
			rest := 0
			for n := range maps.Values(told) {
				rest += n
			}
			if made != w.changes || rest != w.others+1 {
				t.Fatalf("%d changes and %d other things, and the log has %d and %d", w.changes, w.others+1, made, rest)
			}
			for i, d := range w.records(t) {
				if d.Revision != int64(i)+1 {
					t.Fatalf("record %d has revision %d", i+1, d.Revision)
				}
			}
			for key, answers := range w.answers {
				for _, again := range answers[1:] {
					replays++
					if diff := cmp.Diff(jsonOf(t, answers[0]), jsonOf(t, again)); diff != "" {
						t.Fatalf("%s was answered otherwise: %s", key, diff)
					}
				}
			}
			w.follow(t)
			changes += w.changes
		})
		r.audited()
		t.Logf("%d walks, %d changes, %d repeated requests", walks, changes, replays)
		if changes < walks/2 || replays < 10 { // chance decides how many: 96 of 100 were seen
			t.Errorf("%d walks made %d changes and %d repeated requests", walks, changes, replays)
		}
	})
}

func events(t *rapid.T, w *walk, after int64) []registry.Event {
	all, err := w.shared.Events(w.Context(), after, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// follow applies the patches after the first snapshot and after any other one
// that was taken, and must see each one that was taken later.
func (w *walk) follow(t *rapid.T) {
	revisions := slices.Sorted(maps.Keys(w.snapshots))
	for _, i := range []int{0, rapid.IntRange(0, len(revisions)-1).Draw(t, "from")} {
		from := revisions[i]
		limit := rapid.SampledFrom([]int{1, 2, 1000}).Draw(t, "limit")
		now := &registry.Snapshot{Environment: w.env, Generation: 1, Revision: from, Prompts: maps.Clone(w.snapshots[from].Prompts)}
		for _, to := range revisions[i:] {
			for now.Revision < to {
				patches, err := w.shared.Patches(w.Context(), w.env, now.Revision, min(limit, int(to-now.Revision)))
				if err != nil || len(patches) == 0 {
					t.Fatalf("%d patches after %d: %v", len(patches), now.Revision, err)
				}
				for _, p := range patches {
					if p.Revision != now.Revision+1 || p.Environment != w.env || p.Generation != 1 {
						t.Fatalf("after revision %d: %+v", now.Revision, p)
					}
					if err := p.Entry.Check(); err != nil {
						t.Fatal(err)
					}
					now.Prompts[p.Prompt], now.Revision = p.Entry, p.Revision
				}
			}
			if diff := cmp.Diff(w.snapshots[to], now); diff != "" {
				t.Fatalf("from revision %d to %d: %s", from, to, diff)
			}
		}
	}
}
