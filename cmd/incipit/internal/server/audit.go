package server

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/server/ui"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

type auditInput struct {
	After  int64 `query:"after" minimum:"0" doc:"The number of the last event that is known"`
	Limit  int   `query:"limit" minimum:"1" maximum:"500" default:"100"`
	Newest bool  `query:"newest" doc:"The newest first. The parameters below belong to it"`
	Before int64 `query:"before" minimum:"0" doc:"The number of the oldest event that is known"`
	Period
	Actor       string `query:"actor" maxLength:"300" doc:"A part of who it was"`
	Action      string `query:"action" maxLength:"300" doc:"Or a prefix and *"`
	Prompt      string `query:"prompt" maxLength:"300" doc:"Or a prefix and *"`
	Environment string `query:"environment" maxLength:"64"`
	Source      string `query:"source" maxLength:"20" enum:"cli,api,ui,sync,guard,local"`
}

func (in *auditInput) filter() registry.EventFilter {
	return registry.EventFilter{Actor: in.Actor, Action: in.Action, Prompt: in.Prompt, Environment: in.Environment, Source: in.Source, From: in.From, To: in.To}
}

func (s *Server) audit(ctx context.Context, in *auditInput) (*reply[api.Events], error) {
	var out api.Events
	var err error
	switch {
	case in.Newest && in.After == 0:
		out.Items, out.NextBefore, err = s.service.PastAudit(ctx, in.filter(), in.Before, in.Limit)
	case in.Newest || in.Before != 0 || in.filter() != registry.EventFilter{}:
		err = registry.WithFix(registry.Errorf(prompt.ErrInvalid, "after lists the oldest first, and what chooses events belongs to newest"), "ask for newest=true with before, or for after alone")
	default:
		out.Items, out.NextAfter, err = s.service.Audit(ctx, in.After, in.Limit)
	}
	return answered(out, err)
}

func (s *Server) verifyAudit(ctx context.Context, _ *struct{}) (*reply[api.Verified], error) {
	n, hash, err := s.service.VerifiedAudit(ctx)
	return answered(api.Verified{Events: n, Hash: hash}, err)
}

// auditLines sends what the page of the audit log shows, and all that follows,
// as a file: an event in JSON on each line, the newest first. It is cut off
// where it cannot go on, which the client sees.
func (s *Server) auditLines(w *answer, r *http.Request) error {
	f, _, err := ui.AuditQuery(r.URL.Query())
	if err != nil {
		return err
	}
	ctx := registry.WithCaller(r.Context(), w.caller)
	events, next, err := s.service.PastAudit(ctx, f, 0, linesAtOnce)
	if err != nil {
		return err
	}
	w.unhurried(s.config.Now())
	h := w.Header()
	h.Set("Content-Type", "application/x-ndjson")
	h.Set("Content-Disposition", `attachment; filename="incipit-audit.jsonl"`)
	w.WriteHeader(http.StatusOK)
	for lines := json.NewEncoder(w); ; {
		for _, e := range events {
			if err := lines.Encode(e); err != nil {
				return err
			}
		}
		if next == 0 {
			return nil
		}
		if events, next, err = s.service.PastAudit(ctx, f, next, linesAtOnce); err != nil {
			panic(http.ErrAbortHandler) // a file that ends early must not be taken for whole
		}
	}
}

// linesAtOnce is how many events are read for a file at once.
const linesAtOnce = 500
