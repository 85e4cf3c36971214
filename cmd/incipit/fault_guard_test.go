package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/internal/registry"
)

// TestFaultsOfTheGuard lets rollouts that go by themselves meet what can go
// wrong: kills at random moments and at system calls, replicas that are killed
// or hang, tags that vanish and move, deployments in between, people who act at
// the same moment. It runs a sample; with INCIPIT_FAULTS set to a directory it
// runs all, and writes faults_guard.json there.
//
// The law: each step of a rollout is made once and in order, none is skipped or
// made twice; each deployment of a rollout stands in its log, and each decision
// that tells of one is right; what a person was told is done is done.
func TestFaultsOfTheGuard(t *testing.T) {
	h := newHarness(t)
	h.servedTemplates(t)
	pg := &postgresAtHand{}
	t.Cleanup(pg.stop)
	faults := []struct {
		id, name string
		run      func(f *fault)
	}{
		{"G01", "the server is killed in rollouts, SQLite", func(f *fault) { killedRollouts(f, sqliteAtHand(f)) }},
		{"G01", "the server is killed in rollouts, PostgreSQL", func(f *fault) { killedRollouts(f, pg.database(f)) }},
		{"G02", "the server is killed at its writes in a rollout", killedAtRolloutWrites},
		{"G03", "the replica that has the lease is killed", func(f *fault) { lostLeases(f, pg.database(f), false) }},
		{"G03", "the replica that has the lease hangs and goes on", func(f *fault) { lostLeases(f, pg.database(f), true) }},
		{"G04", "tags vanish and move in a rollout", movedTags},
		{"G05", "the same digest, and a second deploy", deploysBetween},
		{"G06", "a person and the guard at the same moment, SQLite", func(f *fault) { racedRollouts(f, sqliteAtHand(f)) }},
		{"G06", "a person and the guard at the same moment, PostgreSQL", func(f *fault) { racedRollouts(f, pg.database(f)) }},
	}
	t.Run("all", func(t *testing.T) {
		for _, f := range faults {
			t.Run(f.id+" "+f.name, func(t *testing.T) {
				t.Parallel()
				one := &fault{T: t, harness: h, outcome: outcome{ID: f.id, Name: f.name}}
				t.Cleanup(func() { h.note(one) })
				f.run(one)
			})
		}
	})
	h.report(t, "faults_guard.json")
}

// killedRollouts kills the server at random moments while rollouts go through
// their steps and are promoted, and while they are taken back.
func killedRollouts(f *fault, db *database) {
	v := f.serving(db).start()
	g := f.guarded(v)
	kills := f.times(4, 120)
	for round := 0; f.Hit < kills; round++ {
		fails, went := int64(0), wentWell
		if round%2 == 1 {
			fails, went = 90, wentWrong
		}
		opened := 0
		g.flowing(func() {
			opened = g.begin(v, fails, guardedSteps()...)
			for range 1 + rand.N(3) {
				f.Runs++
				time.Sleep(rand.N(1500 * time.Millisecond)) // anywhere between two steps
				v.kill()
				f.Hit++
				v.start()
			}
			g.until("the rollout ends", func() bool { return g.hasEnded(v, opened) })
		})
		g.went(v, opened, went)
		g.hold(v)
		g.again(v, went)
	}
	g.ledger.audit(v)
}

// again brings the first release back where the second one was promoted.
func (g *guarded) again(v *serving, went string) {
	g.Helper()
	if went == wentWell {
		g.change(v, registry.Request{Action: registry.Deploy, Version: served()[0].first, Quarantined: true})
	}
}

// killedAtRolloutWrites kills the server before a system call that writes, the
// first one, the second one and so on, while a rollout goes on.
func killedAtRolloutWrites(f *fault) {
	if f.full == "" {
		f.killedInRollout("pwrite64", 14, 0, wentWell)
		f.killedInRollout("fdatasync", 4, 90, wentWrong)
		return
	}
	for _, call := range []string{"pwrite64", "fdatasync"} {
		for n, misses := 1, 0; misses < 3 && n <= 60; n++ {
			fails, went := int64(0), wentWell
			if n%3 == 0 {
				fails, went = 90, wentWrong
			}
			if misses++; f.killedInRollout(call, n, fails, went) {
				misses = 0
			}
		}
	}
}

// killedInRollout reports whether the server was killed.
func (f *fault) killedInRollout(call string, n int, fails int64, went string) (hit bool) {
	f.Helper()
	f.Runs++
	v := f.serving(sqliteAtHand(f)).start()
	g := f.guarded(v)
	opened := g.begin(v, fails, guardedSteps()...)
	v.kill()
	g.flowing(func() {
		if v.launch("strace", "-f", "-qq", "-o", os.DevNull, "-e", "signal=none", "-e", "trace="+call, "-e", fmt.Sprintf("inject=%s:signal=SIGKILL:when=%d", call, n)) {
			g.until("the server dies, or the rollout ends", func() bool { return v.hasEnded() || g.hasEnded(v, opened) })
		}
		if hit = v.hasEnded(); hit {
			f.Hit++
		}
		v.killAll()
		v.start()
		g.until("the rollout ends", func() bool { return g.hasEnded(v, opened) })
	})
	g.went(v, opened, went)
	g.hold(v)
	if f.Failed() {
		f.Fatalf("it was killed at %s %d", call, n)
	}
	v.killAll()
	v.shop.done()
	os.RemoveAll(v.db.dir) //nolint:errcheck // the test's own directory goes later
	return hit
}

// lostLeases kills the replica that moves a rollout, or stops it as a machine
// that hangs and lets it go on: the other one takes over, and has the lease in
// the next round.
func lostLeases(f *fault, db *database, hangs bool) {
	leads := f.serving(db).start()
	other := leads.beside().start()
	g := f.guarded(leads)
	acts := func(v *serving) int { return strings.Count(v.said(), "the guard acted") }
	for round := range f.times(2, 16) {
		f.Runs++
		fails, went := int64(0), wentWell
		if round%2 == 1 {
			fails, went = 90, wentWrong
		}
		opened := 0
		g.flowing(func() {
			opened = g.begin(other, fails, guardedSteps()...)
			if round == 0 { // which of the two has the lease, its first step tells
				g.until("the guard acts", func() bool { return acts(leads)+acts(other) > 0 })
				if acts(other) > 0 {
					leads, other = other, leads
				}
			}
			g.callsGoTo(other)
			time.Sleep(rand.N(500 * time.Millisecond)) // anywhere between two steps
			if hangs {
				leads.signal(syscall.SIGSTOP)
			} else {
				leads.kill()
			}
			before := acts(other)
			if hangs && went == wentWell { // back in the middle of what the other one does; else after it
				g.until("the other one takes over", func() bool { return acts(other) > before || g.hasEnded(other, opened) })
				leads.signal(syscall.SIGCONT)
			}
			g.until("the rollout ends", func() bool { return g.hasEnded(other, opened) })
			if acts(other) > before {
				f.Hit++
			}
		})
		if hangs {
			leads.signal(syscall.SIGCONT)
		} else {
			leads.start()
		}
		leads.ready()
		g.went(other, opened, went)
		g.hold(other)
		g.hold(leads)
		g.again(other, went)
		leads, other = other, leads
	}
	g.ledger.audit(other)
}
