package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"syscall"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// twoReplicas lets eight writers, half of them fenced by the revision that they
// saw, deploy one prompt through two replicas.
func twoReplicas(f *fault, db *database) {
	a := f.serving(db)
	b := a.beside()
	// Both at once: they migrate the database, too.
	a.begin()
	b.start()
	if !a.listening() {
		f.Fatalf("a replica did not start:\n%s", a.said())
	}
	a.ready()
	b.ready()
	ctx, stop := context.WithCancel(context.Background())
	fa, endA := a.following(ctx)
	fb, endB := b.following(ctx)
	l := f.ledger()
	var ws []*writer
	for i := range 8 {
		w := &writer{ledger: l, name: fmt.Sprintf("writer-%d", i), wares: served()[0], fenced: i%4 >= 2}
		w.next = func(n int) (r registry.Request) { return w.wares.inTurn(n + i/4) }
		ws = append(ws, w)
	}
	vs := []*serving{a, b}
	f.Runs, f.Hit = f.Runs+1, f.Hit+1
	l.during(ws, func(i int) string { return vs[i%2].url() }, func() { l.more(f.times(150, 1000)) })
	l.settle(ws, a.url())
	n := l.hold(a).n
	if m := l.hold(b).n; m != n {
		f.Errorf("one replica tells of %d changes and the other of %d", n, m)
	}
	nothing, refused := 0, 0
	for _, in := range l.intents {
		if in.nothing {
			nothing++
		}
		if in.refused {
			refused++
		}
	}
	if nothing == 0 || refused == 0 || n == 0 {
		f.Errorf("the replicas were never in each other's way: %d changes, %d without effect, %d refused", n, nothing, refused)
	}
	f.Logf("%d changes, %d answers that it runs already, %d refused as stale", n, nothing, refused)
	for _, fo := range []*follower{fa, fb} {
		fo.reaches(n)
		if got := fo.counts(); got.snapshots != 1 || int64(got.patches) < n {
			f.Errorf("a stream showed %d snapshots and %d patches, of %d revisions", got.snapshots, got.patches, n)
		}
	}
	stop()
	endA()
	endB()
}

// pausedReplica stops one of two replicas, as a machine that hangs, and lets it
// go on: what it was in the middle of counts once, and it never goes back.
func pausedReplica(f *fault, db *database) {
	a := f.serving(db).start()
	b := a.beside().start()
	ctx, stop := context.WithCancel(context.Background())
	fa, endA := a.following(ctx)
	fb, endB := b.following(ctx)
	l := f.ledger()
	ws := l.four()
	vs := []*serving{a, b}
	l.during(ws, func(i int) string { return vs[i%2].url() }, func() {
		for range f.times(3, 40) {
			l.more(8)
			time.Sleep(rand.N(5 * time.Millisecond))
			f.Runs, f.Hit = f.Runs+1, f.Hit+1
			a.signal(syscall.SIGSTOP)
			time.Sleep(rand.N(300 * time.Millisecond))
			a.signal(syscall.SIGCONT)
		}
		l.more(8)
	})
	if f.full != "" { // longer than any lease, lock and patience
		l.during(ws, func(i int) string { return vs[i%2].url() }, func() {
			l.more(8)
			f.Runs, f.Hit = f.Runs+1, f.Hit+1
			a.signal(syscall.SIGSTOP)
			time.Sleep(75 * time.Second)
			a.signal(syscall.SIGCONT)
			l.more(8)
		})
	}
	l.settle(ws, b.url())
	n := l.hold(b).n
	l.hold(a)
	for _, fo := range []*follower{fa, fb} {
		fo.reaches(n)
	}
	stop()
	endA()
	endB()
}

// terminatedServers ends the server by SIGTERM while four writers work, others
// resolve and streams are open.
func terminatedServers(f *fault, db *database) {
	v := f.serving(db)
	l := f.ledger()
	ws := l.four()
	streams := f.times(25, 500)
	for range f.times(2, 20) {
		f.Runs++
		v.start()
		l.hold(v)
		ctx, stop := context.WithCancel(context.Background())
		fos := make([]*follower, streams)
		ends := make([]func(), streams)
		for i := range fos {
			fos[i], ends[i] = v.following(ctx)
		}
		load, unload := context.WithCancel(ctx)
		for range 4 {
			go func() {
				for load.Err() == nil {
					v.get("/v1/environments/" + servedIn + "/snapshot")
				}
			}()
		}
		var took time.Duration
		l.during(ws, v.everyone(), func() {
			l.more(20)
			at := time.Now()
			if status := v.terminate(); status != 0 {
				f.Errorf("the server ended with %d\n%s", status, tail(v.said()))
			}
			took = time.Since(at)
			f.Hit++
		})
		unload()
		f.until("the streams have ended", func() bool {
			return !slices.ContainsFunc(fos, func(fo *follower) bool { return fo.counts().ends == 0 })
		})
		stop()
		for _, end := range ends {
			end()
		}
		sent := 0
		for _, fo := range fos {
			sent += fo.counts().goaways
			fo.reaches(fo.at())
		}
		if sent != streams || took > 10*time.Second {
			f.Errorf("%d of %d streams were told to go away, and the server took %v to stop", sent, streams, took)
		}
		f.Logf("%d of %d streams were told, stopped in %v", sent, streams, took.Round(time.Millisecond))
	}
	v.start()
	l.settle(ws, v.url())
	l.hold(v)
	l.audit(v)
}

// lostAnswers lets a proxy swallow answers: the change was made, and whoever
// asked for it does not know. With its key it is told what was done.
func lostAnswers(f *fault, db *database) {
	v := f.serving(db).start()
	p := f.proxy(v)
	l := f.ledger()
	w := l.four()[0]
	key := ""
	c := clientOf(f, p.url, func() string { return key })
	for n := range f.times(5, 100) {
		f.Runs++
		in := &intent{key: fmt.Sprintf("lost-%d", n), req: w.next(n)}
		key, in.req.Reason = in.key, in.key
		l.add(in)
		before := p.dropped.Load()
		p.drop.Store(2) // the client tries three times
		r, err := c.Do(l.Context(), in.req)
		if err != nil {
			f.Fatal(err)
		}
		l.ack(in, r)
		f.Hit += int(p.dropped.Load() - before)
		again, err := c.Do(l.Context(), in.req)
		if err != nil || again.Revision != r.Revision || again.Deployment.Seq != r.Deployment.Seq {
			f.Errorf("asked again with its key: %+v, %v; before: %+v", again, err, r)
		}
		other := in.req
		other.Reason = "another change under the same key"
		if _, err := c.Do(l.Context(), other); api.Code(err) != "invalid" {
			f.Errorf("another change under the same key: %v", err)
		}
	}
	// The program does the same.
	p.drop.Store(2)
	in := &intent{key: "by the program", req: prompted(served()[1], "1.0.0")}
	l.add(in)
	f.must(v.shop.at(f.dir).run("deploy", "data-extraction@1.0.0", "--env", servedIn, "--reason", in.key, "--server", p.url))
	in.acked, in.seq, in.revision = true, 1, l.read(v).n
	l.acks++
	if p.drop.Load() != 0 {
		f.Error("the proxy lost no answer of the program's")
	}
	l.hold(v)
	if status := v.get("/healthz"); status != http.StatusOK {
		f.Errorf("the server is not well: %d", status)
	}
}

func prompted(w wares, version string) registry.Request {
	r := w.inTurn(0)
	r.Prompt, r.Version = prompt.ID(w.id), version
	return r
}
