package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/packages/param"

	"github.com/incipit-dev/incipit"
)

// complete asks the model what p says. The request is built as JSON, and not
// field by field: what was released reaches the model unchanged, parameters
// that this version of the client does not know included.
func complete(ctx context.Context, model openai.Client, p incipit.Prompt) (*openai.ChatCompletion, error) {
	body := make(map[string]any)
	if p.Parameters != nil {
		var parameters map[string]json.RawMessage
		if err := json.Unmarshal(p.Parameters, &parameters); err != nil {
			return nil, err
		}
		for name, value := range parameters {
			body[name] = value
		}
	}
	body["model"], body["messages"] = p.Model, p.Messages // incipit.Message has OpenAI's shape
	if p.Tools != nil {
		body["tools"] = p.Tools
	}
	if p.OutputSchema != nil {
		body["response_format"] = map[string]any{
			"type":        "json_schema",
			"json_schema": map[string]any{"name": "answer", "schema": p.OutputSchema},
		}
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	var params openai.ChatCompletionNewParams
	param.SetJSON(raw, &params)
	completion, err := model.Chat.Completions.New(ctx, params)
	if err == nil && len(completion.Choices) == 0 {
		err = errors.New("the model answered without a choice")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.Model, err)
	}
	return completion, nil
}

// text is what the model said, or why it refused to.
func text(c *openai.ChatCompletion) string {
	m := c.Choices[0].Message
	if m.Content == "" {
		return m.Refusal
	}
	return m.Content
}

// describe fills in what became of the model call.
func describe(call *incipit.Call, c *openai.ChatCompletion, err error) {
	call.Outcome, call.ErrorClass = outcome(err)
	if err != nil {
		return
	}
	call.FinishReason = c.Choices[0].FinishReason
	call.ResponseID = c.ID
	call.InputTokens = c.Usage.PromptTokens
	call.OutputTokens = c.Usage.CompletionTokens
	call.CachedTokens = c.Usage.PromptTokensDetails.CachedTokens
}

// outcome puts an error of the client into the words of incipit.Call.
func outcome(err error) (outcome, class string) {
	var refused *openai.Error
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
