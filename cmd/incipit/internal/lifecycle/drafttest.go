package lifecycle

import (
	"context"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

const (
	testTime = 2 * time.Minute // of one run
	maxTests = 4               // at once, of all people
)

// TestDraft runs the suite of a prompt, as its branch has it, on texts. Each
// person runs one at a time; more are refused with ErrConflict. It ends with
// ctx, and after two minutes.
func (s *Shared) TestDraft(ctx context.Context, id prompt.ID, texts registry.Texts) (registry.DraftReport, error) {
	var none registry.DraftReport
	owner, err := s.drafting(ctx, id)
	if err != nil {
		return none, err
	}
	if s.config.TestDraft == nil {
		return none, registry.WithFix(registry.Errorf(registry.ErrNotFound, "this server runs no tests"), "propose the draft, and let CI test it")
	}
	if err := texts.Validate(); err != nil {
		return none, err
	}
	end, err := s.begin(owner)
	if err != nil {
		return none, err
	}
	defer end()
	ctx, cancel := context.WithTimeout(ctx, testTime)
	defer cancel()
	return s.config.TestDraft(ctx, registry.DraftTest{Prompt: id, Files: textsOf(texts)})
}

// begin takes the place of a run of somebody's until end is called.
func (s *Shared) begin(owner string) (end func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.testing[owner]:
		return nil, registry.WithFix(registry.Errorf(registry.ErrConflict, "a test run of yours is under way"), "wait for it, or cancel it")
	case len(s.testing) >= maxTests:
		return nil, registry.WithFix(registry.Errorf(registry.ErrUnavailable, "%d test runs are under way", len(s.testing)), "try again in a moment")
	}
	s.testing[owner] = true
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.testing, owner)
	}, nil
}
