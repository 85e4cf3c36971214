package provider

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// A Spec names a provider as promptfoo's grammar does.
type Spec struct {
	ID     string         // openai:chat:gpt-4o-mini, anthropic:messages:…, echo, exec:…, https://…
	Label  string         // how a report calls it; "" is the ID
	Config map[string]any // as YAML decodes it: parameters of the model, and how it is reached
}

// Config is what providers need of the world. Getenv and Now are required.
type Config struct {
	Getenv func(string) string // where keys come from, and nothing else does
	Now    func() time.Time

	// KeyHosts says, by the name of a variable of the environment, which hosts
	// (HOST, or HOST:PORT) may be sent its value beside the official one. It is
	// the word of the workspace, never of a suite.
	KeyHosts map[string][]string

	AllowExec bool   // whether exec: may start programs
	Dir       string // in which they start; "" is the current directory

	// Transform evaluates an expression in JavaScript with the given variables.
	// nil: only paths such as json.choices[0].text are understood.
	Transform func(ctx context.Context, code string, vars map[string]any) (any, error)

	Timeout     time.Duration // of one call; 120 s if 0
	Idle        time.Duration // without a byte of the answer; 60 s if 0
	MaxResponse int64         // of an answer, in bytes; 8 MiB if 0

	Transport http.RoundTripper // over which HTTP goes; nil: NewTransport(Proxy)
	Proxy     func(*http.Request) (*url.URL, error)
}

func (c Config) timeout() time.Duration { return cmp.Or(c.Timeout, 120*time.Second) }
func (c Config) idle() time.Duration    { return cmp.Or(c.Idle, 60*time.Second) }
func (c Config) maxResponse() int64     { return cmp.Or(c.MaxResponse, 8<<20) }

// maxID bounds an ID, in bytes.
const maxID = 4000

// Open makes the provider that spec names, and tells the model that its
// requests are for; "" where there is no choice. Nothing is sent. A provider
// that cannot be used, for its name or its config, is an *Error of the kind
// Rejected. A key that is absent is no error before a call needs it: recorded
// answers are replayed without one.
func Open(spec Spec, c Config) (Provider, string, error) {
	scheme, rest, err := split(spec)
	if err != nil {
		return nil, "", err
	}
	set, err := readSettings(spec)
	if err != nil {
		return nil, "", err
	}
	switch scheme {
	case "echo":
		return echo{}, "", nil
	case "exec":
		p, err := openExec(spec, rest, set, c)
		return p, "", err
	case "http", "https":
		p, err := openHTTP(spec, set, c)
		return p, "", err
	}
	api, model, err := addressOf(spec, scheme, rest)
	if err != nil {
		return nil, "", err
	}
	if api.wire == wireEmbeddings {
		return nil, "", refuse(spec.ID, "name a chat model here; a model of embeddings is for `similar` assertions", "%s makes embeddings and answers nothing", spec.ID)
	}
	l, err := openLine(spec, api, model, set, c)
	if err != nil {
		return nil, "", err
	}
	switch api.wire {
	case wireResponses:
		return &responsesAPI{l}, model, nil
	case wireMessages:
		return &messagesAPI{l}, model, nil
	default:
		return &chatAPI{l}, model, nil
	}
}

// OpenEmbedder is Open for models that make vectors: openai:embedding:MODEL
// and what is compatible with it.
func OpenEmbedder(spec Spec, c Config) (Embedder, string, error) {
	scheme, rest, err := split(spec)
	if err != nil {
		return nil, "", err
	}
	api, model, err := addressOf(spec, scheme, rest)
	if err != nil {
		return nil, "", err
	}
	if api.wire == wireMessages {
		return nil, "", refuse(spec.ID, "name one such as openai:embedding:text-embedding-3-small", "%s makes no embeddings", spec.ID)
	}
	api.wire = wireEmbeddings
	set, err := readSettings(spec)
	if err != nil {
		return nil, "", err
	}
	l, err := openLine(spec, api, model, set, c)
	if err != nil {
		return nil, "", err
	}
	return &embeddings{l}, model, nil
}

// split takes the scheme of an ID apart from the rest.
func split(spec Spec) (scheme, rest string, err error) {
	if spec.ID == "" || len(spec.ID) > maxID || prompt.Visible(spec.ID) != spec.ID {
		return "", "", refuse(spec.ID, "write one such as openai:chat:gpt-4o-mini", "that is no provider")
	}
	scheme, rest, _ = strings.Cut(spec.ID, ":")
	return scheme, rest, nil
}

// ForModel is the ID of the provider that answers for a model which a prompt's
// metadata names alone: gpt-4o-mini, claude-…, gemini-…, or VENDOR/MODEL.
func ForModel(model string) (string, error) {
	vendor, name, ok := strings.Cut(model, "/")
	if ok {
		switch vendor {
		case "openai":
			return "openai:chat:" + name, nil
		case "anthropic":
			return "anthropic:messages:" + name, nil
		case "google", "gemini":
			return "google:" + name, nil
		case "azure", "ollama", "vllm", "localai", "openrouter", "mistral", "groq", "deepseek", "xai":
			return vendor + ":chat:" + name, nil
		}
	} else {
		for start, scheme := range map[string]string{
			"gpt-": "openai:chat:", "chatgpt-": "openai:chat:", "o1": "openai:chat:", "o3": "openai:chat:", "o4": "openai:chat:",
			"claude-": "anthropic:messages:", "gemini-": "google:", "mistral-": "mistral:chat:", "deepseek-": "deepseek:chat:", "grok-": "xai:chat:",
		} {
			if strings.HasPrefix(model, start) {
				return scheme + model, nil
			}
		}
	}
	if scheme, _, found := strings.Cut(model, ":"); found || scheme == "echo" {
		if _, known := presets[scheme]; known || scheme == "echo" {
			return model, nil // it is a provider's ID already
		}
	}
	return "", refuse(model, "name its provider: openai/MODEL, anthropic/MODEL, ollama/MODEL, …", "nobody knows which provider answers for the model %q", prompt.Clip(model, 80))
}
