package assertion

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/report"
)

// hooked is a checker that may ask this machine.
func hooked(t *testing.T, timeout time.Duration) *Checker {
	t.Helper()
	c := checker()
	transport := &http.Transport{MaxResponseHeaderBytes: 16 << 10}
	t.Cleanup(transport.CloseIdleConnections)
	c.Webhook, c.Loopback, c.WebhookTimeout = transport, true, timeout
	return c
}

func TestAWebhookDecides(t *testing.T) {
	var got map[string]any
	answer := ""
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Method != http.MethodPost || json.Unmarshal(body, &got) != nil {
			t.Errorf("%s %s", r.Method, body)
		}
		_, _ = io.WriteString(w, answer)
	}))
	defer hook.Close()
	c := hooked(t, time.Minute)
	for answered, want := range map[string]struct {
		not     bool
		outcome report.Outcome
		score   float64
		reason  string
	}{
		`{"pass":true}`:                       {false, report.Pass, 1, "pass: true"},
		`{"pass":false,"reason":"too\nrude"}`: {false, report.Fail, 0, `"too rude"`},
		`{"pass":true,"score":0.75}`:          {true, report.Fail, 0.25, ""},
		`{"pass":false}`:                      {true, report.Pass, 1, ""},
		`{"pass":"yes"}`:                      {false, report.Error, 0, "without a verdict"},
		`{}`:                                  {true, report.Error, 0, "without a verdict"},
		`secret prose`:                        {false, report.Error, 0, "without a verdict"},
		`{"pass":true,"x":"` + strings.Repeat("y", 2<<20):    {false, report.Error, 0, "more than"},
		`{"pass":true,"score":1e5,"reason":"\u001b[31mred"}`: {false, report.Pass, 1, "⟨U+001B⟩"},
	} {
		answer = answered
		g := graded(t, c, Assertion{Type: "webhook", Not: want.not, Value: hook.URL}, said("the output"))
		if g.Outcome != want.outcome || g.Score != want.score || !strings.Contains(g.Reason, want.reason) || strings.Contains(g.Reason, "prose") {
			t.Errorf("%.80s: %s %v %s", answered, g.Outcome, g.Score, g.Reason)
		}
	}
	if context, _ := got["context"].(map[string]any); got["output"] != "the output" || context["prompt"] != "Where is my parcel?" || context["vars"].(map[string]any)["name"] != "Ada" {
		t.Errorf("%v", got)
	}
}

func TestAWebhookThatFailsIsAnError(t *testing.T) {
	var touched atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { touched.Add(1) }))
	defer elsewhere.Close()
	stop := make(chan struct{})
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/redirect":
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		case "/broken":
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"pass":true`)
		case "/headers":
			w.Header().Set("X-Flood", strings.Repeat("x", 1<<20))
		case "/silent":
			_, _ = io.Copy(io.Discard, r.Body)
			<-stop
		case "/drip":
			_, _ = io.WriteString(w, `{"pass":true`)
			w.(http.Flusher).Flush()
			<-stop
		default:
			http.Error(w, "leave me alone", http.StatusTeapot)
		}
	}))
	defer hook.Close()
	defer close(stop)
	for path, reason := range map[string]string{
		"/redirect": "status 307", "/broken": "broke off", "/headers": "not reached", "/silent": "in time", "/drip": "in time", "/": "status 418",
	} {
		timeout := time.Minute
		if reason == "in time" {
			timeout = 50 * time.Millisecond
		}
		g := graded(t, hooked(t, timeout), Assertion{Type: "webhook", Not: true, Value: hook.URL + path}, said("x"))
		if g.Outcome != report.Error || !strings.Contains(g.Reason, reason) || strings.Contains(g.Reason, "alone") {
			t.Errorf("%s: %s %s", path, g.Outcome, g.Reason)
		}
	}
	if touched.Load() != 0 {
		t.Error("a redirect was followed")
	}
}

// refusing is the guard of addresses that a Checker is given.
type refusing struct{ asked *int }

func (r refusing) RoundTrip(*http.Request) (*http.Response, error) {
	*r.asked++
	return nil, errors.New("the address is not public")
}

func TestAddressesThatNoWebhookMayBeAt(t *testing.T) {
	asked := 0
	c := checker()
	c.Webhook = refusing{&asked}
	for _, at := range []string{
		"http://hooks.example.com/", "ftp://hooks.example.com/", "file:///etc/passwd", "gopher://hooks.example.com/", "hooks.example.com", "https:hooks", "https://", "//hooks.example.com/", "javascript:alert(1)",
		"https://user:pass@hooks.example.com/", "https://hooks.example.com/" + strings.Repeat("x", 3000),
		"http://127.0.0.1/", "https://127.0.0.1/", "http://localhost/", "https://localhost./", "https://[::1]/", "https://[::ffff:127.0.0.1]/", "http://%zz/", "\x00",
	} {
		if g := graded(t, c, Assertion{Type: "webhook", Value: at}, said("x")); g.Outcome != report.Error || strings.Contains(g.Reason, "pass@") {
			t.Errorf("%.60q: %s %s", at, g.Outcome, g.Reason)
		}
	}
	if asked != 0 {
		t.Errorf("%d requests were made", asked)
	}
	if g := graded(t, c, Assertion{Type: "webhook", Value: "https://metadata.example.com/"}, said("x")); g.Outcome != report.Error || asked != 1 || !strings.Contains(g.Reason, "not public") {
		t.Errorf("%d: %+v", asked, g)
	}
}
