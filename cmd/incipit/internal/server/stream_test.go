package server

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/internal/registry"
)

// A listener reads a stream.
type listener struct {
	testing.TB
	events chan event // closed at the end
	close  func()
	status int
}

type event struct {
	name, id, data string
	comment        bool
}

func (r *rig) listen(env, key string, headers ...string) *listener {
	r.Helper()
	return r.listenAt("/v1/environments/"+env+"/stream", key, headers...)
}

// listenAt reads the stream at a path.
func (r *rig) listenAt(path, key string, headers ...string) *listener {
	r.Helper()
	ctx, cancel := context.WithCancel(r.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+path, nil)
	if err != nil {
		r.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := r.client.Do(req)
	if err != nil {
		r.Fatal(err)
	}
	l := &listener{TB: r.TB, events: make(chan event, 10_000), status: resp.StatusCode}
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(l.events)
		defer resp.Body.Close()
		scanEvents(resp.Body, func(e event) { l.events <- e })
	})
	l.close = sync.OnceFunc(func() { cancel(); wg.Wait() })
	r.Cleanup(l.close)
	return l
}

func scanEvents(from io.Reader, tell func(event)) {
	in := bufio.NewScanner(from)
	in.Buffer(nil, 64<<20)
	var e event
	for in.Scan() {
		switch name, value, _ := strings.Cut(in.Text(), ": "); name {
		case "event":
			e.name = value
		case "id":
			e.id = value
		case "data":
			e.data = value
		case "":
			if value != "" {
				e.comment, e.data = true, value
				continue
			}
			if e != (event{}) {
				tell(e)
			}
			e = event{}
		}
	}
}

// next is the next event, or the zero one if the stream is over.
func (l *listener) next() event {
	l.Helper()
	select {
	case e := <-l.events:
		return e
	case <-time.After(10 * time.Second):
		l.Fatal("nothing came within 10 s")
		return event{}
	}
}

// want checks the name and the id of the next event.
func (l *listener) want(name, id string) event {
	l.Helper()
	e := l.next()
	if e.name != name || e.id != id {
		l.Fatalf("got %q %q %.100s, want %q %q", e.name, e.id, e.data, name, id)
	}
	return e
}

func TestAStreamBeginsWithASnapshotAndGoesOnWithEachRevision(t *testing.T) {
	each(t, func(r *rig) {
		r.deploy("dev", "support", "1.0.0")
		l := r.listen("dev", r.admin)
		var snap registry.Snapshot
		if err := json.Unmarshal([]byte(l.want("snapshot", "1.1").data), &snap); err != nil || snap.Revision != 1 || len(snap.Prompts) != 1 {
			r.Fatalf("%v: %+v", err, snap)
		}
		r.deploy("staging", "support", "1.0.0") // elsewhere
		r.deploy("dev", "billing/refunds", "1.1.0")
		r.deploy("dev", "support", "1.2.0")
		var p registry.Patch
		if err := json.Unmarshal([]byte(l.want("patch", "1.2").data), &p); err != nil || p.Prompt != "billing/refunds" || p.Revision != 2 || p.Entry.Check() != nil || p.Environment != "dev" {
			r.Errorf("%v: %+v", err, p)
		}
		l.want("patch", "1.3")

		again := r.listen("dev", r.admin, "Last-Event-ID", "1.1")
		again.want("patch", "1.2")
		again.want("patch", "1.3")
		current := r.listen("dev", r.admin, "Last-Event-ID", "1.3")
		if e := current.next(); !e.comment || e.data != "current" {
			r.Errorf("a client that is current got %+v", e)
		}
		for _, id := range []string{"2.1", "0.1", "x", "1", "1.x", "1.-1", ".", "1.1.abc"} {
			r.listen("dev", r.admin, "Last-Event-ID", id).want("snapshot", "1.3")
		}
		ahead := r.listen("dev", r.admin, "Last-Event-ID", "1.4") // another replica was faster
		ahead.next()
		r.deploy("dev", "other", "1.0.0")
		r.deploy("dev", "other", "1.1.0")
		ahead.want("patch", "1.5")
	})
}

// A change by another replica, or by hand on the database, is seen by polling.
func TestAChangeByAnotherReplicaReachesTheStreams(t *testing.T) {
	each(t, func(r *rig) {
		r.deploy("dev", "support", "1.0.0")
		l := r.listen("dev", r.admin)
		l.want("snapshot", "1.1")
		if _, err := r.service.Do(r.asRoot(), registry.Request{Action: registry.Deploy, Prompt: "support", Environment: "dev", Version: "1.1.0"}); err != nil {
			r.Fatal(err)
		}
		l.want("patch", "1.2")
	})
}

func TestAStreamShowsWhatTheKeyMaySee(t *testing.T) {
	r := sqlite(t, nil)
	r.deploy("dev", "support", "1.0.0")
	r.deploy("dev", "other", "1.0.0")
	l := r.listen("dev", r.key([]registry.Permission{registry.MayResolve}, "dev", "supp*"))
	if e := l.want("snapshot", "1.2"); strings.Contains(e.data, "other") {
		t.Errorf("%s", e.data)
	}
	r.deploy("dev", "support", "1.1.0")
	l.want("patch", "1.3")
	r.deploy("dev", "other", "1.1.0") // is not told
	r.deploy("dev", "support", "1.2.0")
	if e := l.want("snapshot", "1.5"); strings.Contains(e.data, "other") || !strings.Contains(e.data, "1.2.0") { // instead of a patch that would leave a gap
		t.Errorf("%s", e.data)
	}
	r.deploy("dev", "support", "1.1.0")
	l.want("patch", "1.6")
}

func TestARevokedKeyEndsItsStreamsAndNoOthers(t *testing.T) {
	r := sqlite(t, nil)
	r.deploy("dev", "support", "1.0.0")
	text, id := r.keyOf(0, registry.Grant{Permissions: []registry.Permission{registry.MayResolve}, Environments: []string{"dev"}, Prompts: []string{"*"}})
	doomed := []*listener{r.listen("dev", text), r.listen("dev", text)}
	other := r.listen("dev", r.admin)
	for _, l := range append(doomed, other) {
		l.want("snapshot", "1.1")
	}
	if g := r.send("DELETE", "/v1/keys/"+id, r.admin, ""); g.status != 204 {
		t.Fatalf("%d %s", g.status, g.body)
	}
	start := time.Now()
	for _, l := range doomed {
		for e := l.next(); e != (event{}); e = l.next() {
			if e.name == "patch" {
				t.Errorf("after the revocation: %+v", e)
			}
		}
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("the streams lived on for %s", took)
	}
	r.deploy("dev", "support", "1.1.0")
	other.want("patch", "1.2")
	until(t, func() bool { return r.send("GET", "/v1/environments/dev/snapshot", text, "").status == 401 })
}

func TestAServerThatStopsSendsItsStreamsAway(t *testing.T) {
	r := sqlite(t, nil)
	r.deploy("dev", "support", "1.0.0")
	var ls []*listener
	for range 20 {
		l := r.listen("dev", r.admin)
		l.want("snapshot", "1.1")
		ls = append(ls, l)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	for _, l := range ls {
		var g struct {
			MS int64 `json:"retry_ms"`
		}
		if err := json.Unmarshal([]byte(l.want("goaway", "").data), &g); err != nil || g.MS < 1000 {
			t.Errorf("%v %+v", err, g)
		}
		if e := l.next(); e != (event{}) {
			t.Errorf("after goaway: %+v", e)
		}
	}
}

// A client that does not read loses nothing but time: the others are not kept
// waiting, and when it reads again it ends at the newest state.
func TestAClientThatDoesNotReadKeepsNobodyWaiting(t *testing.T) {
	r := sqlite(t, nil)
	r.deploy("dev", "support", "1.0.0")
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(r.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.(*net.TCPConn).SetReadBuffer(64 << 10)
	fmt.Fprintf(c, "GET /v1/environments/dev/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n\r\n", r.admin)
	until(t, func() bool { return r.server.streams.count() == 1 })
	f, err := r.server.hub.feed(t.Context(), "dev")
	if err != nil {
		t.Fatal(err)
	}
	const more = 3 * ringSize
	fake(f, more, 8<<10) // 24 MB of patches, three times what is kept
	l := r.listen("dev", r.admin)
	l.want("snapshot", fmt.Sprintf("1.%d", 1+more))
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var last event
	whole := 0
	scanEvents(resp.Body, func(e event) {
		if e.comment || e.name == "" {
			return
		}
		if last = e; e.name == "snapshot" {
			whole++
		}
		if e.id == fmt.Sprintf("1.%d", 1+more) {
			_ = c.Close()
		}
	})
	if whole < 2 {
		t.Errorf("it fell behind and got %d snapshots", whole)
	}
	if last.id != fmt.Sprintf("1.%d", 1+more) {
		t.Errorf("it ended at %s %s", last.name, last.id)
	}
}

// fake makes n revisions of one prompt, whose system message has about size
// bytes, without a database.
func fake(f *feed, n, size int) {
	for i := range n {
		now := f.now.Load()
		text := strings.Repeat("x", size)
		e := &registry.Entry{Removed: true}
		p := registry.Patch{Environment: f.env, Generation: now.generation, Revision: now.revision + 1, Prompt: "fake", Entry: e}
		made := newPatch(p, []byte(`{"removed":true,"pad":"`+text+`"}`))
		next := &state{env: f.env, generation: now.generation, revision: p.Revision, entries: now.entries}
		_ = i
		f.publish(next, []patch{made})
	}
}

func TestTheServerHasAsManyStreamsAsItMay(t *testing.T) {
	r := sqlite(t, func(c *Config) { c.MaxStreams = 2 })
	r.deploy("dev", "support", "1.0.0")
	a, b := r.listen("dev", r.admin), r.listen("dev", r.admin)
	a.want("snapshot", "1.1")
	b.want("snapshot", "1.1")
	g := r.send("GET", "/v1/environments/dev/stream", r.admin, "")
	if g.status != 503 || g.header.Get("Retry-After") == "" {
		t.Errorf("%d %v", g.status, g.header)
	}
	a.close()
	until(t, func() bool { return r.server.streams.count() == 1 })
	r.listen("dev", r.admin).want("snapshot", "1.1")
}
