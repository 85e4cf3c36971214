package lifecycle

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// Propose makes a branch of what the caller saved as a draft, for others to
// read and merge: nothing is released or deployed by it. The draft stays, and
// says what was made of it until it is saved again or discarded.
//
// It reports ErrConflict if the draft was saved meanwhile, or if its branch has
// changed the prompt since it was begun; and what validation found as a
// source.InvalidError. Asked for again, whatever became of the answer, it gives
// the first one.
func (s *Shared) Propose(ctx context.Context, req registry.ProposeRequest) (registry.Proposal, error) {
	var p registry.Proposal
	owner, err := s.drafting(ctx, req.Prompt)
	if err != nil {
		return p, err
	}
	if raw, err := s.db.Answered(ctx, req.Once); err != nil || raw != nil {
		if err == nil {
			err = json.Unmarshal(raw, &p)
		}
		return p, err
	}
	d, err := s.db.Draft(ctx, req.Prompt, owner)
	switch {
	case err != nil:
		return p, err
	case d.Number != req.Number:
		return p, registry.WithFix(registry.Errorf(registry.ErrConflict, "the draft of %s was saved elsewhere meanwhile, as number %d", req.Prompt, d.Number), "read it again, then propose")
	case d.Proposed != nil:
		p = *d.Proposed
	default:
		if p, err = s.push(ctx, d, req); err != nil {
			return p, err
		}
	}
	e := event(ctx, "propose")
	e.Prompt, e.Version, e.Reason = req.Prompt, p.Version, prompt.Clip(req.Message, 500)
	e.Detail = map[string]string{"branch": p.Branch, "commit": p.Commit, "draft": fmt.Sprint(d.Number)}
	return s.db.DraftProposed(ctx, req.Prompt, owner, req.Number, p, req.Once, e)
}

// push makes the branch, or finds it if it was made before.
func (s *Shared) push(ctx context.Context, d registry.Draft, req registry.ProposeRequest) (registry.Proposal, error) {
	if err := checkReason(req.Message); err != nil {
		return registry.Proposal{}, err
	}
	who, _ := registry.CallerOf(ctx)
	author, err := s.authorOf(ctx, who)
	if err != nil {
		return registry.Proposal{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, proposeTime)
	defer cancel()
	p, err := s.config.Remote.Propose(ctx, source.ProposalRequest{
		Prompt: d.Prompt, Texts: d.Files, Base: d.BaseFiles, Message: req.Message, Bump: req.Bump, Author: author, Once: fmt.Sprint(d.Number),
	})
	return p, unreleased(err)
}
