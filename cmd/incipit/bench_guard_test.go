package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/incipit-dev/incipit"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

const (
	guardedClients = 100
	guardedCalls   = 500 // a second, of all clients together
	guardedLook    = 5 * time.Millisecond
)

// BenchmarkRollback measures how long a worse release is still served once the
// call that gives it away was recorded: from the answer of the server, a process
// of its own, to the batch with the deciding call in it, until each of a hundred
// clients of the SDK serves the stable release to a subject that had the
// candidate. A stub of a provider fails 6 % of the candidate's calls and 1 % of
// the stable release's; the canary has 5 %. INCIPIT_BENCH_ROLLOUTS says how many
// rollouts, 12 without it.
//
//	go test -run '^$' -bench Rollback -benchtime 1x ./cmd/incipit
func BenchmarkRollback(b *testing.B) {
	rollouts := 12
	if text := os.Getenv("INCIPIT_BENCH_ROLLOUTS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			b.Fatalf("INCIPIT_BENCH_ROLLOUTS is %q; it must be a number from 1", text)
		}
		rollouts = n
	}
	bin := buildProgram(b)
	repo := generateRepo(b, b.TempDir(), 20, 2)
	b.Run("SQLite", func(b *testing.B) {
		benchRollback(b, bin, repo, rollouts, "--data", filepath.Join(b.TempDir(), "data"))
	})
	b.Run("PostgreSQL", func(b *testing.B) {
		if err := storetest.Installed(); err != nil {
			b.Skip(err)
		}
		benchRollback(b, bin, repo, rollouts, "--database", storetest.NewServer(b).Database(b, "guarded"))
	})
}

func benchRollback(b *testing.B, bin string, repo benchRepo, rollouts int, flags ...string) {
	b.Helper()
	for b.Loop() {
		v := startFlooded(b, bin, repo.dir, flags...)
		a := startApplication(b, v.address, repo.id(0))
		a.deploy(registry.Request{Version: "1.0.0"})
		a.comesTo("each client serves the stable release", func() bool { return a.servesStable("anybody") == guardedClients })
		a.begin()
		a.comesTo("there is a past to compare with", func() bool { return a.acks.calls.Load() > 10*guardedCalls })
		var took, each, decided []time.Duration
		var needed []int
		for range rollouts {
			r := a.rollout()
			took, each = append(took, r.each[len(r.each)-1]), append(each, r.each...)
			decided, needed = append(decided, r.decided), append(needed, r.needed)
		}
		a.end()
		v.stop()
		slices.Sort(took)
		slices.Sort(each)
		slices.Sort(decided)
		slices.Sort(needed)
		at := func(all []time.Duration, percent int) time.Duration {
			return all[(len(all)-1)*percent/100].Round(time.Millisecond)
		}
		last := len(took) - 1
		fmt.Printf("rollback of %s: %d rollouts under %d calls/s; from the answer to the deciding call until the last of %d clients is back: p50 %v, p99 %v, max %v; of each client: p50 %v, p99 %v; until it was decided: p50 %v, max %v; calls of the candidate until then: median %d, %d to %d\n",
			b.Name(), len(took), guardedCalls, guardedClients, at(took, 50), took[(len(took)*99+99)/100-1].Round(time.Millisecond), took[last].Round(time.Millisecond),
			at(each, 50), at(each, 99), at(decided, 50), decided[last].Round(time.Millisecond), needed[len(needed)/2], needed[0], needed[last])
		b.ReportMetric(float64(at(took, 50).Milliseconds()), "ms-p50")
		b.ReportMetric(float64(took[last].Milliseconds()), "ms-max")
		b.ReportMetric(float64(needed[len(needed)/2]), "candidate-calls")
	}
}

// An application is a hundred instances of one, with a client each, and what
// they know of a prompt.
type application struct {
	*testing.B
	at      registry.Place
	server  *api.Client
	acks    *acks
	clients []*incipit.Client
	subject atomic.Int64
	stop    context.CancelFunc
	calling sync.WaitGroup
	keys    int
}

func startApplication(b *testing.B, address, id string) *application {
	b.Helper()
	a := &application{B: b, at: registry.Place{Prompt: prompt.ID(id), Environment: "dev"}, acks: &acks{at: make(map[string]time.Time), next: http.DefaultTransport.(*http.Transport).Clone()}}
	a.acks.next.MaxIdleConnsPerHost = 2 * guardedClients
	var err error
	if a.server, err = api.NewClient(api.ClientConfig{Server: "http://" + address, Once: func() string { a.keys++; return fmt.Sprint("bench-", a.keys) }}); err != nil {
		b.Fatal(err)
	}
	for range guardedClients {
		c, err := incipit.New(b.Context(), incipit.Options{
			Server: "http://" + address, Environment: a.at.Environment, CacheDir: "-", StartTimeout: 30 * time.Second,
			HTTPClient: &http.Client{Transport: a.acks}, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			b.Fatal(err)
		}
		a.clients = append(a.clients, c)
	}
	return a
}

// begin lets every instance make calls, at an even pace, until end.
func (a *application) begin() {
	ctx, stop := context.WithCancel(context.Background())
	a.stop = stop
	for i, c := range a.clients {
		a.calling.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 9))
			t := time.NewTicker(time.Second * guardedClients / guardedCalls)
			defer t.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-t.C:
					a.call(c, r)
				}
			}
		})
	}
}

// call asks for a prompt, as for a user, and a stub of a provider for an answer.
func (a *application) call(c *incipit.Client, r *rand.Rand) {
	p, err := a.ask(c, fmt.Sprint("user-", a.subject.Add(1)))
	if err != nil {
		a.Error(err)
		return
	}
	call := p.Call()
	call.StartedAt = time.Now()
	call.Latency = time.Duration(400+r.IntN(800)) * time.Millisecond
	call.OutputTokens = 200 + r.Int64N(200)
	call.Outcome = "ok"
	fails := .01
	if p.Arm == registry.CandidateArm {
		fails = .06
	}
	if r.Float64() < fails {
		call.Outcome, call.ErrorClass = "error", "prompt"
	}
	c.Record(call)
}

func (a *application) ask(c *incipit.Client, subject string) (incipit.Prompt, error) {
	return c.Prompt(context.Background(), string(a.at.Prompt), incipit.Subject(subject), incipit.Vars{"company": "Example", "question": "Why?"})
}

// end stops the calls, and closes the clients.
func (a *application) end() {
	a.stop()
	a.calling.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for _, c := range a.clients {
		if err := c.Close(ctx); err != nil {
			a.Error(err)
		}
	}
}

func (a *application) deploy(req registry.Request) {
	a.Helper()
	req.Action, req.Prompt, req.Environment, req.Quarantined = registry.Deploy, a.at.Prompt, a.at.Environment, true
	if _, err := a.server.Do(a.Context(), req); err != nil {
		a.Fatal(err)
	}
}

// servesStable is how many clients serve the stable release to a subject.
func (a *application) servesStable(subject string) (n int) {
	for _, c := range a.clients {
		if p, err := a.ask(c, subject); err == nil && p.Arm == registry.StableArm {
			n++
		}
	}
	return n
}

func (a *application) comesTo(what string, met func() bool) {
	a.Helper()
	deadline := time.Now().Add(5 * time.Minute)
	t := time.NewTicker(guardedLook)
	defer t.Stop()
	for !met() {
		if <-t.C; time.Now().After(deadline) {
			a.Fatal("waited in vain: " + what)
		}
	}
}

// A rolledBack is what was measured of a rollout.
type rolledBack struct {
	each    []time.Duration // of the clients, sorted
	decided time.Duration
	needed  int // calls of the candidate until it was decided
}

// rollout starts a canary and watches it until it is taken back.
func (a *application) rollout() rolledBack {
	a.Helper()
	a.acks.forget()
	a.deploy(registry.Request{Version: "1.1.0", Strategy: registry.Canary, Steps: []registry.Share{5_000, 50_000}})
	subject := a.candidates()
	a.comesTo("each client serves the candidate", func() bool { return a.servesStable(subject) == 0 })
	back := make([]time.Time, len(a.clients))
	a.comesTo("each client is back", func() bool {
		all := true
		for i, c := range a.clients {
			if !back[i].IsZero() {
				continue
			}
			p, err := a.ask(c, subject)
			if err != nil {
				a.Fatal(err)
			}
			if all = all && p.Arm == registry.StableArm; p.Arm == registry.StableArm {
				back[i] = time.Now()
			}
		}
		return all
	})
	return a.measured(back)
}

// candidates is a subject whom the open rollout gives the candidate.
func (a *application) candidates() string {
	a.Helper()
	snap, err := a.server.Snapshot(a.Context(), a.at.Environment, a.at.Prompt)
	if err != nil {
		a.Fatal(err)
	}
	for i := range 10_000 {
		subject := fmt.Sprint("watched-", i)
		if snap.Prompts[a.at.Prompt].Rollout.Assign(subject).Name == registry.CandidateArm {
			return subject
		}
	}
	a.Fatal("nobody has the candidate")
	return ""
}

// measured holds the times when clients were back against the answer to the
// deciding call.
func (a *application) measured(back []time.Time) (r rolledBack) {
	a.Helper()
	report, err := a.server.Rollout(a.Context(), a.at, 0)
	if err != nil {
		a.Fatal(err)
	}
	last := report.Decisions[len(report.Decisions)-1]
	var evidence struct{ Calls struct{ Candidate int } }
	if err := json.Unmarshal(last.Evidence, &evidence); err != nil {
		a.Fatal(err)
	}
	again, err := a.server.ReplayRollout(a.Context(), a.at, report.Opened, registry.GuardRules{})
	if err != nil {
		a.Fatal(err)
	}
	end := again.Verdicts[len(again.Verdicts)-1]
	if last.Kind != registry.DecisionRollback || end.Verdict != "regressed" || end.Cursor != last.Cursor {
		a.Fatalf("it ended by %+v, and is judged again as %+v", last, end)
	}
	acked, ok := a.acks.of(end.Call.String())
	if !ok { // the decision may be faster than its answer
		a.comesTo("the deciding call is answered", func() bool { acked, ok = a.acks.of(end.Call.String()); return ok })
	}
	for _, at := range back {
		r.each = append(r.each, at.Sub(acked))
	}
	slices.Sort(r.each)
	r.decided, r.needed = last.At.Sub(acked), evidence.Calls.Candidate
	return r
}

// acks are the times when the server answered to calls, by their ids.
type acks struct {
	next  *http.Transport
	calls atomic.Int64
	mu    sync.Mutex
	at    map[string]time.Time
}

func (a *acks) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Path != "/v1/calls" || req.GetBody == nil {
		return a.next.RoundTrip(req)
	}
	body, err := req.GetBody()
	if err != nil {
		return nil, err
	}
	packed, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	resp, err := a.next.RoundTrip(req)
	if err == nil && resp.StatusCode == http.StatusOK {
		err = a.note(packed, time.Now())
	}
	return resp, err
}

func (a *acks) note(packed []byte, now time.Time) error {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	lines := bufio.NewScanner(z)
	for lines.Scan() {
		var c struct{ ID string }
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			return err
		}
		a.at[c.ID] = now
		a.calls.Add(1)
	}
	return lines.Err()
}

func (a *acks) of(id string) (time.Time, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	at, ok := a.at[id]
	return at, ok
}

func (a *acks) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.at)
}
