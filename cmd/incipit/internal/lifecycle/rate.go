package lifecycle

import (
	"context"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/calllog"
	"github.com/incipit-dev/incipit/internal/registry"
)

// Rate takes feedback for a call, by its id or by the provider's id of the
// response. It replaces what was said before under the same name. Feedback for
// a call that has not arrived waits for it. A call that the caller may not
// record is not there: so nobody learns of it, or keeps others from rating theirs.
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
	if !c.MaySome(registry.MayRecord) {
		return none, c.May(registry.MayRecord, registry.Every, registry.Every)
	}
	f.By, f.At = c.Name, s.config.Now().UTC()
	return log.Rate(ctx, calllog.Rating{Ref: ref, Feedback: f, Grants: c.Grants})
}
