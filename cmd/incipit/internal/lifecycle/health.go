package lifecycle

import (
	"context"
	"encoding/json"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/rollout"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A health is what the guard knows of all places: what it follows, what it
// watches, and where it is off.
type health struct {
	followed map[registry.Place]registry.FollowedRollout
	watched  map[registry.Place]registry.WatchedRelease
	envs     map[string]registry.Environment
}

func (s *Shared) health(ctx context.Context, envs []registry.Environment) (h health, err error) {
	h.envs = make(map[string]registry.Environment, len(envs))
	for _, e := range envs {
		h.envs[e.Name] = e
	}
	if h.followed, err = s.db.Followed(ctx); err != nil {
		return h, err
	}
	h.watched, err = s.db.WatchedReleases(ctx)
	return h, err
}

// of is how a place fares whose last record is d.
func (h health) of(at registry.Place, d registry.Deployment) registry.Health {
	if h.envs[at.Environment].GuardOf(at.Prompt).Policy == registry.GuardOff {
		return registry.HealthUnwatched
	}
	if d.Rollout == nil {
		w, ok := h.watched[at]
		switch {
		case !ok || w.Deployment != d.Seq: // what was watched was the release before
			return registry.HealthNoData
		case w.Alarmed:
			return registry.HealthChanged
		}
		return registry.HealthUnchanged
	}
	if d.Rollout.Manual {
		return registry.HealthUnwatched
	}
	f, ok := h.followed[at]
	var state rollout.State
	if !ok || f.Opened > d.Seq || json.Unmarshal(f.State, &state) != nil {
		return registry.HealthNoData // it is so new that the watch has not seen it
	}
	return healthOf(state)
}

// healthOf is a rollout's state in a word: what is wrong counts more than that
// somebody is asked about it.
func healthOf(s rollout.State) registry.Health {
	switch {
	case s.Verdict == rollout.Regressed:
		return registry.HealthRegressed
	case s.Verdict == rollout.Untrusted:
		return registry.HealthUntrusted
	case s.Phase == rollout.Paused || s.Phase == rollout.Asking:
		return registry.HealthHeld
	case s.Verdict == rollout.Healthy || s.Verdict == rollout.Better:
		return registry.HealthHealthy
	case s.Silent || s.Verdict == rollout.Unmeasured && s.Calls == 0:
		return registry.HealthNoData
	}
	return registry.HealthWatching
}
