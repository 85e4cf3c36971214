package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// servedIn is the environment that the writers change.
const servedIn = "dev"

// An intent is a change that a writer wants, and what it was told of it. Its
// reason, which nobody else gives, is how it is known again.
type intent struct {
	key      string
	req      registry.Request
	acked    bool
	seq      int
	revision int64
	nothing  bool // the answer: it runs already
	refused  bool // the answer: the revision is not what the writer saw
}

// A ledger is what all writers wanted, and were told.
type ledger struct {
	*fault
	mu      sync.Mutex
	intents []*intent
	acks    int
	refusal error // the last one because something was not available
}

func (f *fault) ledger() *ledger { return &ledger{fault: f} }

func (l *ledger) add(in *intent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.intents = append(l.intents, in)
}

func (l *ledger) ack(in *intent, r *registry.Receipt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	in.acked, in.nothing = true, r.Already != ""
	in.seq, in.revision = r.Deployment.Seq, r.Revision
	l.acks++
}

func (l *ledger) forget() { l.refuse(nil) }

func (l *ledger) refuse(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refusal = err
}

func (l *ledger) lastRefusal() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refusal
}

// acked is how many changes were acknowledged until now.
func (l *ledger) acked() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.acks
}

// A writer makes one change after the other. One that was not answered is sent
// again with the same key until it is, over any number of servers.
type writer struct {
	*ledger
	name    string
	wares   wares
	next    func(n int) registry.Request
	fenced  bool // each change names the revision that the writer saw
	n       int
	pending *intent
}

// four writers, each with a prompt of its own, all in one environment.
func (l *ledger) four() []*writer {
	var ws []*writer
	for i, w := range served() {
		ws = append(ws, &writer{ledger: l, name: fmt.Sprintf("writer-%d", i), wares: w, next: w.cycle})
	}
	return ws
}

// cycle is a canary, its promotion, its rollback and a plain deployment.
func (w wares) cycle(n int) registry.Request {
	req := registry.Request{Prompt: prompt.ID(w.id), Environment: servedIn}
	switch n % 5 {
	case 0:
		req.Action, req.Version, req.Quarantined, req.Supersede = registry.Deploy, w.first, true, true
	case 1:
		req.Action, req.Version, req.Quarantined = registry.Deploy, w.second, true
		req.Strategy, req.Steps = registry.Canary, []registry.Share{10 * registry.Scale / 100, 50 * registry.Scale / 100}
	case 2:
		req.Action = registry.Promote
	case 3:
		req.Action = registry.Rollback
	case 4:
		req.Action, req.Version, req.Quarantined = registry.Deploy, w.second, true
	}
	return req
}

// inTurn deploys the one version and the other.
func (w wares) inTurn(n int) registry.Request {
	req := registry.Request{Action: registry.Deploy, Prompt: prompt.ID(w.id), Environment: servedIn, Version: w.first, Quarantined: true}
	if n%2 == 1 {
		req.Version = w.second
	}
	return req
}

// write makes changes until ctx is done.
func (w *writer) write(ctx context.Context, at string) {
	c := clientOf(w.fault, at, func() string { return w.pending.key })
	for ctx.Err() == nil && !w.Failed() {
		w.once(ctx, c)
	}
}

// once makes one change, or tries to.
func (w *writer) once(ctx context.Context, c *api.Client) {
	if w.pending == nil {
		in := &intent{key: fmt.Sprintf("%s-%d", w.name, w.n), req: w.next(w.n)}
		in.req.Reason = in.key
		if w.fenced {
			snap, err := c.Snapshot(ctx, servedIn)
			if err != nil {
				pauseFor(ctx, 20*time.Millisecond)
				return
			}
			in.req.Revision = &snap.Revision
		}
		w.n++
		w.add(in)
		w.pending = in
	}
	r, err := c.Do(ctx, w.pending.req)
	switch {
	case err == nil:
		w.ack(w.pending, r)
		w.pending = nil
	case ctx.Err() != nil: // nobody knows
	case errors.Is(err, registry.ErrUnavailable):
		w.refuse(err)
		pauseFor(ctx, 20*time.Millisecond)
	case w.fenced && errors.Is(err, registry.ErrConflict):
		w.pending.refused, w.pending = true, nil
	default:
		w.Errorf("%s: %s of %s was refused: %v", w.pending.key, w.pending.req.Action, w.pending.req.Prompt, err)
	}
}

func pauseFor(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// during lets the writers write while do runs.
func (l *ledger) during(ws []*writer, at func(i int) string, do func()) {
	l.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	for i, w := range ws {
		all.Go(func() { w.write(ctx, at(i)) })
	}
	do()
}

// open lets the writers write until each prompt runs.
func (l *ledger) open(ws []*writer, v *serving) {
	l.Helper()
	l.during(ws, v.everyone(), func() {
		l.more(10)
		l.until("each prompt runs", func() bool { return v.resolve(l.Context()) == nil || l.Failed() })
	})
}

// more waits until n more changes are acknowledged.
func (l *ledger) more(n int) {
	l.Helper()
	want := l.acked() + n
	l.until(fmt.Sprintf("%d more changes are acknowledged", n), func() bool { return l.acked() >= want || l.Failed() })
	if l.Failed() {
		l.FailNow()
	}
}

// settle has each writer finish what it has begun.
func (l *ledger) settle(ws []*writer, at string) {
	l.Helper()
	for _, w := range ws {
		c := clientOf(l.fault, at, func() string { return w.pending.key })
		l.until(w.name+" gets its answer", func() bool {
			if w.pending != nil && !l.Failed() {
				w.once(l.Context(), c)
			}
			return w.pending == nil || l.Failed()
		})
	}
}

// everyone is the address of one server, for all writers.
func (v *serving) everyone() func(int) string { return func(int) string { return v.url() } }

// A book is what a server says has happened.
type book struct {
	records map[string][]registry.Record // by reason
	last    map[prompt.ID]registry.Deployment
	n       int64
}

// hold holds what the server says against the ledger. It must not be called
// while the writers write.
func (l *ledger) hold(v *serving) book {
	l.Helper()
	b := l.read(v)
	lost, doubled := 0, 0
	for _, in := range l.intents {
		rs := b.records[in.key]
		none := in.nothing || in.refused
		switch {
		case len(rs) > 1:
			doubled++
			l.Errorf("%s is there %d times: %+v", in.key, len(rs), rs)
		case none && len(rs) == 1:
			doubled++
			l.Errorf("%s is there, and the answer was that nothing was done", in.key)
		case in.acked && !none && len(rs) == 0:
			lost++
			l.Errorf("%s was acknowledged as %d, revision %d, and is not there", in.key, in.seq, in.revision)
		case in.acked && !none && (rs[0].Seq != in.seq || rs[0].Revision != in.revision):
			lost++
			l.Errorf("%s was acknowledged as %d, revision %d, and is %d, revision %d", in.key, in.seq, in.revision, rs[0].Seq, rs[0].Revision)
		case len(rs) == 1:
			l.whole(in, rs[0])
		}
	}
	known := make(map[string]bool)
	for _, in := range l.intents {
		known[in.key] = true
	}
	for reason := range b.records {
		if !known[reason] {
			l.Errorf("there is a change that nobody asked for: %q", reason)
		}
	}
	l.Acked, l.Lost, l.Dup = max(l.Acked, l.acks), max(l.Lost, lost), max(l.Dup, doubled)
	if l.Failed() {
		l.Fatalf("the server said:\n%s", tail(v.said()))
	}
	return b
}

func tail(s string) string { return s[max(0, len(s)-4000):] }

// whole holds a record against the change that made it.
func (l *ledger) whole(in *intent, r registry.Record) {
	l.Helper()
	if r.Action != in.req.Action || r.Prompt != in.req.Prompt || r.Digest == "" || r.Version.IsZero() || r.At.IsZero() {
		l.Errorf("%s is not whole: %+v", in.key, r)
	}
	if canary := in.req.Strategy == registry.Canary; canary != (r.Rollout != nil) {
		l.Errorf("%s is not whole: %+v", in.key, r)
	}
}

// read reads all that the server knows of the environment, and holds it against
// itself: no gaps, and one state however it is asked for.
func (l *ledger) read(v *serving) book {
	l.Helper()
	b := book{records: make(map[string][]registry.Record), last: make(map[prompt.ID]registry.Deployment)}
	c := v.client(nil)
	ctx := l.Context()
	var revisions []int64
	for _, w := range served() {
		tracks, err := c.History(ctx, prompt.ID(w.id), servedIn)
		if err != nil {
			l.Fatal(err)
		}
		for i, d := range tracks[servedIn] {
			if d.Seq != i+1 {
				l.Errorf("deployment %d of %s has the number %d", i+1, w.id, d.Seq)
			}
			b.records[d.Reason] = append(b.records[d.Reason], registry.Record{Prompt: prompt.ID(w.id), Deployment: d})
			b.last[prompt.ID(w.id)] = d
			revisions = append(revisions, d.Revision)
		}
	}
	slices.Sort(revisions)
	for i, r := range revisions {
		if r != int64(i)+1 {
			l.Fatalf("revision %d is not there, or twice: %v", i+1, revisions)
		}
	}
	b.n = int64(len(revisions))
	var snap *registry.Snapshot
	l.until("the snapshot is current", func() bool {
		var err error
		if snap, err = c.Snapshot(ctx, servedIn); err != nil {
			l.Fatal(err)
		}
		return snap.Revision >= b.n
	})
	if snap.Revision != b.n {
		l.Errorf("the snapshot has revision %d, and there are %d changes", snap.Revision, b.n)
	}
	for id, d := range b.last {
		e := snap.Prompts[id]
		if e == nil || e.Check() != nil || !runs(e.Rollout, d) {
			l.Errorf("the snapshot does not say of %s what was deployed last: %+v", id, d)
		}
	}
	l.audited(c, b)
	return b
}

// runs reports whether a rollout is what a deployment says.
func runs(r registry.Rollout, d registry.Deployment) bool {
	want := d.Running()
	return slices.EqualFunc(r.Arms, want.Arms, func(a, b registry.Arm) bool {
		return a.Name == b.Name && a.Version == b.Version && a.Digest == b.Digest && a.Share() == b.Share()
	})
}

// audited holds the audit log against the changes: one event for each.
func (l *ledger) audited(c *api.Client, b book) {
	l.Helper()
	events := make(map[string]int)
	for after := int64(0); ; {
		var page api.Events
		if err := c.Get(l.Context(), "/v1/audit", url.Values{"after": {strconv.FormatInt(after, 10)}, "limit": {"500"}}, &page); err != nil {
			l.Fatal(err)
		}
		for _, e := range page.Items {
			if e.Environment == servedIn && e.Prompt != "" && !strings.HasPrefix(e.Action, "rollout.") { // a pause deploys nothing
				events[e.Reason]++
			}
		}
		if after = page.NextAfter; after == 0 {
			break
		}
	}
	for _, reason := range slices.Sorted(maps.Keys(b.records)) {
		if events[reason] != len(b.records[reason]) {
			l.Errorf("%s has %d events in the audit log, and is there %d times", reason, events[reason], len(b.records[reason]))
		}
		delete(events, reason)
	}
	if len(events) > 0 {
		l.Errorf("the audit log tells of what is not there: %v", events)
	}
	if err := c.Get(l.Context(), "/v1/audit/verify", nil, new(api.Verified)); err != nil {
		l.Errorf("audit verify: %v", err)
	}
}
