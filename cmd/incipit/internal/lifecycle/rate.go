package lifecycle

import (
	"context"
	"errors"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/calllog"
	"github.com/incipit-dev/incipit/internal/registry"
)

// Rate takes feedback for a call, by its id or by the provider's id of the
// response. It replaces what was said before under the same name. Feedback for
// a call that has not arrived waits for it.
func (s *Shared) Rate(ctx context.Context, ref string, f registry.Feedback) (registry.FeedbackReceipt, error) {
	var none registry.FeedbackReceipt
	log, err := s.callLog()
	if err != nil {
		return none, err
	}
	if err := registry.CheckRef(ref); err != nil {
		return none, err
	}
	if err := f.Check(); err != nil {
		return none, err
	}
	if id, err := registry.ParseCallID(ref); err == nil {
		ref = id.String() // in one case
	}
	c, _ := registry.CallerOf(ctx)
	found, _, err := log.Find(ctx, ref)
	if err == nil {
		err = c.May(registry.MayRecord, found.Call.Environment, found.Call.Prompt)
	} else if errors.Is(err, registry.ErrNotFound) {
		err = nil
		if !c.MaySome(registry.MayRecord) {
			err = c.May(registry.MayRecord, registry.Every, registry.Every)
		}
	}
	if err != nil {
		return none, err
	}
	f.By, f.At = c.Name, s.config.Now().UTC()
	return log.Rate(ctx, calllog.Rating{Ref: ref, Feedback: f, Grants: c.Grants})
}
