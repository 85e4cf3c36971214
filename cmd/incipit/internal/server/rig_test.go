package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/auth"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/calllog"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/lifecycle"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/notify"
	gitsource "github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// A rig is a server that runs over a database, with releases to deploy.
type rig struct {
	testing.TB
	db      *sqlstore.Store
	service *lifecycle.Shared
	server  *Server
	url     string
	admin   string
	client  *http.Client
	stop    func() error // sends the server away and waits for it
	log     *lockedBuffer
	file    string // of the database, where it is SQLite
	before  func(*Server)
	away    atomic.Bool // the keys cannot be looked up
	calls   *calllog.Log
	remote  *gitsource.Remote // nil: the server has no Git
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// sqlite is a rig over a fresh SQLite database.
func sqlite(t testing.TB, edit func(*Config)) *rig {
	t.Helper()
	return over(t, storetest.SQLite(t), edit)
}

// each runs a test over both databases.
func each(t *testing.T, f func(*rig)) {
	t.Helper()
	storetest.EachDatabase(t, func(t *testing.T, d storetest.Database) {
		t.Helper()
		f(over(t, d, nil))
	})
}

func over(t testing.TB, d storetest.Database, edit func(*Config)) *rig {
	t.Helper()
	return prepared(t, d, edit, nil)
}

// prepared is over for a server that is changed before it runs.
func prepared(t testing.TB, d storetest.Database, edit func(*Config), before func(*Server)) *rig {
	t.Helper()
	d.Config.Now, d.Config.Random = time.Now, rand.Reader
	r := &rig{TB: t, db: d.Open(t), log: new(lockedBuffer), file: filepath.Join(d.Config.Dir, "incipit.db"), before: before}
	seed(t, r.db)
	r.calls = openCalls(t, d)
	r.serve(edit)
	return r
}

// openCalls opens the log of calls beside a database.
func openCalls(t testing.TB, d storetest.Database) *calllog.Log {
	t.Helper()
	l, err := calllog.Open(t.Context(), calllog.Config{Dir: d.Config.Dir, URL: d.Config.URL, Now: time.Now, Random: rand.Reader, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// seed gives a database environments and releases.
func seed(t testing.TB, db *sqlstore.Store) {
	t.Helper()
	for _, e := range []registry.Environment{{Name: "dev"}, {Name: "staging"}, {Name: "production", Protected: true}} {
		if err := db.SetEnvironment(t.Context(), e, registry.Event{Actor: "test", Action: "environment"}); err != nil {
			t.Fatal(err)
		}
	}
	var releases []sqlstore.IndexedRelease
	for _, id := range []prompt.ID{"support", "billing/refunds", "other"} {
		for minor := range uint32(4) {
			releases = append(releases, released(t, id, prompt.Version{Major: 1, Minor: minor}, fmt.Sprintf("You answer for %s, %d.", id, minor)))
		}
	}
	if _, problems, err := db.AddReleases(t.Context(), releases); err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
}

func released(t testing.TB, id prompt.ID, v prompt.Version, system string) sqlstore.IndexedRelease {
	t.Helper()
	p := prompt.Prompt{
		ID: id, Version: v.String(), Model: "echo", Parameters: json.RawMessage(`{"temperature":0}`),
		Messages:  []prompt.Message{{Role: prompt.System, Content: system}, {Role: prompt.User, Content: "{{name}} asks: {{question}}"}},
		Variables: map[string]prompt.Variable{"name": {}, "question": {MaxLength: 2000}},
	}
	digest, err := p.Digest()
	if err != nil {
		t.Fatal(err)
	}
	tag := string(id) + "@" + v.String()
	return sqlstore.IndexedRelease{
		Release: registry.Release{
			Prompt: id, Version: v, Tag: tag, Commit: "c0ffee" + fmt.Sprint(v.Minor), Digest: digest, Author: "Ada <ada@example.com>",
			At: time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC), Notes: "for tests",
		},
		TagObject: short(tag), Draft: prompt.Draft{Prompt: p, Metadata: prompt.Metadata{Name: string(id), Version: v.String(), Model: "echo"}},
	}
}

// serve starts a server over the rig's database.
func (r *rig) serve(edit func(*Config)) {
	r.Helper()
	log := slog.New(slog.NewJSONHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	figures := NewCallFigures(time.Now)
	sender, err := notify.New(notify.Config{Now: time.Now})
	if err != nil {
		r.Fatal(err)
	}
	r.service = lifecycle.NewShared(lifecycle.SharedConfig{Store: r.db, Now: time.Now, Random: rand.Reader, Log: log, Calls: r.calls, Observe: figures.Observe, Notify: sender, Remote: r.remote, TestDraft: passing})
	c := Config{
		Service: r.service, Figures: figures, Now: time.Now, Random: rand.Reader, Log: log, Version: "test",
		Verifier: auth.NewVerifier(auth.VerifierConfig{Find: r.service.FindKey, Version: r.keysVersion, Now: time.Now, MaxAge: 100 * time.Millisecond}),
	}
	if edit != nil {
		edit(&c)
	}
	if r.server, err = New(c); err != nil {
		r.Fatal(err)
	}
	if r.before != nil {
		r.before(r.server)
	}
	ln, err := (&net.ListenConfig{}).Listen(r.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		r.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	done := make(chan error, 1)
	others := goleak.IgnoreCurrent()
	go func() { done <- r.server.Run(ctx, ln) }()
	r.stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	r.url = "http://" + ln.Addr().String()
	r.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r.Cleanup(func() {
		r.client.CloseIdleConnections()
		if err := r.stop(); err != nil {
			r.Error(err)
		}
		if err := goleak.Find(others, goleak.IgnoreTopFunction("database/sql.(*DB).connectionOpener"), goleak.IgnoreTopFunction("database/sql.(*DB).connectionCleaner")); err != nil {
			r.Error(err)
		}
	})
	r.admin = r.key(registry.Permissions(), "*", "*")
}

// passing is a run of tests in which all is well.
func passing(_ context.Context, q registry.DraftTest) (registry.DraftReport, error) {
	return registry.DraftReport{Suite: "tests/" + string(q.Prompt) + ".yaml", Passed: 1, Cases: []registry.DraftCase{{Number: 1, Description: "greets", Outcome: "pass", Output: "Hello"}}, Found: []prompt.Finding{}}, nil
}

func (r *rig) keysVersion(ctx context.Context) (int64, error) {
	if r.away.Load() {
		return 0, registry.Errorf(registry.ErrUnavailable, "the database is away")
	}
	return r.service.KeysVersion(ctx)
}

// asRoot is a context in which whoever may do everything asks.
func (r *rig) asRoot() context.Context {
	return registry.WithCaller(context.WithoutCancel(r.Context()), registry.Caller{Name: "root", Kind: "test", Source: "local", Grants: dev().Grants})
}

// key makes a key.
func (r *rig) key(ps []registry.Permission, env, prompts string) string {
	r.Helper()
	text, _ := r.keyOf(0, registry.Grant{Permissions: ps, Environments: []string{env}, Prompts: []string{prompts}})
	return text
}

func (r *rig) keyOf(ttl time.Duration, grants ...registry.Grant) (text, id string) {
	r.Helper()
	text, key, err := r.service.CreateKey(r.asRoot(), lifecycle.KeyRequest{Kind: "ci", Name: "test key", Grants: grants, TTL: ttl})
	if err != nil {
		r.Fatal(err)
	}
	return text, key.ID
}

// A got is an answer.
type got struct {
	status int
	header http.Header
	body   []byte
}

func (g got) problem(t testing.TB) api.Problem {
	t.Helper()
	var p api.Problem
	if err := json.Unmarshal(g.body, &p); err != nil || g.header.Get("Content-Type") != api.ProblemType {
		t.Fatalf("%d %s is no problem: %.200s", g.status, g.header.Get("Content-Type"), g.body)
	}
	return p
}

func decode[T any](t testing.TB, g got) (v T) {
	t.Helper()
	if g.status >= 300 {
		t.Fatalf("%d: %s", g.status, g.body)
	}
	if err := json.Unmarshal(g.body, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// send sends a request. Headers are pairs of name and value.
func (r *rig) send(method, path, key, body string, headers ...string) got {
	r.Helper()
	return r.sendWithin(10*time.Second, method, path, key, body, headers...)
}

func (r *rig) sendWithin(d time.Duration, method, path, key, body string, headers ...string) got {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), d)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, r.url+path, strings.NewReader(body))
	if err != nil {
		r.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
	}
	resp, err := r.client.Do(req)
	if err != nil {
		r.Fatal(err)
	}
	defer resp.Body.Close()
	g := got{status: resp.StatusCode, header: resp.Header}
	if resp.Header.Get("Content-Type") == "text/event-stream" {
		return g
	}
	if g.body, err = io.ReadAll(resp.Body); err != nil {
		r.Fatal(err)
	}
	return g
}

// deploy deploys a release by the API.
func (r *rig) deploy(env, id, version string) registry.Receipt {
	r.Helper()
	g := r.send("POST", "/v1/environments/"+env+"/prompts/"+strings.ReplaceAll(id, "/", "%2F")+"/deploy", r.admin, `{"version":"`+version+`","confirm":"`+env+`"}`)
	return decode[registry.Receipt](r, g)
}
