package notify

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/incipit-dev/incipit/internal/registry"
)

func sender(t *testing.T, edit func(*Config)) *Sender {
	t.Helper()
	c := Config{Allow: []string{"127.0.0.0/8"}, Now: time.Now, Version: "1.2.3"}
	if edit != nil {
		edit(&c)
	}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func receiver(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}

func message(url string) Message {
	return Message{ID: "msg_1", URL: url, Format: registry.FormatJSON, Secret: SecretOf([]byte("of the database"), "w1"), Notice: registry.Notice{
		ID: "production/17", Kind: registry.NoticeRollback, At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600)), Environment: "production", Prompt: "billing/refunds",
		Version: "1.0.1", By: "guard", Text: "production: billing/refunds 1.1.0 -> 1.0.1, rolled back by guard: errors are worse", Detail: map[string]string{"from": "1.1.0"},
	}}
}

// The published library for receivers takes what we sign, and nothing else.
func TestAStandardReceiverVerifiesWhatIsSent(t *testing.T) {
	m := message("")
	hook, err := standardwebhooks.NewWebhook(ShowSecret(m.Secret))
	if err != nil {
		t.Fatal(err)
	}
	other, err := standardwebhooks.NewWebhook(ShowSecret(SecretOf([]byte("of the database"), "w2")))
	if err != nil {
		t.Fatal(err)
	}
	var got Envelope
	m.URL = receiver(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if err := hook.Verify(body, r.Header); err != nil {
			t.Errorf("%v: %v", err, r.Header)
		}
		if other.Verify(body, r.Header) == nil {
			t.Error("another webhook's secret verifies it")
		}
		for i := range body {
			body[i] ^= 1
			if hook.Verify(body, r.Header) == nil {
				t.Errorf("a flipped bit in byte %d is not noticed", i)
			}
			body[i] ^= 1
		}
		if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("User-Agent") != "incipit/1.2.3" || r.Header.Get("webhook-id") != "msg_1" {
			t.Errorf("%s %v", r.Method, r.Header)
		}
		if err := json.Unmarshal(body, &got); err != nil {
			t.Error(err)
		}
		w.WriteHeader(http.StatusNoContent)
	})
	if r := sender(t, nil).Send(t.Context(), m); r.Err != nil || r.Status != http.StatusNoContent {
		t.Errorf("%+v", r)
	}
	if got.ID != "msg_1" || got.Type != registry.NoticeRollback || got.Timestamp.Format(time.RFC3339) != "2026-01-02T02:04:05Z" || got.Data.Notice != "production/17" || got.Data.Detail["from"] != "1.1.0" {
		t.Errorf("%+v", got)
	}
	// And by itself, at another time: an old one is refused.
	h := http.Header{}
	sign(h, m, time.Now().Add(-time.Hour), []byte("{}"))
	if hook.VerifyIgnoringTimestamp([]byte("{}"), h) != nil || hook.Verify([]byte("{}"), h) == nil {
		t.Error("the time is not in the signature as the specification wants it")
	}
}

// The vector is the one that the specification and its libraries are tested
// with.
func TestTheSignatureOfTheSpecification(t *testing.T) {
	const secret, id, body, want = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", `{"test": 2432232314}`, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	key, err := base64.StdEncoding.DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1614265330, 0)
	if got := Sign(key, id, at, []byte(body)); got != want || ShowSecret(key) != "whsec_"+secret {
		t.Errorf("%s with %s", got, ShowSecret(key))
	}
	library, err := standardwebhooks.NewWebhook(ShowSecret(key))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := library.Sign(id, at, []byte(body)); err != nil || got != want {
		t.Errorf("the library says %s, %v", got, err)
	}
}

func TestWhatAReceiverAnswersIsReadAsItIsMeant(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := sender(t, func(c *Config) { c.Now = func() time.Time { return now } })
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		want   string
	}{
		{"taken", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "thank you") }, "200"},
		{"broken", func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "secret of mine", http.StatusInternalServerError)
		}, "500 the webhook answered 500"},
		{"gone", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }, "410 the webhook answered 410: it is gone gone"},
		{"elsewhere", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		}, "302 the webhook answered 302: it sends elsewhere, and no redirect is followed"},
		{"busy", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "90")
			w.WriteHeader(http.StatusTooManyRequests)
		}, "429 the webhook answered 429 1m30s"},
		{"away until", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", now.Add(time.Hour).Format(http.TimeFormat))
			w.WriteHeader(http.StatusServiceUnavailable)
		}, "503 the webhook answered 503 1h0m0s"},
		{"patience where none is due", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "90")
			w.WriteHeader(http.StatusInternalServerError)
		}, "500 the webhook answered 500"},
		{"patience backwards", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "-90")
			w.WriteHeader(http.StatusServiceUnavailable)
		}, "503 the webhook answered 503"},
	} {
		r := s.Send(t.Context(), message(receiver(t, tt.answer)))
		got := fmt.Sprint(r.Status)
		if r.Err != nil {
			got += " " + r.Err.Error()
		}
		if r.Gone {
			got += " gone"
		}
		if r.RetryAfter > 0 {
			got += " " + r.RetryAfter.String()
		}
		if got != tt.want || r.Refused {
			t.Errorf("%s: %s", tt.name, got)
		}
	}
}

// endless writes until nobody takes it, and says how much was taken.
func endless(w http.ResponseWriter, taken chan<- int) {
	n := 0
	for {
		k, err := w.Write(make([]byte, 64<<10))
		if n += k; err != nil || n > 256<<20 {
			taken <- n
			return
		}
	}
}

func TestAReceiverThatWritesWithoutEndOrNotAtAllIsLeft(t *testing.T) {
	taken := make(chan int, 1)
	s := sender(t, func(c *Config) { c.Timeout = 300 * time.Millisecond })
	if r := s.Send(t.Context(), message(receiver(t, func(w http.ResponseWriter, _ *http.Request) { endless(w, taken) }))); r.Err != nil {
		t.Errorf("an answer without end is one all the same: %+v", r)
	}
	if n := <-taken; n > 64<<20 {
		t.Errorf("%d bytes were taken", n)
	}
	for name, h := range map[string]http.HandlerFunc{
		"silent": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"long headers": func(w http.ResponseWriter, _ *http.Request) {
			for i := range 1000 {
				w.Header().Set(fmt.Sprint("X-", i), strings.Repeat("x", 1000))
			}
		},
	} {
		r := s.Send(t.Context(), message(receiver(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			h(w, r)
		})))
		if r.Err == nil || r.Status != 0 || r.Refused {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestAnErrorDoesNotTellTheAddress(t *testing.T) {
	s := sender(t, func(c *Config) {
		c.Transport = tripper(func(*http.Request) (*http.Response, error) { return nil, context.DeadlineExceeded })
	})
	for _, at := range []string{"https://hooks.example.com/services/T0/B0/sEcReT", "https://ho oks/sEcReT", "https://u:sEcReT@hooks.example.com/", "ftp://x/sEcReT"} {
		if r := s.Send(t.Context(), message(at)); r.Err == nil || strings.Contains(r.Err.Error(), "sEcReT") {
			t.Errorf("%s: %v", at, r.Err)
		}
		if strings.Contains(Shown(at), "sEcReT") {
			t.Errorf("%s is shown as %s", at, Shown(at))
		}
	}
	for in, want := range map[string]string{
		"https://hooks.example.com": "https://hooks.example.com", "https://hooks.example.com/a": "https://hooks.example.com/…",
		"https://hooks.example.com/services/T0/B0/x1y2": "https://hooks.example.com/…x1y2",
	} {
		if got := Shown(in); got != want {
			t.Errorf("%s is shown as %s", in, got)
		}
	}
}

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
