package incipit

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A fakeServer speaks the wire format of a server of one environment. It
// listens on pipes, so that it lives in a bubble of testing/synctest too.
type fakeServer struct {
	t   *testing.T
	env string

	mu       sync.Mutex
	gen, rev int64
	entries  map[prompt.ID]*registry.Entry
	patches  map[int64][]byte  // by revision
	history  map[string]string // what each state was: generation.revision → fingerprint
	change   chan struct{}     // closed at the next change
	bye      chan int64        // milliseconds for goaway
	answer   http.HandlerFunc  // instead of the server, if it is set
	rawOnce  [][]byte          // sent at the start of the next streams, before anything else
	streams  int               // asked for so far
	polls    int
	asked    []time.Time // when a request came
	lastID   string      // of the last stream
	http     *http.Server
	accept   chan net.Conn
	wrap     func(net.Conn) net.Conn // of the client's end
	dials    atomic.Int64
	buffered bool // something between holds the stream back
	books    books
}

func newServer(t *testing.T) *fakeServer {
	t.Helper()
	s := &fakeServer{
		t: t, env: "production", gen: 1, entries: make(map[prompt.ID]*registry.Entry), patches: make(map[int64][]byte),
		history: make(map[string]string), change: make(chan struct{}), bye: make(chan int64),
	}
	s.history["1.0"] = fingerprint(s.entries)
	s.up()
	t.Cleanup(s.down)
	return s
}

func (s *fakeServer) up() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accept = make(chan net.Conn)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/environments/{env}/stream", s.stream)
	mux.HandleFunc("GET /v1/environments/{env}/snapshot", s.snapshot)
	mux.Handle("POST /v1/calls", &s.books)
	mux.Handle("POST /v1/calls/{ref}/feedback", &s.books)
	s.http = &http.Server{Handler: mux, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	go func(h *http.Server, l net.Listener) { _ = h.Serve(l) }(s.http, &pipeListener{conns: s.accept, done: make(chan struct{})})
}

// down ends every connection, and refuses new ones.
func (s *fakeServer) down() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.http != nil {
		_ = s.http.Close()
		s.http, s.accept = nil, nil
	}
}

// client is a client of the server's pipes.
func (s *fakeServer) client() *http.Client {
	tr := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		s.dials.Add(1)
		s.mu.Lock()
		accept, wrap := s.accept, s.wrap
		s.mu.Unlock()
		if accept == nil {
			return nil, errors.New("connection refused")
		}
		near, far := net.Pipe()
		select {
		case accept <- far:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if wrap != nil {
			near = wrap(near)
		}
		return near, nil
	}}
	return &http.Client{Transport: tr}
}

type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// deploy changes a prompt.
func (s *fakeServer) deploy(id prompt.ID, e *registry.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rev++
	s.entries[id] = e
	s.patches[s.rev] = s.json(registry.Patch{Environment: s.env, Generation: s.gen, Revision: s.rev, Prompt: id, Entry: e})
	s.changed()
}

// restore takes a backup of a lower revision back.
func (s *fakeServer) restore(rev int64, entries map[prompt.ID]*registry.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gen++
	s.rev, s.entries = rev, entries
	clear(s.patches)
	s.changed()
}

func (s *fakeServer) changed() {
	s.history[fmt.Sprintf("%d.%d", s.gen, s.rev)] = fingerprint(s.entries)
	close(s.change)
	s.change = make(chan struct{})
}

func (s *fakeServer) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// connections is how many streams were asked for.
func (s *fakeServer) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.streams
}

// requests is when each request came.
func (s *fakeServer) requests() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

func (s *fakeServer) id() string { return fmt.Sprintf("%d.%d", s.gen, s.rev) }

func (s *fakeServer) json(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		s.t.Error(err)
	}
	return data
}

func (s *fakeServer) snapshotEvent() []byte {
	return eventText("snapshot", s.id(), s.json(registry.Snapshot{Environment: s.env, Generation: s.gen, Revision: s.rev, Prompts: s.entries}))
}

func eventText(name, id string, data []byte) []byte {
	return fmt.Appendf(nil, "event: %s\nid: %s\ndata: %s\n\n", name, id, data)
}

func (s *fakeServer) stream(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.streams++
	s.asked = append(s.asked, time.Now())
	s.lastID = r.Header.Get("Last-Event-ID")
	if answer := s.answer; answer != nil {
		s.mu.Unlock()
		answer(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	if s.buffered {
		s.mu.Unlock()
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		return
	}
	var out []byte
	if len(s.rawOnce) > 0 {
		out, s.rawOnce = s.rawOnce[0], s.rawOnce[1:]
	}
	gen, rev, ok := strings.Cut(s.lastID, ".")
	at, err := strconv.ParseInt(rev, 10, 64)
	resumable := ok && err == nil && gen == strconv.FormatInt(s.gen, 10) && at <= s.rev
	for n := at + 1; resumable && n <= s.rev; n++ {
		resumable = s.patches[n] != nil
	}
	if resumable && at == s.rev {
		out = append(out, ": current\n\n"...)
	}
	if !resumable {
		out = append(out, s.snapshotEvent()...)
		at = s.rev
	}
	sentGen := s.gen
	s.mu.Unlock()
	beat := time.NewTicker(15 * time.Second)
	defer beat.Stop()
	for {
		s.mu.Lock()
		if s.gen != sentGen {
			out, sentGen, at = append(out, s.snapshotEvent()...), s.gen, s.rev
		}
		for ; at < s.rev; at++ {
			out = append(out, eventText("patch", fmt.Sprintf("%d.%d", s.gen, at+1), s.patches[at+1])...)
		}
		change := s.change
		s.mu.Unlock()
		if len(out) > 0 {
			if _, err := w.Write(out); err != nil {
				return
			}
			out = nil
			_ = http.NewResponseController(w).Flush()
		}
		select {
		case <-r.Context().Done():
			return
		case <-change:
		case ms := <-s.bye:
			fmt.Fprintf(w, "event: goaway\ndata: {\"retry_ms\": %d}\n\n", ms)
			return
		case <-beat.C:
			out = []byte(": heartbeat\n\n")
		}
	}
}

func (s *fakeServer) snapshot(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.polls++
	s.asked = append(s.asked, time.Now())
	answer, tag := s.answer, `"`+s.id()+`"`
	data := s.json(registry.Snapshot{Environment: s.env, Generation: s.gen, Revision: s.rev, Prompts: s.entries})
	s.mu.Unlock()
	if answer != nil {
		answer(w, r)
		return
	}
	w.Header().Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = z.Write(data)
		_ = z.Close()
		return
	}
	_, _ = w.Write(data)
}

// fingerprint tells states apart.
func fingerprint(entries map[prompt.ID]*registry.Entry) string {
	var lines []string
	for id, e := range entries {
		line := fmt.Sprintf("%s removed=%v", id, e.Removed)
		for _, a := range e.Rollout.Arms {
			line += fmt.Sprintf(" %s=%s %s %v", a.Name, a.Version, a.Digest, a.Ranges)
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// A checker holds what a client shows against what the server was: each state
// is one that was (atomic), and comes after the one before (ordered, unique).
type checker struct {
	s     *fakeServer
	mu    sync.Mutex
	last  [2]int64
	shown int
}

func (c *checker) saw(v *view) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.shown++
	now := [2]int64{v.snapshot.Generation, v.snapshot.Revision}
	if slices.Compare(now[:], c.last[:]) < 0 {
		c.s.t.Errorf("the client went from %v back to %v", c.last, now)
	}
	c.last = now
	want, ok := c.s.history[fmt.Sprintf("%d.%d", now[0], now[1])]
	if got := fingerprint(v.snapshot.Prompts); !ok || got != want {
		c.s.t.Errorf("at %v the client shows\n%s\nand the server was\n%s", now, got, want)
	}
	for id, e := range v.snapshot.Prompts {
		for i := range e.Rollout.Arms {
			if v.releases[&e.Rollout.Arms[i]] == nil {
				c.s.t.Errorf("at %v an arm of %s has no release", now, id)
			}
		}
	}
}

// newest reports that the client ended at the server's state (reliable).
func (c *checker) newest(cl *Client, what string) {
	c.s.t.Helper()
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	v := cl.view.Load()
	if got := fmt.Sprintf("%d.%d", v.snapshot.Generation, v.snapshot.Revision); got != c.s.id() || fingerprint(v.snapshot.Prompts) != fingerprint(c.s.entries) {
		c.s.t.Errorf("%s: the client is at %s, the server at %s", what, got, c.s.id())
	}
}

const text = "You are the support assistant of a shop. Answer in short and friendly sentences."

// made is a prompt of a version with a text.
func made(version, system string) prompt.Prompt {
	return prompt.Prompt{
		Version: version, Model: "test-model-1", Parameters: json.RawMessage(`{"temperature":0.2}`),
		Messages:  []prompt.Message{{Role: prompt.System, Content: system}, {Role: prompt.User, Content: "{{question}}"}},
		Variables: map[string]prompt.Variable{"question": {}},
	}
}

func armOf(t testing.TB, name string, p prompt.Prompt) registry.Arm {
	t.Helper()
	v, err := prompt.ParseVersion(p.Version)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := p.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return registry.Arm{Name: name, Version: v, Digest: digest, Commit: "c0ffee"}
}

// runs is the entry of a release that runs for everybody.
func runs(t testing.TB, version, system string) *registry.Entry {
	t.Helper()
	p := made(version, system)
	a := armOf(t, registry.StableArm, p)
	d := registry.Deployment{Version: a.Version, Digest: a.Digest}
	r := d.Running()
	r.Arms[0].Commit = a.Commit
	return &registry.Entry{Rollout: r, Releases: map[string]prompt.Prompt{registry.StableArm: p}}
}

// canary is the entry of a rollout.
func canary(t testing.TB, stable, candidate prompt.Prompt, share registry.Share) *registry.Entry {
	t.Helper()
	r := registry.NewRollout(registry.Canary, registry.DefaultBucketing, "support#7", armOf(t, "", stable), armOf(t, "", candidate), nil)
	return &registry.Entry{Rollout: r.WithShare(share), Releases: map[string]prompt.Prompt{registry.StableArm: stable, registry.CandidateArm: candidate}}
}

func retired() *registry.Entry { return &registry.Entry{Removed: true} }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// options are those of a client of the server that keeps nothing on disk.
func (s *fakeServer) options() Options {
	return Options{
		Server: "http://incipit.test", Key: "incipit_sdk_1_secret_0", Environment: s.env, CacheDir: "-",
		HTTPClient: s.client(), Logger: quiet(),
	}
}

// connect makes a client that must start, and closes it at the end.
func connect(t *testing.T, o Options, tunes ...func(*tuning)) *Client {
	t.Helper()
	tun := defaultTuning()
	for _, f := range tunes {
		f(&tun)
	}
	c, err := open(t.Context(), o, tun)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, c) })
	return c
}

func shut(t *testing.T, c *Client) {
	t.Helper()
	if err := c.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

func ask(t *testing.T, c *Client, id string) Prompt {
	t.Helper()
	p, err := c.Prompt(context.Background(), id, "user-1", Vars{"question": "Where is my parcel?"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// settle lets time pass until everything that is due has happened.
func settle(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// A cutConn reads at most n bytes, and then breaks, or is heard no more.
type cutConn struct {
	net.Conn
	left   int
	frozen bool
	closed chan struct{}
	once   sync.Once
}

func cut(c net.Conn, n int, frozen bool) *cutConn {
	return &cutConn{Conn: c, left: n, frozen: frozen, closed: make(chan struct{})}
}

func (c *cutConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		if c.frozen {
			<-c.closed
		}
		return 0, io.ErrUnexpectedEOF
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

func (c *cutConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// A spool keeps what a hook was told.
type spool struct {
	mu      sync.Mutex
	changes []Change
}

func (s *spool) add(c Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changes = append(s.changes, c)
}

func (s *spool) all() []Change {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.changes)
}

func (s *spool) errors() (errs []string) {
	for _, c := range s.all() {
		if c.Err != nil {
			errs = append(errs, c.Err.Error())
		}
	}
	return errs
}

func copyOf(t testing.TB, env string, rev int64, savedAt time.Time, entries map[prompt.ID]*registry.Entry) []byte {
	t.Helper()
	data, err := registry.EncodeCopy(&registry.Snapshot{Environment: env, Generation: 1, Revision: rev, Prompts: entries}, savedAt)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
