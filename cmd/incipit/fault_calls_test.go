package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/internal/registry"
)

// TestFaultsOfCalls lets what records calls meet what can go wrong. It runs a
// sample; with INCIPIT_FAULTS set to a directory it runs all, and writes
// faults_calls.json there.
//
// The law: a call that was acknowledged is there once and whole, whatever was
// sent again; one that was not is there whole or not at all; and the rollups
// say of the calls that are there exactly what they come to.
func TestFaultsOfCalls(t *testing.T) {
	h := newHarness(t)
	h.servedTemplates(t)
	pg := &postgresAtHand{}
	t.Cleanup(pg.stop)
	faults := []struct {
		id, name string
		run      func(f *fault)
	}{
		{"C01", "the server is killed under four recorders, SQLite", func(f *fault) { killedRecording(f, sqliteAtHand(f)) }},
		{"C01", "the server is killed under four recorders, PostgreSQL", func(f *fault) { killedRecording(f, pg.database(f)) }},
		{"C02", "the server is killed at its writes to the day's file", killedAtCallWrites},
		{"C03", "two replicas receive the same batches at once", func(f *fault) { twoRecordingReplicas(f, pg.database(f)) }},
		{"C04", "PostgreSQL is restarted and backends are killed under four recorders", disturbedRecording},
		{"C05", "the disk of the calls is full", fullCalls},
		{"C06", "SIGTERM under four recorders", func(f *fault) { terminatedRecording(f, sqliteAtHand(f)) }},
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
	h.report(t, "faults_calls.json")
}

// killedRecording kills the server at random moments under four recorders.
func killedRecording(f *fault, db *database) {
	v := f.serving(db)
	d := f.daybook()
	rs := d.recorders(4)
	n := f.times(6, 200)
	for i := range n {
		f.Runs++
		v.start()
		if i%10 == 0 {
			d.hold(v)
		}
		d.during(rs, v.everyone(), func() {
			d.more(rand.N(300) + 1)
			time.Sleep(rand.N(8 * time.Millisecond)) // anywhere between two steps
			v.kill()
			f.Hit++
		})
	}
	v.start()
	d.hold(v)
	d.settle(rs, v.url())
	d.hold(v)
	d.again(v.url())
	d.hold(v)
	f.Logf("%d kills: %d calls acknowledged, %d lost, %d doubled", f.Hit, f.Acked, f.Lost, f.Dup)
}

// killedAtCallWrites kills the server before a system call of its, the first
// one, the second one and so on, while it records.
func killedAtCallWrites(f *fault) {
	calls, times := []string{"pwrite64", "fdatasync"}, []int{30, 90}
	if f.full != "" {
		calls, times = []string{"pwrite64", "fdatasync", "fsync", "ftruncate", "unlink", "unlinkat"}, nil
		for n := 1; n <= 120; n += 3 {
			times = append(times, n)
		}
	}
	for _, call := range calls {
		for _, n := range times {
			f.Runs++
			v := f.serving(sqliteAtHand(f))
			d := f.daybook()
			rs := d.recorders(4)
			v.start()
			d.during(rs, v.everyone(), func() { d.more(50) })
			v.kill()
			if v.launch("strace", "-f", "-qq", "-o", os.DevNull, "-e", "signal=none", "-e", "trace="+call, "-e", fmt.Sprintf("inject=%s:signal=SIGKILL:when=%d", call, n)) {
				d.during(rs, v.everyone(), func() {
					enough := d.acked() + 2000
					d.until("the server dies, or it is enough", func() bool { return v.hasEnded() || d.acked() > enough || d.Failed() })
				})
			}
			if v.hasEnded() {
				f.Hit++
			}
			v.killAll()
			v.start()
			before := f.outcome
			d.hold(v)
			d.settle(rs, v.url())
			d.hold(v)
			f.Acked, f.Lost, f.Dup = before.Acked+d.acked(), before.Lost+f.Lost, before.Dup+f.Dup
			v.killAll()
			v.shop.done()
			os.RemoveAll(v.db.dir) //nolint:errcheck // the test's own directory goes later
		}
	}
}

// twoRecordingReplicas sends each parcel to both replicas at the same time.
func twoRecordingReplicas(f *fault, db *database) {
	a := f.serving(db).start()
	b := a.beside().start()
	d := f.daybook()
	r := d.recorders(1)[0]
	for range f.times(30, 400) {
		f.Runs, f.Hit = f.Runs+1, f.Hit+1
		p := r.pack()
		d.parcels = append(d.parcels, p)
		var ins [4]*registry.Intake
		var all sync.WaitGroup
		for i := range ins {
			all.Go(func() {
				in, err := (&recorder{daybook: d}).send(f.Context(), []string{a.url(), b.url()}[i%2], &parcel{key: p.key, calls: p.calls, body: p.body})
				if err != nil {
					f.Errorf("%s: %v", p.key, err)
					in = &registry.Intake{}
				}
				ins[i] = in
			})
		}
		all.Wait()
		accepted := 0
		for _, in := range ins {
			accepted += in.Accepted
			if in.Accepted+in.Duplicates != len(p.calls) {
				f.Errorf("%s of %d calls came to %+v", p.key, len(p.calls), in)
			}
		}
		if accepted != len(p.calls) {
			f.Errorf("%s: %d calls were accepted %d times", p.key, len(p.calls), accepted)
		}
		p.intake = ins[0]
		d.acks += len(p.calls)
	}
	d.hold(a)
	d.hold(b)
}

// disturbedRecording restarts PostgreSQL and kills backends of it.
func disturbedRecording(f *fault) {
	pg, db := f.ownPostgres()
	v := f.serving(db).start()
	d := f.daybook()
	rs := d.recorders(4)
	d.during(rs, v.everyone(), func() {
		for i := range f.times(6, 40) {
			f.Runs, f.Hit = f.Runs+1, f.Hit+1
			d.more(rand.N(300) + 1)
			if i%3 == 2 {
				if err := pg.Restart(); err != nil {
					f.Fatal(err)
				}
			} else if _, err := pg.KillBackend(); err != nil {
				f.Fatal(err)
			}
		}
		d.more(200)
	})
	d.settle(rs, v.url())
	d.hold(v)
	d.again(v.url())
	d.hold(v)
}

// fullCalls fills the disk: calls are refused, what runs is served, and with
// space there is no restart to be made.
func fullCalls(f *fault) {
	dir, ok := f.smallDisk("24m")
	if !ok {
		return
	}
	f.Runs++
	v := f.serving(&database{dir: filepath.Join(dir, "data")}).start()
	d := f.daybook()
	rs := d.recorders(4)
	d.during(rs, v.everyone(), func() { d.more(500) })
	ballast := filepath.Join(dir, "ballast")
	takeSpace(f, ballast)
	before := d.refusals()
	d.during(rs, v.everyone(), func() {
		d.until("calls are refused", func() bool { return d.refusals() > before+4 || d.Failed() })
		if status := v.get("/v1/environments/" + servedIn + "/snapshot"); status != http.StatusOK {
			f.Errorf("the snapshot was answered with %d while the disk was full", status)
		}
		if err := os.Remove(ballast); err != nil {
			f.Fatal(err)
		}
		d.more(500)
	})
	f.Hit++
	d.settle(rs, v.url())
	d.hold(v)
	v.killAll()
	v.start()
	d.hold(v)
	v.killAll()
}

// takeSpace writes until there is none.
func takeSpace(f *fault, name string) {
	f.Helper()
	file, err := os.Create(name)
	if err != nil {
		f.Fatal(err)
	}
	defer file.Close()
	for size := 1 << 20; size >= 512; {
		if _, err := file.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
}

// terminatedRecording ends the server by SIGTERM: what it has answered is kept,
// and it stops in order.
func terminatedRecording(f *fault, db *database) {
	v := f.serving(db)
	d := f.daybook()
	rs := d.recorders(4)
	for range f.times(3, 30) {
		f.Runs, f.Hit = f.Runs+1, f.Hit+1
		v.start()
		d.during(rs, v.everyone(), func() {
			d.more(rand.N(500) + 1)
			v.signal(syscall.SIGTERM)
			v.wait()
		})
		if v.status != 0 {
			f.Errorf("the server ended with %d\n%s", v.status, tail(v.said()))
		}
	}
	v.start()
	d.settle(rs, v.url())
	d.hold(v)
}
