package server

import (
	"context"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/internal/registry"
)

func (s *Server) webhooks(ctx context.Context, in *Paging) (*reply[api.Page[registry.Webhook]], error) {
	all, err := s.service.Webhooks(ctx)
	if err != nil {
		return nil, err
	}
	return answered(page(all, *in, func(w registry.Webhook) string { return w.ID }))
}

type webhookInput struct{ Body api.WebhookRequest }

func (s *Server) addWebhook(ctx context.Context, in *webhookInput) (*reply[api.CreatedWebhook], error) {
	secret, w, err := s.service.AddWebhook(ctx, in.Body.Webhook())
	return answered(api.CreatedWebhook{Secret: secret.Reveal(), Webhook: w}, err)
}

type webhookIDInput struct {
	ID string `path:"id" maxLength:"64"`
}

func (s *Server) removeWebhook(ctx context.Context, in *webhookIDInput) (*struct{}, error) {
	return nil, s.service.RemoveWebhook(ctx, in.ID)
}

func (s *Server) pingWebhook(ctx context.Context, in *webhookIDInput) (*reply[registry.Delivery], error) {
	return answered(s.service.PingWebhook(ctx, in.ID))
}

type deliveriesInput struct {
	ID    string `path:"id" maxLength:"64"`
	Limit int    `query:"limit" minimum:"1" maximum:"500" default:"100"`
}

// deliveries has no next page: what ended is forgotten soon, and what matters
// is new.
func (s *Server) deliveries(ctx context.Context, in *deliveriesInput) (*reply[api.Page[registry.Delivery]], error) {
	all, err := s.service.Deliveries(ctx, in.ID, in.Limit)
	if err != nil {
		return nil, err
	}
	return answered(page(all, Paging{Limit: in.Limit}, func(d registry.Delivery) string { return d.ID }))
}

func (s *Server) redeliver(ctx context.Context, in *webhookIDInput) (*reply[registry.Delivery], error) {
	return answered(s.service.Redeliver(ctx, in.ID))
}
