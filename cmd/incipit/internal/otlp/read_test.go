package otlp

import (
	"errors"
	"maps"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// both runs a test in both encodings.
func both(t *testing.T, test func(t *testing.T, kind Encoding)) {
	t.Run("protobuf", func(t *testing.T) { test(t, Protobuf) })
	t.Run("JSON", func(t *testing.T) { test(t, JSON) })
}

// one reads a request with one call.
func one(t *testing.T, body []byte, kind Encoding) registry.Call {
	t.Helper()
	b, ignored, err := Read(body, kind)
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Calls) != 1 || len(b.Index) != 1 || len(b.Rejected) != 0 || ignored != 0 {
		t.Fatalf("read %d calls, refused %v, ignored %d", len(b.Calls), b.Rejected, ignored)
	}
	return b.Calls[0]
}

func event(name string, after time.Duration, says map[string]any) func(ptrace.Span, pcommon.Map) {
	return func(sp ptrace.Span, _ pcommon.Map) {
		e := sp.Events().AppendEmpty()
		e.SetName(name)
		e.SetTimestamp(pcommon.NewTimestampFromTime(began.Add(after)))
		if err := e.Attributes().FromRaw(says); err != nil {
			panic(err)
		}
	}
}

func status(code ptrace.StatusCode, message string) func(ptrace.Span, pcommon.Map) {
	return func(sp ptrace.Span, _ pcommon.Map) {
		sp.Status().SetCode(code)
		sp.Status().SetMessage(message)
	}
}

func TestEachConventionIsRead(t *testing.T) {
	type says = map[string]any
	for name, tt := range map[string]struct {
		says   says
		change []func(ptrace.Span, pcommon.Map)
		want   registry.Call
	}{
		"ours": {
			says: says{
				"incipit.prompt.id": "billing/refunds", "incipit.prompt.version": "1.3.2", "incipit.environment": "production",
				"incipit.prompt.arm": "candidate", "incipit.prompt.rollout": "salt-1", "incipit.prompt.share": 12.5,
				"incipit.prompt.subject": "user-12", "user.id": "somebody else", "incipit.call.satisfaction": 4,
				"incipit.prompt.call_id": "01920000-0000-7000-8000-000000000000", "incipit.tag.tier": "gold", "incipit.tag.beta": true,
				"incipit.prompt.variables": map[string]any{"name": "Example"}, "gen_ai.input.messages": "what was made of it",
				"deployment.environment.name": "staging", "gen_ai.prompt.name": "another", "gen_ai.prompt.version": "9.9.9",
			},
			want: registry.Call{
				Prompt: "billing/refunds", Version: "1.3.2", Environment: "production", Arm: "candidate", Rollout: "salt-1",
				Share: registry.Some[registry.Share](12_500), Subject: "user-12", Satisfaction: registry.Some(4.0),
				ID: registry.CallID{0x01, 0x92, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 0}, Tags: map[string]string{"tier": "gold", "beta": "true"},
				Input: `{"name":"Example"}`,
			},
		},
		"the semantic conventions": {
			says: says{
				"gen_ai.operation.name": "chat", "gen_ai.prompt.name": "greeting", "gen_ai.prompt.version": "1.0.0", "deployment.environment.name": "production",
				"gen_ai.request.model": "asked", "gen_ai.response.model": "answered", "gen_ai.response.id": "resp-1", "gen_ai.response.finish_reasons": []any{"stop", "length"},
				"gen_ai.usage.input_tokens": 120, "gen_ai.usage.output_tokens": 30, "gen_ai.usage.cache_read.input_tokens": 100, "gen_ai.usage.cost": 0.000123456789,
				"gen_ai.response.time_to_first_chunk": 0.25, "gen_ai.conversation.id": "talk-1",
				"gen_ai.input.messages":  []any{map[string]any{"role": "user", "parts": []any{map[string]any{"type": "text", "content": "a < b"}}}},
				"gen_ai.output.messages": `[{"role":"assistant"}]`,
			},
			want: registry.Call{
				Prompt: "greeting", Version: "1.0.0", Environment: "production", Model: "answered", ResponseID: "resp-1", FinishReason: "stop",
				InputTokens: registry.Some[int64](120), OutputTokens: registry.Some[int64](30), CachedTokens: registry.Some[int64](100),
				Cost: registry.Some[registry.NanoUSD](123_457), FirstToken: registry.Some(250 * time.Millisecond), Subject: "talk-1",
				Input: `[{"parts":[{"content":"a < b","type":"text"}],"role":"user"}]`, Output: `[{"role":"assistant"}]`,
			},
		},
		"older spellings of the semantic conventions, numbers as text and as doubles": {
			says: says{
				"gen_ai.prompt.name": "greeting", "gen_ai.prompt.version": "v1.0.0", "gen_ai.usage.prompt_tokens": "120", "gen_ai.usage.completion_tokens": 30.0,
				"gen_ai.usage.cache_read_input_tokens": " 7 ", "gen_ai.usage.cost_usd": "0.5", "gen_ai.server.time_to_first_token": "0.1",
				"gen_ai.prompt": "in", "gen_ai.completion": "out", "enduser.id": "user-1", "gen_ai.request.model": "asked", "gen_ai.response.finish_reasons": `["stop"]`,
			},
			change: []func(ptrace.Span, pcommon.Map){func(_ ptrace.Span, resource pcommon.Map) { resource.PutStr("deployment.environment", "staging") }},
			want: registry.Call{
				Prompt: "greeting", Version: "1.0.0", Environment: "staging", InputTokens: registry.Some[int64](120), OutputTokens: registry.Some[int64](30),
				CachedTokens: registry.Some[int64](7), Cost: registry.Some[registry.NanoUSD](500_000_000), FirstToken: registry.Some(100 * time.Millisecond),
				Input: "in", Output: "out", Subject: "user-1", Model: "asked", FinishReason: "stop",
			},
		},
		"Langfuse": {
			says: says{
				"langfuse.observation.type": "generation", "langfuse.observation.prompt.name": "greeting", "langfuse.observation.prompt.version": 7,
				"langfuse.environment": "production", "langfuse.observation.model.name": "a-model", "langfuse.user.id": "user-2", "session.id": "session-1",
				"langfuse.observation.usage_details":         `{"input": 10, "output": 20, "input_cached_tokens": 3, "total": 33}`,
				"langfuse.observation.cost_details":          `{"input": 0.1, "total": 0.25}`,
				"langfuse.observation.completion_start_time": `"2026-08-07T10:00:00.323456Z"`,
				"langfuse.observation.input":                 "in", "langfuse.observation.output": "out",
			},
			want: registry.Call{
				Prompt: "greeting", Version: "7", Environment: "production", Model: "a-model", Subject: "user-2",
				InputTokens: registry.Some[int64](10), OutputTokens: registry.Some[int64](20), CachedTokens: registry.Some[int64](3),
				Cost: registry.Some[registry.NanoUSD](250_000_000), FirstToken: registry.Some(200 * time.Millisecond), Input: "in", Output: "out",
			},
		},
		"Langfuse as it was spelled before, and details that are no text": {
			says: says{
				"langfuse.prompt.name": "greeting", "langfuse.prompt.version": "1.0.0", "langfuse.observation.level": "ERROR",
				"langfuse.observation.status_message": "overloaded", "langfuse.observation.usage_details": map[string]any{"prompt_tokens": 4, "completion_tokens": 5},
				"langfuse.observation.cost_details": "not JSON", "langfuse.observation.completion_start_time": "soon",
			},
			want: registry.Call{
				Prompt: "greeting", Version: "1.0.0", InputTokens: registry.Some[int64](4), OutputTokens: registry.Some[int64](5),
				Outcome: registry.Failed, ErrorClass: registry.ProviderError,
			},
		},
		"OpenInference": {
			says: says{
				"openinference.span.kind": "LLM", "prompt.vendor": "incipit", "prompt.id": "greeting", "llm.prompt_template.version": "1.0.0", "llm.model_name": "a-model",
				"llm.token_count.prompt": 10, "llm.token_count.completion": 20, "llm.token_count.prompt_details.cache_read": 5, "llm.cost.total": 0.01,
				"llm.finish_reason": "stop", "input.value": "in", "output.value": "out", "session.id": "session-1",
			},
			change: []func(ptrace.Span, pcommon.Map){event("First Token Stream Event", 90*time.Millisecond, nil)},
			want: registry.Call{
				Prompt: "greeting", Version: "1.0.0", Model: "a-model", InputTokens: registry.Some[int64](10), OutputTokens: registry.Some[int64](20),
				CachedTokens: registry.Some[int64](5), Cost: registry.Some[registry.NanoUSD](10_000_000), FinishReason: "stop", Input: "in", Output: "out",
				FirstToken: registry.Some(90 * time.Millisecond), Subject: "session-1",
			},
		},
		"Traceloop, whose version's name is ours": {
			says: says{
				"traceloop.prompt.managed": true, "traceloop.prompt.key": "greeting", "traceloop.prompt.version": 3, "traceloop.prompt.version_name": "v1.0.0",
				"traceloop.prompt.version_hash": "c0ffee", "llm.usage.prompt_tokens": 10, "llm.usage.completion_tokens": 20, "llm.request.type": "chat",
				"llm.usage.cache_read_input_tokens": 1, "llm.response.finish_reason": "stop",
			},
			change: []func(ptrace.Span, pcommon.Map){
				event("llm.content.completion.chunk", 300*time.Millisecond, nil), event("llm.content.completion.chunk", 200*time.Millisecond, nil),
			},
			want: registry.Call{
				Prompt: "greeting", Version: "1.0.0", InputTokens: registry.Some[int64](10), OutputTokens: registry.Some[int64](20), CachedTokens: registry.Some[int64](1),
				FirstToken: registry.Some(200 * time.Millisecond), FinishReason: "stop",
			},
		},
		"Traceloop, whose version is a number": {
			says: says{"traceloop.prompt.key": "greeting", "traceloop.prompt.version": 3},
			want: registry.Call{Prompt: "greeting", Version: "3"},
		},
		"a digest": {
			says: says{"gen_ai.prompt.name": "greeting", "gen_ai.prompt.version": "sha256:00"},
			want: registry.Call{Prompt: "greeting", Version: "sha256:00"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, kind Encoding) {
				want := tt.want
				want.StartedAt, want.Latency = began, 1200*time.Millisecond
				if want.Outcome == "" {
					want.Outcome = registry.OK
				}
				got := one(t, request(t, kind, tt.says, tt.change...), kind)
				if want.ID.IsZero() {
					want.ID = got.ID
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error("(-want +got)\n" + diff)
				}
			})
		})
	}
}

func TestOutcomes(t *testing.T) {
	exception := func(kind, message string) func(ptrace.Span, pcommon.Map) {
		return event("exception", time.Second, map[string]any{"exception.type": kind, "exception.message": message})
	}
	const stopped = registry.Cancelled
	failed, ok := status(ptrace.StatusCodeError, ""), status(ptrace.StatusCodeOk, "")
	for name, tt := range map[string]struct {
		says   map[string]any
		change []func(ptrace.Span, pcommon.Map)
		want   registry.Outcome
		class  registry.ErrorClass
	}{
		"nothing is said":                        {want: registry.OK},
		"an exception that was handled":          {change: []func(ptrace.Span, pcommon.Map){exception("Timeout", "")}, want: registry.OK},
		"success beats a type left behind":       {says: map[string]any{"error.type": "500"}, change: []func(ptrace.Span, pcommon.Map){ok}, want: registry.OK},
		"an error of which nothing is said":      {change: []func(ptrace.Span, pcommon.Map){failed}, want: registry.Failed},
		"an error of another kind":               {says: map[string]any{"error.type": "_OTHER"}, want: registry.Failed},
		"an error's type without a status":       {says: map[string]any{"error.type": "rate_limit_exceeded"}, want: registry.Failed, class: registry.ProviderError},
		"an error's type that is a number":       {says: map[string]any{"error.type": 429}, want: registry.Failed, class: registry.ProviderError},
		"a message alone":                        {change: []func(ptrace.Span, pcommon.Map){status(ptrace.StatusCodeError, "overloaded")}, want: registry.Failed, class: registry.ProviderError},
		"a timeout by its type":                  {says: map[string]any{"error.type": "APITimeoutError"}, want: registry.Failed, class: registry.TimeoutError},
		"a timeout by an exception":              {change: []func(ptrace.Span, pcommon.Map){failed, exception("*url.Error", "context deadline exceeded")}, want: registry.Failed, class: registry.TimeoutError},
		"a gateway's timeout":                    {says: map[string]any{"error.type": "504"}, want: registry.Failed, class: registry.TimeoutError},
		"a field called timeout is no timeout":   {change: []func(ptrace.Span, pcommon.Map){status(ptrace.StatusCodeError, "unknown field: timeout")}, want: registry.Failed, class: registry.ProviderError},
		"canceled because of a timeout":          {change: []func(ptrace.Span, pcommon.Map){status(ptrace.StatusCodeError, "request was canceled: client timeout exceeded")}, want: registry.Failed, class: registry.TimeoutError},
		"canceled by its type":                   {says: map[string]any{"error.type": "asyncio.CancelledError"}, want: stopped},
		"canceled by an exception":               {change: []func(ptrace.Span, pcommon.Map){failed, exception("*url.Error", "Post: context canceled")}, want: stopped},
		"canceled, as a proxy counts it":         {says: map[string]any{"error.type": "499"}, want: stopped},
		"said outright":                          {says: map[string]any{"incipit.call.outcome": "error", "incipit.call.error_class": "prompt"}, want: registry.Failed, class: registry.PromptError},
		"the class said outright":                {says: map[string]any{"incipit.call.error_class": "prompt", "error.type": "504"}, want: registry.Failed, class: registry.PromptError},
		"a class without an error says nothing":  {says: map[string]any{"incipit.call.error_class": "prompt"}, want: registry.OK},
		"an outcome that is none is for Check":   {says: map[string]any{"incipit.call.outcome": "meh"}, want: "meh"},
		"a level of Langfuse that is no failure": {says: map[string]any{"langfuse.observation.level": "WARNING"}, want: registry.OK},
	} {
		t.Run(name, func(t *testing.T) {
			says := map[string]any{"gen_ai.prompt.name": "greeting"}
			maps.Copy(says, tt.says)
			c := one(t, request(t, Protobuf, says, tt.change...), Protobuf)
			if c.Outcome != tt.want || c.ErrorClass != tt.class {
				t.Errorf("%q, %q; want %q, %q", c.Outcome, c.ErrorClass, tt.want, tt.class)
			}
		})
	}
}

func TestWhatIsNoModelCallIsIgnored(t *testing.T) {
	for name, says := range map[string]map[string]any{
		"no prompt":                  {"gen_ai.operation.name": "chat"},
		"a prompt without a name":    {"gen_ai.prompt.name": "", "gen_ai.prompt.version": "1.0.0"},
		"a version alone":            {"llm.prompt_template.version": "1.0.0"},
		"an agent":                   {"gen_ai.prompt.name": "greeting", "gen_ai.operation.name": "invoke_agent"},
		"a tool":                     {"gen_ai.prompt.name": "greeting", "gen_ai.operation.name": "execute_tool"},
		"a prompt fetched over MCP":  {"gen_ai.prompt.name": "greeting", "mcp.method.name": "prompts/get"},
		"a chain of OpenInference":   {"prompt.id": "greeting", "openinference.span.kind": "CHAIN"},
		"a workflow of Traceloop":    {"traceloop.prompt.key": "greeting", "traceloop.span.kind": "workflow"},
		"a span of Langfuse":         {"langfuse.observation.prompt.name": "greeting", "langfuse.observation.type": "span"},
		"a database below the chain": {"traceloop.prompt.key": "greeting", "db.system": "chroma"},
		"an embedding":               {"traceloop.prompt.key": "greeting", "llm.request.type": "embedding"},
	} {
		t.Run(name, func(t *testing.T) {
			b, ignored, err := Read(request(t, Protobuf, says), Protobuf)
			if err != nil || len(b.Calls) != 0 || len(b.Rejected) != 0 || ignored != 1 {
				t.Errorf("%d calls, %v, ignored %d, %v", len(b.Calls), b.Rejected, ignored, err)
			}
		})
	}
}

func TestWhatCannotBeIsRefusedWithItsReason(t *testing.T) {
	for name, tt := range map[string]struct {
		says   map[string]any
		change func(ptrace.Span, pcommon.Map)
		code   string
		reason string
	}{
		"a prompt's name that is none": {says: map[string]any{"gen_ai.prompt.name": "Analyze Code"}, code: registry.RejectPrompt},
		"NaN dollars":                  {says: map[string]any{"gen_ai.usage.cost": math.NaN()}, code: registry.RejectRange, reason: "gen_ai.usage.cost is NaN; it must be from 0 to 1000000"},
		"infinite dollars":             {says: map[string]any{"gen_ai.usage.cost": math.Inf(1)}, code: registry.RejectRange, reason: "gen_ai.usage.cost is Infinity; it must be from 0 to 1000000"},
		"1e308 dollars":                {says: map[string]any{"llm.cost.total": 1e308}, code: registry.RejectRange},
		"1e999 as text":                {says: map[string]any{"gen_ai.usage.cost": "1e999"}, code: registry.RejectRange, reason: "gen_ai.usage.cost is Infinity; it must be from 0 to 1000000"},
		"dollars below 0":              {says: map[string]any{"langfuse.observation.cost_details": `{"total": -1}`}, code: registry.RejectRange},
		"tokens below 0":               {says: map[string]any{"gen_ai.usage.input_tokens": -3}, code: registry.RejectRange, reason: "gen_ai.usage.input_tokens is -3; it must be from 0 to 1000000000"},
		"half a token":                 {says: map[string]any{"gen_ai.usage.output_tokens": 1.5}, code: registry.RejectRange},
		"many tokens":                  {says: map[string]any{"gen_ai.usage.output_tokens": "many"}, code: registry.RejectMalformed, reason: `gen_ai.usage.output_tokens is "many", which is no number`},
		"the largest integer":          {says: map[string]any{"gen_ai.usage.output_tokens": int64(math.MaxInt64)}, code: registry.RejectRange},
		"more than everybody":          {says: map[string]any{"incipit.prompt.share": 101}, code: registry.RejectRange},
		"a day until the first token":  {says: map[string]any{"gen_ai.response.time_to_first_chunk": 86401}, code: registry.RejectRange},
		"six stars":                    {says: map[string]any{"incipit.call.satisfaction": 6}, code: registry.RejectRange},
		"a call's id that is none":     {says: map[string]any{"incipit.prompt.call_id": "7"}, code: registry.RejectMalformed},
		"no beginning":                 {change: func(sp ptrace.Span, _ pcommon.Map) { sp.SetStartTimestamp(0) }, code: registry.RejectMissing, reason: "the span has no beginning"},
		"no end":                       {change: func(sp ptrace.Span, _ pcommon.Map) { sp.SetEndTimestamp(0) }, code: registry.RejectMissing, reason: "the span has no end"},
		"an end beyond time":           {change: func(sp ptrace.Span, _ pcommon.Map) { sp.SetEndTimestamp(math.MaxUint64) }, code: registry.RejectRange},
		"no span id":                   {change: func(sp ptrace.Span, _ pcommon.Map) { sp.SetSpanID(pcommon.SpanID{}) }, code: registry.RejectMissing},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T, kind Encoding) {
				says := map[string]any{"gen_ai.prompt.name": "greeting"}
				maps.Copy(says, tt.says)
				change := func(ptrace.Span, pcommon.Map) {}
				if tt.change != nil {
					change = tt.change
				}
				b, ignored, err := Read(request(t, kind, says, change), kind)
				if err != nil || len(b.Calls) != 0 || ignored != 0 || len(b.Rejected) != 1 {
					t.Fatalf("%d calls, %v, ignored %d, %v", len(b.Calls), b.Rejected, ignored, err)
				}
				if r := b.Rejected[0]; r.Code != tt.code || tt.reason != "" && r.Reason != tt.reason {
					t.Errorf("%s: %s", r.Code, r.Reason)
				}
			})
		})
	}
}

func TestIndexesCountAllSpans(t *testing.T) {
	traces := ptrace.NewTraces()
	for range 2 { // two resources
		spans := traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
		for i, name := range []string{"", "greeting", "No Name"} {
			sp := spans.AppendEmpty()
			sp.SetTraceID(pcommon.TraceID{1})
			sp.SetSpanID(pcommon.SpanID{byte(i + 1)})
			sp.SetStartTimestamp(pcommon.NewTimestampFromTime(began))
			sp.SetEndTimestamp(pcommon.NewTimestampFromTime(began))
			sp.Attributes().PutStr("gen_ai.prompt.name", name)
		}
	}
	b, ignored, err := Read(encode(t, traces, JSON), JSON)
	if err != nil || ignored != 2 {
		t.Fatal(ignored, err)
	}
	if diff := cmp.Diff([]int{1, 4}, b.Index); diff != "" {
		t.Error(diff)
	}
	if b.Rejected[0].Index != 2 || b.Rejected[1].Index != 5 {
		t.Errorf("%v", b.Rejected)
	}
}

func TestAnIDIsTheSpans(t *testing.T) {
	says := map[string]any{"gen_ai.prompt.name": "greeting"}
	first := one(t, request(t, Protobuf, says), Protobuf)
	again := one(t, request(t, JSON, map[string]any{"gen_ai.prompt.name": "greeting", "user.id": "somebody"}), JSON)
	if first.ID != again.ID {
		t.Errorf("%s and %s are one span", first.ID, again.ID)
	}
	other := one(t, request(t, Protobuf, says, func(sp ptrace.Span, _ pcommon.Map) { sp.SetSpanID(pcommon.SpanID{9}) }), Protobuf)
	if first.ID == other.ID {
		t.Errorf("%s is two spans", first.ID)
	}
	if at := first.ID.At(); !at.Equal(began.Truncate(time.Millisecond)) {
		t.Errorf("the id is of %s, the span of %s", at, began)
	}
	if id, err := registry.ParseCallID(first.ID.String()); err != nil || id != first.ID {
		t.Errorf("%s is no id: %v", first.ID, err)
	}
}

func TestContentIsCutAndNotRefused(t *testing.T) {
	long := make([]byte, registry.MaxContent+1)
	for i := range long {
		long[i] = "ä"[i%2] // two bytes: the cut must not fall into one
	}
	long = append([]byte("x"), long...)
	c := one(t, request(t, Protobuf, map[string]any{"gen_ai.prompt.name": "greeting", "gen_ai.input.messages": string(long)}), Protobuf)
	if len(c.Input) != registry.MaxContent-1 || c.Input != string(long[:registry.MaxContent-1]) {
		t.Errorf("%d bytes", len(c.Input))
	}
}

// What Check would refuse of a call's content is not sent to it.
func TestContentIsMadeAText(t *testing.T) {
	c := one(t, request(t, Protobuf, map[string]any{"gen_ai.prompt.name": "greeting", "gen_ai.prompt": "a\x1b[2Jb\x00c\r\n\td", "gen_ai.completion": "\xff ok"}), Protobuf)
	if c.Input != "a\ufffd[2Jb\ufffdc\r\n\td" || c.Output != "\ufffd ok" {
		t.Errorf("%q, %q", c.Input, c.Output)
	}
	c.Prompt, c.Version, c.Environment = "greeting", "1.0.0", "production"
	if r := c.Check(began.Add(time.Second), time.Hour); r != nil {
		t.Errorf("%+v", r)
	}
}

func TestWhatIsNoRequestIsAnError(t *testing.T) {
	for name, tt := range map[string]struct {
		body string
		kind Encoding
	}{
		"bytes":                       {"\xff\xff\xff", Protobuf},
		"JSON sent as protobuf":       {`{"resourceSpans":[]}`, Protobuf},
		"a span cut off":              {"\x0a\x04\x12\x02", Protobuf},
		"a group":                     {"\x0a\x02\x0b\x0c", Protobuf},
		"text where a message is due": {"\x08\x01", Protobuf},
		"half an object":              {`{"resourceSpans":[`, JSON},
		"a list":                      {`[]`, JSON},
		"more after the document":     {`{"resourceSpans":[]} {}`, JSON},
		"NaN as a bare word":          {`{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":NaN}]}]}]}`, JSON},
		"an id that is no hex":        {`{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"xyz"}]}]}]}`, JSON},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := Read([]byte(tt.body), tt.kind); !errors.Is(err, prompt.ErrInvalid) {
				t.Errorf("%v", err)
			}
		})
	}
}
