package provider

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const canary = "incipitcanary-0123456789abcdefghij"

// environment is one of a few variables.
func environment(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

func testConfig(vars map[string]string) Config {
	return Config{Getenv: environment(vars), Now: time.Now, Timeout: time.Minute}
}

// A seen is a request that a server got.
type seen struct {
	Path, Query string
	Header      http.Header
	Body        map[string]any
}

// A model is a server that answers each request with the same body.
type model struct {
	*httptest.Server
	mu   sync.Mutex
	got  []seen
	code int
}

func serve(t *testing.T, answer string) *model {
	t.Helper()
	m := &model{code: http.StatusOK}
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		s := seen{Path: r.URL.Path, Query: r.URL.RawQuery, Header: r.Header.Clone()}
		if len(raw) > 0 && json.Unmarshal(raw, &s.Body) != nil {
			s.Body = map[string]any{"raw": string(raw)}
		}
		m.mu.Lock()
		m.got = append(m.got, s)
		m.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(m.code)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(m.Close)
	return m
}

func (m *model) last(t *testing.T) seen {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.got) == 0 {
		t.Fatal("no request came")
	}
	return m.got[len(m.got)-1]
}

func (m *model) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.got)
}

// handler serves h on the loopback.
func handler(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}

// trap is a server to which nothing may ever come.
func trap(t *testing.T) string {
	t.Helper()
	var touched atomic.Int32
	url := handler(t, func(http.ResponseWriter, *http.Request) { touched.Add(1) })
	t.Cleanup(func() {
		if n := touched.Load(); n != 0 {
			t.Errorf("%d requests came to where nothing may come", n)
		}
	})
	return url
}

func open(t *testing.T, spec Spec, c Config) (Provider, string) {
	t.Helper()
	p, name, err := Open(spec, c)
	if err != nil {
		t.Fatal(err)
	}
	return p, name
}

func ask(text string) Request {
	return Request{Model: "m", Messages: []Message{{Role: "user", Content: text}}}
}

// failure is the *Error that err must be.
func failure(t *testing.T, err error, kind Kind) *Error {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Kind != kind {
		t.Fatalf("%v, want an error of the kind %s", err, kind)
	}
	if e.Text == "" || e.Fix == "" || len([]rune(e.Text)) > maxText+1 || strings.Contains(e.Error(), canary) {
		t.Errorf("%+v", e)
	}
	return e
}

// fails is failure for whom its kind is enough.
func fails(t *testing.T, err error, kind Kind) {
	t.Helper()
	_ = failure(t, err, kind)
}

const chatOK = `{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-4o-mini-2024-07-18",
"choices":[{"index":0,"message":{"role":"assistant","content":"Hello."},"finish_reason":"stop"}],
"usage":{"prompt_tokens":12,"completion_tokens":3,"total_tokens":15,"prompt_tokens_details":{"cached_tokens":4}}}`

const messagesOK = `{"id":"msg_1","type":"message","role":"assistant","model":"claude-haiku-4-5-20251001",
"content":[{"type":"text","text":"Hello."}],"stop_reason":"end_turn",
"usage":{"input_tokens":10,"cache_read_input_tokens":4,"cache_creation_input_tokens":1,"output_tokens":3}}`

const responsesOK = `{"id":"resp_1","object":"response","status":"completed","model":"gpt-5-mini","error":null,"incomplete_details":null,
"output":[{"type":"reasoning","id":"rs_1","summary":[]},{"type":"message","id":"m1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"Hel","annotations":[]},{"type":"output_text","text":"lo.","annotations":[]}]}],
"usage":{"input_tokens":12,"input_tokens_details":{"cached_tokens":4},"output_tokens":3,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":15}}`
