package provider

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/packages/param"
)

// chatAPI speaks OpenAI's chat completions, which many others speak as well.
type chatAPI struct{ *line }

// Call makes one model call.
func (c *chatAPI) Call(ctx context.Context, r Request) (Response, error) {
	if c.closed != nil {
		return Response{}, c.closed
	}
	r, err := c.fill(r)
	if err != nil {
		return Response{}, refuse(c.id, "write an object", "the parameters are no JSON object")
	}
	body, err := c.chatBody(r)
	if err != nil {
		return Response{}, err
	}
	t := c.trip()
	service := openai.NewChatCompletionService(c.options(t, r.Model)...)
	res, err := service.New(ctx, param.Override[openai.ChatCompletionNewParams](mustJSON(body)))
	if err != nil {
		return Response{}, c.fail(ctx, err)
	}
	if res == nil || len(res.Choices) == 0 {
		return Response{}, garbled(c.id, "the answer has no choices")
	}
	return c.chatAnswer(t, res), nil
}

func (c *chatAPI) chatBody(r Request) (map[string]json.RawMessage, error) {
	body, err := c.body(r)
	if err != nil {
		return nil, err
	}
	messages := make([]json.RawMessage, 0, len(r.Messages))
	for _, m := range r.Messages {
		raw, err := chatMessage(m)
		if err != nil {
			return nil, refuse(c.id, "write objects", "a message holds what is no JSON")
		}
		messages = append(messages, raw)
	}
	body["messages"] = mustJSON(messages)
	if len(r.Tools) > 0 {
		body["tools"] = r.Tools
	}
	if len(r.OutputSchema) > 0 {
		body["response_format"] = mustJSON(map[string]any{
			"type": "json_schema", "json_schema": map[string]any{"name": "output", "schema": r.OutputSchema},
		})
	}
	return body, nil
}

// chatMessage is a message as OpenAI's chat format has it.
func chatMessage(m Message) (json.RawMessage, error) {
	out := make(map[string]json.RawMessage)
	if len(m.Extra) > 0 {
		if err := json.Unmarshal(m.Extra, &out); err != nil {
			return nil, err
		}
		if out == nil {
			out = make(map[string]json.RawMessage)
		}
	}
	out["role"] = mustJSON(m.Role)
	out["content"] = mustJSON(m.Content)
	if len(m.Parts) > 0 {
		out["content"] = m.Parts
	}
	return json.Marshal(out)
}

func (c *chatAPI) chatAnswer(t *trip, res *openai.ChatCompletion) Response {
	choice := res.Choices[0]
	out := Response{
		Output: choice.Message.Content, FinishReason: choice.FinishReason, Model: res.Model, ID: res.ID,
		Usage: Usage{
			Input: int(res.Usage.PromptTokens), CachedInput: int(res.Usage.PromptTokensDetails.CachedTokens), Output: int(res.Usage.CompletionTokens),
		},
		LatencyMS: milliseconds(t.took),
	}
	if raw := choice.Message.JSON.ToolCalls.Raw(); len(choice.Message.ToolCalls) > 0 {
		out.ToolCalls = compact([]byte(raw))
	}
	if choice.Message.Refusal != "" {
		out.Refusal = true
		if out.Output == "" {
			out.Output = choice.Message.Refusal
		}
	}
	return out.settle()
}

// settle makes of an answer what holds for all of them: a filter is a refusal,
// and tools called without a text are the output.
func (r Response) settle() Response {
	if r.FinishReason == "content_filter" {
		r.Refusal = true
	}
	if r.Output == "" && len(r.ToolCalls) > 0 {
		r.Output = string(r.ToolCalls)
	}
	return r
}

func compact(raw []byte) json.RawMessage {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return nil
	}
	return b.Bytes()
}
