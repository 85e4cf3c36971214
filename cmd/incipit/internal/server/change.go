package server

import (
	"context"
	"strconv"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

type changeInput struct {
	Once
	Environment string `path:"environment" maxLength:"64"`
	Prompt      string `path:"prompt" maxLength:"300"`
	Body        api.Change
}

// change is the handler of a verb.
func (s *Server) change(action registry.Action) func(context.Context, *changeInput) (*reply[*registry.Receipt], error) {
	return func(ctx context.Context, in *changeInput) (*reply[*registry.Receipt], error) {
		req, err := in.request(action)
		if err != nil {
			return nil, err
		}
		var receipt *registry.Receipt
		if seen := in.Body.Plan(req); seen != nil {
			receipt, err = s.service.Apply(ctx, seen)
		} else {
			receipt, err = s.service.Do(ctx, req)
		}
		if err != nil {
			return nil, err
		}
		s.hub.poke(ctx, req.Environment)
		return answered(receipt, nil)
	}
}

func (s *Server) plan(ctx context.Context, in *changeInput) (*reply[*registry.Plan], error) {
	req, err := in.request(in.Body.Action)
	if err != nil {
		return nil, err
	}
	if seen := in.Body.Plan(req); seen != nil {
		return answered(s.service.Replan(ctx, seen))
	}
	return answered(s.service.Plan(ctx, req))
}

// request is the change that is asked for.
func (in *changeInput) request(action registry.Action) (registry.Request, error) {
	id, err := prompt.ParseID(in.Prompt)
	if err != nil {
		return registry.Request{}, err
	}
	if in.Body.Action != "" && in.Body.Action != action {
		return registry.Request{}, registry.Errorf(prompt.ErrInvalid, "the body asks to %s, and the path to %s", in.Body.Action, action)
	}
	if action == registry.Deploy && in.Body.Strategy == registry.Canary && len(in.Body.Steps) == 0 {
		return registry.Request{}, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "a canary has steps"), `give some, such as "steps": ["5", "25", "100"]`)
	}
	req := in.Body.Request(action, in.Environment, id)
	req.Once = in.made
	seen, err := in.seen()
	if seen != nil {
		req.Revision = seen
	}
	return req, err
}

// seen is the revision of a header If-Match: "3.17" in a snapshot's ETag, or 17.
func (o *Once) seen() (*int64, error) {
	text := strings.Trim(strings.TrimPrefix(o.IfMatch, "W/"), `"`)
	if text == "" {
		return nil, nil //nolint:nilnil // there need not be one
	}
	if _, r, ok := strings.Cut(text, "."); ok {
		text, _, _ = strings.Cut(r, ".")
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, registry.Errorf(prompt.ErrInvalid, "If-Match is neither the ETag of a snapshot nor a revision")
	}
	return &n, nil
}

type importInput struct {
	Once
	Body registry.ImportRequest
}

func (s *Server) importFile(ctx context.Context, in *importInput) (*reply[*registry.Imported], error) {
	req := in.Body
	req.Once = in.made
	done, err := s.service.Import(ctx, req)
	if err != nil {
		return nil, err
	}
	if !req.DryRun {
		s.looked(s.hub.look(ctx))
	}
	return answered(done, nil)
}

func (s *Server) syncStatus(ctx context.Context, _ *struct{}) (*reply[*registry.SyncReport], error) {
	return answered(s.service.SyncStatus(ctx))
}

func (s *Server) sync(ctx context.Context, _ *struct{}) (*reply[*registry.SyncReport], error) {
	return answered(s.service.Sync(ctx))
}
