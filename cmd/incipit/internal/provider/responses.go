package provider

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"

	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/responses"
)

// responsesAPI speaks OpenAI's Responses. Requests are written for the chat
// format; what has another name here is renamed, the rest goes as it is.
type responsesAPI struct{ *line }

// Call makes one model call.
func (a *responsesAPI) Call(ctx context.Context, r Request) (Response, error) {
	if a.closed != nil {
		return Response{}, a.closed
	}
	r, err := a.fill(r)
	if err != nil {
		return Response{}, refuse(a.id, "write an object", "the parameters are no JSON object")
	}
	body, err := a.responsesBody(r)
	if err != nil {
		return Response{}, err
	}
	t := a.trip()
	service := responses.NewResponseService(a.options(t, r.Model)...)
	if _, err := service.New(ctx, param.Override[responses.ResponseNewParams](mustJSON(body))); err != nil {
		return Response{}, a.fail(ctx, err)
	}
	var doc responsesDoc
	if err := json.Unmarshal([]byte(t.seen), &doc); err != nil {
		return Response{}, garbled(a.id, "the answer is not what this API answers")
	}
	return a.responsesAnswer(t, doc)
}

func (a *responsesAPI) responsesBody(r Request) (map[string]json.RawMessage, error) {
	body, err := a.body(r)
	if err != nil {
		return nil, err
	}
	input := make([]any, 0, len(r.Messages))
	for _, m := range r.Messages {
		items, err := a.items(m)
		if err != nil {
			return nil, err
		}
		input = append(input, items...)
	}
	body["input"] = mustJSON(input)
	for _, old := range []string{"max_tokens", "max_completion_tokens"} {
		rename(body, old, "max_output_tokens")
	}
	nest(body, "reasoning_effort", "reasoning", "effort")
	nest(body, "verbosity", "text", "verbosity")
	format := body["response_format"]
	delete(body, "response_format")
	if len(r.OutputSchema) > 0 {
		format = mustJSON(map[string]any{"type": "json_schema", "name": "output", "schema": r.OutputSchema})
	}
	if len(format) > 0 {
		body["format"] = flatten(format, "json_schema")
		nest(body, "format", "text", "format")
	}
	if len(r.Tools) > 0 {
		var tools []json.RawMessage
		if err := json.Unmarshal(r.Tools, &tools); err != nil {
			return nil, refuse(a.id, "write a list", "the tools are no JSON list")
		}
		for i, t := range tools {
			tools[i] = flatten(t, "function")
		}
		body["tools"] = mustJSON(tools)
	}
	return body, nil
}

// rename gives a parameter its name of this API, unless that is there already.
func rename(body map[string]json.RawMessage, old, name string) {
	v, ok := body[old]
	if _, taken := body[name]; ok && !taken {
		body[name] = v
	}
	delete(body, old)
}

// nest moves a parameter into an object, unless it is there already.
func nest(body map[string]json.RawMessage, old, object, name string) {
	v, ok := body[old]
	delete(body, old)
	if !ok {
		return
	}
	inner := make(map[string]json.RawMessage)
	if json.Unmarshal(body[object], &inner) != nil || inner == nil {
		inner = make(map[string]json.RawMessage)
	}
	if _, taken := inner[name]; !taken {
		inner[name] = v
	}
	body[object] = mustJSON(inner)
}

// flatten moves the members of an inner object up beside its type:
// {"type": "function", "function": {"name": …}} is {"type": "function", "name": …}.
func flatten(raw json.RawMessage, key string) json.RawMessage {
	var outer, inner map[string]json.RawMessage
	if json.Unmarshal(raw, &outer) != nil || json.Unmarshal(outer[key], &inner) != nil {
		return raw
	}
	delete(outer, key)
	maps.Copy(outer, inner)
	return mustJSON(outer)
}

// items are a message as this API has it: a message, calls of tools, or the
// output of one.
func (a *responsesAPI) items(m Message) ([]any, error) {
	var extra chatExtra
	if len(m.Extra) > 0 && json.Unmarshal(m.Extra, &extra) != nil {
		return nil, refuse(a.id, "write an object", "a message holds what is no JSON")
	}
	if m.Role == "tool" {
		return []any{map[string]any{"type": "function_call_output", "call_id": extra.ToolCallID, "output": m.Content}}, nil
	}
	var out []any
	if len(m.Parts) > 0 {
		parts, err := readParts(a.id, m)
		if err != nil {
			return nil, err
		}
		content := make([]any, 0, len(parts))
		for _, p := range parts {
			content = append(content, p.forResponses(m.Role))
		}
		out = append(out, map[string]any{"role": m.Role, "content": content})
	} else if m.Content != "" || len(extra.ToolCalls) == 0 {
		out = append(out, map[string]any{"role": m.Role, "content": m.Content})
	}
	for _, call := range extra.ToolCalls {
		out = append(out, map[string]any{"type": "function_call", "call_id": call.ID, "name": call.Function.Name, "arguments": call.Function.Arguments})
	}
	return out, nil
}

// responsesDoc is what is read of an answer.
type responsesDoc struct {
	ID                string `json:"id"`
	Model             string `json:"model"`
	Status            string `json:"status"`
	IncompleteDetails struct {
		Reason string `json:"reason"`
	} `json:"incomplete_details"`
	Error struct {
		Message string `json:"message"`
	} `json:"error"`
	Output []struct {
		Type      string `json:"type"`
		CallID    string `json:"call_id"`
		Name      string `json:"name"`
		Arguments any    `json:"arguments"`
		Content   []struct {
			Type    string `json:"type"`
			Text    string `json:"text"`
			Refusal string `json:"refusal"`
		} `json:"content"`
	} `json:"output"`
	Usage struct {
		Input        int `json:"input_tokens"`
		Output       int `json:"output_tokens"`
		InputDetails struct {
			Cached int `json:"cached_tokens"`
		} `json:"input_tokens_details"`
	} `json:"usage"`
}

func (a *responsesAPI) responsesAnswer(t *trip, doc responsesDoc) (Response, error) {
	out := Response{
		Model: doc.Model, ID: doc.ID, LatencyMS: milliseconds(t.took), FinishReason: "stop",
		Usage: Usage{Input: doc.Usage.Input, CachedInput: doc.Usage.InputDetails.Cached, Output: doc.Usage.Output},
	}
	if doc.Status == "failed" {
		e := garbled(a.id, "%s", a.hide(cmp.Or(doc.Error.Message, "the response failed")))
		e.Kind, e.Again = Unavailable, true
		return Response{}, e
	}
	if doc.Output == nil {
		return Response{}, garbled(a.id, "the answer has no output")
	}
	var calls []chatToolCall
	for _, item := range doc.Output {
		for _, part := range item.Content {
			switch part.Type {
			case "output_text":
				out.Output += part.Text
			case "refusal":
				out.Output += part.Refusal
				out.Refusal = true
			}
		}
		if item.Type == "function_call" {
			arguments, _ := item.Arguments.(string)
			calls = append(calls, chatToolCall{ID: item.CallID, Type: "function", Function: chatFunction{item.Name, arguments}})
		}
	}
	if len(calls) > 0 {
		out.ToolCalls, out.FinishReason = mustJSON(calls), "tool_calls"
	}
	switch doc.IncompleteDetails.Reason {
	case "max_output_tokens":
		out.FinishReason = "length"
	case "content_filter":
		out.FinishReason = "content_filter"
	}
	return out.settle(), nil
}
