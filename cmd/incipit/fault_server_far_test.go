package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/incipit-dev/incipit"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// besides does something while a stream is open, and holds that the server
// shows it soon: 2 s are promised.
func (l *ledger) besides(v *serving, do func()) {
	l.Helper()
	ctx, stop := context.WithCancel(context.Background())
	fo, end := v.following(ctx)
	do()
	at := time.Now()
	fo.reaches(int64(l.acked()))
	if took := time.Since(at); took > 2*time.Second {
		l.Errorf("the stream showed it after %v", took)
	}
	stop()
	end()
}

// rejectedMirror has the Git remote reject the mirror, go away and come back.
// The server goes on, says how far registry.json is behind, over a restart too,
// and catches up.
func rejectedMirror(f *fault) {
	v := f.serving(sqliteAtHand(f), "--mirror", "--sync", "1s")
	hook := filepath.Join(v.repo, "hooks", "pre-receive")
	if err := os.MkdirAll(filepath.Dir(hook), 0o755); err != nil {
		f.Fatal(err)
	}
	if err := os.WriteFile(hook, []byte("#!/bin/sh\necho 'the branch is protected' >&2\nexit 1\n"), 0o755); err != nil {
		f.Fatal(err)
	}
	v.start()
	l := f.ledger()
	ws := l.four()
	l.open(ws, v)
	l.settle(ws, v.url())
	rejected := v.syncs("the push is rejected", func(r registry.SyncReport) bool { return r.Backlog > 0 && r.Deferred != "" })
	f.Logf("backlog %d: %s", rejected.Backlog, rejected.Deferred)
	f.Runs, f.Hit = f.Runs+1, f.Hit+1

	away := v.repo + ".away"
	if err := errors.Join(os.Rename(v.repo, away), os.Mkdir(v.repo, 0o755)); err != nil { // as a mount that is gone
		f.Fatal(err)
	}
	p := v.probing()
	gone := v.syncs("the remote is away", func(r registry.SyncReport) bool { return r.Error != "" })
	f.Logf("without the remote: %s", gone.Error)
	l.during(ws, v.everyone(), func() { l.more(10) })
	l.settle(ws, v.url())
	p.end()
	v.ready()
	f.Runs, f.Hit = f.Runs+1, f.Hit+1
	v.kill()
	v.start() // without its remote, with what it has indexed
	n := l.hold(v).n
	if r := v.syncs("the backlog is known", func(r registry.SyncReport) bool { return r.Backlog > 0 }); int64(r.Backlog) > n {
		f.Errorf("the backlog is %d, of %d changes", r.Backlog, n)
	}
	f.Runs, f.Hit = f.Runs+1, f.Hit+1

	if err := errors.Join(os.Remove(v.repo), os.Rename(away, v.repo), os.Remove(hook)); err != nil {
		f.Fatal(err)
	}
	v.syncs("the mirror has caught up", func(r registry.SyncReport) bool { return r.Backlog == 0 && r.Deferred == "" && r.Error == "" })
	l.mirrored(v)
	l.audit(v)
}

// syncs waits for what GET /v1/sync says.
func (v *serving) syncs(what string, met func(registry.SyncReport) bool) registry.SyncReport {
	v.Helper()
	var r registry.SyncReport
	v.until(what, func() bool {
		r = registry.SyncReport{}
		if err := v.client(nil).Get(v.Context(), "/v1/sync", nil, &r); err != nil {
			v.Fatal(err)
		}
		return met(r)
	})
	return r
}

// mirrored holds registry.json in Git against what the server says.
func (l *ledger) mirrored(v *serving) {
	l.Helper()
	s := &shop{fault: l.fault, dir: v.repo}
	var file map[string]struct {
		Deployments map[string]struct{ History []registry.Deployment }
	}
	if err := json.Unmarshal([]byte(s.gitOut("show", "HEAD:prompts/registry.json")), &file); err != nil {
		l.Fatal(err)
	}
	for _, w := range served() {
		tracks, err := v.client(nil).History(l.Context(), prompt.ID(w.id), servedIn)
		if err != nil {
			l.Fatal(err)
		}
		same := func(a, b registry.Deployment) bool {
			return a.Seq == b.Seq && a.Action == b.Action && a.Version == b.Version && a.Digest == b.Digest && a.Reason == b.Reason && a.At.Equal(b.At)
		}
		if got := file[w.id].Deployments[servedIn].History; !slices.EqualFunc(got, tracks[servedIn], same) {
			l.Errorf("registry.json has of %s\n%+v\nand the server\n%+v", w.id, got, tracks[servedIn])
		}
	}
}

// restoredBackups makes a backup while four writers work, and restores it into
// a database of the other kind. A client of the SDK that has seen more takes
// what the backup says.
func restoredBackups(f *fault, pg *postgresAtHand) {
	for range f.times(1, 5) {
		f.restored(sqliteAtHand(f), pg.database(f))
		f.restored(pg.database(f), sqliteAtHand(f))
	}
}

func (f *fault) restored(from, to *database) {
	f.Helper()
	f.Runs++
	v := f.serving(from).start()
	l := f.ledger()
	ws := l.four()
	l.open(ws, v)
	c := v.sdk()
	file := v.shop.dir + ".backup"
	var before map[*intent]bool
	l.during(ws, v.everyone(), func() {
		l.more(10)
		before = l.ackedNow()
		f.must(v.local("backup", file))
		f.Hit++
		l.more(10)
	})
	l.settle(ws, v.url())
	n := l.hold(v).n
	l.until("the client is current", func() bool { return c.Status().Revision == n })
	old := c.Status()
	if status := v.terminate(); status != 0 {
		f.Errorf("the server ended with %d", status)
	}
	v.db = to
	f.must(v.local("restore", file))
	v.start()
	b := l.read(v)
	lost, doubled := 0, 0
	for _, in := range l.intents {
		rs := b.records[in.key]
		if len(rs) > 1 {
			doubled++
		}
		if len(rs) == 0 && before[in] || len(rs) == 1 && (rs[0].Seq != in.seq || rs[0].Revision != in.revision) {
			lost++
		}
	}
	f.Acked, f.Lost, f.Dup = f.Acked+len(before), f.Lost+lost, f.Dup+doubled
	if lost+doubled > 0 {
		f.Errorf("of %d changes before the backup, %d are lost or not as they were, %d there twice", len(before), lost, doubled)
	}
	if b.n >= n {
		f.Errorf("the backup has %d changes, and there were %d: the client has nothing to go back to", b.n, n)
	}
	l.until("the client takes the backup", func() bool { return c.Status().Generation == old.Generation+1 && c.Status().Revision == b.n })
	if _, err := c.Prompt(l.Context(), "greeting", "ada", incipit.Vars{"input": "hello"}); err != nil {
		f.Error(err)
	}
	f.Logf("%d changes before the backup, %d in it, %d at the end; generation %d revision %d became %d.%d", len(before), b.n, n, old.Generation, old.Revision, c.Status().Generation, c.Status().Revision)
	// What the backup does not have may be asked for again, with the same keys.
	for _, w := range ws {
		w.n += 5 - w.n%5
	}
	l.intents = nil
	for key := range maps.Keys(b.records) {
		l.intents = append(l.intents, &intent{key: key, acked: true, seq: b.records[key][0].Seq, revision: b.records[key][0].Revision, req: requestOf(b.records[key][0])})
	}
	acked, lostBefore, dup := f.Acked, f.Lost, f.Dup
	l.acks = 0
	l.during(ws, v.everyone(), func() { l.more(5) })
	l.settle(ws, v.url())
	last := l.hold(v).n
	f.Acked, f.Lost, f.Dup = acked+l.acked(), lostBefore+f.Lost, dup+f.Dup
	l.until("the client is current", func() bool { return c.Status().Revision == last })
	l.audit(v)
}

func requestOf(r registry.Record) registry.Request {
	req := registry.Request{Action: r.Action, Prompt: r.Prompt}
	if r.Rollout != nil {
		req.Strategy = r.Rollout.Strategy
	}
	return req
}

// ackedNow are the intents that were acknowledged with a change until now.
func (l *ledger) ackedNow() map[*intent]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make(map[*intent]bool)
	for _, in := range l.intents {
		if in.acked && !in.nothing {
			out[in] = true
		}
	}
	return out
}

// sdk is a client of the SDK that follows the server.
func (v *serving) sdk() *incipit.Client {
	v.Helper()
	c, err := incipit.New(v.Context(), incipit.Options{
		Server: v.url(), Environment: servedIn, CacheDir: "-", StartTimeout: 30 * time.Second, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		v.Fatal(err)
	}
	v.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := c.Close(ctx); err != nil {
			v.Error(err)
		}
	})
	return c
}

// killedUnderClients kills the server under a hundred clients of the SDK that
// resolve all the time. None of them notices, and all come back.
func killedUnderClients(f *fault, db *database) {
	v := f.serving(db).start()
	l := f.ledger()
	ws := l.four()
	l.open(ws, v)
	l.settle(ws, v.url())
	var clients []*incipit.Client
	for range 100 {
		clients = append(clients, v.sdk())
	}
	ctx, stop := context.WithCancel(context.Background())
	var resolving sync.WaitGroup
	resolved, failed := 0, 0
	resolving.Go(func() {
		for ctx.Err() == nil {
			for _, c := range clients {
				p, err := c.Prompt(context.Background(), "greeting", "ada", incipit.Vars{"input": "hello"})
				if resolved++; err != nil || len(p.Messages) == 0 {
					failed++
				}
			}
			pauseFor(ctx, 20*time.Millisecond)
		}
	})
	current := func() {
		f.Helper()
		n := l.hold(v).n
		f.until("all clients are current", func() bool {
			for _, c := range clients {
				if c.Status().Revision < n {
					return false
				}
			}
			return true
		})
	}
	current()
	for range f.times(1, 10) {
		f.Runs++
		l.during(ws, v.everyone(), func() {
			l.more(5)
			v.kill()
			f.Hit++
		})
		v.start()
		l.hold(v)
		l.settle(ws, v.url())
		l.during(ws, v.everyone(), func() { l.more(1) })
		l.settle(ws, v.url())
		current()
	}
	stop()
	resolving.Wait()
	if failed > 0 || resolved == 0 {
		f.Errorf("%d of %d resolves failed", failed, resolved)
	}
	if status := v.get("/readyz"); status != http.StatusOK {
		v.ready()
	}
	f.Logf("%d clients, %d resolves, %d failed", len(clients), resolved, failed)
}
