package provider

import (
	"encoding/json"
	"strings"
)

// chatExtra is what an assistant's or a tool's message may hold in OpenAI's
// chat format beside its content.
type chatExtra struct {
	ToolCalls  []chatToolCall `json:"tool_calls"`
	ToolCallID string         `json:"tool_call_id"`
}

type chatToolCall struct {
	ID       string       `json:"id"`
	Type     string       `json:"type"`
	Function chatFunction `json:"function"`
}

type chatFunction struct {
	Name      string `json:"name"`
	Arguments string `json:"arguments"` // JSON
}

// A part is one of a message's, in OpenAI's chat format.
type part struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	ImageURL struct {
		URL    string `json:"url"`
		Detail string `json:"detail"`
	} `json:"image_url"`
	raw json.RawMessage
}

func readParts(id string, m Message) ([]part, error) {
	var raws []json.RawMessage
	if err := json.Unmarshal(m.Parts, &raws); err != nil {
		return nil, refuse(id, "write a list of parts", "the parts of a message are no JSON list")
	}
	parts := make([]part, 0, len(raws))
	for _, raw := range raws {
		p := part{raw: raw}
		if err := json.Unmarshal(raw, &p); err != nil {
			return nil, refuse(id, `write it as {"type": "text", "text": …}`, "a part of a message is not in OpenAI's format")
		}
		parts = append(parts, p)
	}
	return parts, nil
}

// forResponses is the part as OpenAI's Responses have it; one of another type
// goes as it is.
func (p part) forResponses(role string) any {
	switch {
	case p.Type == "text" && role == "assistant":
		return map[string]any{"type": "output_text", "text": p.Text}
	case p.Type == "text":
		return map[string]any{"type": "input_text", "text": p.Text}
	case p.Type == "image_url" && p.ImageURL.Detail != "":
		return map[string]any{"type": "input_image", "image_url": p.ImageURL.URL, "detail": p.ImageURL.Detail}
	case p.Type == "image_url":
		return map[string]any{"type": "input_image", "image_url": p.ImageURL.URL}
	}
	return p.raw
}

// forAnthropic is the part as Anthropic's Messages have it. Texts and images
// have a counterpart there; parts that are in its own format go as they are.
func (p part) forAnthropic(id string) (any, error) {
	switch p.Type {
	case "text":
		return p.raw, nil
	case "image", "document", "tool_use", "tool_result", "thinking", "redacted_thinking":
		return p.raw, nil
	case "image_url":
		source := map[string]any{"type": "url", "url": p.ImageURL.URL}
		if data, ok := strings.CutPrefix(p.ImageURL.URL, "data:"); ok {
			media, encoded, found := strings.Cut(data, ";base64,")
			if !found {
				return nil, refuse(id, "encode it in base64", "an image's data URL is not in base64")
			}
			source = map[string]any{"type": "base64", "media_type": media, "data": encoded}
		}
		return map[string]any{"type": "image", "source": source}, nil
	}
	return nil, refuse(id, "leave it out, or ask another provider", "Anthropic takes no part of the type %q", p.Type)
}
