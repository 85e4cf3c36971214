package lifecycle

import (
	"context"
	"errors"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// SavedDraft is what the caller saved of a prompt last, without a look at Git:
// with the number 0 where they have no draft of it.
func (s *Shared) SavedDraft(ctx context.Context, id prompt.ID) (registry.Draft, error) {
	owner, err := s.drafting(ctx, id)
	if err != nil {
		return registry.Draft{}, err
	}
	d, err := s.db.Draft(ctx, id, owner)
	if errors.Is(err, registry.ErrNotFound) {
		return registry.Draft{Prompt: id, Owner: owner}, nil
	}
	return d, err
}

// LastDraftChange is the number of the last change of any draft, 0 if there was
// none. It is cheap, and asked several times a second.
func (s *Shared) LastDraftChange(ctx context.Context) (int64, error) {
	return s.db.LastDraftChange(ctx)
}

// DraftChanges lists the drafts of all people that were changed after a number,
// in the order of the last change of each, at most limit of them.
func (s *Shared) DraftChanges(ctx context.Context, after int64, limit int) ([]registry.DraftChange, error) {
	return s.db.DraftChanges(ctx, after, limit)
}
