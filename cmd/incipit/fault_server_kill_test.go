package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
)

// times is short in a short run and full in a full one.
func (f *fault) times(short, full int) int {
	if f.full == "" {
		return short
	}
	return full
}

// killedServers kills the server at random moments under four writers.
func killedServers(f *fault, db *database) {
	v := f.serving(db)
	l := f.ledger()
	ws := l.four()
	for range f.times(8, 200) {
		f.Runs++
		v.start()
		l.hold(v)
		l.during(ws, v.everyone(), func() {
			l.more(rand.N(6) + 1)
			time.Sleep(rand.N(8 * time.Millisecond)) // anywhere between two steps
			v.kill()
			f.Hit++
		})
	}
	v.start()
	l.hold(v)
	l.settle(ws, v.url())
	l.hold(v)
	l.audit(v)
}

// audit has the command verify the log, with the server beside it.
func (l *ledger) audit(v *serving) {
	l.Helper()
	l.must(v.local("audit", "verify"))
	if status := v.terminate(); status != 0 {
		l.Errorf("the server ended with %d\n%s", status, tail(v.said()))
	}
	l.must(v.local("audit", "verify"))
}

// killedAtWrites kills the server before a system call that writes the
// database, the first one, the second one and so on: at its start, and when it
// is at work. strace counts in each thread by itself.
func killedAtWrites(f *fault) {
	if f.full == "" {
		for _, at := range []struct {
			call string
			n    int
		}{{"pwrite64", 9}, {"pwrite64", 40}, {"fdatasync", 2}, {"fsync", 3}} {
			f.killedAt(at.call, at.n)
		}
		return
	}
	for _, call := range []string{"pwrite64", "fdatasync", "fsync", "ftruncate", "unlink", "unlinkat"} {
		for n, misses := 1, 0; misses < 2 && n <= 60; n++ {
			if misses++; f.killedAt(call, n) {
				misses = 0
			}
		}
	}
}

// killedAt reports whether the server was killed.
func (f *fault) killedAt(call string, n int) (hit bool) {
	f.Helper()
	f.Runs++
	v := f.serving(sqliteAtHand(f))
	l := f.ledger()
	ws := l.four()
	v.start() // the first start makes the database
	l.during(ws, v.everyone(), func() { l.more(4) })
	v.kill()
	listens := v.launch("strace", "-f", "-qq", "-o", os.DevNull, "-e", "signal=none", "-e", "trace="+call, "-e", fmt.Sprintf("inject=%s:signal=SIGKILL:when=%d", call, n))
	if listens {
		l.during(ws, v.everyone(), func() {
			enough := l.acked() + 40
			l.until("the server dies, or it is enough", func() bool { return v.hasEnded() || l.acked() > enough || l.Failed() })
		})
	}
	if hit = v.hasEnded(); hit {
		f.Hit++
	}
	v.killAll()
	v.start()
	before := f.outcome
	l.hold(v)
	l.settle(ws, v.url())
	l.hold(v)
	f.Acked, f.Lost, f.Dup = before.Acked+l.acked(), before.Lost+f.Lost, before.Dup+f.Dup
	if status := v.terminate(); status != 0 {
		f.Errorf("%s %d: the server ended with %d\n%s", call, n, status, tail(v.said()))
	}
	if f.Failed() {
		f.Fatalf("it was killed at %s %d (%t)", call, n, hit)
	}
	v.shop.done()
	os.RemoveAll(v.db.dir) //nolint:errcheck // the test's own directory goes later
	return hit
}

// killedBackups kills the making of a backup at random moments. Under its name
// there is a whole one, or none.
func killedBackups(f *fault) {
	v := f.serving(sqliteAtHand(f)).start()
	l := f.ledger()
	ws := l.four()
	l.open(ws, v)
	whole := 0
	for n := range f.times(6, 100) {
		f.Runs++
		file := fmt.Sprintf("%s.%d.backup", v.shop.dir, n)
		l.during(ws, v.everyone(), func() {
			cmd := v.shop.command(v.program, append([]string{"backup", file}, v.db.flags()...)...)
			if err := cmd.Start(); err != nil {
				f.Fatal(err)
			}
			time.Sleep(rand.N(500 * time.Millisecond))
			cmd.Process.Kill() //nolint:errcheck // it may be gone
			if cmd.Wait() != nil {
				f.Hit++
			}
			l.more(1)
		})
		if _, err := os.Stat(file); err == nil {
			whole++
			f.must(v.shop.at(f.dir).run("restore", file, "--data", sqliteAtHand(f).dir))
		}
	}
	f.Logf("of %d backups %d were killed, and %d are there, whole", f.Runs, f.Hit, whole)
	l.settle(ws, v.url())
	l.hold(v)
	l.audit(v)
}

// A probe asks a server again and again for what it must always be able to say.
type probe struct {
	*fault
	asked, failed int
	first         string
	done          sync.WaitGroup
	stop          context.CancelFunc
}

// probing asks for snapshots and has prompts resolved until end is called.
func (v *serving) probing() *probe {
	v.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &probe{fault: v.fault, stop: cancel}
	p.done.Go(func() {
		for ctx.Err() == nil {
			err := v.resolve(ctx)
			if err == nil && v.get("/v1/environments/"+servedIn+"/snapshot") != http.StatusOK {
				err = errors.New("no snapshot")
			}
			if ctx.Err() != nil {
				return
			}
			if p.asked++; err != nil {
				p.failed++
				p.first += fmt.Sprintf("after %d: %v\n", p.asked, err)
			}
			pauseFor(ctx, 5*time.Millisecond)
		}
	})
	return p
}

// end ends a probe, of which nothing may have failed.
func (p *probe) end() {
	p.Helper()
	p.stop()
	p.done.Wait()
	if p.failed > 0 {
		p.Errorf("%d of %d reads failed: %s", p.failed, p.asked, tail(p.first))
	}
	p.Logf("%d reads, %d failed", p.asked, p.failed)
}

func (v *serving) resolve(ctx context.Context) error {
	c, err := api.NewClient(api.ClientConfig{Server: v.url(), Timeout: 10 * time.Second})
	if err != nil {
		return err
	}
	var out api.Resolved
	err = c.Send(ctx, http.MethodPost, "/v1/environments/"+servedIn+"/resolve", api.ResolveRequest{
		Prompt: "greeting", Subject: "ada", Variables: map[string]string{"input": "hello"},
	}, &out)
	if err == nil && (len(out.Messages) == 0 || !strings.Contains(out.Messages[0].Content, "Greeting")) {
		return fmt.Errorf("not the prompt: %+v", out)
	}
	return err
}

// ownPostgres is a server that a fault may do to what it wants.
func (f *fault) ownPostgres(settings ...string) (*storetest.Server, *database) {
	f.Helper()
	needsPostgres(f)
	p := storetest.NewServer(f.T, settings...)
	return p, &database{url: p.Database(f.T, "served")}
}

// disturbed lets four writers work while the database is disturbed, and holds
// the server, which goes on, to the ledger.
func (f *fault) disturbed(db *database, times int, disturb func() (int, error)) {
	f.Helper()
	v := f.serving(db).start()
	v.ready()
	l := f.ledger()
	ws := l.four()
	l.open(ws, v)
	p := v.probing()
	l.during(ws, v.everyone(), func() {
		for range times {
			l.more(rand.N(10) + 1)
			f.Runs++
			n, err := disturb()
			if err != nil {
				f.Fatal(err)
			}
			f.Hit += n
		}
		l.more(10) // it has healed by itself
	})
	l.settle(ws, v.url())
	p.end()
	v.ready()
	l.hold(v)
	l.audit(v)
}

// killedBackends kills processes of PostgreSQL, which then recovers.
func killedBackends(f *fault) {
	pg, db := f.ownPostgres()
	f.disturbed(db, f.times(4, 40), pg.KillBackend)
}

// restartedPostgres restarts PostgreSQL as a power cut would.
func restartedPostgres(f *fault) {
	pg, db := f.ownPostgres()
	f.disturbed(db, f.times(4, 20), func() (int, error) { return 1, pg.Restart() })
}

// fewConnections lets a server have fewer connections than its pool could hold,
// while sixteen writers want one at once.
func fewConnections(f *fault) {
	_, db := f.ownPostgres("max_connections = 5")
	v := f.serving(db).start()
	l := f.ledger()
	ws := l.four()
	l.open(ws, v)
	p := v.probing()
	for i := range 12 { // more, that deploy what the others deploy
		w := &writer{ledger: l, name: fmt.Sprintf("late-%d", i), wares: served()[i%4], fenced: true}
		w.next = w.wares.inTurn
		ws = append(ws, w)
	}
	f.Runs, f.Hit = f.Runs+1, f.Hit+1
	for _, w := range ws[:4] { // in each other's way they cannot promote
		w.next, w.fenced = w.wares.inTurn, true
	}
	l.during(ws, v.everyone(), func() { l.more(f.times(40, 300)) })
	l.settle(ws, v.url())
	p.end()
	l.hold(v)
	if status := v.terminate(); status != 0 { // while it runs, all connections may be its own
		l.Errorf("the server ended with %d\n%s", status, tail(v.said()))
	}
	l.must(v.local("audit", "verify"))
}
