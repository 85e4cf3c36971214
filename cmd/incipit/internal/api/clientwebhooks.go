package api

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/incipit-dev/incipit/internal/registry"
)

// AddWebhook adds an address that is told what happens.
func (c *Client) AddWebhook(ctx context.Context, req WebhookRequest) (CreatedWebhook, error) {
	var out CreatedWebhook
	return out, c.Send(ctx, http.MethodPost, "/v1/webhooks", req, &out)
}

// Webhooks lists the webhooks, the oldest first.
func (c *Client) Webhooks(ctx context.Context) ([]registry.Webhook, error) {
	return All[registry.Webhook](ctx, c, "/v1/webhooks", nil)
}

// RemoveWebhook ends a webhook.
func (c *Client) RemoveWebhook(ctx context.Context, id string) error {
	return c.Send(ctx, http.MethodDelete, path("/v1/webhooks", id), nil, nil)
}

// PingWebhook tells a webhook that somebody tries it.
func (c *Client) PingWebhook(ctx context.Context, id string) (registry.Delivery, error) {
	var out registry.Delivery
	return out, c.Send(ctx, http.MethodPost, path("/v1/webhooks", id, "ping"), nil, &out)
}

// Deliveries lists the last of what a webhook was told and will be told, the
// newest first, at most limit of them.
func (c *Client) Deliveries(ctx context.Context, webhook string, limit int) ([]registry.Delivery, error) {
	var out Page[registry.Delivery]
	err := c.get(ctx, path("/v1/webhooks", webhook, "deliveries"), url.Values{"limit": {strconv.Itoa(limit)}}, &out)
	return out.Items, err
}

// Redeliver has a delivery sent again, under the same id.
func (c *Client) Redeliver(ctx context.Context, id string) (registry.Delivery, error) {
	var out registry.Delivery
	return out, c.Send(ctx, http.MethodPost, path("/v1/deliveries", id, "redeliver"), nil, &out)
}
