package server

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// written is a log that costs what a log costs, but for the disk.
func written(c *Config) { c.Log = slog.New(slog.NewJSONHandler(io.Discard, nil)) }

// BenchmarkResolve asks for a prompt of 2 KB with 5 variables over HTTP on the
// loopback, and beside it a handler that answers the same bytes from memory.
func BenchmarkResolve(b *testing.B) {
	r := over(b, storetest.SQLite(b), written)
	system := strings.Repeat("You are patient, exact and short. ", 60)
	p := prompt.Prompt{
		ID: "big", Version: "1.0.0", Model: "m",
		Messages:  []prompt.Message{{Role: prompt.System, Content: system}, {Role: prompt.User, Content: "{{a}} {{b}} {{c}} {{d}} {{e}}"}},
		Variables: map[string]prompt.Variable{"a": {}, "b": {}, "c": {}, "d": {}, "e": {}},
	}
	digest, err := p.Digest()
	if err != nil {
		b.Fatal(err)
	}
	if _, _, err := r.db.AddReleases(b.Context(), []sqlstore.IndexedRelease{{
		Release:   registry.Release{Prompt: "big", Version: prompt.Version{Major: 1}, Tag: "big@1.0.0", Commit: "c", Digest: digest, Author: "a", At: time.Unix(0, 0)},
		TagObject: "t", Draft: prompt.Draft{Prompt: p},
	}}); err != nil {
		b.Fatal(err)
	}
	r.deploy("dev", "big", "1.0.0")
	key := r.key([]registry.Permission{registry.MayResolve}, "dev", "*")
	body := `{"prompt":"big","subject":"user-123","variables":{"a":"one","b":"two","c":"three","d":"four","e":"five"}}`
	fixed := r.send("POST", "/v1/environments/dev/resolve", key, body).body
	if len(fixed) < 2000 {
		b.Fatalf("%s", fixed)
	}
	still := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		_, _ = io.Copy(io.Discard, req.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(fixed)
	})}
	ln, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go func() { _ = still.Serve(ln) }()
	defer still.Close()

	// cpu is what this process, clients and server, has used: on a machine that
	// others use too it says more than the clock.
	cpu := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	load := func(url string, clients, each int) (perSecond float64, p50, p99 time.Duration) {
		took := make([][]time.Duration, clients)
		var wg sync.WaitGroup
		start := time.Now()
		for i := range clients {
			wg.Go(func() {
				c := &http.Client{Transport: &http.Transport{}}
				defer c.CloseIdleConnections()
				for range each {
					req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, url, strings.NewReader(body))
					if err != nil {
						b.Error(err)
						return
					}
					req.Header.Set("Authorization", "Bearer "+key)
					req.Header.Set("Content-Type", "application/json")
					t0 := time.Now()
					resp, err := c.Do(req)
					if err != nil {
						b.Error(err)
						return
					}
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
					took[i] = append(took[i], time.Since(t0))
					if resp.StatusCode != http.StatusOK {
						b.Errorf("status %d", resp.StatusCode)
						return
					}
				}
			})
		}
		wg.Wait()
		seconds := time.Since(start).Seconds()
		all := slices.Concat(took...)
		slices.Sort(all)
		return float64(len(all)) / seconds, all[len(all)/2], all[len(all)*99/100]
	}
	resolve, yard := r.url+"/v1/environments/dev/resolve", "http://"+ln.Addr().String()+"/"
	load(yard, 4, 500)
	load(resolve, 4, 500)
	for b.Loop() {
		t0 := cpu()
		load(resolve, 16, 1500)
		t1 := cpu()
		load(yard, 16, 1500)
		ours, theirs := (t1-t0)/(16*1500), (cpu()-t1)/(16*1500)
		fmt.Printf("CPU of client and server per request, 16 clients: resolve %v, yardstick %v → %.0f %% of its requests where nothing else runs\n", ours, theirs, 100*float64(theirs)/float64(ours))
		one, one50, one99 := load(resolve, 1, 4000)
		yardOne, yard50, yard99 := load(yard, 1, 4000)
		many, many50, many99 := load(resolve, 16, 1500)
		yardMany, yardMany50, yardMany99 := load(yard, 16, 1500)
		fmt.Printf("resolve, 1 client:   %6.0f req/s  p50 %v  p99 %v\nyardstick, 1 client: %6.0f req/s  p50 %v  p99 %v  → added p50 %v, p99 %v; %.0f %% of its requests\n",
			one, one50, one99, yardOne, yard50, yard99, one50-yard50, one99-yard99, 100*one/yardOne)
		fmt.Printf("resolve, 16 clients:   %6.0f req/s  p50 %v  p99 %v\nyardstick, 16 clients: %6.0f req/s  p50 %v  p99 %v  → %.0f %% of its requests\n",
			many, many50, many99, yardMany, yardMany50, yardMany99, 100*many/yardMany)
		b.ReportMetric(100*many/yardMany, "%-of-yardstick")
		b.ReportMetric(float64((one50 - yard50).Microseconds()), "added-p50-us")
	}
}

// BenchmarkResolveHandler is the handler alone, without a network.
func BenchmarkResolveHandler(b *testing.B) {
	r := over(b, storetest.SQLite(b), written)
	r.deploy("dev", "support", "1.0.0")
	key := r.key([]registry.Permission{registry.MayResolve}, "dev", "*")
	h := r.server.Handler()
	b.ReportAllocs()
	for b.Loop() {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, "http://127.0.0.1/v1/environments/dev/resolve", strings.NewReader(resolveBody))
		if err != nil {
			b.Fatal(err)
		}
		req.Header = http.Header{"Authorization": {"Bearer " + key}, "Content-Type": {"application/json"}}
		h.ServeHTTP(discard{make(http.Header)}, req)
	}
}

type discard struct{ h http.Header }

func (d discard) Header() http.Header         { return d.h }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

// BenchmarkDeployToVisible measures from the answer of the service, which is
// after the commit, and from the client's request, until each of 100 streams
// has read the patch.
func BenchmarkDeployToVisible(b *testing.B) {
	for _, kind := range []string{"sqlite", "postgres"} {
		b.Run(kind, func(b *testing.B) {
			d := storetest.SQLite
			if kind == "postgres" {
				d = storetest.Postgres
			}
			committed := make(chan time.Time, 1000)
			r := prepared(b, d(b), written, func(s *Server) {
				patches := s.hub.source.Patches
				s.hub.source.Patches = func(ctx context.Context, env string, after int64, limit int) ([]registry.Patch, error) {
					asked := time.Now()
					ps, err := patches(ctx, env, after, limit)
					if len(ps) > 0 {
						committed <- asked // the first thing after the commit
					}
					return ps, err
				}
			})
			r.deploy("dev", "support", "1.0.0")
			const clients = 100
			var seen [clients]chan time.Time
			for i := range clients {
				seen[i] = make(chan time.Time, 10)
				r.watch(b, func(id string) {
					if id != "1.1" {
						seen[i] <- time.Now()
					}
				})
			}
			until(b, func() bool { return r.server.streams.count() == clients })
			for len(committed) > 0 {
				<-committed
			}
			var fromCommit, fromAnswer, request []time.Duration
			n := 0
			for b.Loop() {
				for range 100 {
					n++
					t0 := time.Now()
					r.deploy("dev", "support", "1."+strconv.Itoa(n%2+1)+".0")
					answered := time.Now()
					request = append(request, answered.Sub(t0))
					at := <-committed
					for i := range clients {
						t := <-seen[i]
						fromCommit = append(fromCommit, t.Sub(at))
						fromAnswer = append(fromAnswer, max(0, t.Sub(answered)))
					}
				}
			}
			slices.Sort(fromCommit)
			slices.Sort(fromAnswer)
			slices.Sort(request)
			at := func(d []time.Duration, q int) time.Duration { return d[(len(d)-1)*q/100] }
			fmt.Printf("%s, %d clients, %d deploys: commit → visible p50 %v p99 %v max %v; answer → visible p50 %v p99 %v; yardstick, the deploy itself: p50 %v p99 %v\n",
				kind, clients, n, at(fromCommit, 50), at(fromCommit, 99), at(fromCommit, 100), at(fromAnswer, 50), at(fromAnswer, 99), at(request, 50), at(request, 99))
			b.ReportMetric(float64(at(fromCommit, 99).Microseconds()), "p99-us")
		})
	}
}

// watch follows dev, and tells the id of each event.
func (r *rig) watch(b *testing.B, tell func(id string)) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+"/v1/environments/dev/stream", nil)
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+r.admin)
	resp, err := r.client.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		defer resp.Body.Close()
		scanEvents(resp.Body, func(e event) {
			if !e.comment {
				tell(e.id)
			}
		})
	})
	b.Cleanup(func() { cancel(); wg.Wait() })
}

// BenchmarkReconnect has 2,000 clients come back at once, each with what it
// had, over 200 prompts of 2 KB; and then all of them anew.
func BenchmarkReconnect(b *testing.B) {
	const clients, prompts = 2000, 200
	d := storetest.SQLite(b)
	r := over(b, d, written)
	var releases []sqlstore.IndexedRelease
	for i := range prompts {
		releases = append(releases, released(b, prompt.ID(fmt.Sprintf("p%03d", i)), prompt.Version{Major: 1}, strings.Repeat("You are exact. ", 130)))
	}
	if _, _, err := r.db.AddReleases(b.Context(), releases); err != nil {
		b.Fatal(err)
	}
	for i := range prompts {
		if _, err := r.service.Do(r.asRoot(), registry.Request{Action: registry.Deploy, Prompt: prompt.ID(fmt.Sprintf("p%03d", i)), Environment: "dev", Version: "1.0.0"}); err != nil {
			b.Fatal(err)
		}
	}
	until(b, func() bool {
		return bytes.Contains(r.send("GET", "/metrics", r.admin, "").body, []byte(`incipit_environment_revision{environment="dev"} `+strconv.Itoa(prompts)))
	})
	addr := strings.TrimPrefix(r.url, "http://")
	for b.Loop() {
		for _, resume := range []string{fmt.Sprintf("Last-Event-ID: 1.%d\r\n", prompts-1), ""} {
			before := rss(b)
			start := time.Now()
			var wg sync.WaitGroup
			var current, tries atomic.Int64
			release := make(chan struct{})
			var peak int64
			for range clients {
				wg.Go(func() {
					pause := time.Duration(rand.Int64N(int64(time.Second))) // full jitter over the goaway's retry
					for {
						time.Sleep(pause)
						tries.Add(1)
						if follow(b.Context(), addr, r.admin, resume, "1."+strconv.Itoa(prompts), &current, release) {
							return
						}
						pause = time.Duration(rand.Int64N(int64(2 * time.Second)))
					}
				})
			}
			until60(b, func() bool {
				peak = max(peak, rss(b))
				return current.Load() == clients
			})
			took := time.Since(start)
			kind := "with snapshots"
			if resume != "" {
				kind = "resuming"
			}
			fmt.Printf("%d clients %s: all current after %v (1 s of it jitter), %d connects; RSS of server and clients together %d MB before, %d MB at most; snapshot %d KB\n",
				clients, kind, took.Round(time.Millisecond), tries.Load(), before>>20, peak>>20, len(r.send("GET", "/v1/environments/dev/snapshot", r.admin, "").body)>>10)
			b.ReportMetric(took.Seconds(), "s-"+strings.ReplaceAll(kind, " ", "-"))
			close(release)
			wg.Wait()
			until60(b, func() bool { return r.server.streams.count() == 0 })
		}
	}
}

func until60(b *testing.B, done func() bool) {
	b.Helper()
	for range 600 {
		if done() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	b.Fatal("not within 60 s")
}

// follow connects and reads until the id is there, holding what it uses small,
// then keeps the connection until release. It reports false if that failed.
func follow(ctx context.Context, addr, key, resume, want string, current *atomic.Int64, release <-chan struct{}) bool {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	defer c.Close()
	fmt.Fprintf(c, "GET /v1/environments/dev/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n%s\r\n", key, resume)
	mark := []byte("id: " + want + "\n")
	buf := make([]byte, 8<<10)
	kept := 0
	whole := false
	for {
		_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
		n, err := c.Read(buf[kept:])
		if err != nil {
			return false
		}
		data := buf[:kept+n]
		if bytes.Contains(data, mark) {
			whole = true
		}
		if whole && bytes.HasSuffix(data, []byte("\n\n\r\n")) {
			break
		}
		kept = copy(buf, data[max(0, len(data)-64):])
	}
	current.Add(1)
	<-release
	return true
}

// rss is the resident memory of this process.
func rss(b *testing.B) int64 {
	b.Helper()
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	pages, err := strconv.ParseInt(strings.Fields(string(data))[1], 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}
