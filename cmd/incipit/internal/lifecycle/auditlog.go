package lifecycle

import (
	"context"

	"github.com/incipit-dev/incipit/internal/registry"
)

// How much of the audit log one answer reads and shows, in events.
const (
	maxAuditPage = 500
	maxAuditRead = 5000 // to find those that the caller may see
)

// mayAudit are the events that whoever asks may see.
func mayAudit(ctx context.Context, all []registry.Event) []registry.Event {
	c, _ := registry.CallerOf(ctx)
	visible := make([]registry.Event, 0, len(all))
	for _, e := range all {
		if c.May(registry.MayAudit, e.Environment, e.Prompt) == nil {
			visible = append(visible, e)
		}
	}
	return visible
}

// Audit lists the events after one that the caller may see, the oldest first;
// of limit events, so they may be fewer. next is where to go on, 0 at the end.
func (s *Shared) Audit(ctx context.Context, after int64, limit int) (visible []registry.Event, next int64, err error) {
	all, err := s.db.Events(ctx, after, limit)
	if err != nil {
		return nil, 0, err
	}
	if len(all) == limit {
		next = all[len(all)-1].Seq
	}
	return mayAudit(ctx, all), next, nil
}

// PastAudit lists the events before one that a filter chooses and the caller may
// see, the newest first; before the end if it is 0. There may be fewer than
// limit although there are more: next is where to go on, 0 at the begin of the
// log.
func (s *Shared) PastAudit(ctx context.Context, f registry.EventFilter, before int64, limit int) (visible []registry.Event, next int64, err error) {
	if err := f.Validate(); err != nil {
		return nil, 0, err
	}
	limit = min(max(limit, 1), maxAuditPage)
	visible, next = []registry.Event{}, before
	for read := 0; read < maxAuditRead; {
		all, err := s.db.PastEvents(ctx, f, next, maxAuditPage)
		if err != nil {
			return nil, 0, err
		}
		read += len(all)
		for _, e := range mayAudit(ctx, all) {
			if len(visible) == limit {
				return visible, visible[limit-1].Seq, nil
			}
			visible = append(visible, e)
		}
		if len(all) < maxAuditPage {
			return visible, 0, nil
		}
		next = all[len(all)-1].Seq
	}
	return visible, next, nil
}

// VerifiedAudit is VerifyAudit, and the hash of the last event.
func (s *Shared) VerifiedAudit(ctx context.Context) (events int64, hash string, err error) {
	n, err := s.VerifyAudit(ctx)
	if err != nil || n == 0 {
		return n, "", err
	}
	last, err := s.db.Events(ctx, n-1, 1)
	if err != nil || len(last) == 0 {
		return n, "", err
	}
	return n, last[0].Hash, nil
}
