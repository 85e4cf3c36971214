package provider

import (
	"context"
	"encoding/json"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// echo answers with what it was asked. It costs nothing, waits for nothing and
// is never wrong, which makes it the model for the tests of tests.
type echo struct{}

func (echo) ID() string { return "echo" }

// Call answers with PromptText.
func (echo) Call(ctx context.Context, r Request) (Response, error) {
	if err := ctx.Err(); err != nil {
		return Response{}, err
	}
	text := PromptText(r)
	n := prompt.EstimateTokens(text)
	nothing := 0.0
	return Response{Output: text, FinishReason: "stop", Model: r.Model, Usage: Usage{Input: n, Output: n}, Cost: &nothing}, nil
}

// free is true: nobody asks money for this.
func (echo) free() bool { return true }

// PromptText is a request as one text: its message if there is one from the
// user and no more, else all of them as the JSON of a chat.
func PromptText(r Request) string {
	if len(r.Messages) == 1 {
		if m := r.Messages[0]; m.Role == "user" && len(m.Parts) == 0 && len(m.Extra) == 0 {
			return m.Content
		}
	}
	return chatText(r.Messages)
}

// chatText is messages as the JSON of OpenAI's chat format.
func chatText(messages []Message) string {
	out := make([]json.RawMessage, 0, len(messages))
	for _, m := range messages {
		if raw, err := chatMessage(m); err == nil {
			out = append(out, raw)
		}
	}
	return string(mustJSON(out))
}
