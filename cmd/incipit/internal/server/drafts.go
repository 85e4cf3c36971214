package server

import (
	"context"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func (s *Server) draft(ctx context.Context, in *InPrompt) (*reply[registry.DraftState], error) {
	id, err := prompt.ParseID(in.Prompt)
	if err != nil {
		return nil, err
	}
	return answered(s.service.Draft(ctx, id))
}

func (s *Server) drafts(ctx context.Context, _ *struct{}) (*reply[api.DraftList], error) {
	all, err := s.service.Drafts(ctx)
	out := api.DraftList{Items: []registry.DraftNote{}}
	for _, n := range all {
		if caller(ctx).MayAny(registry.MayPropose, registry.Every, n.Prompt) {
			out.Items = append(out.Items, n)
		}
	}
	return answered(out, err)
}

type saveDraftInput struct {
	InPrompt
	Body api.DraftSave
}

func (s *Server) saveDraft(ctx context.Context, in *saveDraftInput) (*reply[registry.Draft], error) {
	id, err := prompt.ParseID(in.Prompt)
	if err != nil {
		return nil, err
	}
	return answered(s.service.SaveDraft(ctx, in.Body.Draft(id)))
}

type discardDraftInput struct {
	InPrompt
	Number int64 `query:"number" required:"true" minimum:"1" doc:"Of the draft that the caller saw"`
}

func (s *Server) discardDraft(ctx context.Context, in *discardDraftInput) (*struct{}, error) {
	id, err := prompt.ParseID(in.Prompt)
	if err != nil {
		return nil, err
	}
	return nil, s.service.DiscardDraft(ctx, id, in.Number)
}

type draftTextsInput struct {
	InPrompt
	Body api.DraftTexts
}

func (s *Server) checkDraft(ctx context.Context, in *draftTextsInput) (*reply[registry.DraftCheck], error) {
	id, err := prompt.ParseID(in.Prompt)
	if err != nil {
		return nil, err
	}
	return answered(s.service.CheckDraft(ctx, id, in.Body.Files))
}

func (s *Server) testDraft(ctx context.Context, in *draftTextsInput) (*reply[registry.DraftReport], error) {
	id, err := prompt.ParseID(in.Prompt)
	if err != nil {
		return nil, err
	}
	return answered(s.service.TestDraft(ctx, id, in.Body.Files))
}

type previewDraftInput struct {
	InPrompt
	Body api.DraftRender
}

func (s *Server) previewDraft(ctx context.Context, in *previewDraftInput) (*reply[registry.DraftPreview], error) {
	id, err := prompt.ParseID(in.Prompt)
	if err != nil {
		return nil, err
	}
	return answered(s.service.PreviewDraft(ctx, id, in.Body.Files, in.Body.Variables))
}

type proposeDraftInput struct {
	Once
	InPrompt
	Body api.DraftPropose
}

func (s *Server) proposeDraft(ctx context.Context, in *proposeDraftInput) (*reply[registry.Proposal], error) {
	id, err := prompt.ParseID(in.Prompt)
	if err != nil {
		return nil, err
	}
	return answered(s.service.Propose(ctx, in.Body.Request(id, in.made)))
}
