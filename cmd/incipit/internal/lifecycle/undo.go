package lifecycle

import "github.com/incipit-dev/incipit/internal/registry"

// Undoing is the request that takes the last record of a place back: what the
// plan of that record named as its undo. It reports false where there is none,
// as for the first release of a place, or for an arm that was taken out of an
// experiment.
func (s *Service) Undoing(t registry.Track, at registry.Place) (registry.Request, bool) {
	n := len(t)
	if n < 2 {
		return registry.Request{}, false
	}
	now, before := t[n-1], t[n-2]
	req := registry.Request{Prompt: at.Prompt, Environment: at.Environment}
	switch now.Action {
	case registry.Deploy, registry.Promote:
		req.Action = registry.Rollback
		return req, before.Action != registry.Retire
	case registry.Retire:
		req.Action, req.Version = registry.Deploy, now.Version.String()
		return req, true
	case registry.Shift:
		return shiftedBack(req, before.Rollout)
	case registry.Rollback:
		return s.brought(req, now, before)
	}
	return req, false
}

// shiftedBack asks for the shares that were before.
func shiftedBack(req registry.Request, was *registry.Rollout) (registry.Request, bool) {
	req.Action = registry.Shift
	switch {
	case was == nil:
		return req, false
	case was.Strategy != registry.Experiment:
		req.Share = was.Candidate().Share()
		return req, true
	}
	req.Shares = make(map[string]registry.Share)
	for _, a := range was.Contenders() {
		req.Shares[a.Name] = a.Share()
	}
	return req, true
}

// brought asks for what a rollback took away: the release, or the rollout where
// it stood.
func (s *Service) brought(req registry.Request, now, before registry.Deployment) (registry.Request, bool) {
	req.Action, req.Quarantined = registry.Deploy, true
	r := before.Rollout
	switch {
	case r == nil:
		req.Version = before.Version.String()
		return req, true
	case r.Strategy == registry.Experiment || now.Rollout != nil:
		return req, false
	}
	req.Version, req.Strategy, req.Manual = r.Candidate().Version.String(), r.Strategy, r.Manual
	if r.Strategy == registry.Canary {
		req.Steps = reopened(*r)
	}
	if r.Bucketing != s.config.Bucketing {
		req.Bucketing = r.Bucketing
	}
	return req, true
}

// reopened are the steps of a canary that begins where r stands.
func reopened(r registry.Rollout) []registry.Share {
	steps := []registry.Share{max(r.Candidate().Share(), 1)}
	for _, step := range r.Steps {
		if step > r.Candidate().Share() {
			steps = append(steps, step)
		}
	}
	return steps
}
