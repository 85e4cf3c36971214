package server

import "github.com/prometheus/client_golang/prometheus"

// WebhookFigures count for Prometheus what came of telling webhooks.
type WebhookFigures struct{ attempts *prometheus.CounterVec }

// NewWebhookFigures returns figures that have counted nothing.
func NewWebhookFigures() *WebhookFigures {
	return &WebhookFigures{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "incipit_webhook_attempts_total", Help: "Attempts to tell a webhook, and what came of them.",
	}, []string{"outcome"})}
}

// Observe counts an attempt.
func (f *WebhookFigures) Observe(outcome string) { f.attempts.WithLabelValues(outcome).Inc() }
