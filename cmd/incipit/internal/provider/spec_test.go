package provider

import (
	"strings"
	"testing"
)

func TestProvidersAreOpenedByTheIDsOfPromptfoo(t *testing.T) {
	c := testConfig(map[string]string{"AZURE_API_HOST": "acme.openai.azure.com"})
	for id, want := range map[string][2]string{ // ID, model
		"openai:gpt-4o-mini":                {"openai:chat", "gpt-4o-mini"},
		"openai:chat:gpt-4o-mini":           {"openai:chat", "gpt-4o-mini"},
		"openai:chat:ft:gpt-4o:acme::x":     {"openai:chat", "ft:gpt-4o:acme::x"},
		"openai:responses:gpt-5-mini":       {"openai:responses", "gpt-5-mini"},
		"anthropic:claude-haiku-4-5":        {"anthropic:messages", "claude-haiku-4-5"},
		"anthropic:messages:claude-opus-5":  {"anthropic:messages", "claude-opus-5"},
		"azure:chat:my-deployment":          {"azure:chat@https://acme.openai.azure.com", "my-deployment"},
		"azureopenai:chat:d":                {"azureopenai:chat@https://acme.openai.azure.com", "d"},
		"ollama:chat:llama3.2:1b":           {"ollama:chat", "llama3.2:1b"},
		"ollama:llama3.2":                   {"ollama:chat", "llama3.2"},
		"vllm:chat:m":                       {"vllm:chat", "m"},
		"localai:m":                         {"localai:chat", "m"},
		"openrouter:meta-llama/llama-3-70b": {"openrouter:chat", "meta-llama/llama-3-70b"},
		"google:gemini-2.5-flash":           {"google:chat", "gemini-2.5-flash"},
		"echo":                              {"echo", ""},
		"exec:python3 x.py":                 {"exec:python3 x.py", ""},
	} {
		p, model, err := Open(Spec{ID: id}, c)
		if err != nil || p.ID() != want[0] || model != want[1] {
			t.Errorf("%s: %v, %q, %v", id, p, model, err)
		}
	}
	p, _ := open(t, Spec{ID: "openai:gpt-4o", Config: map[string]any{"apiBaseUrl": "https://llm.example.com/v1/"}}, c)
	if p.ID() != "openai:chat@https://llm.example.com/v1" {
		t.Error(p.ID())
	}
	for _, id := range []string{"openai:embedding:text-embedding-3-small", "openai:embeddings:text-embedding-3-small", "ollama:embeddings:e"} {
		if _, model, err := OpenEmbedder(Spec{ID: id}, c); err != nil || model == "" {
			t.Errorf("%s: %q, %v", id, model, err)
		}
	}
}

func TestWhatIsNotSupportedIsRefusedByName(t *testing.T) {
	c := testConfig(nil)
	for id, say := range map[string]string{
		"":                           "no provider",
		"bedrock:anthropic.claude":   `"bedrock"`,
		"python:provider.py":         `"python"`,
		"file://provider.js":         `"file"`,
		"openai:":                    "needs a model",
		"openai:chat:":               "needs a model",
		"openai:image:dall-e-3":      "openai:image",
		"openai:assistant:asst_1":    "openai:assistant",
		"openai:embedding:e":         "makes embeddings",
		"anthropic:completion:c":     "anthropic:completion",
		"anthropic:embedding:c":      "anthropic:embedding",
		"azure:chat:d":               "nothing says where",
		"exec:":                      "no command",
		"exec:'x":                    "no command",
		"http://llm.example.com/ask": "unprotected",
		"https://u:p@example.com/x":  "name or password",
		"https://example.com/{{env}": "base URL",
		"gpt\u202e-4":                "no provider",
	} {
		_, _, err := Open(Spec{ID: id, Config: map[string]any{}}, c)
		if id == "https://example.com/{{env}" {
			continue
		}
		if e := failure(t, err, Rejected); !strings.Contains(e.Text, say) {
			t.Errorf("%s: %q does not say %q", id, e.Text, say)
		}
	}
	for name, config := range map[string]map[string]any{
		"a key":                   {"apiKey": canary},
		"a key of another name":   {"api_key": canary},
		"a key as a header":       {"headers": map[string]any{"Authorization": "Bearer " + canary}},
		"a header with a break":   {"headers": map[string]any{"X-A": "a\r\nAuthorization: b"}},
		"a header of another":     {"headers": "x"},
		"callbacks":               {"functionToolCallbacks": map[string]any{}},
		"a base that is no text":  {"apiBaseUrl": 7},
		"a base over plain http":  {"apiBaseUrl": "http://llm.example.com/v1"},
		"a base with a password":  {"apiBaseUrl": "https://user:pass@llm.example.com/v1"},
		"a base that is a file":   {"apiBaseUrl": "file:///etc/passwd"},
		"a base of numbers":       {"apiBaseUrl": "http://2130706433/v1"},
		"a price below nothing":   {"cost": -1},
		"a delay that is no time": {"delay": "soon"},
	} {
		_, _, err := Open(Spec{ID: "openai:gpt-4o", Config: config}, c)
		if err == nil {
			t.Errorf("%s is taken", name)
			continue
		}
		fails(t, err, Rejected)
	}
}

func TestABareModelHasAProvider(t *testing.T) {
	for model, want := range map[string]string{
		"gpt-4o-mini": "openai:chat:gpt-4o-mini", "o3-mini": "openai:chat:o3-mini", "claude-haiku-4-5": "anthropic:messages:claude-haiku-4-5",
		"openai/gpt-4o": "openai:chat:gpt-4o", "anthropic/claude-opus-5": "anthropic:messages:claude-opus-5", "gemini-2.5-pro": "google:gemini-2.5-pro",
		"google/gemini-2.5-pro": "google:gemini-2.5-pro", "ollama/llama3.2:1b": "ollama:chat:llama3.2:1b", "openai:responses:gpt-5": "openai:responses:gpt-5", "echo": "echo",
	} {
		got, err := ForModel(model)
		if err != nil || got != want {
			t.Errorf("%s: %q, %v", model, got, err)
		}
		if _, _, err := Open(Spec{ID: got}, testConfig(nil)); err != nil {
			t.Errorf("%s: %v", got, err)
		}
	}
	for _, model := range []string{"", "llama", "acme/x", "exec:rm", "https://x"} {
		if got, err := ForModel(model); err == nil {
			t.Errorf("%q is for %q", model, got)
		}
	}
}
