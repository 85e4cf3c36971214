package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"

	"github.com/incipit-dev/incipit"
	"github.com/incipit-dev/incipit/examples/internal/fake"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

const sorts = "You sort the tickets of a support desk into queues, one at a time."

func triage(version, system string) prompt.Prompt {
	return prompt.Prompt{
		ID: "ticket-triage", Version: version, Model: "test-model-2",
		Messages: []prompt.Message{
			{Role: prompt.System, Content: system},
			{Role: prompt.User, Content: "My invoice is wrong."},
			{Role: prompt.Assistant, Content: "billing"},
			{Role: prompt.User, Content: "The ticket: {{ticket}}"},
		},
		Variables:    map[string]prompt.Variable{"ticket": {MaxLength: 100}},
		Parameters:   json.RawMessage(`{"max_tokens":321,"temperature":0,"not_known_to_the_client":{"deep":[1,2.50]},"output_config":{"effort":"low"}}`),
		Tools:        json.RawMessage(`[{"name":"file_ticket","input_schema":{"type":"object","properties":{"queue":{"type":"string"}}}}]`),
		OutputSchema: json.RawMessage(`{"type":"object"}`),
	}
}

func snapshot(revision int64, e *registry.Entry) registry.Snapshot {
	return registry.Snapshot{Environment: "production", Generation: 1, Revision: revision, Prompts: map[prompt.ID]*registry.Entry{"ticket-triage": e}}
}

func runs(t *testing.T, p prompt.Prompt) *registry.Entry {
	t.Helper()
	e, err := fake.Runs(p)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func bundleOf(t *testing.T, e *registry.Entry, savedAt time.Time) []byte {
	t.Helper()
	s := snapshot(7, e)
	data, err := registry.EncodeCopy(&s, savedAt)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// A bench is the example with a fake model, and what it has recorded.
type bench struct {
	*worker
	fake  *fake.Model
	calls []incipit.Call // work does one job at a time
}

func open(t *testing.T, bundle []byte) *bench {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	client, err := incipit.New(t.Context(), incipit.Options{Bundle: bundle, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close(context.Background()) })
	b := &bench{fake: new(fake.Model)}
	models := httptest.NewServer(b.fake)
	t.Cleanup(models.Close)
	b.worker = &worker{
		prompts: client, timeout: time.Minute, log: log,
		model:  anthropic.NewClient(option.WithBaseURL(models.URL), option.WithAPIKey("test-key")),
		record: func(c incipit.Call) { client.Record(c); b.calls = append(b.calls, c) },
	}
	return b
}

// results does jobs, and reads what came out.
func (b *bench) results(t *testing.T, jobs string) []result {
	t.Helper()
	var out bytes.Buffer
	if err := b.work(t.Context(), strings.NewReader(jobs), &out); err != nil {
		t.Fatal(err)
	}
	return read(t, &out)
}

func read(t *testing.T, out io.Reader) (results []result) {
	t.Helper()
	lines := json.NewDecoder(out)
	for {
		var r result
		err := lines.Decode(&r)
		if errors.Is(err, io.EOF) {
			return results
		}
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, r)
	}
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
	b := open(t, bundleOf(t, runs(t, triage("1.4.0", sorts)), time.Now()))
	results := b.results(t, `{"id": "a", "customer": "c-1", "ticket": "Where is {{my}} parcel?"}`)
	asked := b.fake.Requests()
	if len(asked) != 1 || asked[0].Path != "/v1/messages" || asked[0].Header.Get("X-Api-Key") != "test-key" {
		t.Fatalf("the model was asked %+v", asked)
	}
	sameJSON(t, string(asked[0].Body), `{
		"max_tokens": 321,
		"messages": [
			{"role": "user", "content": "My invoice is wrong."},
			{"role": "assistant", "content": "billing"},
			{"role": "user", "content": "The ticket: Where is {{my}} parcel?"}
		],
		"model": "test-model-2",
		"not_known_to_the_client": {"deep": [1, 2.50]},
		"output_config": {"effort": "low", "format": {"schema": {"type": "object"}, "type": "json_schema"}},
		"system": "You sort the tickets of a support desk into queues, one at a time.",
		"temperature": 0,
		"tools": [{"name": "file_ticket", "input_schema": {"type": "object", "properties": {"queue": {"type": "string"}}}}]
	}`)

	if len(b.calls) != 1 {
		t.Fatalf("%d calls were recorded", len(b.calls))
	}
	c := b.calls[0]
	if len(results) != 1 || results[0].ID != "a" || results[0].Prompt != "ticket-triage@1.4.0" || results[0].Call != c.ID || results[0].Error != "" ||
		string(results[0].Filed) != `{"queue":"other","summary":"A fake model filed this.","urgency":"normal"}` {
		t.Errorf("got %+v", results)
	}
	if c.ID == "" || c.StartedAt.IsZero() || c.Latency <= 0 {
		t.Errorf("recorded %+v", c)
	}
	c.ID, c.StartedAt, c.Latency = "", time.Time{}, 0
	want := incipit.Call{
		Prompt: "ticket-triage", Version: "1.4.0", Environment: "production", Arm: "stable", Share: 100, Subject: "c-1", Model: "test-model-2",
		Outcome: "ok", FinishReason: "tool_use", ResponseID: "msg_1", InputTokens: 147, OutputTokens: 25, CachedTokens: 40,
	}
	if fmt.Sprintf("%+v", c) != fmt.Sprintf("%+v", want) {
		t.Errorf("recorded %+v\nwant     %+v", c, want)
	}
}

func TestAPromptWithoutParametersAsksForSomeTokens(t *testing.T) {
	p := triage("1.4.0", sorts)
	p.Parameters, p.Tools, p.OutputSchema = nil, nil, nil
	b := open(t, bundleOf(t, runs(t, p), time.Now()))
	results := b.results(t, `{"id": "a", "customer": "c-1", "ticket": "Where is it?"}`)
	if len(results) != 1 || results[0].Text != "You wrote: The ticket: Where is it?" || b.calls[0].FinishReason != "end_turn" {
		t.Errorf("got %+v, recorded %+v", results, b.calls)
	}
	if body := string(b.fake.Requests()[0].Body); !strings.Contains(body, `"max_tokens":1024`) || strings.Contains(body, "tools") {
		t.Errorf("the model was asked %s", body)
	}
}

func TestTheArmOfACanaryIsRecorded(t *testing.T) {
	e, err := fake.Canary(triage("1.4.0", sorts), triage("1.5.0", sorts+" Be quick."), "ticket-triage/production/7", 30_000)
	if err != nil {
		t.Fatal(err)
	}
	b := open(t, bundleOf(t, e, time.Now()))
	var jobs strings.Builder
	for i := range 40 {
		fmt.Fprintf(&jobs, `{"id": "%d", "customer": "c-%[1]d", "ticket": "Where is it?"}`+"\n", i)
	}
	results := b.results(t, jobs.String())
	if len(results) != 40 || len(b.calls) != 40 {
		t.Fatalf("%d results and %d calls of 40 jobs", len(results), len(b.calls))
	}
	arms := make(map[string]int)
	for i, c := range b.calls {
		customer := fmt.Sprintf("c-%d", i)
		want, version, share := e.Rollout.Assign(customer).Name, "1.4.0", 70.0
		if want == "candidate" {
			version, share = "1.5.0", 30
		}
		if c.Arm != want || c.Version != version || c.Share != share || c.Rollout != "ticket-triage/production/7" || c.Subject != customer {
			t.Errorf("%s is on the %s arm, recorded %+v", customer, want, c)
		}
		if quick := strings.Contains(string(b.fake.Requests()[i].Body), "Be quick."); quick != (want == "candidate") || results[i].Prompt != "ticket-triage@"+version {
			t.Errorf("%s is on %s, the result says %s", customer, version, results[i].Prompt)
		}
		arms[c.Arm]++
	}
	if len(arms) != 2 {
		t.Errorf("the arms were %v", arms)
	}
}

func TestAFailedModelCallIsRecordedAsOneAndTheNextJobIsDone(t *testing.T) {
	for _, x := range []struct {
		name   string
		status int
		class  string
	}{
		{"the provider is overloaded", 529, "provider"},
		{"too many requests", http.StatusTooManyRequests, "provider"},
		{"the provider refuses the key", http.StatusUnauthorized, "provider"},
		{"the provider refuses the request", http.StatusBadRequest, "prompt"},
		{"the model does not exist", http.StatusNotFound, "prompt"},
		{"a gateway of the provider was too slow", http.StatusGatewayTimeout, "timeout"},
	} {
		t.Run(x.name, func(t *testing.T) {
			b := open(t, bundleOf(t, runs(t, triage("1.4.0", sorts)), time.Now()))
			b.fake.Fail(x.status)
			results := b.results(t, `{"id": "a", "customer": "c-1", "ticket": "Where is it?"}`)
			b.fake.Fail(0)
			results = append(results, b.results(t, `{"id": "b", "customer": "c-1", "ticket": "Where is it?"}`)...)
			if len(results) != 2 || results[0].Error != "the model call failed: "+x.class || results[0].Filed != nil || results[1].Error != "" || results[1].Filed == nil {
				t.Errorf("got %+v", results)
			}
			if len(b.calls) != 2 || b.calls[0].Outcome != "error" || b.calls[0].ErrorClass != x.class || b.calls[0].ResponseID != "" || b.calls[1].Outcome != "ok" {
				t.Errorf("recorded %+v", b.calls)
			}
		})
	}
}

func TestAModelThatDoesNotAnswerIsATimeout(t *testing.T) {
	b := open(t, bundleOf(t, runs(t, triage("1.4.0", sorts)), time.Now()))
	b.fake.Hush()
	b.timeout = time.Millisecond
	results := b.results(t, `{"id": "a", "customer": "c-1", "ticket": "Where is it?"}`)
	if len(results) != 1 || results[0].Error == "" || len(b.calls) != 1 || b.calls[0].Outcome != "error" || b.calls[0].ErrorClass != "timeout" {
		t.Errorf("got %+v, recorded %+v", results, b.calls)
	}
}

func TestABadJobDoesNotEndTheWork(t *testing.T) {
	b := open(t, bundleOf(t, runs(t, triage("1.4.0", sorts)), time.Now()))
	results := b.results(t, "not JSON\n"+
		`{"id": "long", "customer": "c-1", "ticket": "`+strings.Repeat("x", 101)+`"}`+"\n"+
		`{"id": "good", "customer": "c-1", "ticket": "Where is it?"}`+"\n")
	if len(results) != 3 || results[0].Error == "" || results[1].Error == "" || results[1].ID != "long" || results[2].Error != "" {
		t.Errorf("got %+v", results)
	}
	if len(b.calls) != 1 || len(b.fake.Requests()) != 1 { // no model was called for the bad ones
		t.Errorf("recorded %+v", b.calls)
	}
}

func TestAnOldPromptIsServedAndMarked(t *testing.T) {
	b := open(t, bundleOf(t, runs(t, triage("1.4.0", sorts)), time.Now().Add(-25*time.Hour)))
	results := b.results(t, `{"id": "a", "customer": "c-1", "ticket": "Where is it?"}`)
	if len(results) != 1 || results[0].Error != "" || len(b.calls) != 1 || b.calls[0].Tags["prompt"] != "stale" {
		t.Errorf("got %+v, recorded %+v", results, b.calls)
	}
}

func TestTheEmbeddedBundleIsMadeOfThePrompts(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	embedded, err := incipit.New(t.Context(), incipit.Options{Bundle: bundle, Environment: "production", Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	defer embedded.Close(context.Background())
	files, err := incipit.New(t.Context(), incipit.Options{Dir: "..", Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close(context.Background())
	vars := incipit.Vars{"ticket": "Where is it?"}
	a, errA := embedded.Prompt(t.Context(), "ticket-triage", "c-1", vars)
	b, errB := files.Prompt(t.Context(), "ticket-triage", "c-1", vars)
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	if a.Digest != b.Digest || a.Version != b.Version || a.Source != "bundle" || b.Source != "files" {
		t.Errorf("the bundle has %s %s, the files are %s %s: make it again, as README.md says", a.Version, a.Digest, b.Version, b.Digest)
	}
}

// A journal is a log that a test can wait on.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
	more chan struct{}
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	defer func() {
		select {
		case j.more <- struct{}{}:
		default:
		}
	}()
	return j.text.Write(p)
}

// says waits until the log holds a text.
func (j *journal) says(t *testing.T, text string) {
	t.Helper()
	for {
		j.mu.Lock()
		log := j.text.String()
		j.mu.Unlock()
		if strings.Contains(log, text) {
			return
		}
		select {
		case <-j.more:
		case <-t.Context().Done():
		case <-time.After(time.Minute):
			t.Fatalf("the log does not say %q:\n%s", text, log)
		}
	}
}

// A shift is the program at work, started as main does.
type shift struct {
	jobs    *io.PipeWriter
	results *json.Decoder
	log     *journal
	stop    context.CancelFunc
	ended   chan error
}

func start(t *testing.T) *shift {
	t.Helper()
	in, jobs := io.Pipe()
	results, out := io.Pipe()
	ctx, stop := context.WithCancel(t.Context())
	s := &shift{jobs: jobs, results: json.NewDecoder(results), log: &journal{more: make(chan struct{}, 1)}, stop: stop, ended: make(chan error, 1)}
	go func() {
		s.ended <- run(ctx, in, out, slog.New(slog.NewTextHandler(s.log, nil)))
		_ = out.Close()
	}()
	t.Cleanup(func() { stop(); _ = jobs.Close(); _ = results.Close() })
	return s
}

// file hands a ticket in, and waits for its result.
func (s *shift) file(t *testing.T) (r result) {
	t.Helper()
	if _, err := io.WriteString(s.jobs, `{"id": "a", "customer": "c-1", "ticket": "Where is it?"}`+"\n"); err != nil {
		t.Fatal(err)
	}
	if err := s.results.Decode(&r); err != nil {
		t.Fatal(err)
	}
	return r
}

func (s *shift) end(t *testing.T) {
	t.Helper()
	_ = s.jobs.Close()
	if err := <-s.ended; err != nil {
		t.Errorf("the program ended with %v", err)
	}
}

func TestTheProgramFollowsTheServerAndWorksOnWithoutIt(t *testing.T) {
	model := new(fake.Model)
	models := httptest.NewServer(model)
	defer models.Close()
	reg := &fake.Registry{Key: "incipit_test"}
	reg.Deploy(snapshot(3, runs(t, triage("1.4.0", sorts))))
	server := httptest.NewServer(reg)
	defer server.Close()
	t.Setenv("ANTHROPIC_BASE_URL", models.URL)
	t.Setenv("ANTHROPIC_API_KEY", "test-key")
	t.Setenv("INCIPIT_SERVER", server.URL)
	t.Setenv("INCIPIT_KEY", "incipit_test")
	t.Setenv("INCIPIT_ENVIRONMENT", "")
	t.Setenv("XDG_CACHE_HOME", t.TempDir())

	s := start(t)
	s.log.says(t, "prompts=stream")
	if r := s.file(t); r.Prompt != "ticket-triage@1.4.0" || r.Error != "" {
		t.Errorf("got %+v", r)
	}
	reg.Deploy(snapshot(4, runs(t, triage("1.5.0", sorts+" Be quick."))))
	s.log.says(t, "revision=4 changed=[ticket-triage]")
	if r := s.file(t); r.Prompt != "ticket-triage@1.5.0" || r.Error != "" {
		t.Errorf("after the deploy: %+v", r)
	}
	for deadline := time.Now().Add(time.Minute); len(reg.Calls()) < 2 && time.Now().Before(deadline); {
		<-time.After(10 * time.Millisecond) // a call is delivered within a second or so
	}
	if calls := reg.Calls(); len(calls) != 2 || calls[0].Version != "1.4.0" || calls[1].Version != "1.5.0" || calls[1].Outcome != "ok" || calls[1].ResponseID != "msg_2" {
		t.Errorf("the server was told of %+v", calls)
	}
	server.CloseClientConnections()
	server.Close()
	s.log.says(t, "something is wrong with the prompts")
	if r := s.file(t); r.Prompt != "ticket-triage@1.5.0" || r.Error != "" {
		t.Errorf("with the server gone: %+v", r)
	}
	s.end(t)
	s.log.says(t, "recorded calls that were not delivered: 1") // the one that was made with the server gone

	s = start(t) // the server is gone, the copy on disk is there
	s.log.says(t, "prompts=disk")
	if r := s.file(t); r.Prompt != "ticket-triage@1.5.0" || r.Error != "" {
		t.Errorf("restarted with the copy on disk: %+v", r)
	}
	s.end(t)

	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	s = start(t) // neither is there
	s.log.says(t, "prompts=bundle")
	if r := s.file(t); r.Prompt != "ticket-triage@1.0.0" || r.Error != "" || r.Filed == nil {
		t.Errorf("restarted with the bundle alone: %+v", r)
	}
	s.stop() // as a signal does, while it waits for a job
	if err := <-s.ended; err != nil {
		t.Errorf("the program ended with %v", err)
	}
}

func TestAJobThatHasBegunIsFinishedAtTheEnd(t *testing.T) {
	b := open(t, bundleOf(t, runs(t, triage("1.4.0", sorts)), time.Now()))
	ctx, stop := context.WithCancel(t.Context())
	answers := b.fake
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		stop() // the program is told to end while the model thinks
		answers.ServeHTTP(w, r)
	}))
	defer slow.Close()
	b.model = anthropic.NewClient(option.WithBaseURL(slow.URL), option.WithAPIKey("test-key"))
	in, jobs := io.Pipe()
	defer jobs.Close()
	go func() {
		_, _ = io.WriteString(jobs, `{"id": "a", "customer": "c-1", "ticket": "Where is it?"}`+"\n")
	}()
	var out bytes.Buffer
	if err := b.work(ctx, in, &out); err != nil {
		t.Fatal(err)
	}
	if results := read(t, &out); len(results) != 1 || results[0].Error != "" || len(b.calls) != 1 || b.calls[0].Outcome != "ok" {
		t.Errorf("got %+v, recorded %+v", results, b.calls)
	}
}
