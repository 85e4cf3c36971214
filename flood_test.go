package incipit

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// floodServer serves s over a real network, with b to take calls.
func floodServer(t testing.TB, s *fakeServer, b http.Handler) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/environments/{env}/stream", s.stream)
	mux.HandleFunc("GET /v1/environments/{env}/snapshot", s.snapshot)
	mux.Handle("POST /v1/calls", b)
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv
}

// A toll takes a batch in a fixed time, and counts the calls of it.
type toll struct {
	each  time.Duration
	calls atomic.Int64
}

func (l *toll) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	z, err := gzip.NewReader(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	lines, err := io.ReadAll(z)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	n := bytes.Count(lines, []byte("\n"))
	l.calls.Add(int64(n))
	<-time.After(l.each)
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"accepted":%d,"duplicates":0,"rejected":[]}`, n)
}

// flood records perSecond calls, evenly, until stop is closed, and answers how
// many those were.
func flood(c *Client, perSecond int, stop <-chan struct{}) int64 {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	call := Call{
		ID: "01920000-0000-7000-8000-000000000000", Prompt: "support", Version: "1.0.0", Environment: "production", Arm: "stable", Share: 100,
		Subject: "user-42", Model: "test-model-1", StartedAt: time.Now(), Latency: time.Second, Outcome: "ok", ResponseID: "resp-1",
		InputTokens: 120, OutputTokens: 30, Tags: map[string]string{"team": "support"},
	}
	put := int64(0)
	for {
		select {
		case <-stop:
			return put
		case <-tick.C:
			for range perSecond / 100 {
				c.Record(call)
				put++
			}
		}
	}
}

// inUse is the live heap, after a collection.
func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// flooded is a client of a server whose capacity is 5,000 calls a second.
func flooded(t testing.TB) (*Client, *toll) {
	t.Helper()
	s := &fakeServer{
		env: "production", gen: 1, entries: make(map[prompt.ID]*registry.Entry), patches: make(map[int64][]byte),
		history: make(map[string]string), change: make(chan struct{}), bye: make(chan int64),
	}
	e, _ := large(t)
	s.deploy("support", e)
	l := &toll{each: 100 * time.Millisecond} // for 500
	srv := floodServer(t, s, l)
	o := Options{Server: srv.URL, Environment: "production", CacheDir: "-", Logger: quiet(), StartTimeout: 30 * time.Second}
	c, err := New(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		_ = c.Close(ctx)
	})
	return c, l
}

func TestAFloodFillsNoMemoryAndIsCounted(t *testing.T) {
	c, l := flooded(t)
	before := inUse()
	stop, done := make(chan struct{}), make(chan int64)
	go func() { done <- flood(c, 100_000, stop) }() // 20 × the capacity
	var heaps []uint64
	for range 10 {
		<-time.After(200 * time.Millisecond)
		heaps = append(heaps, (inUse()-before)>>10)
	}
	close(stop)
	put := <-done
	s := balance(t, c, put)
	if most := slices.Max(heaps); most > 48<<10 {
		t.Errorf("the heap grew by %d KiB", most)
	}
	if s.Dropped == 0 || s.Queued > 10_500 {
		t.Errorf("the status says %+v", s)
	}
	if err := c.Close(context.Background()); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("not delivered: %d", s.Dropped)) {
		t.Errorf("Close says %v", err)
	}
	if s = balance(t, c, put); s.Delivered != l.calls.Load() || s.Queued != 0 {
		t.Errorf("%d calls came, and the status says %+v", l.calls.Load(), s)
	}
	t.Logf("%d calls in a flood, %d delivered, %d dropped; the heap grew by %v KiB", put, s.Delivered, s.Dropped, heaps)
}

func BenchmarkRecord(b *testing.B) {
	for _, where := range []string{"with a server", "with none"} {
		b.Run(where, func(b *testing.B) {
			var c *Client
			if c, _ = flooded(b); where == "with none" {
				c, _ = served(b)
			}
			vars := Vars{"product": "a shop", "tone": "kind", "language": "English", "history": "none", "question": "Where is my parcel?"}
			if where == "with none" {
				vars = Vars{"question": "?"}
			}
			p, err := c.Prompt(context.Background(), "support", "user-1", vars)
			if err != nil {
				b.Fatal(err)
			}
			call := p.Call()
			call.StartedAt, call.Latency, call.Outcome = time.Now(), time.Second, "ok"
			for range 12_000 { // the queue is full
				c.Record(call)
			}
			b.ReportAllocs()
			for b.Loop() {
				c.Record(call)
			}
		})
	}
}

// BenchmarkPromptUnderFlood prints the percentiles of Client.Prompt, quiet and
// with 20 times as many calls recorded as the server takes. The two take turns,
// so that what else the machine does hits both.
func BenchmarkPromptUnderFlood(b *testing.B) {
	c, _ := flooded(b)
	_, vars := large(b)
	ask := func(n int) []time.Duration {
		took := make([]time.Duration, 0, n)
		for range n {
			start := time.Now()
			if _, err := c.Prompt(context.Background(), "support", "user-1", vars); err != nil {
				b.Fatal(err)
			}
			if took = append(took, time.Since(start)); len(took)%100 == 0 {
				<-time.After(time.Millisecond) // a program does other things, too
			}
		}
		return took
	}
	var quietly, underFlood []time.Duration
	for b.Loop() {
		for c.Status().Queued > 0 {
			<-time.After(10 * time.Millisecond)
		}
		quietly = append(quietly, ask(20_000)...)
		stop := make(chan struct{})
		var flooding sync.WaitGroup
		flooding.Go(func() { flood(c, 100_000, stop) })
		underFlood = append(underFlood, ask(20_000)...)
		close(stop)
		flooding.Wait()
	}
	for name, took := range map[string][]time.Duration{"quiet": quietly, "flood": underFlood} {
		slices.Sort(took)
		for _, p := range []int{50, 99} {
			b.ReportMetric(float64(took[len(took)*p/100].Nanoseconds()), fmt.Sprintf("%s-p%d-ns", name, p))
		}
	}
	s := c.Status()
	b.ReportMetric(float64(s.Dropped), "dropped")
}
