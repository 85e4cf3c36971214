package server

import (
	"context"
	"time"
)

// noteKeysEvery is how long a use of a key waits until it is kept.
const noteKeysEvery = time.Minute

// noteKeys keeps when keys were last used, again and again, and once more when
// the server stops.
func (s *Server) noteKeys(ctx context.Context) {
	t := time.NewTicker(noteKeysEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			s.noteKeysOnce(context.WithoutCancel(ctx))
			return
		case <-t.C:
			s.noteKeysOnce(ctx)
		}
	}
}

// noteKeysOnce loses what cannot be kept: the next use of a key tells it again.
func (s *Server) noteKeysOnce(ctx context.Context) {
	if s.config.Verifier == nil {
		return
	}
	used := s.config.Verifier.TakeUsed()
	if len(used) == 0 {
		return
	}
	soon, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	if err := s.service.KeysUsed(soon, used); err != nil {
		s.log.WarnContext(ctx, "when keys were last used could not be kept", "keys", len(used), "error", err)
	}
}
