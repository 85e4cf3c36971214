package suite

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/assertion"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/provider"
	"github.com/incipit-dev/incipit/internal/prompt"
)

// A Release is a prompt of the workspace, as it is or as it was released.
type Release struct {
	label    string
	prompt   prompt.Prompt
	template *prompt.Template
	spec     ProviderSpec
	lenient  bool
}

// NewRelease makes a target of p, asked of spec. A lenient one leaves out the
// variables of a case that it does not declare: an earlier release does not
// know what came after it.
func NewRelease(label string, p prompt.Prompt, spec ProviderSpec, lenient bool) (*Release, error) {
	t, err := prompt.Compile(p)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", label, err)
	}
	return &Release{label, p, t, spec, lenient}, nil
}

// Label is ID@VERSION, or what a draft is called.
func (r *Release) Label() string { return r.label }

// Provider is who is asked.
func (r *Release) Provider() ProviderSpec { return r.spec }

// Request renders the prompt. It reports an error if the case's variables are
// not those that the prompt declares.
func (r *Release) Request(_ context.Context, c Case) (provider.Request, error) {
	vars := make(prompt.Vars, len(c.Vars))
	for name, v := range c.Vars {
		if _, declared := r.prompt.Variables[name]; r.lenient && !declared {
			continue
		}
		vars[name] = asText(v)
	}
	ms, err := r.template.Render(vars)
	if err != nil {
		return provider.Request{}, fmt.Errorf("%s: %w", r.label, err)
	}
	req := provider.Request{Model: "", Parameters: r.prompt.Parameters, Tools: r.prompt.Tools, OutputSchema: r.prompt.OutputSchema}
	for _, m := range ms {
		req.Messages = append(req.Messages, provider.Message{Role: m.Role, Content: m.Content})
	}
	return req, nil
}

// asText is a value as it stands in a text: JSON, if it is no text itself.
func asText(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(v) != nil {
		return fmt.Sprint(v)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// A Rendered is a template of a suite as a target.
type Rendered struct {
	Template Template
	Render   assertion.Renderer
}

// Label is the template's label.
func (t *Rendered) Label() string { return t.Template.Label }

// Request fills the template in. One that is JSON is filled in text by text,
// so that a value cannot break out of its string.
func (t *Rendered) Request(ctx context.Context, c Case) (provider.Request, error) {
	source := t.Template.Text
	var chat any
	isChat := looksLikeChat(source) && json.Unmarshal([]byte(source), &chat) == nil
	if isChat {
		filled, err := (&Runner{Render: t.Render}).fill(ctx, chat, c.Vars)
		if err != nil {
			return provider.Request{}, scriptError{fmt.Errorf("prompt %s: %w", t.Label(), err)}
		}
		if ms, err := messagesOf(filled); err == nil {
			return provider.Request{Messages: ms}, nil
		}
	}
	rendered, err := t.Render.Render(ctx, c.Options.Prefix+source+c.Options.Suffix, c.Vars)
	if err != nil {
		return provider.Request{}, scriptError{fmt.Errorf("prompt %s: %w", t.Label(), err)}
	}
	if looksLikeChat(rendered) && json.Unmarshal([]byte(rendered), &chat) == nil {
		if ms, err := messagesOf(chat); err == nil {
			return provider.Request{Messages: ms}, nil
		}
	}
	return provider.Request{Messages: []provider.Message{{Role: "user", Content: rendered}}}, nil
}

func looksLikeChat(s string) bool { return strings.HasPrefix(strings.TrimSpace(s), "[") }

var errNoChat = errors.New("no list of messages")

// messagesOf reads a chat in OpenAI's format.
func messagesOf(v any) ([]provider.Message, error) {
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		return nil, errNoChat
	}
	out := make([]provider.Message, 0, len(list))
	for _, e := range list {
		m, ok := e.(map[string]any)
		role, isText := m["role"].(string)
		if !ok || !isText {
			return nil, errNoChat
		}
		msg := provider.Message{Role: role}
		switch content := m["content"].(type) {
		case nil:
		case string:
			msg.Content = content
		default:
			parts, err := json.Marshal(content)
			if err != nil {
				return nil, err
			}
			msg.Parts = parts
		}
		delete(m, "role")
		delete(m, "content")
		if len(m) > 0 {
			extra, err := json.Marshal(m)
			if err != nil {
				return nil, err
			}
			msg.Extra = extra
		}
		out = append(out, msg)
	}
	return out, nil
}
