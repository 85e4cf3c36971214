package incipit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/incipit-dev/incipit/internal/registry"
)

// A journal keeps what the log was told.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

// lines are those that hold what.
func (j *journal) lines(what string) (lines []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for l := range strings.Lines(j.text.String()) {
		if strings.Contains(l, what) {
			lines = append(lines, l)
		}
	}
	return lines
}

// recorder is a client of s and its log.
func recorder(t *testing.T, s *fakeServer, tunes ...func(*tuning)) (*Client, *journal) {
	t.Helper()
	s.deploy("support", runs(t, "1.0.0", text))
	o, j := s.options(), new(journal)
	o.Logger = slog.New(slog.NewTextHandler(j, nil))
	tun := defaultTuning()
	for _, f := range tunes {
		f(&tun)
	}
	c, err := open(t.Context(), o, tun)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Close(t.Context()) // at the latest: this context is done
		s.books.check(t)
	})
	return c, j
}

// record notes n calls.
func record(c *Client, n int) {
	for i := range n {
		c.Record(Call{Prompt: "support", Version: "1.0.0", Latency: time.Second, Outcome: "ok", ResponseID: fmt.Sprint(i)})
	}
}

func TestACallReachesTheServerAsItWasRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		c, _ := recorder(t, s)
		p := ask(t, c, "support")
		call := p.Call()
		call.StartedAt = time.Now().Add(-time.Second)
		call.Latency, call.FirstToken = 840*time.Millisecond, 120*time.Millisecond+500*time.Microsecond
		call.Outcome, call.ErrorClass, call.FinishReason, call.ResponseID = "error", "prompt", "stop", "resp-1"
		call.InputTokens, call.CachedTokens, call.CostUSD, call.Satisfaction = 31, 0, 0.0125, 4.5
		call.Tags = map[string]string{"team": "a<b"}
		call.Input, call.Output = "what a person wrote", "what the model said"
		c.Record(call)
		call.Tags["team"] = "changed by the caller"
		settle(time.Second)
		got := s.books.one(t)
		want := registry.WireCall{
			ID: p.CallID, Prompt: "support", Version: "1.0.0", Environment: "production", Arm: "stable", Share: new(100.0), Subject: "user-1",
			StartedAt: call.StartedAt.UTC(), LatencyMS: 840, FirstTokenMS: new(120.5),
			InputTokens: new(int64(31)), OutputTokens: new(int64(0)), CachedTokens: new(int64(0)), CostUSD: new(0.0125),
			Outcome: "error", ErrorClass: "prompt", FinishReason: "stop", Model: "test-model-1", ResponseID: "resp-1", Satisfaction: new(4.5),
			Tags: map[string]string{"team": "a<b"}, // and no content: there is no Redact
		}
		if a, b := string(s.json(got)), string(s.json(want)); a != b {
			t.Errorf("the server got\n%s\nwant\n%s", a, b)
		}
		h := s.books.headers[0]
		if h.Get("Content-Type") != "application/x-ndjson" || h.Get("Content-Encoding") != "gzip" || h.Get("Authorization") != "Bearer incipit_sdk_1_secret_0" ||
			len(h.Get("Idempotency-Key")) != 36 || h.Get("User-Agent") != "incipit-go" {
			t.Errorf("the headers were %v", h)
		}
		if st := balance(t, c, 1); st.Delivered != 1 {
			t.Errorf("the status says %+v", st)
		}
	})
}

func TestWhatWasNotMeasuredIsNotSent(t *testing.T) {
	for _, x := range []struct {
		name string
		call Call
		want string
	}{
		{"nothing was measured", Call{}, ""},
		{"one count of tokens makes zeros of the others", Call{OutputTokens: 7}, `"input_tokens":0,"output_tokens":7,"cached_tokens":0,`},
		{"a free call costs nothing", Call{Free: true}, `"cost_usd":0,`},
		{"a cost", Call{CostUSD: 1e-7}, `"cost_usd":1e-7,`},
		{"an arm that serves nobody any more", Call{Arm: "stable", Rollout: "support#7"}, `"arm":"stable","rollout":"support#7","share":0,`},
		{"an arm that somebody wrote", Call{Arm: "stable"}, `"arm":"stable",`},
		{
			"what cannot be is left for the server to refuse",
			Call{InputTokens: -1, FirstToken: -time.Millisecond, Satisfaction: -2},
			`"ttft_ms":-1,"input_tokens":-1,"output_tokens":0,"cached_tokens":0,"satisfaction":-2,`,
		},
	} {
		w := x.call.wire()
		got := string((&fakeServer{t: t}).json(w))
		for _, always := range []string{`{"prompt":"",`, `"version":"",`, `"environment":"",`, `"started_at":"0001-01-01T00:00:00Z",`, `"latency_ms":0,`, `"outcome":""`, "}"} {
			got = strings.Replace(got, always, "", 1)
		}
		got = strings.ReplaceAll(got, ",,", ",") // where outcome stood
		if strings.Trim(got, ",") != strings.Trim(x.want, ",") {
			t.Errorf("%s: got %s, want %s", x.name, got, x.want)
		}
	}
}

func TestABatchIsManyCallsOrASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		c, _ := recorder(t, s)
		settle(10 * time.Minute) // idle
		start := time.Now()
		record(c, 499)
		settle(999 * time.Millisecond)
		if n := s.books.taken(); n != 0 {
			t.Fatalf("%d calls came before a second was over", n)
		}
		settle(time.Millisecond)
		if n := s.books.taken(); n != 499 {
			t.Fatalf("%d calls came after a second", n)
		}
		record(c, 500)
		synctest.Wait()
		if n := s.books.taken(); n != 999 || time.Since(start) != time.Second {
			t.Errorf("%d calls came: 500 are a batch, and wait for nothing", n)
		}
		for range 5 {
			c.Record(Call{Tags: map[string]string{"long": strings.Repeat("x", 220<<10)}})
		}
		synctest.Wait()
		if n := s.books.taken(); n < 1002 {
			t.Errorf("%d calls came: 1 MiB is a batch", n)
		}
		record(c, 1700)
		shut(t, c)
		if n := s.books.taken(); n != 999+5+1700 {
			t.Errorf("%d calls came in the end", n)
		}
		for _, n := range s.books.sizes {
			if n > 500 {
				t.Errorf("a batch had %d calls", n)
			}
		}
		balance(t, c, 999+5+1700)
	})
}

func TestRejectedCallsAreCountedAndTheFirstReasonsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		c, j := recorder(t, s)
		s.books.set(func() {
			s.books.refuse = func(w registry.WireCall) string {
				if len(w.ResponseID) == 1 {
					return "reason " + w.ResponseID + " \x1b[31m"
				}
				return ""
			}
		})
		for range 300 { // ten minutes
			record(c, 12) // of which ten have an id of one digit
			settle(2 * time.Second)
		}
		if st := balance(t, c, 3600); st.Rejected != 3000 || st.Delivered != 600 || st.Dropped != 0 {
			t.Errorf("the status says %+v", st)
		}
		told := j.lines("calls were lost")
		if len(told) < 9 || len(told) > 11 || !strings.Contains(told[0], "rejected=10") || !strings.Contains(told[1], "rejected=3") ||
			!strings.Contains(told[0], "reason 2") || strings.Contains(told[0], "reason 3") || strings.Contains(told[0], "\x1b") {
			t.Errorf("the log was told %d times: %q", len(told), told)
		}
		if err := c.Close(t.Context()); err != nil {
			t.Errorf("Close says %v", err)
		}
	})
}

func TestACallThatCannotBeWrittenSpoilsNoBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		c, j := recorder(t, s)
		bad := []Call{
			{CostUSD: math.NaN()},
			{Satisfaction: math.Inf(1)},
			{Share: math.Inf(-1)},
			{StartedAt: time.Date(12_000, 1, 1, 0, 0, 0, 0, time.UTC)},
			{Tags: map[string]string{"long": strings.Repeat("x", 300<<10)}},
		}
		for _, b := range bad {
			record(c, 2)
			c.Record(b)
		}
		settle(2 * time.Second)
		if st := balance(t, c, 15); st.Rejected != 5 || st.Delivered != 10 || len(s.books.sizes) > 3 {
			t.Errorf("the status says %+v, the batches were %v", st, s.books.sizes)
		}
		if told := j.lines("calls were lost"); len(told) != 1 || !strings.Contains(told[0], "CostUSD is NaN") {
			t.Errorf("the log was told %q", told)
		}
	})
}

func TestAFullQueueDropsTheOldestWhileABatchIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		c, j := recorder(t, s, func(tun *tuning) { tun.maxCalls = 10 })
		s.books.set(func() {
			s.books.before = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }
		})
		record(c, 4)
		settle(2 * time.Second) // they are under way
		record(c, 25)
		if st := balance(t, c, 29); st.Queued != 14 || st.Dropped != 15 {
			t.Errorf("the status says %+v", st)
		}
		c.Record(Call{Tags: map[string]string{"long": strings.Repeat("x", 17<<20)}}) // larger than the queue
		if st := balance(t, c, 30); st.Queued != 14 || st.Dropped != 16 {
			t.Errorf("the status says %+v", st)
		}
		s.books.set(func() { s.books.before = nil })
		settle(time.Minute)
		st := balance(t, c, 30)
		if st.Delivered != 14 || s.books.taken() != 14 {
			t.Errorf("%d calls came, and the status says %+v", s.books.taken(), st)
		}
		for i, id := range s.books.order {
			want := fmt.Sprint(i)
			if i >= 4 {
				want = fmt.Sprint(15 + i - 4)
			}
			if got := s.books.calls[id].ResponseID; got != want {
				t.Errorf("call %d is %s, want %s", i, got, want)
			}
		}
		if told := j.lines("dropped=16"); len(told) != 1 {
			t.Errorf("the log was told %q", told)
		}
		if err := c.Close(t.Context()); !errors.Is(err, ErrUnavailable) || err.Error() != "recorded calls that were not delivered: 16" {
			t.Errorf("Close says %v", err)
		}
	})
}

func TestTheQueueIsBoundedInBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		c, _ := recorder(t, s, func(tun *tuning) { tun.maxQueue = 64 << 10 })
		for range 10 {
			c.Record(Call{Tags: map[string]string{"a": strings.Repeat("x", 15_000)}})
		}
		if st := balance(t, c, 10); st.Queued != 4 || st.Dropped != 6 || c.calls.bytes > 64<<10 {
			t.Errorf("the queue holds %d bytes, the status says %+v", c.calls.bytes, st)
		}
	})
}

func TestCloseDeliversWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		c, _ := recorder(t, s)
		record(c, 1234)
		start := time.Now()
		shut(t, c)
		if n := s.books.taken(); n != 1234 || time.Since(start) > 0 {
			t.Errorf("%d calls came after %v", n, time.Since(start))
		}
		c.Record(Call{})
		if err := c.Close(t.Context()); err == nil || err.Error() != "recorded calls that were not delivered: 1" {
			t.Errorf("a call after Close: %v", err)
		}
		balance(t, c, 1235)
	})
}

func TestCloseTriesUntilItsDeadline(t *testing.T) {
	down := func(s *fakeServer) { s.down() }
	refuse := func(status int) func(*fakeServer) {
		return func(s *fakeServer) {
			s.books.set(func() {
				s.books.before = func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Retry-After", "2")
					w.WriteHeader(status)
				}
			})
		}
	}
	for _, x := range []struct {
		name       string
		trouble    func(*fakeServer)
		earlier    time.Duration // how long the trouble was there
		deadline   time.Duration // of Close; 0 is none
		back       time.Duration // after which the server is well again
		least, max time.Duration
		lost       int
	}{
		{"the server is gone", down, 0, 5 * time.Second, 0, 4 * time.Second, 5 * time.Second, 30},
		{"the server has been gone for long", down, time.Hour, 5 * time.Second, 0, 4 * time.Second, 5 * time.Second, 30},
		{"without a deadline half a minute is enough", down, 0, 0, 0, 29 * time.Second, 30 * time.Second, 30},
		{"the server comes back in time", down, time.Hour, 20 * time.Second, 3 * time.Second, 3 * time.Second, 15 * time.Second, 0},
		{"the key is refused", refuse(http.StatusForbidden), 0, 20 * time.Second, 0, 0, 0, 30},
		{"the key has been refused for long", refuse(http.StatusForbidden), time.Hour, 20 * time.Second, 0, 0, 4 * time.Second, 30},
		{"the server asks for patience", refuse(http.StatusServiceUnavailable), 0, 20 * time.Second, 3 * time.Second, 3 * time.Second, 10 * time.Second, 0},
	} {
		t.Run(x.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t)
				c, _ := recorder(t, s)
				x.trouble(s)
				record(c, 30)
				settle(x.earlier)
				ctx := context.Background()
				if x.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, x.deadline)
					defer cancel()
				}
				if x.back > 0 {
					time.AfterFunc(x.back, func() {
						s.books.set(func() { s.books.before = nil })
						s.mu.Lock()
						gone := s.http == nil
						s.mu.Unlock()
						if gone {
							s.up()
						}
					})
				}
				start := time.Now()
				err := c.Close(ctx)
				if took := time.Since(start); took < x.least || took > x.max {
					t.Errorf("Close took %v", took)
				}
				want := fmt.Sprintf("recorded calls that were not delivered: %d", x.lost)
				if x.lost == 0 && err != nil || x.lost > 0 && (err == nil || err.Error() != want) {
					t.Errorf("Close says %v", err)
				}
				synctest.Wait()
				if st := balance(t, c, 30); st.Dropped != int64(x.lost) || s.books.taken() != int64(30-x.lost) {
					t.Errorf("%d calls came, and the status says %+v", s.books.taken(), st)
				}
			})
		})
	}
}

func TestAClientWithoutAServerCountsCallsAndThatIsAll(t *testing.T) {
	c, err := New(t.Context(), Options{Overrides: map[string]Prompt{"support": {Version: "1.0.0"}}, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.Prompt(t.Context(), "support", "u", nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Record(p.Call())
	if st := balance(t, c, 1); st.Dropped != 1 {
		t.Errorf("the status says %+v", st)
	}
	if err := c.Close(t.Context()); err != nil {
		t.Errorf("Close says %v", err)
	}
}
