package provider

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// conversation has all that a request may hold.
func conversation() Request {
	return Request{
		Model: "m",
		Messages: []Message{
			{Role: "system", Content: "Be brief."},
			{Role: "user", Parts: json.RawMessage(`[{"type":"text","text":"What is this?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]`)},
			{Role: "assistant", Extra: json.RawMessage(`{"tool_calls":[{"id":"c1","type":"function","function":{"name":"look","arguments":"{\"at\":1}"}}]}`)},
			{Role: "tool", Content: "a cat", Extra: json.RawMessage(`{"tool_call_id":"c1"}`)},
		},
		Parameters:   json.RawMessage(`{"temperature":0.2,"max_tokens":50,"stop":"END","reasoning_effort":"low","tool_choice":"required"}`),
		Tools:        json.RawMessage(`[{"type":"function","function":{"name":"look","description":"Looks.","parameters":{"type":"object"}}}]`),
		OutputSchema: json.RawMessage(`{"type":"object"}`),
	}
}

func object(t *testing.T, text string) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestARequestIsWhatEachWireTakes(t *testing.T) {
	for name, tt := range map[string]struct{ id, answer, path, body string }{
		"chat": {"openai:m", chatOK, "/v1/chat/completions", `{"model":"m","temperature":0.2,"max_tokens":50,"stop":"END","reasoning_effort":"low","tool_choice":"required",
			"messages":[{"role":"system","content":"Be brief."},
				{"role":"user","content":[{"type":"text","text":"What is this?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]},
				{"role":"assistant","content":"","tool_calls":[{"id":"c1","type":"function","function":{"name":"look","arguments":"{\"at\":1}"}}]},
				{"role":"tool","content":"a cat","tool_call_id":"c1"}],
			"tools":[{"type":"function","function":{"name":"look","description":"Looks.","parameters":{"type":"object"}}}],
			"response_format":{"type":"json_schema","json_schema":{"name":"output","schema":{"type":"object"}}}}`},
		"responses": {"openai:responses:m", responsesOK, "/v1/responses", `{"model":"m","temperature":0.2,"max_output_tokens":50,"stop":"END","reasoning":{"effort":"low"},"tool_choice":"required",
			"input":[{"role":"system","content":"Be brief."},
				{"role":"user","content":[{"type":"input_text","text":"What is this?"},{"type":"input_image","image_url":"data:image/png;base64,AAAA"}]},
				{"type":"function_call","call_id":"c1","name":"look","arguments":"{\"at\":1}"},
				{"type":"function_call_output","call_id":"c1","output":"a cat"}],
			"tools":[{"type":"function","name":"look","description":"Looks.","parameters":{"type":"object"}}],
			"text":{"format":{"type":"json_schema","name":"output","schema":{"type":"object"}}}}`},
		"messages": {"anthropic:m", messagesOK, "/v1/messages", `{"model":"m","temperature":0.2,"max_tokens":50,"stop_sequences":["END"],"tool_choice":{"type":"any"},"system":"Be brief.",
			"messages":[{"role":"user","content":[{"type":"text","text":"What is this?"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}]},
				{"role":"assistant","content":[{"type":"tool_use","id":"c1","name":"look","input":{"at":1}}]},
				{"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":"a cat"}]}],
			"tools":[{"name":"look","description":"Looks.","input_schema":{"type":"object"}}],
			"output_config":{"effort":"low","format":{"type":"json_schema","schema":{"type":"object"}}}}`},
	} {
		t.Run(name, func(t *testing.T) {
			m := serve(t, tt.answer)
			c := testConfig(map[string]string{"OPENAI_API_KEY": canary, "OPENAI_BASE_URL": m.URL + "/v1", "ANTHROPIC_API_KEY": canary, "ANTHROPIC_BASE_URL": m.URL})
			p, _ := open(t, Spec{ID: tt.id}, c)
			got, err := p.Call(t.Context(), conversation())
			if err != nil {
				t.Fatal(err)
			}
			s := m.last(t)
			if diff := cmp.Diff(object(t, tt.body), s.Body); diff != "" || s.Path != tt.path {
				t.Errorf("%s: %s", s.Path, diff)
			}
			if key := s.Header.Get("Authorization") + s.Header.Get("X-Api-Key"); strings.TrimPrefix(key, "Bearer ") != canary {
				t.Errorf("the key is %q", key)
			}
			if got.Output != "Hello." || got.FinishReason != "stop" || got.ID == "" || got.Model == "" || got.Refusal || got.LatencyMS <= 0 || got.Usage.Output != 3 || got.Usage.CachedInput != 4 || got.Usage.Input < 12 {
				t.Errorf("%+v", got)
			}
		})
	}
}

// Whatever SDKs would read from the environment of the process.
func TestNothingOfTheProcessesEnvironmentIsSent(t *testing.T) {
	evil := trap(t)
	for _, name := range []string{"OPENAI_BASE_URL", "ANTHROPIC_BASE_URL"} {
		t.Setenv(name, evil)
	}
	for _, name := range []string{"OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"} {
		t.Setenv(name, canary)
	}
	t.Setenv("OPENAI_CUSTOM_HEADERS", "X-Canary: "+canary)
	t.Setenv("ANTHROPIC_CUSTOM_HEADERS", "X-Canary: "+canary)
	m := serve(t, chatOK)
	for _, spec := range wires(m.URL) {
		p, _ := open(t, spec, testConfig(nil))
		_, _ = p.Call(t.Context(), ask("hi")) // not all of them take this answer
		for _, values := range m.last(t).Header {
			if strings.Contains(strings.Join(values, " "), canary) {
				t.Errorf("%s: %v", spec.ID, m.last(t).Header)
			}
		}
	}
	if m.count() != 4 {
		t.Errorf("%d requests", m.count())
	}
}

func TestTheConfigsParametersStandBeneathTheRequests(t *testing.T) {
	m := serve(t, chatOK)
	p, name := open(t, Spec{ID: "openai:gpt-x", Config: map[string]any{
		"apiBaseUrl": m.URL, "temperature": 0, "max_tokens": 10, "seed": 7, "headers": map[string]any{"X-Team": "a"}, "organization": "org-1",
		"passthrough": map[string]any{"service_tier": "flex"}, "tools": []any{map[string]any{"type": "function"}}, "cost": 0.1, "delay": 1,
	}}, testConfig(nil))
	r := ask("hi")
	r.Model, r.Parameters = "", json.RawMessage(`{"max_tokens":20}`)
	if _, err := p.Call(t.Context(), r); err != nil || name != "gpt-x" {
		t.Fatal(name, err)
	}
	got := m.last(t)
	want := object(t, `{"model":"gpt-x","messages":[{"role":"user","content":"hi"}],"temperature":0,"max_tokens":20,"seed":7,"service_tier":"flex","tools":[{"type":"function"}]}`)
	if diff := cmp.Diff(want, got.Body); diff != "" || got.Header.Get("X-Team") != "a" || got.Header.Get("Openai-Organization") != "org-1" {
		t.Error(diff, got.Header)
	}
}

func TestAzureIsAskedByItsDeployment(t *testing.T) {
	m := serve(t, chatOK)
	c := testConfig(map[string]string{"AZURE_API_BASE_URL": m.URL, "AZURE_API_KEY": canary})
	p, name := open(t, Spec{ID: "azure:chat:my deployment", Config: map[string]any{"apiVersion": "2025-01-01"}}, c)
	r := ask("hi")
	r.Model = name
	if _, err := p.Call(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if s := m.last(t); s.Path != "/openai/deployments/my deployment/chat/completions" || s.Query != "api-version=2025-01-01" || s.Header.Get("Api-Key") != canary || s.Header.Get("Authorization") != "" {
		t.Errorf("%+v", s)
	}
}

func TestAnthropicIsAlwaysGivenALimit(t *testing.T) {
	m := serve(t, messagesOK)
	p, _ := open(t, Spec{ID: "anthropic:m", Config: map[string]any{"apiBaseUrl": m.URL}}, testConfig(nil))
	r := ask("hi")
	r.Parameters = json.RawMessage(`{"max_completion_tokens":9}`)
	for want, r := range map[float64]Request{anthropicMaxTokens: ask("hi"), 9: r} {
		if _, err := p.Call(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if got := m.last(t).Body["max_tokens"]; got != want {
			t.Errorf("max_tokens is %v", got)
		}
	}
}

func TestARequestThatAWireCannotTakeIsRejected(t *testing.T) {
	evil := trap(t)
	for name, tt := range map[string]struct {
		id   string
		edit func(*Request)
	}{
		"parameters that are a list":  {"openai:m", func(r *Request) { r.Parameters = json.RawMessage(`[1]`) }},
		"parameters that are nothing": {"anthropic:m", func(r *Request) { r.Parameters = json.RawMessage(`{`) }},
		"parameters with messages":    {"openai:m", func(r *Request) { r.Parameters = json.RawMessage(`{"messages":[]}`) }},
		"a stream":                    {"openai:m", func(r *Request) { r.Parameters = json.RawMessage(`{"stream":true}`) }},
		"parts that are no list":      {"openai:responses:m", func(r *Request) { r.Messages[0].Parts = json.RawMessage(`{}`) }},
		"tools that are no list":      {"openai:responses:m", func(r *Request) { r.Tools = json.RawMessage(`{"a":1}`) }},
		"audio for anthropic":         {"anthropic:m", func(r *Request) { r.Messages[0].Parts = json.RawMessage(`[{"type":"input_audio"}]`) }},
		"a plain data URL for anthropic": {"anthropic:m", func(r *Request) {
			r.Messages[0].Parts = json.RawMessage(`[{"type":"image_url","image_url":{"url":"data:,x"}}]`)
		}},
		"a JSON mode for anthropic": {"anthropic:m", func(r *Request) { r.Parameters = json.RawMessage(`{"response_format":{"type":"json_object"}}`) }},
		"arguments of a tool that are none": {"anthropic:m", func(r *Request) {
			r.Messages[0].Extra = json.RawMessage(`{"tool_calls":[{"id":"c","function":{"arguments":"{"}}]}`)
		}},
		"a system message of parts": {"anthropic:m", func(r *Request) { r.Messages[0] = Message{Role: "system", Parts: json.RawMessage(`[]`)} }},
		"an extra that is none":     {"openai:m", func(r *Request) { r.Messages[0].Extra = json.RawMessage(`7`) }},
	} {
		p, _ := open(t, Spec{ID: tt.id, Config: map[string]any{"apiBaseUrl": evil}}, testConfig(nil))
		r := ask("hi")
		tt.edit(&r)
		_, err := p.Call(t.Context(), r)
		if err == nil {
			t.Errorf("%s is sent", name)
			continue
		}
		fails(t, err, Rejected)
	}
}

func TestWhatModelsAnswer(t *testing.T) {
	const call = `[{"id":"c1","type":"function","function":{"name":"look","arguments":"{\"at\":1}"}}]`
	for name, tt := range map[string]struct {
		id, answer string
		want       Response
	}{
		"chat calls tools": {
			"openai:m", `{"choices":[{"message":{"role":"assistant","content":null,"tool_calls":` + call + `},"finish_reason":"tool_calls"}]}`,
			Response{Output: call, ToolCalls: json.RawMessage(call), FinishReason: "tool_calls"},
		},
		"chat refuses": {
			"openai:m", `{"choices":[{"message":{"content":null,"refusal":"I will not."},"finish_reason":"stop"}]}`,
			Response{Output: "I will not.", Refusal: true, FinishReason: "stop"},
		},
		"chat is filtered": {
			"openai:m", `{"choices":[{"message":{"content":""},"finish_reason":"content_filter"}]}`,
			Response{Refusal: true, FinishReason: "content_filter"},
		},
		"chat says no more": {"openai:m", `{"choices":[{"message":{"content":"x"}}]}`, Response{Output: "x"}},
		"responses call tools": {
			"openai:responses:m", `{"status":"completed","output":[{"type":"function_call","call_id":"c1","name":"look","arguments":"{\"at\":1}"}]}`,
			Response{Output: call, ToolCalls: json.RawMessage(call), FinishReason: "tool_calls"},
		},
		"responses refuse": {
			"openai:responses:m", `{"output":[{"type":"message","content":[{"type":"refusal","refusal":"No."}]}]}`,
			Response{Output: "No.", Refusal: true, FinishReason: "stop"},
		},
		"responses are cut": {
			"openai:responses:m", `{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[{"type":"message","content":[{"type":"output_text","text":"a"}]}]}`,
			Response{Output: "a", FinishReason: "length"},
		},
		"anthropic calls tools": {
			"anthropic:m", `{"content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"tool_use","id":"c1","name":"look","input":{"at": 1}}],"stop_reason":"tool_use"}`,
			Response{Output: call, ToolCalls: json.RawMessage(call), FinishReason: "tool_calls"},
		},
		"anthropic refuses": {"anthropic:m", `{"content":[],"stop_reason":"refusal"}`, Response{Refusal: true, FinishReason: "content_filter"}},
		"anthropic is cut":  {"anthropic:m", `{"content":[{"type":"text","text":"a"}],"stop_reason":"max_tokens"}`, Response{Output: "a", FinishReason: "length"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := serve(t, tt.answer)
			p, _ := open(t, Spec{ID: tt.id, Config: map[string]any{"apiBaseUrl": m.URL}}, testConfig(nil))
			got, err := p.Call(t.Context(), ask("hi"))
			if err != nil {
				t.Fatal(err)
			}
			got.LatencyMS = 0
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	m := serve(t, `{"status":"failed","error":{"message":"the server had an error"},"output":[]}`)
	p, _ := open(t, Spec{ID: "openai:responses:m", Config: map[string]any{"apiBaseUrl": m.URL}}, testConfig(nil))
	_, err := p.Call(t.Context(), ask("hi"))
	if e := failure(t, err, Unavailable); !e.Again {
		t.Errorf("%+v", e)
	}
}

func TestVectorsComeInTheOrderOfTheTexts(t *testing.T) {
	for answer, want := range map[string]Kind{
		`{"data":[{"index":1,"embedding":[3,4]},{"index":0,"embedding":[1,2]}],"usage":{"prompt_tokens":5}}`: "",
		`{"data":[{"index":0,"embedding":[1,2]}]}`:                                                           Malformed,
		`{"data":[{"index":0,"embedding":[1,2]},{"index":0,"embedding":[1,2]}]}`:                             Malformed,
		`{"data":[{"index":0,"embedding":[1,2]},{"index":1,"embedding":[1]}]}`:                               Malformed,
		`{"data":[{"index":0,"embedding":[]},{"index":1,"embedding":[]}]}`:                                   Malformed,
		`{"data":[{"index":0,"embedding":[1,2]},{"index":7,"embedding":[1,2]}]}`:                             Malformed,
		`null`: Malformed,
	} {
		m := serve(t, answer)
		e, name, err := OpenEmbedder(Spec{ID: "openai:embedding:e", Config: map[string]any{"apiBaseUrl": m.URL, "dimensions": 2}}, testConfig(nil))
		if err != nil {
			t.Fatal(err)
		}
		vectors, usage, err := e.Embed(t.Context(), name, []string{"a", "b"})
		if want != "" {
			fails(t, err, want)
			continue
		}
		if err != nil || !slices.Equal(vectors[0], []float64{1, 2}) || !slices.Equal(vectors[1], []float64{3, 4}) || usage.Input != 5 {
			t.Errorf("%v, %v, %v", vectors, usage, err)
		}
		if keys := slices.Sorted(maps.Keys(m.last(t).Body)); strings.Join(keys, " ") != "dimensions encoding_format input model" {
			t.Error(keys)
		}
		if _, _, err := e.Embed(t.Context(), name, nil); err == nil {
			t.Error("no texts have vectors")
		}
	}
}

func TestEchoAnswersWithWhatItWasAsked(t *testing.T) {
	p, _ := open(t, Spec{ID: "echo"}, testConfig(nil))
	for want, r := range map[string]Request{
		"hi": ask("hi"),
		`[{"content":"Be brief.","role":"system"},{"content":"hi","role":"user"}]`: {Messages: []Message{{Role: "system", Content: "Be brief."}, {Role: "user", Content: "hi"}}},
		`[{"content":"hi","role":"system"}]`:                                       {Messages: []Message{{Role: "system", Content: "hi"}}},
	} {
		got, err := p.Call(t.Context(), r)
		if err != nil || got.Output != want || got.Cost == nil || *got.Cost != 0 {
			t.Errorf("%+v, %v", got, err)
		}
	}
}
