package rollout

import (
	"time"

	"github.com/incipit-dev/incipit/internal/registry"
)

// A Plan is how a rollout is meant to go.
type Plan struct {
	// Steps are the candidate's shares, rising. The last one leaves the
	// hold-back on the stable release; after it the candidate is promoted.
	Steps   []registry.Share
	Switch  bool // blue-green: from nobody to the last step at once
	Bake    time.Duration
	HoldFor time.Duration
	Limit   time.Duration
	Silence time.Duration

	Ask       bool // a person must say that it may advance
	AtLimit   string
	OnRegress string
}

// PlanOf is the plan of a rollout under rules in which each is said.
func PlanOf(r registry.Rollout, rules registry.GuardRules) Plan {
	p := Plan{
		Switch: r.Strategy == registry.BlueGreen,
		Bake:   time.Duration(*rules.Bake), HoldFor: time.Duration(*rules.HoldFor),
		Limit: time.Duration(*rules.Limit), Silence: time.Duration(*rules.Silence),
		AtLimit: rules.AtLimit, OnRegress: rules.OnRegress,
	}
	// The switch of a blue-green rollout moves nearly everybody at once: unless
	// the rules say otherwise, a person does it.
	p.Ask = rules.Advance == registry.GuardAsk || rules.Advance == "" && p.Switch
	last := registry.Scale - *rules.HoldBack
	if r.Bucketing == registry.MD5Bucketing {
		last -= last % (registry.Scale / 100) // it knows whole percents alone
	}
	if last == registry.Scale { // there is nobody to compare with
		p.HoldFor = 0
	}
	if !p.Switch {
		for _, s := range r.Steps {
			if s < last {
				p.Steps = append(p.Steps, s)
			}
		}
	}
	if last < registry.Scale {
		p.Steps = append(p.Steps, last)
	}
	return p
}

// Next is the step after a share, and false if there is none.
func (p Plan) Next(share registry.Share) (registry.Share, bool) {
	for _, s := range p.Steps {
		if s > share {
			return s, true
		}
	}
	return 0, false
}

// holdsBack reports whether at this share the candidate serves all but the
// hold-back.
func (p Plan) holdsBack(share registry.Share) bool {
	_, more := p.Next(share)
	return !more && share < registry.Scale
}

// Stay is the healthy observed time that a share is given at least.
func (p Plan) Stay(share registry.Share) time.Duration {
	switch {
	case share == 0:
		return 0 // nobody is served by the candidate: nothing can be observed
	case p.holdsBack(share):
		return max(p.Bake, p.HoldFor)
	}
	return p.Bake
}
