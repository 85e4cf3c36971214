// Package provider makes one model call: the wire of OpenAI and what is
// compatible with it, of Anthropic, and what needs no model (echo, a program,
// any HTTP endpoint). Around a call stand the retries, the limits of rate and
// money, and the cassettes that make it free and the same every time.
//
// It knows nothing of prompts, suites or releases: a request comes in, an
// answer or an Error goes out. No other room imports a provider's client.
package provider

import (
	"context"
	"encoding/json"
	"time"
)

// A Message is one turn of a conversation.
type Message struct {
	Role    string          `json:"role"` // system, developer, user, assistant or tool
	Content string          `json:"content"`
	Parts   json.RawMessage `json:"parts,omitempty"` // in place of Content: a list of parts, as OpenAI's chat format has them
	Extra   json.RawMessage `json:"extra,omitempty"` // other keys of an assistant's or a tool's message: tool_calls, tool_call_id, name
}

// A Request is one model call without its transport. Its canonical form is
// what a cassette is keyed by, so it holds nothing that changes from one run to
// the next, and no secret.
type Request struct {
	Model        string          `json:"model"`
	Messages     []Message       `json:"messages"`
	Parameters   json.RawMessage `json:"parameters,omitempty"`    // a JSON object: temperature, max_tokens, …
	Tools        json.RawMessage `json:"tools,omitempty"`         // a JSON array
	OutputSchema json.RawMessage `json:"output_schema,omitempty"` // a JSON Schema
	Repeat       int             `json:"repeat,omitempty"`        // the same request asked again: 0, 1, …
}

// A Response is what came back, whole.
type Response struct {
	Output       string          `json:"output"`                  // the text; for a call of tools without text, their JSON
	ToolCalls    json.RawMessage `json:"tool_calls,omitempty"`    // a JSON array, as OpenAI's chat format has them
	Refusal      bool            `json:"refusal,omitempty"`       // the provider says so itself
	FinishReason string          `json:"finish_reason,omitempty"` // stop, length, content_filter, tool_calls
	Model        string          `json:"model,omitempty"`         // the one that answered, if the provider tells
	ID           string          `json:"id,omitempty"`            // the provider's, of the response
	Usage        Usage           `json:"usage"`
	Cost         *float64        `json:"cost,omitempty"` // US dollars; nil: the model has no known price
	LatencyMS    float64         `json:"latency_ms"`     // from the first byte sent to the last read, of the attempt that answered

	Replayed   bool      `json:"-"` // it came from a cassette
	RecordedAt time.Time `json:"-"` // when it was recorded; zero if it was not
}

// Usage counts tokens, as the provider tells it. Zero in all is not told.
type Usage struct {
	Input       int `json:"input"`
	CachedInput int `json:"cached_input,omitempty"` // part of Input
	Output      int `json:"output"`
}

// A Provider answers requests. It is safe for concurrent use.
type Provider interface {
	// ID is the provider and what it was given, without secrets, such as
	// openai:chat or openai:chat@https://llm.example.com/v1. It is part of a
	// cassette's key.
	ID() string

	// Call makes one model call. Every error is an *Error, or the context's.
	Call(ctx context.Context, r Request) (Response, error)
}

// An Embedder turns texts into vectors of one length, in their order.
type Embedder interface {
	ID() string
	Embed(ctx context.Context, model string, texts []string) (vectors [][]float64, usage Usage, err error)
}
