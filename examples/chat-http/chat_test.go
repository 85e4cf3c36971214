package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"github.com/incipit-dev/incipit"
	"github.com/incipit-dev/incipit/examples/internal/fake"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func support(version, system string) prompt.Prompt {
	return prompt.Prompt{
		ID: "customer-support", Version: version, Model: "test-model-1",
		Messages: []prompt.Message{
			{Role: prompt.System, Content: system},
			{Role: prompt.User, Content: "Are you open on Sunday?"},
			{Role: prompt.Assistant, Content: "Yes, until noon."},
			{Role: prompt.User, Content: "The question: {{question}}"},
		},
		Variables:    map[string]prompt.Variable{"question": {MaxLength: 100}},
		Parameters:   json.RawMessage(`{"temperature":0.25,"seed":9007199254740991,"not_known_to_the_client":{"deep":[1,2.50]}}`),
		Tools:        json.RawMessage(`[{"type":"function","function":{"name":"look_up","parameters":{"type":"object"}}}]`),
		OutputSchema: json.RawMessage(`{"type":"object","properties":{"text":{"type":"string"}}}`),
	}
}

func snapshot(revision int64, e *registry.Entry) registry.Snapshot {
	return registry.Snapshot{Environment: "production", Generation: 1, Revision: revision, Prompts: map[prompt.ID]*registry.Entry{"customer-support": e}}
}

func runs(t *testing.T, p prompt.Prompt) *registry.Entry {
	t.Helper()
	e, err := fake.Runs(p)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func bundleOf(t *testing.T, e *registry.Entry) []byte {
	t.Helper()
	s := snapshot(7, e)
	data, err := registry.EncodeCopy(&s, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// A desk is the example with a fake model, and what it has recorded.
type desk struct {
	*chat
	fake *fake.Model
	url  string

	mu    sync.Mutex
	calls []incipit.Call
}

func (d *desk) recorded() []incipit.Call {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]incipit.Call(nil), d.calls...)
}

func open(t *testing.T, o incipit.Options) *desk {
	t.Helper()
	o.Logger = slog.New(slog.DiscardHandler)
	client, err := incipit.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close(context.Background()) })
	d := &desk{fake: new(fake.Model)}
	models := httptest.NewServer(d.fake)
	t.Cleanup(models.Close)
	d.chat = &chat{
		prompts: client, timeout: time.Minute, log: o.Logger,
		model: openai.NewClient(option.WithBaseURL(models.URL+"/v1"), option.WithAPIKey("test-key")),
		record: func(c incipit.Call) {
			client.Record(c)
			d.mu.Lock()
			defer d.mu.Unlock()
			d.calls = append(d.calls, c)
		},
	}
	app := httptest.NewServer(d.routes())
	t.Cleanup(app.Close)
	d.url = app.URL
	return d
}

// A response is what the example answered.
type response struct {
	status int
	prompt string // by its header
	body   string
}

// post asks a question.
func post(t *testing.T, url, user, question string) response {
	t.Helper()
	body, err := json.Marshal(map[string]string{"user": user, "question": question})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(url+"/chat", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response{resp.StatusCode, resp.Header.Get("X-Incipit-Prompt"), string(text)}
}

func sameJSON(t *testing.T, got, want string) {
	t.Helper()
	var a, b bytes.Buffer
	if err := errors.Join(json.Compact(&a, []byte(got)), json.Compact(&b, []byte(want))); err != nil {
		t.Fatal(err)
	}
	if a.String() != b.String() {
		t.Errorf("got  %s\nwant %s", a.String(), b.String())
	}
}

func TestThePromptReachesTheModelAsItWasReleased(t *testing.T) {
	d := open(t, incipit.Options{Bundle: bundleOf(t, runs(t, support("1.4.0", "You help customers of a web shop, briefly and kindly.")))})
	got := post(t, d.url, "user-1", "Where is {{my}} parcel?")
	if got.status != http.StatusOK || got.prompt != "customer-support@1.4.0" {
		t.Fatalf("got %+v", got)
	}
	asked := d.fake.Requests()
	if len(asked) != 1 || asked[0].Path != "/v1/chat/completions" || asked[0].Header.Get("Authorization") != "Bearer test-key" {
		t.Fatalf("the model was asked %+v", asked)
	}
	sameJSON(t, string(asked[0].Body), `{
		"messages": [
			{"role": "system", "content": "You help customers of a web shop, briefly and kindly."},
			{"role": "user", "content": "Are you open on Sunday?"},
			{"role": "assistant", "content": "Yes, until noon."},
			{"role": "user", "content": "The question: Where is {{my}} parcel?"}
		],
		"model": "test-model-1",
		"not_known_to_the_client": {"deep": [1, 2.50]},
		"response_format": {"json_schema": {"name": "answer", "schema": {"type": "object", "properties": {"text": {"type": "string"}}}}, "type": "json_schema"},
		"seed": 9007199254740991,
		"temperature": 0.25,
		"tools": [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}]
	}`)

	calls := d.recorded()
	if len(calls) != 1 {
		t.Fatalf("%d calls were recorded", len(calls))
	}
	c := calls[0]
	sameJSON(t, got.body, fmt.Sprintf(`{"answer": "You wrote: The question: Where is {{my}} parcel?", "call": %q}`, c.ID))
	if c.ID == "" || c.StartedAt.IsZero() || c.Latency <= 0 {
		t.Errorf("recorded %+v", c)
	}
	c.ID, c.StartedAt, c.Latency = "", time.Time{}, 0
	want := incipit.Call{
		Prompt: "customer-support", Version: "1.4.0", Environment: "production", Arm: "stable", Share: 100, Subject: "user-1", Model: "test-model-1",
		Outcome: "ok", FinishReason: "stop", ResponseID: "chatcmpl-1", InputTokens: 120, OutputTokens: 30, CachedTokens: 64,
	}
	if fmt.Sprintf("%+v", c) != fmt.Sprintf("%+v", want) {
		t.Errorf("recorded %+v\nwant     %+v", c, want)
	}
}

func TestTheArmOfACanaryIsRecorded(t *testing.T) {
	stable, candidate := "You help customers of a web shop, briefly and kindly.", "You help customers of a web shop, warmly and at length."
	e, err := fake.Canary(support("1.4.0", stable), support("1.5.0", candidate), "customer-support/production/7", 30_000)
	if err != nil {
		t.Fatal(err)
	}
	d := open(t, incipit.Options{Bundle: bundleOf(t, e)})
	arms := make(map[string]int)
	for i := range 40 {
		user := fmt.Sprintf("user-%d", i)
		got := post(t, d.url, user, "Where is it?")
		c, asked := d.recorded()[i], string(d.fake.Requests()[i].Body)
		want, version, text, share := e.Rollout.Assign(user).Name, "1.4.0", stable, 70.0
		if want == "candidate" {
			version, text, share = "1.5.0", candidate, 30
		}
		if c.Arm != want || c.Version != version || c.Share != share || c.Rollout != "customer-support/production/7" || c.Subject != user {
			t.Fatalf("%s is on the %s arm, recorded %+v", user, want, c)
		}
		if !strings.Contains(asked, text) || got.prompt != "customer-support@"+version {
			t.Fatalf("%s is on %s, the model was asked %s, the answer says %s", user, version, asked, got.prompt)
		}
		arms[c.Arm]++
	}
	if len(arms) != 2 {
		t.Errorf("the arms were %v", arms)
	}
}

func TestAFailedModelCallIsRecordedAsOne(t *testing.T) {
	for _, x := range []struct {
		name           string
		status, answer int
		class          string
	}{
		{"the provider is overloaded", http.StatusServiceUnavailable, http.StatusBadGateway, "provider"},
		{"too many requests", http.StatusTooManyRequests, http.StatusBadGateway, "provider"},
		{"the provider refuses the key", http.StatusUnauthorized, http.StatusBadGateway, "provider"},
		{"the provider refuses the request", http.StatusBadRequest, http.StatusBadGateway, "prompt"},
		{"the model does not exist", http.StatusNotFound, http.StatusBadGateway, "prompt"},
		{"a gateway of the provider was too slow", http.StatusGatewayTimeout, http.StatusGatewayTimeout, "timeout"},
	} {
		t.Run(x.name, func(t *testing.T) {
			d := open(t, incipit.Options{Bundle: bundleOf(t, runs(t, support("1.4.0", "You help customers of a web shop, briefly and kindly.")))})
			d.fake.Fail(x.status)
			got := post(t, d.url, "user-1", "Where is it?")
			if got.status != x.answer || got.prompt != "customer-support@1.4.0" {
				t.Errorf("got %+v", got)
			}
			calls := d.recorded()
			if len(calls) != 1 || calls[0].Outcome != "error" || calls[0].ErrorClass != x.class || calls[0].ResponseID != "" || calls[0].Latency <= 0 {
				t.Errorf("recorded %+v", calls)
			}
		})
	}
}

func TestAModelThatDoesNotAnswerIsATimeout(t *testing.T) {
	d := open(t, incipit.Options{Bundle: bundleOf(t, runs(t, support("1.4.0", "You help customers of a web shop, briefly and kindly.")))})
	d.fake.Hush()
	d.timeout = time.Millisecond
	got := post(t, d.url, "user-1", "Where is it?")
	calls := d.recorded()
	if got.status != http.StatusGatewayTimeout || len(calls) != 1 || calls[0].Outcome != "error" || calls[0].ErrorClass != "timeout" {
		t.Errorf("got %+v, recorded %+v", got, calls)
	}
}

func TestAUserWhoGoesAwayIsNoErrorOfAnybody(t *testing.T) {
	d := open(t, incipit.Options{Bundle: bundleOf(t, runs(t, support("1.4.0", "You help customers of a web shop, briefly and kindly.")))})
	asked := d.fake.Hush()
	ctx, leave := context.WithCancel(t.Context())
	go func() { <-asked; leave() }()
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/chat", strings.NewReader(`{"user": "user-1", "question": "Where is it?"}`))
	d.ask(httptest.NewRecorder(), r)
	if calls := d.recorded(); len(calls) != 1 || calls[0].Outcome != "cancelled" || calls[0].ErrorClass != "" {
		t.Errorf("recorded %+v", calls)
	}
}

func TestWhatIsNoQuestionReachesNoModel(t *testing.T) {
	d := open(t, incipit.Options{Bundle: bundleOf(t, runs(t, support("1.4.0", "You help customers of a web shop, briefly and kindly.")))})
	for _, x := range []struct {
		name, user, question string
	}{
		{"no user", "", "Where is it?"},
		{"no question", "user-1", ""},
		{"a question longer than the prompt allows", "user-1", strings.Repeat("x", 101)},
	} {
		if got := post(t, d.url, x.user, x.question); got.status != http.StatusBadRequest {
			t.Errorf("%s: got %+v", x.name, got)
		}
	}
	if n := len(d.fake.Requests()) + len(d.recorded()); n != 0 {
		t.Errorf("%d requests and records", n)
	}
}

func TestFeedbackThatCannotBeIsRefused(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler()) // it is not asked
	defer server.Close()
	d := open(t, incipit.Options{
		Server: server.URL, Environment: "production", CacheDir: "-",
		Bundle: bundleOf(t, runs(t, support("1.4.0", "You help customers of a web shop, briefly and kindly."))),
	})
	for _, x := range []struct {
		body   string
		status int
	}{
		{"no JSON", http.StatusBadRequest},
		{`{"call": "call-1", "score": 6}`, http.StatusBadRequest},
		{`{"call": "", "score": 4}`, http.StatusBadRequest},
		{`{"call": "call-1", "score": 4}`, http.StatusServiceUnavailable},
	} {
		w := httptest.NewRecorder()
		d.rate(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/feedback", strings.NewReader(x.body)))
		if w.Code != x.status {
			t.Errorf("%s: %d %s", x.body, w.Code, w.Body)
		}
	}
}

func TestAReleaseThatTheProgramWasNotWrittenForIsNotServed(t *testing.T) {
	d := open(t, incipit.Options{Bundle: bundleOf(t, runs(t, support("2.0.0", "You help customers of a web shop, briefly and kindly.")))})
	if got := post(t, d.url, "user-1", "Where is it?"); got.status != http.StatusServiceUnavailable || len(d.fake.Requests()) != 0 {
		t.Errorf("got %+v, %d requests", got, len(d.fake.Requests()))
	}
}

func listener(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// program starts run as main does, and answers its address and what ends it.
func program(t *testing.T) (url string, stop func() error) {
	t.Helper()
	ln := listener(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, ln, slog.New(slog.DiscardHandler)) }()
	stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() { _ = stop() })
	return "http://" + ln.Addr().String(), stop
}

func source(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var health struct{ Source string }
	if err := json.NewDecoder(resp.Body).Decode(&health); err != nil {
		t.Fatal(err)
	}
	return health.Source
}

func TestTheProgramAnswersWithTheServerGoneAndOverARestart(t *testing.T) {
	model := new(fake.Model)
	models := httptest.NewServer(model)
	defer models.Close()
	reg := &fake.Registry{Key: "incipit_test"}
	reg.Deploy(snapshot(3, runs(t, support("1.4.0", "You help customers of a web shop, briefly and kindly."))))
	server := httptest.NewServer(reg)
	defer server.Close()
	t.Setenv("OPENAI_BASE_URL", models.URL+"/v1")
	t.Setenv("OPENAI_API_KEY", "test-key")
	t.Setenv("INCIPIT_SERVER", server.URL)
	t.Setenv("INCIPIT_KEY", "incipit_test")
	t.Setenv("INCIPIT_ENVIRONMENT", "production")
	t.Setenv("INCIPIT_DIR", "")
	t.Setenv("XDG_CACHE_HOME", t.TempDir())

	asks := func(url string) {
		t.Helper()
		got := post(t, url, "user-1", "Where is it?")
		if got.status != http.StatusOK || got.prompt != "customer-support@1.4.0" {
			t.Errorf("got %+v", got)
		}
	}
	url, stop := program(t)
	if s := source(t, url); s != "stream" {
		t.Errorf("served from %s", s)
	}
	asks(url)
	server.CloseClientConnections()
	server.Close()
	asks(url)
	if err := stop(); err != nil {
		t.Errorf("stopped with %v", err)
	}

	url, stop = program(t)
	if s := source(t, url); s != "disk" {
		t.Errorf("served from %s", s)
	}
	asks(url)
	if err := stop(); err != nil {
		t.Errorf("stopped with %v", err)
	}

	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	if err := run(t.Context(), listener(t), slog.New(slog.DiscardHandler)); !errors.Is(err, incipit.ErrUnavailable) {
		t.Errorf("without a server, a copy and a bundle: %v", err)
	}
	if n := len(model.Requests()); n != 3 {
		t.Errorf("the model was asked %d times", n)
	}
}

func TestTheProgramServesAWorkingTree(t *testing.T) {
	models := httptest.NewServer(new(fake.Model))
	defer models.Close()
	t.Setenv("OPENAI_BASE_URL", models.URL+"/v1")
	t.Setenv("OPENAI_API_KEY", "test-key")
	t.Setenv("INCIPIT_SERVER", "")
	t.Setenv("INCIPIT_ENVIRONMENT", "")
	t.Setenv("INCIPIT_DIR", "..")
	url, _ := program(t)
	got := post(t, url, "user-1", "Where is it?")
	if got.status != http.StatusOK || got.prompt != "customer-support@1.0.0" || !strings.Contains(got.body, "Where is it?") {
		t.Errorf("got %+v", got)
	}
}

// A door tells when it was closed.
type door struct {
	net.Listener
	closed func()
}

func (d door) Close() error {
	defer d.closed()
	return d.Listener.Close()
}

func TestARequestInProgressIsAnsweredAtTheEnd(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	shut, release := make(chan struct{}), make(chan struct{})
	ln := door{listener(t), sync.OnceFunc(func() { close(shut) })}
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		stop() // the program is told to end while this request is in progress
		<-release
		_, _ = io.WriteString(w, "answered")
	})
	ended, answer := make(chan error, 1), make(chan string, 1)
	go func() { ended <- serve(ctx, ln, h) }()
	go func() {
		resp, err := http.Get("http://" + ln.Addr().String())
		if err != nil {
			answer <- err.Error()
			return
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		answer <- fmt.Sprintf("%s, %v", text, err)
	}()
	<-shut
	select {
	case err := <-ended:
		t.Errorf("it ended before the request was answered: %v", err)
		ended <- nil
	case <-time.After(50 * time.Millisecond): // a chance to be wrong
	}
	close(release)
	if got := <-answer; got != "answered, <nil>" {
		t.Errorf("got %q", got)
	}
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
}
