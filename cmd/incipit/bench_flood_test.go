package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/internal/registry"
)

// floodVariable makes a run of BenchmarkFlood the process that floods.
const floodVariable = "INCIPIT_BENCH_FLOOD"

// floodRounds is how often each is measured.
const floodRounds = 5

// floodBatch is how many calls a request brings.
const floodBatch = 500

// BenchmarkFlood sends a server 20 times the calls that it can take. Server,
// flood and whoever resolves are processes of their own; the flood has the
// lowest priority, as if it were on another machine, but shares the processors.
// The yardstick of resolve is the same flood against a process that throws it
// away: what is left is what the server's own work costs.
//
//	go test -run '^$' -bench Flood -benchtime 1x ./cmd/incipit
func BenchmarkFlood(b *testing.B) {
	if plan := os.Getenv(floodVariable); plan != "" {
		floodAs(b, plan)
		return
	}
	bin := buildProgram(b)
	repo := generateRepo(b, b.TempDir(), 20, 2)
	for b.Loop() {
		v := startFlooded(b, bin, repo.dir, "--data", filepath.Join(b.TempDir(), "data"))
		sink := startFlood(b, floodPlan{Sink: true})
		capacity := startFlood(b, floodPlan{Address: v.address, Prompt: repo.id(1), Clients: 8, Batches: 2500, Seconds: 8}).result(b)
		rate := float64(capacity.Accepted) / capacity.Seconds
		fmt.Printf("capacity: %.0f calls/s, durable, 8 senders of %d calls, packed; the server's memory then %d MB at most\n", rate, floodBatch, v.rss()>>20)
		b.ReportMetric(rate, "calls/s")

		plan := floodPlan{Prompt: repo.id(1), Clients: 600, Batches: 2500, PerSecond: 20 * rate / floodBatch, Address: sink.address}
		beside := startFlood(b, plan)
		plan.Address = v.address
		flood := startFlood(b, plan)
		before := v.rss()
		v.watch()
		var alone, sunk, under spread
		for range floodRounds { // in turns, because others use the machine, too
			alone.add(v.resolving(repo.id(0), 2*time.Second))
			beside.goOn(b, true)
			sunk.add(v.resolving(repo.id(0), 2*time.Second))
			beside.goOn(b, false)
			flood.goOn(b, true)
			under.add(v.resolving(repo.id(0), 2*time.Second))
			flood.goOn(b, false)
		}
		thrown, got := beside.end(b), flood.end(b)
		peak := v.watched()
		sink.stop()
		time.Sleep(2 * time.Second)
		fmt.Printf("resolve alone:            %s\nresolve beside the flood: %s (%.0f requests/s thrown away by another process)\nresolve under the flood:  %s\n",
			&alone, &sunk, float64(thrown.Refused)/thrown.Seconds, &under)
		fmt.Printf("flood: %.0f calls/s offered (%.1f times the capacity), %.0f calls/s accepted; %d requests taken, %d refused, %d broken; memory of the server %d MB before, %d MB at most, %d MB after\n",
			float64(got.Batches+got.Refused)*floodBatch/got.Seconds, float64(got.Batches+got.Refused)*floodBatch/got.Seconds/rate, float64(got.Accepted)/got.Seconds, got.Batches, got.Refused, got.Broken, before>>20, peak>>20, v.rss()>>20)
		counted, refused, total := v.counted(repo.id(1))
		fmt.Printf("accepted, as told to the senders: %d; in the log: %d; in the metrics: %d; refused requests told: %d, in the metrics: %d\n",
			capacity.Accepted+got.Accepted, total, counted, capacity.Refused+got.Refused, refused)
		if sum := capacity.Accepted + got.Accepted; sum != total || sum != counted || capacity.Refused+got.Refused != refused {
			b.Error("what was told and what was kept differ")
		}
		b.ReportMetric(100*(float64(under.at(99))/float64(sunk.at(99))-1), "%-p99-beside")
		b.ReportMetric(100*(float64(under.at(99))/float64(alone.at(99))-1), "%-p99-alone")
		b.ReportMetric(float64(peak>>20), "MB-peak")
		v.stop()
	}
}

// A flooded is a server in a process of its own.
type flooded struct {
	*testing.B
	cmd     *exec.Cmd
	address string // host and port
	done    chan struct{}
	peak    atomic.Int64
	wg      sync.WaitGroup
}

func startFlooded(b *testing.B, bin, repo string, flags ...string) *flooded {
	b.Helper()
	v := &flooded{B: b, cmd: exec.Command(bin, append([]string{"serve", "--dev", "--listen", "127.0.0.1:0", "--repo", repo}, flags...)...)}
	v.cmd.Env = append(os.Environ(), "INCIPIT_SERVER=")
	stderr, err := v.cmd.StderrPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := v.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	lines := bufio.NewReader(stderr)
	for v.address == "" {
		line, err := lines.ReadString('\n')
		if err != nil {
			b.Fatalf("incipit serve ended: %v", err)
		}
		if _, rest, ok := strings.Cut(line, "msg=listening address=http://"); ok {
			v.address, _, _ = strings.Cut(rest, " ")
		}
	}
	v.wg.Go(func() { _, _ = io.Copy(os.Stderr, lines) })
	ready(b, "http://"+v.address+"/readyz")
	return v
}

func (v *flooded) stop() {
	if err := v.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		v.Error(err)
	}
	v.wg.Wait()
	if err := v.cmd.Wait(); err != nil {
		v.Error(err)
	}
}

// rss is the server's resident memory.
func (v *flooded) rss() int64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", v.cmd.Process.Pid))
	if err != nil {
		v.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(data))[1], 10, 64)
	if err != nil {
		v.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// watch notes the largest memory until watched.
func (v *flooded) watch() {
	v.done = make(chan struct{})
	v.wg.Go(func() {
		t := time.NewTicker(50 * time.Millisecond)
		defer t.Stop()
		for {
			select {
			case <-v.done:
				return
			case <-t.C:
				v.peak.Store(max(v.peak.Load(), v.rss()))
			}
		}
	})
}

func (v *flooded) watched() int64 {
	close(v.done)
	return v.peak.Load()
}

// counted is what the metrics say was recorded and refused, and what the log
// has.
func (v *flooded) counted(id string) (recorded, refused, total int64) {
	ask := func(path string) []byte {
		resp, err := http.Get("http://" + v.address + path)
		if err != nil {
			v.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			v.Fatalf("%s: %s %s %v", path, resp.Status, body, err)
		}
		return body
	}
	metrics := ask("/metrics")
	sum := func(expr string) (n int64) {
		for _, m := range regexp.MustCompile(`(?m)^`+expr+` ([0-9.e+]+)$`).FindAllSubmatch(metrics, -1) {
			f, err := strconv.ParseFloat(string(m[1]), 64)
			if err != nil {
				v.Fatal(err)
			}
			n += int64(f)
		}
		return n
	}
	var stats registry.Stats
	if err := json.Unmarshal(ask("/v1/stats?since=2h&prompt="+strings.ReplaceAll(id, "/", "%2F")), &stats); err != nil {
		v.Fatal(err)
	}
	return sum(`incipit_calls_total\{[^}]*\}`), sum("incipit_calls_refused_total"), stats.TotalCalls
}

// A spread is how long requests took, in all rounds and by round.
type spread struct {
	all []time.Duration
	p99 []time.Duration // of each round
}

func (s *spread) add(round []time.Duration) {
	slices.Sort(round)
	s.p99 = append(s.p99, round[len(round)*99/100])
	s.all = append(s.all, round...)
}

func (s *spread) at(percent int) time.Duration {
	slices.Sort(s.all)
	return s.all[len(s.all)*percent/100]
}

func (s *spread) String() string {
	slices.Sort(s.p99)
	return fmt.Sprintf("p50 %v p99 %v of %d; p99 by round %v to %v, the median %v",
		s.at(50), s.at(99), len(s.all), s.p99[0], s.p99[len(s.p99)-1], s.p99[len(s.p99)/2])
}

// resolving asks for a prompt again and again, with four clients that pause: what
// is measured is how long a request takes, and not how many there can be.
func (v *flooded) resolving(id string, d time.Duration) []time.Duration {
	var mu sync.Mutex
	var all []time.Duration
	var wg sync.WaitGroup
	body := fmt.Sprintf(`{"prompt":%q,"subject":"user-1","variables":{"company":"Example","question":"Why?"}}`, id)
	until := time.Now().Add(d)
	for range 4 {
		wg.Go(func() {
			c := &http.Client{Transport: &http.Transport{}}
			defer c.CloseIdleConnections()
			var took []time.Duration
			for time.Now().Before(until) {
				t0 := time.Now()
				resp, err := c.Post("http://"+v.address+"/v1/environments/dev/resolve", "application/json", strings.NewReader(body))
				if err != nil {
					v.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				took = append(took, time.Since(t0))
				if resp.StatusCode != http.StatusOK {
					v.Errorf("resolve: %s", resp.Status)
					return
				}
				time.Sleep(2 * time.Millisecond)
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
		})
	}
	wg.Wait()
	if len(all) == 0 {
		v.Fatal("nothing was resolved")
	}
	return all
}

// A floodPlan says what a process that floods does.
type floodPlan struct {
	Address   string
	Prompt    string
	Clients   int
	Batches   int     // that are there to be sent, each until it is taken
	Seconds   float64 // how long; 0 is when it is told to, line by line
	PerSecond float64 // requests; 0 is as fast as answers come
	Sink      bool    // be the process that throws a flood away
}

// A flooding is a process that floods.
type flooding struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	address string // of a sink
}

// A floodResult is what came of it. Seconds is how long it took.
type floodResult struct {
	Accepted, Batches, Refused, Broken int64
	Seconds                            float64
}

// startFlood starts one, and returns when it has begun.
func startFlood(b *testing.B, p floodPlan) *flooding {
	b.Helper()
	plan, err := json.Marshal(p)
	if err != nil {
		b.Fatal(err)
	}
	f := &flooding{cmd: exec.Command(os.Args[0], "-test.run=^$", "-test.bench=^BenchmarkFlood$", "-test.benchtime=1x")}
	f.cmd.Env = append(os.Environ(), floodVariable+"="+string(plan))
	f.cmd.Stderr = os.Stderr
	out, err := f.cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if f.in, err = f.cmd.StdinPipe(); err != nil {
		b.Fatal(err)
	}
	if err := f.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	f.out = bufio.NewReader(out)
	f.address = f.line(b, "flood ready ")
	return f
}

func (f *flooding) line(b *testing.B, prefix string) string {
	b.Helper()
	for {
		line, err := f.out.ReadString('\n')
		if err != nil {
			b.Fatalf("the flood ended: %v", err)
		}
		if rest, ok := strings.CutPrefix(line, prefix); ok {
			return strings.TrimSpace(rest)
		}
	}
}

func (f *flooding) result(b *testing.B) floodResult {
	b.Helper()
	var r floodResult
	if err := json.Unmarshal([]byte(f.line(b, "flood result ")), &r); err != nil {
		b.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, f.out)
	if err := f.cmd.Wait(); err != nil {
		b.Error(err)
	}
	return r
}

// goOn lets it flood or pause.
func (f *flooding) goOn(b *testing.B, yes bool) {
	b.Helper()
	if _, err := fmt.Fprintln(f.in, yes); err != nil {
		b.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond)
}

func (f *flooding) end(b *testing.B) floodResult {
	b.Helper()
	_ = f.in.Close()
	return f.result(b)
}

func (f *flooding) stop() {
	_ = f.in.Close()
	_, _ = io.Copy(io.Discard, f.out)
	_ = f.cmd.Wait()
}

// floodAs is the process that floods.
func floodAs(b *testing.B, plan string) {
	b.Helper()
	var p floodPlan
	if err := json.Unmarshal([]byte(plan), &p); err != nil {
		b.Fatal(err)
	}
	if err := syscall.Setpriority(syscall.PRIO_PROCESS, 0, 19); err != nil {
		b.Fatal(err)
	}
	if p.Sink {
		sinkFlood(b)
		return
	}
	packed := make(chan []byte, p.Batches)
	for range p.Batches {
		packed <- floodCalls(b, p.Prompt)
	}
	f := &flooder{plan: p, fresh: packed}
	fmt.Println("\nflood ready", p.Address)
	start := time.Now()
	if p.Seconds > 0 {
		f.on.Store(true)
		time.AfterFunc(time.Duration(p.Seconds*float64(time.Second)), func() { f.over.Store(true) })
	} else {
		go f.listen()
	}
	var wg sync.WaitGroup
	for range p.Clients {
		wg.Go(f.client)
	}
	wg.Wait()
	seconds := f.active.Seconds()
	if p.Seconds > 0 {
		seconds = time.Since(start).Seconds()
	}
	out, err := json.Marshal(floodResult{f.accepted.Load(), f.batches.Load(), f.refused.Load(), f.broken.Load(), seconds})
	if err != nil {
		b.Fatal(err)
	}
	fmt.Printf("\nflood result %s\n", out)
}

// sinkFlood answers everything with 429, until standard input ends.
func sinkFlood(b *testing.B) {
	b.Helper()
	ln, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) })}
	go func() { _ = s.Serve(ln) }()
	fmt.Println("\nflood ready", ln.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = s.Close()
}

// floodCalls is a packed batch of new calls of about 450 bytes.
func floodCalls(b *testing.B, id string) []byte {
	b.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	now := time.Now().UTC()
	for i := range floodBatch {
		var random [10]byte
		_, _ = rand.Read(random[:]) // never fails
		sep := byte(',')
		if i == 0 {
			sep = '['
		}
		fmt.Fprintf(z, `%c{"id":%q,"prompt":%q,"version":"1.1.0","environment":"dev","arm":"stable","subject":"user-%d","started_at":%q,"latency_ms":%d.25,"ttft_ms":%d,`+
			`"input_tokens":%d,"output_tokens":%d,"cost_usd":0.00%d,"outcome":"ok","finish_reason":"stop","model":"model-a-2026","response_id":"resp_%x","tags":{"region":"eu-1","app":"checkout"}}`,
			sep, registry.NewCallID(now, random), id, int(random[0])*i, now.Format(time.RFC3339Nano), 200+int(random[1])*10, 50+int(random[2]), 100+int(random[3]), int(random[4]), 1+int(random[5]), random[:8])
	}
	_, _ = z.Write([]byte("]")) // into memory
	if err := z.Close(); err != nil {
		b.Fatal(err)
	}
	return out.Bytes()
}

// A flooder sends batches, each again and again until it is taken.
type flooder struct {
	plan   floodPlan
	fresh  chan []byte
	on     atomic.Bool
	over   atomic.Bool
	active time.Duration // how long it was on; to be read when it is over

	mu   sync.Mutex
	next time.Time // when the next request is to be sent; guarded by mu

	accepted, batches, refused, broken atomic.Int64
}

// listen goes on and pauses as standard input says, and is over at its end.
func (f *flooder) listen() {
	lines := bufio.NewScanner(os.Stdin)
	since := time.Now()
	for lines.Scan() {
		if f.on.Load() {
			f.active += time.Since(since)
		}
		since = time.Now()
		f.on.Store(lines.Text() == "true")
	}
	f.over.Store(true)
}

// turn waits until it is time for a request.
func (f *flooder) turn() {
	for !f.on.Load() && !f.over.Load() {
		time.Sleep(5 * time.Millisecond)
	}
	if f.plan.PerSecond == 0 {
		return
	}
	f.mu.Lock()
	now := time.Now()
	f.next = f.next.Add(time.Duration(float64(time.Second) / f.plan.PerSecond))
	if late := now.Add(-50 * time.Millisecond); f.next.Before(late) {
		f.next = late
	}
	at := f.next
	f.mu.Unlock()
	time.Sleep(time.Until(at))
}

// client sends one request after the other, in the turn of all of them.
func (f *flooder) client() {
	var conn net.Conn
	var answers *bufio.Reader
	body := <-f.fresh
	for f.turn(); !f.over.Load(); f.turn() {
		if conn == nil {
			var err error
			if conn, err = net.Dial("tcp", f.plan.Address); err != nil {
				f.broken.Add(1)
				continue
			}
			answers = bufio.NewReader(conn)
		}
		taken, accepted, err := exchange(conn, answers, f.plan.Address, body)
		switch {
		case err != nil:
			f.broken.Add(1)
			_ = conn.Close()
			conn = nil
		case !taken:
			f.refused.Add(1)
		default:
			f.batches.Add(1)
			f.accepted.Add(accepted)
			select {
			case body = <-f.fresh:
			default:
				f.over.Store(true)
			}
		}
	}
	if conn != nil {
		_ = conn.Close()
	}
}

func exchange(conn net.Conn, answers *bufio.Reader, address string, body []byte) (taken bool, accepted int64, err error) {
	head := fmt.Sprintf("POST /v1/calls HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n", address, len(body))
	if _, err := conn.Write(append([]byte(head), body...)); err != nil {
		return false, 0, err
	}
	resp, err := http.ReadResponse(answers, nil)
	if err != nil {
		return false, 0, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode == http.StatusTooManyRequests {
		return false, 0, err
	}
	var in registry.Intake
	if err := json.Unmarshal(data, &in); err != nil || resp.StatusCode != http.StatusOK {
		return false, 0, fmt.Errorf("%s: %.200s", resp.Status, data)
	}
	return true, int64(in.Accepted), nil
}
