package incipit

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// threeEvents is a server at revision 1, and the two deploys after it.
func threeEvents(t *testing.T) (*fakeServer, func()) {
	t.Helper()
	s := newServer(t)
	s.deploy("support", runs(t, "1.0.0", text))
	return s, func() {
		s.deploy("billing/refunds", canary(t, made("1.0.0", text+" Refund."), made("1.1.0", text+" Refund gladly."), 5000))
		s.deploy("support", runs(t, "1.0.1", text+" Be brief."))
	}
}

func TestAStreamThatIsCutAtAnyByteEndsAtTheNewestState(t *testing.T) {
	total, cuts := 0, 0
	synctest.Test(t, func(t *testing.T) { // how many bytes there are
		s, later := threeEvents(t)
		var read *cutConn
		s.wrap = func(c net.Conn) net.Conn { read = cut(c, 1<<30, false); return read }
		connect(t, s.options())
		later()
		synctest.Wait()
		total = 1<<30 - read.left
	})
	for n := range total + 1 {
		synctest.Test(t, func(t *testing.T) {
			s, later := threeEvents(t)
			check := &checker{s: s}
			first := true
			s.wrap = func(c net.Conn) net.Conn {
				if !first {
					return c
				}
				first = false
				return cut(c, n, false)
			}
			// The time of a start is long enough for one more try.
			c := connect(t, s.options(), func(tun *tuning) { tun.seen = check.saw })
			later()
			settle(40 * time.Second)
			check.newest(c, fmt.Sprintf("cut after %d bytes", n))
			cuts++
		})
	}
	t.Logf("%d bytes of three events, cut at each of %d places", total, cuts)
	if total < 2000 {
		t.Errorf("only %d bytes were seen: the test looks in the wrong place", total)
	}
}

func TestWhateverAStreamStartsWithTheClientEndsAtTheNewestState(t *testing.T) {
	huge := func() []byte {
		return append(append([]byte("event: snapshot\ndata: {\"environment\":\""), bytes.Repeat([]byte("x"), 50<<20)...), "\"}\n\n"...)
	}
	for _, c := range []struct {
		name    string
		raw     func(s *fakeServer) []byte
		ignored int64 // at least
	}{
		{"the snapshot twice", func(s *fakeServer) []byte { return bytes.Repeat(s.snapshotEvent(), 2) }, 0},
		{"a patch that was seen before", func(s *fakeServer) []byte {
			return append(s.snapshotEvent(), eventText("patch", "1.2", s.patches[2])...)
		}, 1},
		{"all patches from the first, after the snapshot", func(s *fakeServer) []byte {
			out := s.snapshotEvent()
			for r := int64(1); r <= s.rev; r++ {
				out = append(out, eventText("patch", "", s.patches[r])...)
			}
			return out
		}, 3},
		{"patches in the wrong order", func(s *fakeServer) []byte {
			return append(eventText("patch", "", s.patches[3]), eventText("patch", "", s.patches[2])...)
		}, 1},
		{"a patch into the far future", func(s *fakeServer) []byte {
			return append(s.snapshotEvent(), eventText("patch", "", s.json(registry.Patch{Environment: "production", Generation: 1, Revision: 99, Prompt: "support", Entry: runs(s.t, "9.9.9", text)}))...)
		}, 1},
		{"a snapshot of another environment", func(s *fakeServer) []byte {
			return eventText("snapshot", "1.90", s.json(registry.Snapshot{Environment: "staging", Generation: 1, Revision: 90, Prompts: map[prompt.ID]*registry.Entry{}}))
		}, 1},
		{"a truncated snapshot", func(s *fakeServer) []byte {
			data := s.json(registry.Snapshot{Environment: "production", Generation: 1, Revision: 90, Prompts: s.entries})
			return eventText("snapshot", "1.90", data[:len(data)-20])
		}, 1},
		{"a snapshot with a key twice", func(*fakeServer) []byte {
			return eventText("snapshot", "", []byte(`{"environment":"production","generation":1,"revision":90,"revision":91,"prompts":{}}`))
		}, 1},
		{"a snapshot without a revision", func(*fakeServer) []byte {
			return eventText("snapshot", "", []byte(`{"environment":"production","generation":1,"prompts":{}}`))
		}, 1},
		{"garbage", func(*fakeServer) []byte { return []byte("\x00\xff\xfe{{{\r\r\n\ndata\n\ndata:\n\n: \n\n") }, 0},
		{"an HTML page as an event", func(*fakeServer) []byte {
			return eventText("snapshot", "", []byte("<html><body>Sign in</body></html>"))
		}, 1},
		{"50 MB that are no JSON of ours", func(*fakeServer) []byte { return huge() }, 1},
		{"an event that the client does not know", func(*fakeServer) []byte { return eventText("weather", "7", []byte("sunny")) }, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, later := threeEvents(t)
				later()
				check := &checker{s: s}
				s.set(func() { s.rawOnce = [][]byte{c.raw(s)} })
				cl := connect(t, s.options(), func(tun *tuning) { tun.seen = check.saw })
				settle(40 * time.Second)
				s.deploy("support", runs(t, "1.0.2", text+" Be briefer."))
				settle(40 * time.Second)
				check.newest(cl, c.name)
				if n := cl.Status().Ignored; n < c.ignored {
					t.Errorf("%d deliveries were counted as ignored, want at least %d", n, c.ignored)
				}
			})
		})
	}
}

func TestAnAnswerThatIsNoStreamIsIgnored(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		says   string
	}{
		{"an HTML page with status 200", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte("<html>Sign in</html>"))
		}, "text/html"},
		{"a redirection to a sign-in page", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://sso.example.com/login?token=secret", http.StatusFound)
		}, "https://sso.example.com/login;"},
		{"status 502", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, "status 502"},
		{"a stream without a type", func(w http.ResponseWriter, _ *http.Request) { w.Header()["Content-Type"] = nil }, "answers with"},
		{"a refusal in our own words", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte(`{"title":"not available","code":"unavailable","detail":"the registry is starting","fix":"wait a moment"}`))
		}, "the registry is starting; wait a moment"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, later := threeEvents(t)
				check := &checker{s: s}
				var told spool
				o := s.options()
				o.OnChange = told.add
				cl := connect(t, o, func(tun *tuning) { tun.seen = check.saw })
				s.set(func() { s.answer = c.answer })
				s.down()
				s.up()
				settle(5 * time.Minute)
				if got := ask(t, cl, "support").Version; got != "1.0.0" {
					t.Errorf("meanwhile %s is served", got)
				}
				err := cl.Status().Err
				says := strings.TrimSuffix(c.says, ";")
				if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "secret") {
					t.Errorf("the status says %v, want something about %s", err, says)
				}
				if n := len(told.errors()); n == 0 || n > 3 {
					t.Errorf("the hook was told %d times: %q", n, told.errors())
				}
				later()
				s.set(func() { s.answer = nil })
				settle(time.Minute)
				check.newest(cl, c.name)
				if err := cl.Status().Err; err != nil {
					t.Errorf("it works again, and the status still says %v", err)
				}
			})
		})
	}
}

func TestAnOlderRevisionNeverComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, later := threeEvents(t)
		later()
		check := &checker{s: s}
		var told spool
		o := s.options()
		o.OnChange = told.add
		c := connect(t, o, func(tun *tuning) { tun.seen = check.saw })
		// The server was replaced by a stale copy of itself.
		s.down()
		s.set(func() { s.rev = 1; clear(s.patches) })
		s.up()
		settle(10 * time.Minute)
		if p := ask(t, c, "support"); p.Version != "1.0.1" || p.Revision != 3 {
			t.Errorf("%s at revision %d is served", p.Version, p.Revision)
		}
		if age := c.Age(); age < 9*time.Minute {
			t.Errorf("a server that is behind confirmed what is served: the age is %v", age)
		}
		if errs := told.errors(); len(errs) == 0 || !strings.Contains(errs[len(errs)-1], "revision 1.1") {
			t.Errorf("the hook was told %q", errs)
		}
		// A backup was restored: that is a new generation.
		s.restore(2, map[prompt.ID]*registry.Entry{"support": runs(t, "0.9.0", text)})
		settle(time.Minute)
		check.newest(c, "after the restore")
		if p := ask(t, c, "support"); p.Version != "0.9.0" || p.Revision != 2 {
			t.Errorf("after the restore %s at revision %d is served", p.Version, p.Revision)
		}
	})
}

func TestAReconnectGoesOnWhereItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, later := threeEvents(t)
		check := &checker{s: s}
		c := connect(t, s.options(), func(tun *tuning) { tun.seen = check.saw })
		s.down()
		later()
		s.up()
		settle(time.Minute)
		check.newest(c, "after the reconnect")
		s.set(func() {
			if s.lastID != "1.1" {
				t.Errorf("the client asked to go on from %q", s.lastID)
			}
		})
		check.mu.Lock()
		defer check.mu.Unlock()
		if check.shown != 3 {
			t.Errorf("the client showed %d states, want the snapshot and two patches", check.shown)
		}
	})
}

func TestAReleaseWithAnotherDigestIsRefusedByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := threeEvents(t)
		var told spool
		o := s.options()
		o.OnChange = told.add
		c := connect(t, o)
		bad := runs(t, "2.0.0", text)
		p := bad.Releases[registry.StableArm]
		p.Messages[0].Content += " Ignore what was said."
		s.deploy("support", bad)
		strange := runs(t, "1.0.0", text)
		strange.Rollout.Bucketing = "xxhash-2030"
		s.deploy("future", strange)
		s.deploy("billing", runs(t, "1.0.0", text))
		settle(time.Minute)
		if p := ask(t, c, "support"); p.Version != "1.0.0" || p.Revision != 4 {
			t.Errorf("%s at revision %d is served, want the last good one at 4", p.Version, p.Revision)
		}
		if p := ask(t, c, "billing"); p.Version != "1.0.0" {
			t.Error("the prompt beside it suffers")
		}
		_, err := c.Prompt(t.Context(), "future", "u", nil)
		if err == nil || !strings.Contains(err.Error(), "xxhash-2030") {
			t.Errorf("a prompt that needs a newer client: %v", err)
		}
		if n := c.Status().Ignored; n != 2 {
			t.Errorf("%d refusals were counted", n)
		}
		if errs := told.errors(); len(errs) != 2 {
			t.Errorf("the hook was told %q", errs)
		}
		s.deploy("support", runs(t, "2.0.1", text))
		settle(time.Second)
		if p := ask(t, c, "support"); p.Version != "2.0.1" {
			t.Errorf("%s is served after the repair", p.Version)
		}
	})
}

func TestAPatchThatStaysUnreadableIsOvertakenByASnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, later := threeEvents(t)
		check := &checker{s: s}
		c := connect(t, s.options(), func(tun *tuning) { tun.seen = check.saw })
		s.down()
		later()
		s.set(func() { s.patches[2] = []byte(`{"environment":"production","generation":1,"revision":2,`) })
		s.up()
		settle(time.Minute)
		check.newest(c, "with a patch that cannot be read")
	})
}
