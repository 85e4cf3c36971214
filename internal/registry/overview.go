package registry

import (
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// An Overview is what runs where of every prompt that the caller may read.
type Overview struct {
	At           time.Time     `json:"at"`
	Environments []string      `json:"environments"` // in their order; those that the caller may read
	Prompts      []OverviewRow `json:"prompts"`      // in order
}

// An OverviewRow is one prompt, and what runs of it by environment. An
// environment in which it runs nothing is left out.
type OverviewRow struct {
	Prompt     prompt.ID                `json:"prompt"`
	Version    string                   `json:"version,omitempty"` // the newest release; "" for a draft
	Model      string                   `json:"model,omitempty"`
	Maintainer string                   `json:"maintainer,omitempty"`
	Releases   int                      `json:"releases"`
	Places     map[string]OverviewPlace `json:"places"`
}

// An OverviewPlace is what an environment runs of a prompt, how that came to be,
// and how it fares.
type OverviewPlace struct {
	Running
	Behind int    `json:"behind"` // how many releases are newer than the stable one
	Ahead  bool   `json:"ahead"`  // it is newer than what the next environment runs, which may be nothing
	Action Action `json:"action"` // of the last change
	From   string `json:"from,omitempty"`
	Reason string `json:"reason,omitempty"`
	Health Health `json:"health"`
}

// A Health is how what runs fares, in a word.
type Health string

// The first five are of an open rollout, the next two of a release that serves
// everybody.
const (
	HealthHealthy   Health = "healthy"   // the candidate is no worse, by enough evidence
	HealthWatching  Health = "watching"  // there is not enough evidence yet
	HealthRegressed Health = "regressed" // the candidate is worse
	HealthUntrusted Health = "untrusted" // the data contradict themselves
	HealthHeld      Health = "held"      // it is paused, or asks a person what comes next
	HealthUnchanged Health = "unchanged" // as in the same hours of the days before
	HealthChanged   Health = "changed"   // worse than in the same hours of the days before
	HealthNoData    Health = "no data"   // nothing is measured: no calls come, or too few yet
	HealthUnwatched Health = "unwatched" // the guard is off here, or people alone move the rollout
)

// Healths are all of them, those that need somebody's attention first.
func Healths() []Health {
	return []Health{
		HealthRegressed, HealthChanged, HealthUntrusted, HealthHeld, HealthWatching, HealthNoData, HealthUnwatched, HealthHealthy, HealthUnchanged,
	}
}

// A FollowedRollout is how far an open rollout came that the guard follows. The
// bytes of State are as those of Watched.
type FollowedRollout struct {
	Opened int
	State  []byte
}

// A WatchedRelease tells whether a release that serves everybody changed.
type WatchedRelease struct {
	Deployment int // as that of Steady
	Alarmed    bool
}
