package lifecycle

import (
	"context"
	"slices"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/auth"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/notify"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// maxWebhooks bounds how many there are: each deployment is written for each.
const maxWebhooks = 100

// AddWebhook adds an address that is told what happens. The secret by which it
// knows that it is us is told this once.
func (s *Shared) AddWebhook(ctx context.Context, w registry.Webhook) (auth.Secret, registry.Webhook, error) {
	if s.config.Notify == nil {
		return auth.Secret{}, w, registry.Errorf(registry.ErrUnavailable, "this server tells no webhooks")
	}
	if _, err := s.config.Notify.CheckURL(w.URL); err != nil {
		return auth.Secret{}, w, err
	}
	all, err := s.db.Webhooks(ctx)
	if err != nil {
		return auth.Secret{}, w, err
	}
	if len(all) >= maxWebhooks {
		return auth.Secret{}, w, registry.WithFix(registry.Errorf(registry.ErrConflict, "there are %d webhooks, which is the most", len(all)), "remove one: incipit admin webhook remove ID")
	}
	who, _ := registry.CallerOf(ctx)
	w.CreatedBy, w.CreatedAt = who.Name, s.config.Now().UTC()
	e := event(ctx, "webhook.add")
	e.Detail = map[string]string{"url": notify.Shown(w.URL), "format": string(w.Format)}
	if w, err = s.db.AddWebhook(ctx, w, e); err != nil {
		return auth.Secret{}, w, err
	}
	secret, err := s.webhookSecret(ctx, w.ID)
	return auth.Conceal(notify.ShowSecret(secret)), masked(w), err
}

// webhookSecret is what is sent to a webhook is signed with.
func (s *Shared) webhookSecret(ctx context.Context, id string) ([]byte, error) {
	database, err := s.db.Secret(ctx, "webhooks")
	if err != nil {
		return nil, err
	}
	return notify.SecretOf(database, id), nil
}

// Webhook finds one. It reports ErrNotFound if there is none.
func (s *Shared) Webhook(ctx context.Context, id string) (registry.Webhook, error) {
	all, err := s.Webhooks(ctx)
	if err != nil {
		return registry.Webhook{}, err
	}
	i := slices.IndexFunc(all, func(w registry.Webhook) bool { return w.ID == id })
	if i < 0 {
		return registry.Webhook{}, registry.Errorf(registry.ErrNotFound, "there is no webhook %s", prompt.Clip(prompt.Visible(id), 80))
	}
	return all[i], nil
}

// masked is a webhook as it is listed: an address may be a secret itself.
func masked(w registry.Webhook) registry.Webhook {
	w.URL = notify.Shown(w.URL)
	return w
}

// Webhooks lists the webhooks, without what stands behind the hosts of their
// addresses.
func (s *Shared) Webhooks(ctx context.Context) ([]registry.Webhook, error) {
	all, err := s.db.Webhooks(ctx)
	for i, w := range all {
		all[i] = masked(w)
	}
	return all, err
}

// RemoveWebhook ends a webhook, and with it what it was not told yet.
func (s *Shared) RemoveWebhook(ctx context.Context, id string) error {
	return s.db.RemoveWebhook(ctx, id, webhookEvent(ctx, "webhook.remove", id))
}

// PingWebhook tells a webhook that somebody tries it, behind what it was not
// told yet. One that was paused goes on.
func (s *Shared) PingWebhook(ctx context.Context, id string) (registry.Delivery, error) {
	return s.db.PingWebhook(ctx, id, webhookEvent(ctx, "webhook.ping", id))
}

func webhookEvent(ctx context.Context, action, id string) registry.Event {
	e := event(ctx, action)
	e.Detail = map[string]string{"id": prompt.Clip(id, 40)}
	return e
}

// Deliveries lists what a webhook was told and will be told, the newest first,
// at most limit of them.
func (s *Shared) Deliveries(ctx context.Context, webhook string, limit int) ([]registry.Delivery, error) {
	return s.db.Deliveries(ctx, webhook, limit)
}

// Redeliver has a delivery sent again under the same id, before those that
// wait.
func (s *Shared) Redeliver(ctx context.Context, id string) (registry.Delivery, error) {
	return s.db.Redeliver(ctx, id, event(ctx, "webhook.redeliver"))
}
