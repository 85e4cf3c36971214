package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// asked is a server that notes what it was asked.
type asked struct {
	*httptest.Server
	mu   sync.Mutex
	seen []*http.Request
	sent []string // the bodies
}

func serve(t *testing.T, answer func(n int, w http.ResponseWriter, r *http.Request)) *asked {
	t.Helper()
	a := &asked{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		a.mu.Lock()
		a.seen, a.sent = append(a.seen, r), append(a.sent, string(body))
		n := len(a.seen)
		a.mu.Unlock()
		answer(n, w, r)
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *asked) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.seen)
}

func (a *asked) request(i int) *http.Request {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.seen[i]
}

func (a *asked) body(i int) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.sent[i]
}

func (a *asked) keys() (out []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.seen {
		out = append(out, r.Header.Get(IdempotencyKey))
	}
	return out
}

func (a *asked) client(t *testing.T) *Client {
	t.Helper()
	var n atomic.Int32
	c, err := NewClient(ClientConfig{Server: a.URL + "/", Key: "secret", Once: func() string { return fmt.Sprint("once-", n.Add(1)) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.http.CloseIdleConnections)
	return c
}

func deploy() registry.Request {
	return registry.Request{Action: registry.Deploy, Prompt: "billing/refunds", Environment: "dev", Version: "1.0.0", Confirm: "dev"}
}

func problem(w http.ResponseWriter, p Problem) {
	w.Header().Set("Content-Type", ProblemType)
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p)
}

const receipt = `{"action":"deploy","prompt":"billing/refunds","environment":"dev","to":"1.0.0","revision":7}`

// unavailable fails the test unless err is one that can be tried again, and
// says something.
func unavailable(t *testing.T, name string, err error, says ...string) {
	t.Helper()
	fix, ok := errors.AsType[*registry.FixError](err)
	if !errors.Is(err, registry.ErrUnavailable) || !ok || fix.Fix == "" {
		t.Errorf("%s: %v, fix %v", name, err, fix)
		return
	}
	for _, want := range says {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, and nothing of %q", name, err, want)
		}
	}
}

func TestAProblemIsTheSameErrorOnTheFarSide(t *testing.T) {
	for _, r := range table() {
		near := fmt.Errorf("deploy: %w", registry.WithFix(registry.Errorf(r.err, "no \x1b[31mred"), "try this"))
		a := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) { problem(w, NewProblem(near, 0, "r")) })
		_, far := a.client(t).Do(t.Context(), deploy())
		want := r.err
		if errors.Is(want, context.Canceled) {
			want = registry.ErrUnavailable // the server stopped; nobody here gave up
		}
		fix, ok := errors.AsType[*registry.FixError](far)
		if !errors.Is(far, want) || ExitStatus(far) != ExitStatus(want) || !ok || fix.Fix == "" || strings.Contains(far.Error(), "\x1b") {
			t.Errorf("%s: %v, exit %d, fix %v", r.code, far, ExitStatus(far), fix)
		}
		tries := 1
		if errors.Is(want, registry.ErrUnavailable) {
			tries = 3
		}
		if a.count() != tries {
			t.Errorf("%s: asked %d times", r.code, a.count())
		}
	}
	a := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) { problem(w, NewProblem(errors.New("x"), 0, "r")) })
	if _, err := a.client(t).Do(t.Context(), deploy()); err == nil || ExitStatus(err) != Failure || Code(err) != "failure" || a.count() != 1 {
		t.Errorf("a failure inside the server: %v, asked %d times", err, a.count())
	}
}

// A newer server may have codes that this client does not know.
func TestAnUnknownCodeIsReadByItsStatus(t *testing.T) {
	for status, want := range map[int]error{401: registry.ErrForbidden, 403: registry.ErrForbidden, 429: registry.ErrUnavailable, 502: registry.ErrUnavailable} {
		a := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
			problem(w, Problem{Type: problemURN + "new", Status: status, Code: "new", Detail: "something new"})
		})
		if _, err := a.client(t).Environments(t.Context()); !errors.Is(err, want) || err.Error() != "something new" {
			t.Errorf("%d: %v", status, err)
		}
	}
	a := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		problem(w, Problem{Type: problemURN + "new", Status: 418, Code: "new", Detail: "something new"})
	})
	if _, err := a.client(t).Environments(t.Context()); ExitStatus(err) != Failure || err.Error() != "something new" {
		t.Errorf("418: %v", err)
	}
}

func TestWhatIsNoAnswerOfIncipitIsUnavailable(t *testing.T) {
	page := "<!doctype html><title>Sign in to the network</title>"
	answers := []struct {
		name   string
		answer func(w http.ResponseWriter)
		says   string
	}{
		{"a page", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, page)
		}, "text/html"},
		{"nothing", func(http.ResponseWriter) {}, "no answer of Incipit"},
		{"half of an object", func(w http.ResponseWriter) { _, _ = io.WriteString(w, receipt[:30]) }, "no answer of Incipit"},
		{"another type", func(w http.ResponseWriter) { _, _ = io.WriteString(w, `["a"]`) }, "no answer of Incipit"},
		{"a page that is not found", func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, page)
		}, "404"},
		{"another program's error", func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusConflict)
			_, _ = io.WriteString(w, `{"code":"conflict","detail":"of something else"}`)
		}, "409"},
		{"a proxy's error", func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway); _, _ = io.WriteString(w, page) }, "502"},
		{"a redirect", func(w http.ResponseWriter) {
			w.Header().Set("Location", "https://login.example.com/")
			w.WriteHeader(http.StatusFound)
		}, "login.example.com"},
		{"too much", func(w http.ResponseWriter) { _, _ = io.WriteString(w, `{"x":"`+strings.Repeat("a", 4096)+`"}`) }, "larger than 4096 bytes"},
	}
	for _, a := range answers {
		s := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) { a.answer(w) })
		c := s.client(t)
		c.most = 4096
		_, err := c.Do(t.Context(), deploy())
		unavailable(t, a.name, err, a.says, s.URL)
		unavailable(t, a.name+", asked for a list", errorOf(c.Environments(t.Context())), a.says)
		unavailable(t, a.name+", where no answer is read", c.Send(t.Context(), http.MethodDelete, "/v1/keys/k", nil, nil), a.says)
		if s.count() != 3 {
			t.Errorf("%s: asked %d times in three requests: it would be the same answer", a.name, s.count())
		}
	}
}

func errorOf[T any](_ T, err error) error { return err }

func TestWhereNothingIsToBeSaidNothingMayBe(t *testing.T) {
	for _, body := range []string{"", "{}", "null", `{"name":"dev"}`} {
		s := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
			if body == "" {
				w.WriteHeader(http.StatusNoContent)
			}
			_, _ = io.WriteString(w, body)
		})
		if err := s.client(t).Send(t.Context(), http.MethodPut, "/v1/environments/dev", map[string]string{}, nil); err != nil {
			t.Errorf("%q: %v", body, err)
		}
	}
}

// cut promises more bytes than it sends, and hangs up.
func cut(w http.ResponseWriter) {
	w.Header().Set("Content-Length", "1000")
	_, _ = io.WriteString(w, receipt[:20])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func TestAChangeWhoseAnswerIsLostIsSentAgainWithItsKey(t *testing.T) {
	a := serve(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		switch n {
		case 1:
			cut(w)
		case 2:
			problem(w, NewProblem(registry.Errorf(registry.ErrUnavailable, "about to stop"), 0, ""))
		default:
			_, _ = io.WriteString(w, receipt)
		}
	})
	c := a.client(t)
	got, err := c.Do(t.Context(), deploy())
	if err != nil || got.Revision != 7 || got.To.String() != "1.0.0" {
		t.Fatalf("%+v, %v", got, err)
	}
	if keys := a.keys(); !slices.Equal(keys, []string{"once-1", "once-1", "once-1"}) {
		t.Errorf("keys %v", keys)
	}
	if a.body(0) != a.body(2) || !strings.Contains(a.body(0), `"confirm":"dev"`) {
		t.Errorf("sent %q, then %q", a.body(0), a.body(2))
	}
	if a.request(0).URL.EscapedPath() != "/v1/environments/dev/prompts/billing%2Frefunds/deploy" {
		t.Errorf("asked %s", a.request(0).URL.EscapedPath())
	}
	if _, err := c.Do(t.Context(), deploy()); err != nil || a.keys()[3] != "once-2" {
		t.Errorf("the next change: key %v, %v", a.keys()[3:], err)
	}
}

func TestAnAnswerThatIsAlwaysCutIsUnavailable(t *testing.T) {
	a := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) { cut(w) })
	_, err := a.client(t).Do(t.Context(), deploy())
	unavailable(t, "a change", err, "broke off")
	if a.count() != tries {
		t.Errorf("asked %d times", a.count())
	}
}

// The server knows no keys for what is posted to make a key or to approve: sent
// twice, there would be two.
func TestWhatWouldBeMadeTwiceIsSentOnce(t *testing.T) {
	a := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) { cut(w) })
	var out CreatedKey
	err := a.client(t).Send(t.Context(), http.MethodPost, "/v1/keys", KeyRequest{Kind: "ci"}, &out)
	unavailable(t, "a new key", err, "broke off")
	if a.count() != 1 || a.keys()[0] != "" {
		t.Errorf("asked %d times, keys %q", a.count(), a.keys())
	}
	if fix, ok := errors.AsType[*registry.FixError](err); !ok || fix.Fix != "look whether it was done before you try again" {
		t.Errorf("what to try: %v", fix)
	}
	none, err := NewClient(ClientConfig{Server: a.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer none.http.CloseIdleConnections()
	_, err = none.Do(t.Context(), deploy())
	unavailable(t, "a change of a client that makes no keys", err)
	if a.count() != 2 {
		t.Errorf("asked %d times", a.count()-1)
	}
	if err := none.Send(t.Context(), http.MethodPut, "/v1/people/a", nil, nil); err == nil || a.count() != 2+tries {
		t.Errorf("what is set may be set again: asked %d times, %v", a.count()-2, err)
	}
}

func TestAServerThatIsAwayIsNamed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := "http://" + l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := NewClient(ClientConfig{Server: address})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Environments(t.Context())
	unavailable(t, "nobody listens", err, address, "refused")
	if strings.Count(err.Error(), address) != 1 {
		t.Errorf("it names the address more than once: %v", err)
	}
}

func TestAKeyDoesNotFollowARedirect(t *testing.T) {
	thief := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, receipt) })
	for _, status := range []int{301, 302, 303, 307, 308} {
		a := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, thief.URL+r.URL.Path, status) })
		_, err := a.client(t).Do(t.Context(), deploy())
		unavailable(t, fmt.Sprint(status), err, fmt.Sprint(status), strings.TrimPrefix(thief.URL, "http://"))
		unavailable(t, fmt.Sprint(status, " of a question"), errorOf(a.client(t).List(t.Context(), "")))
	}
	if thief.count() > 0 {
		t.Errorf("somebody else was asked %d times, with the key %q", thief.count(), thief.request(0).Header.Get("Authorization"))
	}
}

// 301, 302 and 303 make a question of a change, whose answer would be taken for
// the change's.
func TestARedirectDoesNotMakeAQuestionOfAChange(t *testing.T) {
	for _, status := range []int{301, 302, 303} {
		a := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				http.Redirect(w, r, "/elsewhere", status)
				return
			}
			_, _ = io.WriteString(w, receipt)
		})
		_, err := a.client(t).Do(t.Context(), deploy())
		unavailable(t, fmt.Sprint(status), err)
	}
	a := serve(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if n == 1 {
			http.Redirect(w, r, "/base"+r.URL.Path, http.StatusPermanentRedirect)
			return
		}
		_, _ = io.WriteString(w, receipt)
	})
	got, err := a.client(t).Do(t.Context(), deploy())
	if err != nil || got.Revision != 7 || a.request(1).Method != http.MethodPost || a.body(1) != a.body(0) || a.request(1).Header.Get("Authorization") != "Bearer secret" {
		t.Errorf("on the same host: %+v, %v", got, err)
	}
}

func TestAKeyNeverCrossesTheNetworkUnprotected(t *testing.T) {
	for address, ok := range map[string]bool{
		"https://incipit.example.com": true, "https://10.0.0.1:8443/base": true, "http://127.0.0.1:7878": true, "http://[::1]:7878": true, "http://localhost": true, "http://127.8.8.8": true,
		"http://incipit.example.com": false, "http://10.0.0.1": false, "http://localhost.example.com": false, "http://127.0.0.1.example.com": false,
		"http://0.0.0.0": false, "http://[::ffff:10.0.0.1]": false, "ftp://127.0.0.1": false, "127.0.0.1:7878": false, "": false,
		"https://ada:hunter2@incipit.example.com": false, "https://incipit.example.com?x=1": false, "https://": false, "https://exa mple": false,
	} {
		_, err := NewClient(ClientConfig{Server: address, Key: "secret"})
		if ok && err != nil || !ok && !errors.Is(err, prompt.ErrInvalid) {
			t.Errorf("%s: %v", address, err)
		}
		if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%s: the error tells a secret: %v", address, err)
		}
	}
	if _, err := NewClient(ClientConfig{Server: "http://10.0.0.1"}); err != nil {
		t.Errorf("without a key there is nothing to protect: %v", err)
	}
}

func TestAListIsReadToItsEnd(t *testing.T) {
	a := serve(t, func(n int, w http.ResponseWriter, r *http.Request) {
		page := Page[registry.Row]{Items: []registry.Row{{Prompt: prompt.ID(fmt.Sprint("p", n))}}}
		if n < 3 {
			page.NextCursor = fmt.Sprint("after ", n)
		}
		if got := r.URL.Query().Get("cursor"); n > 1 && got != fmt.Sprint("after ", n-1) || r.URL.Query().Get("environment") != "dev" {
			t.Errorf("question %d: %s", n, r.URL.RawQuery)
		}
		_ = json.NewEncoder(w).Encode(page)
	})
	rows, err := a.client(t).List(t.Context(), "dev")
	if err != nil || len(rows) != 3 || rows[2].Prompt != "p3" {
		t.Errorf("%+v, %v", rows, err)
	}
}

func TestAReleaseWithAnotherDigestIsRefused(t *testing.T) {
	full := Release{Release: registry.Release{Prompt: "support", Tag: "support@1.0.0"}, Content: prompt.Prompt{Model: "m", Messages: []prompt.Message{{Role: prompt.System, Content: "Be kind."}}}}
	digest, err := full.Content.Digest()
	if err != nil {
		t.Fatal(err)
	}
	full.Release.Digest = digest
	a := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(full) })
	if _, err := a.client(t).Released(t.Context(), full.Release); err != nil {
		t.Error(err)
	}
	asked := full.Release
	full.Content.Messages[0].Content = "Be rude."
	if _, err := a.client(t).Released(t.Context(), asked); !errors.Is(err, registry.ErrConflict) {
		t.Errorf("another text: %v", err)
	}
}

func TestWhoeverGivesUpIsNotKeptWaiting(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	ctx, cancel := context.WithCancel(t.Context())
	a := serve(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		cancel()
		problem(w, NewProblem(registry.ErrUnavailable, 0, ""))
	})
	c := a.client(t)
	if _, err := c.Do(ctx, deploy()); !errors.Is(err, context.Canceled) || a.count() != 1 {
		t.Errorf("asked %d times: %v", a.count(), err)
	}
	c.http.CloseIdleConnections()
	a.Close()
}
