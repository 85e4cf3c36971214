package auth

import (
	"sync"
	"time"

	"github.com/incipit-dev/incipit/internal/registry"
)

// usedEvery is how exactly it is known when a key was last used: an hour of
// requests is a few writes, not one for each.
const usedEvery = 15 * time.Minute

// A usage holds which keys opened that the store is not told of yet.
type usage struct {
	mu sync.Mutex
	at map[string]time.Time // by id; guarded by mu
}

func (u *usage) note(k registry.Key, now time.Time) {
	if within(now, k.UsedAt, usedEvery) {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.at == nil {
		u.at = make(map[string]time.Time)
	}
	u.at[k.ID] = now
}

// TakeUsed is when each key last opened of which the store does not know, by its
// id, since TakeUsed was called before.
func (v *Verifier) TakeUsed() map[string]time.Time {
	v.used.mu.Lock()
	defer v.used.mu.Unlock()
	out := v.used.at
	v.used.at = nil
	return out
}
