package api

import "github.com/incipit-dev/incipit/internal/registry"

// A WebhookRequest asks for a webhook. Patterns that are left out are *.
type WebhookRequest struct {
	URL          string                 `json:"url" maxLength:"2000"`
	Format       registry.WebhookFormat `json:"format,omitempty" enum:"json,slack" doc:"None is json"`
	Kinds        registry.Patterns      `json:"kinds,omitempty" doc:"Of notices: deployment.rollback, rollout.*, …"`
	Environments registry.Patterns      `json:"environments,omitempty"`
	Prompts      registry.Patterns      `json:"prompts,omitempty"`
}

// Webhook is the webhook that is asked for.
func (r WebhookRequest) Webhook() registry.Webhook {
	every := func(p registry.Patterns) registry.Patterns {
		if len(p) == 0 {
			return registry.Patterns{"*"}
		}
		return p
	}
	w := registry.Webhook{URL: r.URL, Format: r.Format, Kinds: every(r.Kinds), Environments: every(r.Environments), Prompts: every(r.Prompts)}
	if w.Format == "" {
		w.Format = registry.FormatJSON
	}
	return w
}

// A CreatedWebhook is a webhook with its secret, which is shown this once.
type CreatedWebhook struct {
	Secret  string           `json:"secret" doc:"What is sent is signed with it. It is shown this once."`
	Webhook registry.Webhook `json:"webhook"`
}
