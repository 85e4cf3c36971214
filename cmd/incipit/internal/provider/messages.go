package provider

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
	"github.com/anthropics/anthropic-sdk-go/packages/param"
)

// messagesAPI speaks Anthropic's Messages.
type messagesAPI struct{ *line }

// anthropicMaxTokens is asked for where a request does not say: this API
// answers none without a limit.
const anthropicMaxTokens = 1024

// fill makes a request whole. The limit of the answer becomes part of it.
func (a *messagesAPI) fill(r Request) (Request, error) {
	r, err := a.line.fill(r)
	if err != nil {
		return r, err
	}
	params := make(map[string]json.RawMessage)
	if len(r.Parameters) > 0 {
		if err := json.Unmarshal(r.Parameters, &params); err != nil || params == nil {
			return r, refuse(a.id, "write an object", "the parameters are no JSON object")
		}
	}
	if params["max_tokens"] == nil && params["max_completion_tokens"] == nil {
		params["max_tokens"] = mustJSON(anthropicMaxTokens)
		r.Parameters = mustJSON(params)
	}
	return r, nil
}

// Call makes one model call.
func (a *messagesAPI) Call(ctx context.Context, r Request) (Response, error) {
	if a.closed != nil {
		return Response{}, a.closed
	}
	r, err := a.fill(r)
	if err != nil {
		return Response{}, refuse(a.id, "write an object", "the parameters are no JSON object")
	}
	body, err := a.messagesBody(r)
	if err != nil {
		return Response{}, err
	}
	t := a.trip()
	opts := []option.RequestOption{
		option.WithHTTPClient(t), option.WithMaxRetries(0), option.WithBaseURL(strings.TrimRight(a.base.String(), "/") + "/"), option.WithHeader("User-Agent", "incipit"),
	}
	if a.key != "" {
		opts = append(opts, option.WithAPIKey(a.key))
	}
	for name, value := range a.set.headers {
		opts = append(opts, option.WithHeader(name, value))
	}
	service := anthropic.NewMessageService(opts...)
	res, err := service.New(ctx, param.Override[anthropic.MessageNewParams](mustJSON(body)))
	if err != nil {
		return Response{}, a.fail(ctx, err)
	}
	if res == nil || len(res.Content) == 0 && res.StopReason == "" {
		return Response{}, garbled(a.id, "the answer has no content")
	}
	return messagesAnswer(t, res), nil
}

func (a *messagesAPI) messagesBody(r Request) (map[string]json.RawMessage, error) {
	body, err := a.body(r)
	if err != nil {
		return nil, err
	}
	var system []string
	messages := make([]any, 0, len(r.Messages))
	for _, m := range r.Messages {
		if m.Role == "system" || m.Role == "developer" {
			if len(m.Parts) > 0 {
				return nil, refuse(a.id, "write it as a text", "a system message of parts is not supported for Anthropic")
			}
			system = append(system, m.Content)
			continue
		}
		turn, err := a.turn(m)
		if err != nil {
			return nil, err
		}
		messages = append(messages, turn)
	}
	if len(system) > 0 {
		body["system"] = mustJSON(strings.Join(system, "\n\n"))
	}
	body["messages"] = mustJSON(messages)
	rename(body, "max_completion_tokens", "max_tokens")
	if stop, ok := body["stop"]; ok {
		if len(stop) > 0 && stop[0] == '"' {
			body["stop"] = mustJSON([]json.RawMessage{stop})
		}
		rename(body, "stop", "stop_sequences")
	}
	nest(body, "reasoning_effort", "output_config", "effort")
	return body, a.shape(body, r)
}

// shape translates the tools and the form of the answer.
func (a *messagesAPI) shape(body map[string]json.RawMessage, r Request) error {
	schema := r.OutputSchema
	if format, ok := body["response_format"]; ok {
		var f struct {
			Type       string `json:"type"`
			JSONSchema struct {
				Schema json.RawMessage `json:"schema"`
			} `json:"json_schema"`
		}
		if json.Unmarshal(format, &f) != nil || f.Type != "text" && len(f.JSONSchema.Schema) == 0 {
			return refuse(a.id, "use a JSON Schema", "Anthropic has no response_format of this type")
		}
		if len(schema) == 0 {
			schema = f.JSONSchema.Schema
		}
		delete(body, "response_format")
	}
	if len(schema) > 0 {
		body["format"] = mustJSON(map[string]any{"type": "json_schema", "schema": schema})
		nest(body, "format", "output_config", "format")
	}
	if len(r.Tools) > 0 {
		tools, err := a.tools(r.Tools)
		if err != nil {
			return err
		}
		body["tools"] = tools
	}
	if choice, ok := body["tool_choice"]; ok {
		body["tool_choice"] = toolChoice(choice)
	}
	return nil
}

// tools are the request's, in OpenAI's format or in Anthropic's own.
func (a *messagesAPI) tools(raw json.RawMessage) (json.RawMessage, error) {
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, refuse(a.id, "write a list", "the tools are no JSON list")
	}
	for i, t := range list {
		var f struct {
			Function struct {
				Name        string          `json:"name"`
				Description string          `json:"description"`
				Parameters  json.RawMessage `json:"parameters"`
			} `json:"function"`
		}
		if json.Unmarshal(t, &f) != nil || f.Function.Name == "" {
			continue
		}
		if len(f.Function.Parameters) == 0 {
			f.Function.Parameters = json.RawMessage(`{"type":"object"}`)
		}
		tool := map[string]any{"name": f.Function.Name, "input_schema": f.Function.Parameters}
		if f.Function.Description != "" {
			tool["description"] = f.Function.Description
		}
		list[i] = mustJSON(tool)
	}
	return mustJSON(list), nil
}

// toolChoice translates OpenAI's words; an object of Anthropic's goes as it is.
func toolChoice(raw json.RawMessage) json.RawMessage {
	var word string
	if json.Unmarshal(raw, &word) == nil {
		if word == "required" {
			word = "any"
		}
		return mustJSON(map[string]string{"type": word})
	}
	var f struct {
		Function struct {
			Name string `json:"name"`
		} `json:"function"`
	}
	if json.Unmarshal(raw, &f) == nil && f.Function.Name != "" {
		return mustJSON(map[string]string{"type": "tool", "name": f.Function.Name})
	}
	return raw
}

// turn is a message that is no system's.
func (a *messagesAPI) turn(m Message) (any, error) {
	var extra chatExtra
	if len(m.Extra) > 0 && json.Unmarshal(m.Extra, &extra) != nil {
		return nil, refuse(a.id, "write an object", "a message holds what is no JSON")
	}
	if m.Role == "tool" {
		result := map[string]any{"type": "tool_result", "tool_use_id": extra.ToolCallID, "content": m.Content}
		return map[string]any{"role": "user", "content": []any{result}}, nil
	}
	if len(m.Parts) == 0 && len(extra.ToolCalls) == 0 {
		return map[string]any{"role": m.Role, "content": m.Content}, nil
	}
	var blocks []any
	if len(m.Parts) > 0 {
		parts, err := readParts(a.id, m)
		if err != nil {
			return nil, err
		}
		for _, p := range parts {
			block, err := p.forAnthropic(a.id)
			if err != nil {
				return nil, err
			}
			blocks = append(blocks, block)
		}
	} else if m.Content != "" {
		blocks = append(blocks, map[string]any{"type": "text", "text": m.Content})
	}
	for _, call := range extra.ToolCalls {
		input := json.RawMessage(call.Function.Arguments)
		if !json.Valid(input) {
			return nil, refuse(a.id, "write an object", "the arguments of the tool call %q are no JSON", call.ID)
		}
		blocks = append(blocks, map[string]any{"type": "tool_use", "id": call.ID, "name": call.Function.Name, "input": input})
	}
	return map[string]any{"role": m.Role, "content": blocks}, nil
}

func messagesAnswer(t *trip, res *anthropic.Message) Response {
	u := res.Usage
	out := Response{
		Model: res.Model, ID: res.ID, LatencyMS: milliseconds(t.took), FinishReason: string(res.StopReason),
		Usage: Usage{
			Input: int(u.InputTokens + u.CacheReadInputTokens + u.CacheCreationInputTokens), CachedInput: int(u.CacheReadInputTokens), Output: int(u.OutputTokens),
		},
	}
	var calls []chatToolCall
	for _, block := range res.Content {
		switch block.Type {
		case "text":
			out.Output += block.Text
		case "tool_use":
			calls = append(calls, chatToolCall{ID: block.ID, Type: "function", Function: chatFunction{block.Name, string(compact(block.Input))}})
		}
	}
	if len(calls) > 0 {
		out.ToolCalls = mustJSON(calls)
	}
	switch res.StopReason {
	case anthropic.StopReasonEndTurn, anthropic.StopReasonStopSequence:
		out.FinishReason = "stop"
	case anthropic.StopReasonMaxTokens, anthropic.StopReasonModelContextWindowExceeded:
		out.FinishReason = "length"
	case anthropic.StopReasonToolUse:
		out.FinishReason = "tool_calls"
	case anthropic.StopReasonRefusal:
		out.FinishReason = "content_filter"
	}
	return out.settle()
}
