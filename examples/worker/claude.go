package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/packages/param"

	"github.com/incipit-dev/incipit"
)

// defaultMaxTokens is asked for where the prompt's parameters do not say:
// Claude wants a number.
const defaultMaxTokens = 1024

// ask asks the model what p says. The request is built as JSON, and not field
// by field: what was released reaches the model unchanged, parameters that this
// version of the client does not know included.
func ask(ctx context.Context, model anthropic.Client, p incipit.Prompt) (*anthropic.Message, error) {
	body := map[string]any{"max_tokens": defaultMaxTokens}
	var known struct {
		MaxTokens    int64                      `json:"max_tokens"` // by which the client chooses how long to wait
		OutputConfig map[string]json.RawMessage `json:"output_config"`
	}
	if p.Parameters != nil {
		var parameters map[string]json.RawMessage
		if err := errors.Join(json.Unmarshal(p.Parameters, &parameters), json.Unmarshal(p.Parameters, &known)); err != nil {
			return nil, err
		}
		for name, value := range parameters {
			body[name] = value
		}
	}
	system, turns := split(p.Messages)
	body["model"], body["messages"] = p.Model, turns
	if system != "" {
		body["system"] = system
	}
	if p.Tools != nil {
		body["tools"] = p.Tools
	}
	if p.OutputSchema != nil {
		config := map[string]any{"format": map[string]any{"type": "json_schema", "schema": p.OutputSchema}}
		for name, value := range known.OutputConfig {
			config[name] = value
		}
		body["output_config"] = config
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	params := anthropic.MessageNewParams{Model: p.Model, MaxTokens: known.MaxTokens}
	param.SetJSON(raw, &params)
	message, err := model.Messages.New(ctx, params)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.Model, err)
	}
	return message, nil
}

// split takes the system message out of the turns: Claude is given it apart.
func split(messages []incipit.Message) (system string, turns []incipit.Message) {
	var parts []string
	for _, m := range messages {
		if m.Role == "system" {
			parts = append(parts, m.Content)
		} else {
			turns = append(turns, m)
		}
	}
	return strings.Join(parts, "\n\n"), turns
}

// describe fills in what became of the model call.
func describe(call *incipit.Call, m *anthropic.Message, err error) {
	call.Outcome, call.ErrorClass = outcome(err)
	if err != nil {
		return
	}
	call.FinishReason = string(m.StopReason)
	call.ResponseID = m.ID
	// What was read from and written to the cache is counted apart there.
	call.InputTokens = m.Usage.InputTokens + m.Usage.CacheReadInputTokens + m.Usage.CacheCreationInputTokens
	call.OutputTokens = m.Usage.OutputTokens
	call.CachedTokens = m.Usage.CacheReadInputTokens
}

// outcome puts an error of the client into the words of incipit.Call.
func outcome(err error) (outcome, class string) {
	var refused *anthropic.Error
	var slow net.Error // context.DeadlineExceeded is one too
	switch {
	case err == nil:
		return "ok", ""
	case errors.Is(err, context.Canceled): // who asked has gone away
		return "cancelled", ""
	case errors.As(err, &refused):
		switch refused.StatusCode {
		case http.StatusBadRequest, http.StatusNotFound, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
			return "error", "prompt" // its model, its parameters, its length: another release would help
		case http.StatusRequestTimeout, http.StatusGatewayTimeout:
			return "error", "timeout"
		}
	case errors.As(err, &slow) && slow.Timeout():
		return "error", "timeout"
	}
	return "error", "provider"
}
