package server

import (
	"context"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/lifecycle"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

type environmentInput struct {
	Environment string `path:"environment" maxLength:"64"`
	Body        api.EnvironmentRules
}

func (s *Server) setEnvironment(ctx context.Context, in *environmentInput) (*reply[registry.Environment], error) {
	e, err := in.Body.Environment(in.Environment)
	if err != nil {
		return nil, err
	}
	return answered(e, s.service.SetEnvironment(ctx, e))
}

type approvalsInput struct {
	Paging
	Environment string `query:"environment" maxLength:"64"`
}

func (s *Server) approvals(ctx context.Context, in *approvalsInput) (*reply[api.Page[registry.Approval]], error) {
	all, err := s.service.Approvals(ctx, in.Environment)
	if err != nil {
		return nil, err
	}
	c := caller(ctx)
	visible := all[:0]
	for _, a := range all {
		if c.May(registry.MayRead, a.Environment, a.Prompt) == nil {
			visible = append(visible, a)
		}
	}
	return answered(page(visible, in.Paging, func(a registry.Approval) string { return a.ID }))
}

type approveInput struct{ Body api.ApprovalRequest }

func (s *Server) approve(ctx context.Context, in *approveInput) (*reply[registry.Approval], error) {
	b := in.Body
	if err := place(b.Environment, b.Prompt); err != nil {
		return nil, err
	}
	if err := caller(ctx).May(registry.MayApprove, b.Environment, b.Prompt); err != nil {
		return nil, err
	}
	return answered(s.service.Approve(ctx, registry.Approval{Prompt: b.Prompt, Environment: b.Environment, Version: b.Version, Digest: b.Digest, Reason: b.Reason}))
}

// place refuses what would stand for everything in the question whether a
// caller may.
func place(env string, id prompt.ID) error {
	if env == registry.Every {
		return registry.Errorf(prompt.ErrInvalid, "the environment is missing")
	}
	_, err := prompt.ParseID(string(id))
	return err
}

type evidenceInput struct {
	Paging
	Prompt string `query:"prompt" required:"true" maxLength:"300"`
}

func (s *Server) evidence(ctx context.Context, in *evidenceInput) (*reply[api.Page[registry.Evidence]], error) {
	id, err := prompt.ParseID(in.Prompt)
	if err != nil {
		return nil, err
	}
	if c := caller(ctx); !c.MayAny(registry.MayRead, registry.Every, id) {
		return nil, c.May(registry.MayRead, registry.Every, id)
	}
	all, err := s.service.EvidenceOf(ctx, id)
	if err != nil {
		return nil, err
	}
	return answered(page(all, in.Paging, func(e registry.Evidence) string { return e.ID }))
}

type fileEvidenceInput struct{ Body api.EvidenceRequest }

// fileEvidence takes evidence from whoever may file it for the prompt in every
// environment: what is known of a digest counts in each.
func (s *Server) fileEvidence(ctx context.Context, in *fileEvidenceInput) (*reply[registry.Evidence], error) {
	b := in.Body
	if _, err := prompt.ParseID(string(b.Prompt)); err != nil {
		return nil, err
	}
	if err := caller(ctx).May(registry.MayEvidence, registry.Every, b.Prompt); err != nil {
		return nil, err
	}
	ev := registry.Evidence{Prompt: b.Prompt, Digest: b.Digest, Kind: b.Kind, Passed: b.Passed, Note: b.Note, Statement: b.Statement}
	if b.Version != "" && b.Digest == "" {
		return answered(s.service.FileEvidenceOf(ctx, b.Version, ev))
	}
	return answered(s.service.FileEvidence(ctx, ev))
}

func (s *Server) keys(ctx context.Context, in *Paging) (*reply[api.Page[registry.Key]], error) {
	all, err := s.service.Keys(ctx)
	if err != nil {
		return nil, err
	}
	return answered(page(all, *in, func(k registry.Key) string { return k.ID }))
}

type keyInput struct{ Body api.KeyRequest }

func (s *Server) createKey(ctx context.Context, in *keyInput) (*reply[api.CreatedKey], error) {
	b := in.Body
	secret, key, err := s.service.CreateKey(ctx, lifecycle.KeyRequest{Kind: b.Kind, Name: b.Name, Person: b.Person, Grants: b.Grants, TTL: b.Lifetime()})
	return answered(api.CreatedKey{Secret: secret, Key: key}, err)
}

type keyIDInput struct {
	ID string `path:"id" maxLength:"64"`
}

func (s *Server) revokeKey(ctx context.Context, in *keyIDInput) (*struct{}, error) {
	return nil, s.service.RevokeKey(ctx, in.ID)
}

func (s *Server) people(ctx context.Context, in *Paging) (*reply[api.Page[registry.Person]], error) {
	all, err := s.service.People(ctx)
	if err != nil {
		return nil, err
	}
	return answered(page(all, *in, func(p registry.Person) string { return p.Mail }))
}

type personInput struct {
	Mail string `path:"mail" maxLength:"254"`
	Body api.PersonGrants
}

func (s *Server) setPerson(ctx context.Context, in *personInput) (*struct{}, error) {
	return nil, s.service.SetPerson(ctx, registry.Person{Mail: in.Mail, Grants: in.Body.Grants})
}
