package rollout

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/internal/registry"
)

// A world is a rollout with everything that can happen to it: verdicts come and
// go, calls stop, people interfere, the process is killed before or after what
// it did was kept, and what was done is told twice or was done by another.
type world struct {
	t    *testing.T
	seed uint64
	r    *rand.Rand
	plan Plan

	kept  State          // as the database has it
	share registry.Share // what runs
	seq   int            // of the last deployment
	ended bool
	paces []registry.Share // where the guard went, since a person moved it last
}

func TestRolloutsUnderEverythingThatCanHappen(t *testing.T) {
	ends := make(map[registry.Action]int)
	for seed := range uint64(10_000) {
		w := newWorld(t, seed)
		for range 400 {
			if w.ended {
				break
			}
			w.step()
		}
		if w.ended {
			ends[w.kept.End]++
		}
		if t.Failed() {
			return
		}
	}
	for _, a := range []registry.Action{registry.Promote, registry.Rollback, ""} {
		if ends[a] < 100 {
			t.Errorf("of 10,000 rollouts %d ended with %q: the simulation does not reach it", ends[a], a)
		}
	}
}

func newWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 11))
	strategy := registry.Canary
	if r.IntN(4) == 0 {
		strategy = registry.BlueGreen
	}
	p, s := began(t, strategy, []string{"5,25,50,100", "1,2,3,4,5,6", "50", "95", "100"}[r.IntN(5)], func(g *registry.GuardRules) {
		g.Bake, g.HoldFor = new(registry.Duration(time.Duration(r.IntN(30))*time.Second)), new(registry.Duration(time.Duration(r.IntN(60))*time.Second))
		g.Limit, g.Silence = new(registry.Duration(time.Duration(1+r.IntN(300))*time.Second)), new(registry.Duration(time.Duration(1+r.IntN(60))*time.Second))
		g.HoldBack = new(registry.Share(r.IntN(3) * 5000))
		g.Advance = []string{"", registry.GuardAuto, registry.GuardAsk}[r.IntN(3)]
		g.AtLimit = []string{registry.GuardAsk, registry.GuardAdvance, registry.GuardRollback}[r.IntN(3)]
		g.OnRegress = []string{registry.GuardRollback, registry.GuardRollback, registry.GuardAsk}[r.IntN(3)]
	})
	return &world{t: t, seed: seed, r: r, plan: p, kept: s, share: s.Share, seq: s.Seq}
}

func (w *world) step() {
	switch n := w.r.IntN(40); n {
	case 0, 1: // a person pauses it, or lets it go on
		w.keep(Held{Resume: n == 1})
	case 2: // a person moves it, or ends it
		w.person()
	default:
		w.tick()
	}
}

// keep takes an event in and keeps the state, as a transaction does.
func (w *world) keep(e Event) {
	s, _ := Next(w.plan, w.kept, e)
	w.store(s)
}

// store writes the state and reads it back, as another process would.
func (w *world) store(s State) {
	if w.kept = s; w.r.IntN(8) > 0 {
		return
	}
	raw, err := json.Marshal(s)
	if err != nil {
		w.t.Fatal(err)
	}
	var back State
	if err := json.Unmarshal(raw, &back); err != nil || back != s {
		w.t.Fatalf("seed %d: %+v is read back as %+v, %v", w.seed, s, back, err)
	}
	w.kept = back
}

func (w *world) person() {
	w.seq++
	switch w.r.IntN(5) {
	case 0:
		w.ended = true
		w.keep(Moved{registry.Deployment{Seq: w.seq, Action: registry.Rollback}})
	case 1:
		w.ended = true
		w.keep(Moved{registry.Deployment{Seq: w.seq, Action: registry.Deploy}})
	default:
		w.share, w.paces = registry.Share(w.r.IntN(100))*1000, nil
		if w.r.IntN(2) == 0 {
			return // the guard learns of it later
		}
		w.keep(shifted(w.seq, w.share))
	}
}

func (w *world) tick() {
	if w.kept.Seq != w.seq { // what others did is learned before anything is done
		w.keep(shifted(w.seq, w.share))
		w.keep(shifted(w.seq, w.share)) // being told twice is no matter
	}
	e := Tick{
		Elapsed: time.Duration(w.r.IntN(4000)) * time.Millisecond, Calls: max(0, int64(w.r.IntN(8))-2),
		Verdict: []Verdict{Healthy, Healthy, Healthy, Healthy, Insufficient, Insufficient, Unmeasured, Untrusted}[w.r.IntN(8)],
		Frozen:  w.r.IntN(10) == 0, Ready: w.r.IntN(3) > 0,
	}
	if w.r.IntN(150) == 0 {
		e.Verdict = Regressed
	}
	before := w.kept
	s, commands := Next(w.plan, before, e)
	if w.r.IntN(20) == 0 {
		return // killed before anything was kept
	}
	moves := 0
	for _, c := range commands {
		if c.Action == "" {
			continue
		}
		moves++
		w.check(before, s, e, c)
		if w.r.IntN(10) == 0 { // somebody else was faster: the transaction is refused, and so is the state
			w.person()
			return
		}
		w.seq++
		if c.Action == registry.Shift {
			w.share, w.paces = c.Share, append(w.paces, c.Share)
			s, _ = Next(w.plan, s, shifted(w.seq, c.Share))
		} else {
			w.ended = true
			s, _ = Next(w.plan, s, Moved{registry.Deployment{Seq: w.seq, Action: c.Action}})
		}
	}
	if moves > 1 {
		w.t.Errorf("seed %d: %d moves at once: %+v", w.seed, moves, commands)
	}
	if w.ended != (s.Phase == Ended) || !w.ended && s.Share != w.share {
		w.t.Errorf("seed %d: the state is %+v, and %s runs, ended %v", w.seed, s, w.share, w.ended)
	}
	if _, out := Next(w.plan, s, e); w.ended && len(out) > 0 {
		w.t.Errorf("seed %d: after the end it says %+v", w.seed, out)
	}
	w.store(s)
}

// check holds a command against what the rules promise.
func (w *world) check(before, after State, e Tick, c Command) {
	bad := func(what string) {
		w.t.Errorf("seed %d: %s: %+v\nplan %+v\nbefore %+v\nafter %+v\nat %+v", w.seed, what, c, w.plan, before, after, e)
	}
	if before.Phase == Paused {
		bad("it acts against a person")
	}
	if c.Action == registry.Rollback {
		atLimit := after.Verdict == Insufficient && w.plan.AtLimit == registry.GuardRollback && after.InStep >= w.plan.Limit
		if !(e.Verdict == Regressed && w.plan.OnRegress == registry.GuardRollback) && !atLimit {
			bad("it takes back without evidence")
		}
		return
	}
	switch explicit := w.plan.AtLimit == registry.GuardAdvance && after.InStep >= w.plan.Limit; {
	case e.Frozen:
		bad("it advances in a freeze")
	case w.share == 0 && !e.Ready:
		bad("it switches to what cannot be served")
	case w.share > 0 && after.Verdict != Healthy && !(explicit && after.Verdict == Insufficient):
		bad("it advances without being safe")
	case w.share > 0 && after.Healthy < w.plan.Bake:
		bad("it advances without its bake time")
	case w.plan.Ask && !before.Granted:
		bad("it advances unasked")
	case w.share > 0 && after.Silent:
		bad("it advances in silence")
	}
	next, more := w.plan.Next(w.share)
	switch c.Action {
	case registry.Shift:
		if !more || c.Share != next {
			bad("it skips a step, or goes back")
		}
	case registry.Promote:
		if more {
			bad("it is promoted before its last step")
		}
	}
}
