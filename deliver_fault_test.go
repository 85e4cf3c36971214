package incipit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/incipit-dev/incipit/internal/registry"
)

// faults are what can go wrong with a batch that is to be sent again.
func faults(b *books) map[string]func() {
	answer := func(status int, kind, body string, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			for i := 0; i+1 < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	broken := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	half := func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadFull(r.Body, make([]byte, 20))
		panic(http.ErrAbortHandler)
	}
	silent := func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	}
	ok := "application/json"
	before := func(h http.HandlerFunc) func() { return func() { b.before, b.after = h, nil } }
	after := func(h http.HandlerFunc) func() { return func() { b.before, b.after = nil, h } }
	return map[string]func(){
		"status 500":                            before(answer(500, ok, "{}")),
		"status 502 of a proxy":                 before(answer(502, "text/html", "<html>")),
		"status 503":                            before(answer(503, "application/problem+json", `{"title":"starting"}`, "Retry-After", "7")),
		"status 429":                            before(answer(429, "application/problem+json", `{"title":"too many"}`, "Retry-After", "3")),
		"a sign-in page":                        before(answer(200, "text/html", "<html>Sign in</html>")),
		"a redirection":                         before(answer(302, "text/html", "", "Location", "https://sso.example.com/login?token=secret")),
		"JSON of something else":                before(answer(200, ok, `{}`)),
		"the connection breaks at once":         before(broken),
		"the connection breaks in the body":     before(half),
		"no answer":                             before(silent),
		"counted, and the connection breaks":    after(broken),
		"counted, and status 500":               after(answer(500, ok, "{}")),
		"counted, and the answer is garbage":    after(answer(200, ok, "\x00\xff{{{")),
		"counted, and the answer is cut in two": after(answer(200, ok, `{"accepted":30,"dupl`)),
		"counted, and no answer comes": after(func(_ http.ResponseWriter, r *http.Request) {
			b.mu.Unlock() // which take holds
			<-r.Context().Done()
			b.mu.Lock()
			panic(http.ErrAbortHandler)
		}),
	}
}

func TestWhateverGoesWrongACallCountsOnce(t *testing.T) {
	for name := range faults(new(books)) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t)
				c, j := recorder(t, s)
				s.books.set(faults(&s.books)[name])
				record(c, 30)
				settle(45 * time.Second)
				if st := balance(t, c, 30); st.Queued != 30 || !errors.Is(st.DeliveryErr, ErrUnavailable) || strings.Contains(st.DeliveryErr.Error(), "secret") {
					t.Errorf("meanwhile the status says %+v", st)
				}
				if got := ask(t, c, "support").Version; got != "1.0.0" || c.Status().Err != nil {
					t.Errorf("%s is served, and the status says %v", got, c.Status().Err)
				}
				record(c, 12)
				s.books.set(func() { s.books.before, s.books.after = nil, nil })
				settle(time.Minute)
				if st := balance(t, c, 42); st.Delivered != 42 || st.DeliveryErr != nil || s.books.taken() != 42 {
					t.Errorf("%d calls came, and the status says %+v", s.books.taken(), st)
				}
				if told, again := j.lines("are not delivered"), j.lines("delivered again"); len(told) != 1 || len(again) != 1 {
					t.Errorf("the log was told %q and %q", told, again)
				}
			})
		})
	}
}

// Whatever happens in whatever order: no call is lost while the client lives,
// none counts twice, and the client's count is the server's.
func TestCountsAreExactUnderRandomFaults(t *testing.T) {
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			s := newServer(t)
			c, _ := recorder(t, s, func(tun *tuning) { tun.maxCalls, tun.batchCalls = 100, 20 })
			all := faults(&s.books)
			names := make([]string, 0, len(all))
			for name := range all {
				names = append(names, name)
			}
			slices.Sort(names)
			s.books.set(func() {
				s.books.refuse = func(w registry.WireCall) string {
					if strings.HasSuffix(w.ResponseID, "3") {
						return "latency_ms is -3"
					}
					return ""
				}
			})
			put := int64(0)
			for range 60 {
				switch r.IntN(4) {
				case 0:
					s.books.set(all[names[r.IntN(len(names))]])
				case 1:
					s.books.set(func() { s.books.before, s.books.after = nil, nil })
				default:
					n := r.IntN(70)
					record(c, n)
					put += int64(n)
				}
				settle(time.Duration(r.Int64N(int64(20 * time.Second))))
				balance(t, c, put)
			}
			if r.IntN(2) == 0 {
				s.books.set(func() { s.books.before, s.books.after = nil, nil })
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			err := c.Close(ctx)
			synctest.Wait()
			st := balance(t, c, put)
			if (err != nil) != (st.Dropped > 0) || st.Queued != 0 {
				t.Errorf("seed %d: Close says %v, the status %+v", seed, err, st)
			}
			// What was under way at the end may have been counted: then it is
			// more on the server, and at most a batch.
			if more := s.books.taken() - st.Delivered; more < 0 || more > 20 || err == nil && more != 0 {
				t.Errorf("seed %d: the client says that %d calls were delivered, and %d came", seed, st.Delivered, s.books.taken())
			}
		})
	}
}

func TestRetryAfterIsObeyed(t *testing.T) {
	for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t)
			c, _ := recorder(t, s)
			s.books.set(func() {
				s.books.before = func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Retry-After", "90")
					w.WriteHeader(status)
				}
			})
			record(c, 1)
			settle(10 * time.Minute)
			asked := s.books.requests
			if len(asked) < 3 {
				t.Fatalf("%d requests in ten minutes", len(asked))
			}
			for i := 1; i < len(asked); i++ {
				if pause := asked[i].Sub(asked[i-1]); pause < 90*time.Second || pause > 3*time.Minute {
					t.Errorf("with status %d it came back after %v", status, pause)
				}
			}
		})
	}
}

func TestARefusedKeyIsTriedAgainSlowly(t *testing.T) {
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t)
			c, j := recorder(t, s)
			s.books.set(func() {
				s.books.before = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
			})
			record(c, 3)
			settle(2 * time.Hour)
			if n := len(s.books.requests); n < 20 || n > 60 {
				t.Errorf("%d requests in two hours", n)
			}
			st := balance(t, c, 3)
			if errors.Is(st.DeliveryErr, ErrForbidden) != (status != http.StatusNotFound) || st.Queued != 3 || st.Err != nil {
				t.Errorf("the status says %+v", st)
			}
			if told := j.lines("are not delivered"); len(told) != 1 || !strings.Contains(told[0], fmt.Sprint(status)) {
				t.Errorf("the log was told %q", told)
			}
			s.books.set(func() { s.books.before = nil })
			settle(5 * time.Minute)
			if st := balance(t, c, 3); st.Delivered != 3 || st.DeliveryErr != nil {
				t.Errorf("with the right to record: %+v", st)
			}
		})
	}
}

func TestABatchThatIsRefusedForGoodIsDroppedAndCounted(t *testing.T) {
	for _, status := range []int{http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t)
			c, j := recorder(t, s)
			s.books.set(func() {
				s.books.before = func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Type", "application/problem+json")
					w.WriteHeader(status)
					_, _ = io.WriteString(w, `{"title":"no","detail":"the body is no list of calls"}`)
				}
			})
			for range 10 {
				record(c, 7)
				settle(2 * time.Second)
			}
			s.books.set(func() { s.books.before = nil })
			record(c, 5)
			settle(2 * time.Minute)
			if st := balance(t, c, 75); st.Dropped != 70 || st.Delivered != 5 || st.Queued != 0 {
				t.Errorf("with status %d: %+v", status, st)
			}
			if n := len(s.books.requests); n != 11 {
				t.Errorf("with status %d: %d requests for 11 batches", status, n)
			}
			told := j.lines("calls were lost")
			if len(told) != 1 || !strings.Contains(told[0], "dropped=7") || !strings.Contains(told[0], "no list of calls") {
				t.Errorf("the log was told %q", told)
			}
			if err := c.Close(t.Context()); err == nil || err.Error() != "recorded calls that were not delivered: 70" {
				t.Errorf("Close says %v", err)
			}
			if told := j.lines("calls were lost"); len(told) != 2 || !strings.Contains(told[1], "dropped=63") {
				t.Errorf("in the end the log was told %q", told)
			}
		})
	}
}

func TestABatchThatNobodyTakesForADayIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		c, _ := recorder(t, s)
		poison := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }
		s.books.set(func() { s.books.before = poison })
		record(c, 3)
		settle(23 * time.Hour)
		if st := balance(t, c, 3); st.Queued != 3 {
			t.Errorf("after 23 hours: %+v", st)
		}
		settle(2 * time.Hour)
		if st := balance(t, c, 3); st.Dropped != 3 {
			t.Errorf("after 25 hours: %+v", st)
		}
	})
}
