package provider

import (
	"slices"
	"strings"
)

// A wireKind is what is spoken with a provider.
type wireKind string

const (
	wireChat       wireKind = "chat"
	wireResponses  wireKind = "responses"
	wireEmbeddings wireKind = "embeddings"
	wireMessages   wireKind = "messages"
)

// A preset is a provider that is known by name.
type preset struct {
	base  string   // where its API is; "" for one that each customer has
	keys  []string // variables that may hold its key, the first that is set
	env   string   // the variable by which a user names another base URL
	own   bool     // it runs on the user's own machine: no key is needed, and nothing is charged
	azure bool     // a deployment in the path, the key in a header of its own
	wire  wireKind
}

// presets, by scheme. All but Anthropic's speak OpenAI's wire; their base URLs
// are those of their documentation.
var presets = map[string]preset{
	"openai":      {base: "https://api.openai.com/v1", keys: []string{"OPENAI_API_KEY"}, env: "OPENAI_BASE_URL", wire: wireChat},
	"anthropic":   {base: "https://api.anthropic.com", keys: []string{"ANTHROPIC_API_KEY"}, env: "ANTHROPIC_BASE_URL", wire: wireMessages},
	"azure":       {keys: []string{"AZURE_API_KEY", "AZURE_OPENAI_API_KEY"}, env: "AZURE_API_BASE_URL", azure: true, wire: wireChat},
	"azureopenai": {keys: []string{"AZURE_API_KEY", "AZURE_OPENAI_API_KEY"}, env: "AZURE_API_BASE_URL", azure: true, wire: wireChat},
	"google":      {base: "https://generativelanguage.googleapis.com/v1beta/openai", keys: []string{"GEMINI_API_KEY", "GOOGLE_API_KEY"}, wire: wireChat},
	"ollama":      {base: "http://localhost:11434/v1", keys: []string{"OLLAMA_API_KEY"}, env: "OLLAMA_BASE_URL", own: true, wire: wireChat},
	"vllm":        {base: "http://localhost:8000/v1", keys: []string{"VLLM_API_KEY"}, env: "VLLM_BASE_URL", own: true, wire: wireChat},
	"localai":     {base: "http://localhost:8080/v1", keys: []string{"LOCALAI_API_KEY"}, env: "LOCALAI_BASE_URL", own: true, wire: wireChat},
	"openrouter":  {base: "https://openrouter.ai/api/v1", keys: []string{"OPENROUTER_API_KEY"}, wire: wireChat},
	"mistral":     {base: "https://api.mistral.ai/v1", keys: []string{"MISTRAL_API_KEY"}, wire: wireChat},
	"groq":        {base: "https://api.groq.com/openai/v1", keys: []string{"GROQ_API_KEY"}, wire: wireChat},
	"deepseek":    {base: "https://api.deepseek.com/v1", keys: []string{"DEEPSEEK_API_KEY"}, wire: wireChat},
	"xai":         {base: "https://api.x.ai/v1", keys: []string{"XAI_API_KEY"}, wire: wireChat},
}

// Supported names what Open takes, for messages and documentation.
func Supported() []string {
	names := []string{"echo", "exec:PROGRAM", "https://…"}
	for scheme := range presets {
		names = append(names, scheme+":MODEL")
	}
	slices.Sort(names)
	return names
}

// An address is a preset and what is spoken with it.
type address struct {
	preset
	scheme string
	wire   wireKind
}

// addressOf reads what follows the scheme: a wire and a model, or a model.
func addressOf(spec Spec, scheme, rest string) (address, string, error) {
	p, ok := presets[scheme]
	if !ok {
		return address{}, "", refuse(spec.ID, "use one of "+strings.Join(Supported(), ", "), "the provider %q is not supported", scheme)
	}
	api, model := address{p, scheme, p.wire}, rest
	word, after, found := strings.Cut(rest, ":")
	switch word {
	case "chat", "messages", "responses", "embedding", "embeddings", "completion", "image", "assistant", "realtime", "moderation", "transcription", "speech", "tts", "video", "agents":
		if !found {
			after = ""
		}
		model = after
		wire := wireKind(strings.Replace(word, "embedding", "embeddings", 1))
		if word == "embeddings" {
			wire = wireEmbeddings
		}
		switch anthropic := p.wire == wireMessages; {
		case anthropic && word == "messages", !anthropic && word == "chat":
		case !anthropic && (wire == wireResponses || wire == wireEmbeddings):
			api.wire = wire
		default:
			return address{}, "", refuse(spec.ID, "use "+scheme+":MODEL", "%s:%s is not supported", scheme, word)
		}
	}
	if model == "" {
		return address{}, "", refuse(spec.ID, "write "+scheme+":MODEL", "the provider %s needs a model", spec.ID)
	}
	return api, model, nil
}
