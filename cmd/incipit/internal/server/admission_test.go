package server

import (
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/quick"
	"time"

	"github.com/incipit-dev/incipit/internal/registry"
)

// Whoever got a place gives back what they took, and never is there more than
// what is set.
func TestPlacesAreGivenBackWhateverHappens(t *testing.T) {
	law := func(steps []uint16) bool {
		a := newAdmission(load{8, 2 * maxOne}, 1)
		var in []*pass
		for _, s := range steps {
			who, bytes := fmt.Sprint(s%3), int64(s)*200
			switch {
			case s%5 < 2:
				if p, ok := a.enter(who, bytes); ok {
					in = append(in, p)
				}
			case s%5 == 2 && len(in) > 0:
				in[int(s)%len(in)].grow(bytes)
			case len(in) > 0:
				i := int(s) % len(in)
				in[i].leave()
				in = append(in[:i], in[i+1:]...)
			}
			if a.now().over(a.most) {
				return false
			}
			for who := range a.by {
				if a.by[who].over(load{4, maxOne}) {
					return false
				}
			}
		}
		for _, p := range in {
			p.leave()
		}
		return a.now() == load{} && len(a.by) == 0
	}
	if err := quick.Check(law, nil); err != nil {
		t.Error(err)
	}
}

// Who sends slowly holds a place, and no more than half of them; beyond that a
// request is refused before its body is read, and tells when to come back.
func TestWhatComesBeyondIsRefusedBeforeItIsRead(t *testing.T) {
	r := sqlite(t, func(c *Config) { c.MaxRecording, c.RefusalPause = 4, time.Millisecond })
	slow, quick := r.key([]registry.Permission{registry.MayRecord}, "*", "*"), r.key([]registry.Permission{registry.MayRecord}, "*", "*")
	addr := strings.TrimPrefix(r.url, "http://")
	hold := func(key string) net.Conn {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "POST /v1/calls HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n[", key)
		return c
	}
	under := func(n int) func() bool { return func() bool { return r.server.admission.now().requests == n } }
	conns := []net.Conn{hold(slow), hold(slow)}
	until(t, under(2))
	refused := func(key string) bool {
		g := r.send("POST", "/v1/calls", key, jsonText(aCall()))
		if g.status == http.StatusOK {
			return false
		}
		after, err := strconv.Atoi(g.header.Get("Retry-After"))
		if p := g.problem(t); g.status != http.StatusTooManyRequests || p.Code != "unavailable" || err != nil || after < 1 || after > 3 {
			t.Errorf("%d %v %s", g.status, g.header, g.body)
		}
		return true
	}
	if !refused(slow) {
		t.Error("one key got more than half")
	}
	if refused(quick) {
		t.Error("another key did not get through")
	}
	other := r.key([]registry.Permission{registry.MayRecord}, "*", "*")
	conns = append(conns, hold(quick), hold(other))
	until(t, under(4))
	third := r.key([]registry.Permission{registry.MayRecord}, "*", "*")
	for range 50 {
		if !refused(third) {
			t.Fatal("more than four were let in")
		}
	}
	if g := r.send("POST", "/v1/otlp/v1/traces", third, "{}"); g.status != http.StatusTooManyRequests {
		t.Errorf("spans: %d", g.status)
	}
	if metrics := string(r.send("GET", "/metrics", r.admin, "").body); !strings.Contains(metrics, "incipit_calls_refused_total 52\n") || !strings.Contains(metrics, "incipit_calls_requests_under_way 4\n") {
		t.Error("the metrics do not tell how many were refused")
	}
	if n := strings.Count(r.log.String(), "more calls come than can be taken; "); n != 1 {
		t.Errorf("the log tells of it %d times", n)
	}
	for _, c := range conns {
		_ = c.Close()
	}
	until(t, under(0))
	if refused(third) {
		t.Error("afterwards nobody gets in")
	}
}

// Places are not held by who sends a byte now and then.
func TestWhoSendsCallsTooSlowlyLosesTheirPlace(t *testing.T) {
	r := sqlite(t, func(c *Config) { c.CallsTimeout = 200 * time.Millisecond })
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(r.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "POST /v1/calls HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n[", r.admin)
	answer := make([]byte, 12)
	if _, err := c.Read(answer); err != nil || string(answer) != "HTTP/1.1 408" {
		t.Errorf("%q %v", answer, err)
	}
	until(t, func() bool { return r.server.admission.now() == load{} })
}

// A body whose length is not told takes room as it grows.
func TestABodyInChunksTakesRoomAsItGrows(t *testing.T) {
	r := sqlite(t, func(c *Config) { c.MaxRecordingBytes = 2 * maxOne })
	body := "[" + strings.Repeat(" ", maxCalls-2) + "]"
	send := func() int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+"/v1/calls", struct{ *strings.Reader }{strings.NewReader(body)})
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+r.admin)
		req.Header.Set("Content-Type", "application/json")
		resp, err := r.client.Do(req)
		if err != nil {
			return 0
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	if got := send(); got != http.StatusOK {
		t.Errorf("alone: %d", got)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if got := send(); got != http.StatusOK && got != http.StatusTooManyRequests && got != 0 {
				t.Errorf("among others: %d", got)
			}
		})
	}
	wg.Wait()
	until(t, func() bool { return r.server.admission.now() == load{} })
}
