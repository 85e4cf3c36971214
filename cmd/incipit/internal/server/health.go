package server

import (
	"context"
	"net/http"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/webhook"
	"github.com/incipit-dev/incipit/internal/registry"
)

// probeTimeout bounds a write probe and a look at the state of Git.
const probeTimeout = 3 * time.Second

// fetchTimeout bounds a fetch that a webhook asked for.
const fetchTimeout = 10 * time.Minute

// A probe is how the last write probe went, and what was known of Git and of
// webhooks then.
type probe struct {
	err    error
	sync   *registry.SyncReport // nil: it could not be asked
	untold int                  // notices that webhooks were not told yet
}

// probeAgain writes to the database again and again, to find out whether it can.
func (s *Server) probeAgain(ctx context.Context) {
	t := time.NewTicker(s.config.ProbeInterval)
	defer t.Stop()
	for {
		s.probeOnce(ctx)
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

func (s *Server) probeOnce(ctx context.Context) {
	soon, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	p := &probe{err: s.service.Probe(soon)}
	if report, err := s.service.SyncStatus(soon); err == nil {
		p.sync = report
	}
	if hooks, err := s.service.Webhooks(soon); err == nil {
		for _, w := range hooks {
			p.untold += w.Waiting
		}
	}
	if ctx.Err() != nil {
		return
	}
	if p.err != nil {
		s.log.ErrorContext(ctx, "the database does not take writes", "error", p.err)
	}
	s.probed.Store(p)
}

func (s *Server) healthz(w *answer, _ *http.Request) error {
	return writeHealth(w, http.StatusOK, api.Health{Status: "ok"})
}

// readyz is green if what runs is loaded and the database takes writes. Trouble
// with calls is told, and keeps nobody from being served.
func (s *Server) readyz(w *answer, _ *http.Request) error {
	p := s.probed.Load()
	checks := []registry.Check{
		{Name: "what runs is loaded", OK: s.loaded.Load(), Fix: "the log says why it is not"},
		{Name: "the database takes writes", OK: p != nil && p.err == nil, Fix: "the log says why it does not"},
		{Name: "the log of calls took the last batch", OK: s.callsTrouble() == nil, Fix: "the log of the server says why it did not"},
	}
	for i := range checks {
		if checks[i].OK {
			checks[i].Fix = ""
		}
	}
	switch {
	case checks[0].OK && checks[1].OK && checks[2].OK:
		return writeHealth(w, http.StatusOK, api.Health{Status: "ok", Checks: checks})
	case checks[0].OK && checks[1].OK:
		return writeHealth(w, http.StatusOK, api.Health{Status: "degraded", Checks: checks})
	}
	w.Header().Set("Retry-After", "5")
	return writeHealth(w, http.StatusServiceUnavailable, api.Health{Status: "not ready", Checks: checks})
}

// callsTrouble is why the last batch of calls was not kept.
func (s *Server) callsTrouble() error {
	if last := s.recorded.Load(); last != nil {
		return last.err
	}
	return nil
}

func writeHealth(w *answer, status int, h api.Health) error {
	w.Header()["Content-Type"] = isJSON
	w.WriteHeader(status)
	_, err := w.Write(marshal(h))
	return err
}

// hook is told by the repository's host that there was a push. It answers at
// once; Run fetches.
func (s *Server) hook(w *answer, r *http.Request) error {
	kind, err := webhook.ParseKind(r.PathValue("kind"))
	if err != nil {
		return err
	}
	if err := w.read(r, maxHook); err != nil {
		return err
	}
	push, err := webhook.Verify(kind, r.Header, w.body, s.config.WebhookSecrets[kind])
	if err != nil {
		s.metrics.refused.Inc()
		return err
	}
	if push.Stale(s.config.Now()) {
		return registry.Errorf(registry.ErrForbidden, "the request was signed too long ago, or the clocks differ")
	}
	s.log.Info("webhook", "kind", string(kind), "event", string(push.Event), "delivery", push.Delivery, "ref", push.Ref)
	if push.Event == webhook.Pushed {
		select {
		case s.toFetch <- struct{}{}:
		default: // one is on its way already
		}
	}
	w.WriteHeader(http.StatusAccepted)
	return nil
}

// fetchWhenAsked reads Git when a webhook asks for it.
func (s *Server) fetchWhenAsked(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.toFetch:
		}
		soon, cancel := context.WithTimeout(registry.WithCaller(ctx, registry.Caller{Name: "webhook", Kind: "webhook", Source: "sync"}), fetchTimeout)
		if _, err := s.service.Sync(soon); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "a fetch that a webhook asked for failed", "error", err)
		}
		cancel()
	}
}
