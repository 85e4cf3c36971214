// Package fake stands in for what the examples talk to: the servers of models,
// and Incipit's. It is for tests, and for trying the examples without either.
package fake

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
)

// A Model answers as OpenAI's chat completions and as Anthropic's messages do.
// The zero Model is ready.
type Model struct {
	mu       sync.Mutex
	requests []Request
	status   int
	hushed   chan struct{}
}

// A Request is what a model was asked.
type Request struct {
	Path   string
	Header http.Header
	Body   json.RawMessage
}

// Requests are those that came so far.
func (m *Model) Requests() []Request {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]Request(nil), m.requests...)
}

// Fail makes the model answer with an error of this status; 0 ends that.
func (m *Model) Fail(status int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.status = status
}

// Hush makes the model take requests and never answer. The channel tells of
// each that it took.
func (m *Model) Hush() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hushed = make(chan struct{})
	return m.hushed
}

// ServeHTTP answers a request.
func (m *Model) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 8<<20))
	var asked struct {
		Model    string
		Messages []struct{ Role, Content string }
		Tools    []struct{ Name string }
	}
	if err == nil {
		err = json.Unmarshal(body, &asked)
	}
	if err != nil || len(asked.Messages) == 0 {
		http.Error(w, "no request of a model", http.StatusBadRequest)
		return
	}
	m.mu.Lock()
	m.requests = append(m.requests, Request{r.URL.Path, r.Header.Clone(), body})
	n, status, hushed := len(m.requests), m.status, m.hushed
	m.mu.Unlock()
	if hushed != nil {
		select {
		case hushed <- struct{}{}:
			<-r.Context().Done()
		case <-r.Context().Done():
		}
		return
	}
	w.Header().Set("Content-Type", "application/json")
	last := asked.Messages[len(asked.Messages)-1].Content
	var answer any
	switch {
	case r.URL.Path != "/v1/chat/completions" && r.URL.Path != "/v1/messages":
		status = http.StatusNotFound
		fallthrough
	case status != 0:
		w.Header().Set("X-Should-Retry", "false") // both clients heed it: a test need not wait
		w.WriteHeader(status)
		problem := map[string]string{"type": "api_error", "message": "the fake model was told to fail"}
		answer = map[string]any{"type": "error", "error": problem}
	case r.URL.Path == "/v1/chat/completions":
		answer = completion(n, asked.Model, last)
	default:
		tool := ""
		if len(asked.Tools) > 0 {
			tool = asked.Tools[0].Name
		}
		answer = message(n, asked.Model, tool, last)
	}
	_ = json.NewEncoder(w).Encode(answer) // the other side may be gone
}

// completion is OpenAI's answer.
func completion(n int, model, last string) any {
	return map[string]any{
		"id": fmt.Sprintf("chatcmpl-%d", n), "object": "chat.completion", "created": 1_790_000_000, "model": model,
		"choices": []any{map[string]any{
			"index": 0, "finish_reason": "stop",
			"message": map[string]any{"role": "assistant", "content": "You wrote: " + last},
		}},
		"usage": map[string]any{
			"prompt_tokens": 120, "completion_tokens": 30, "total_tokens": 150,
			"prompt_tokens_details": map[string]any{"cached_tokens": 64},
		},
	}
}

// message is Anthropic's answer.
func message(n int, model, tool, last string) any {
	content, reason := []any{map[string]any{"type": "text", "text": "You wrote: " + last}}, "end_turn"
	if tool != "" {
		reason = "tool_use"
		content = []any{map[string]any{
			"type": "tool_use", "id": fmt.Sprintf("toolu_%d", n), "name": tool,
			"input": map[string]any{"queue": "other", "urgency": "normal", "summary": "A fake model filed this."},
		}}
	}
	return map[string]any{
		"id": fmt.Sprintf("msg_%d", n), "type": "message", "role": "assistant", "model": model,
		"content": content, "stop_reason": reason, "stop_sequence": nil,
		"usage": map[string]any{
			"input_tokens": 100, "output_tokens": 25, "cache_read_input_tokens": 40, "cache_creation_input_tokens": 7,
		},
	}
}
