package registry

import (
	"slices"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// A Track is what happened to one prompt in one environment, the oldest
// record first. The registry may keep only its end.
type Track []Deployment

// Current is the last record, and false if nothing runs: nothing was ever
// deployed, or the prompt was retired.
func (t Track) Current() (Deployment, bool) {
	if len(t) == 0 || t[len(t)-1].Action == Retire {
		return Deployment{}, false
	}
	return t[len(t)-1], true
}

// Seq is the number of the last record, 0 before the first.
func (t Track) Seq() int {
	if len(t) == 0 {
		return 0
	}
	return t[len(t)-1].Seq
}

// LastGood is what a rollback without a version goes back to: during a rollout
// the stable release, else the release that ran before the current one. A
// release that was itself rolled back is never an answer, so a second rollback
// goes one step further back and not forward again.
func (t Track) LastGood() (prompt.Version, error) {
	now, ok := t.Current()
	if !ok {
		return prompt.Version{}, Errorf(ErrNotFound, "nothing was deployed here yet")
	}
	if now.Rollout != nil {
		return now.Version, nil
	}
	stack := t.stack()
	for i := len(stack) - 2; i >= 0; i-- {
		digest := stack[i].Digest
		if _, bad := t.Quarantined(digest); (!bad || digest == "") && stack[i].Version != now.Version {
			return stack[i].Version, nil
		}
	}
	if len(stack) > 1 {
		return prompt.Version{}, Errorf(ErrNotFound, "what ran here before %s was rolled back itself, there is none to go back to", now.Version)
	}
	return prompt.Version{}, Errorf(ErrNotFound, "%s is the first release that ran here, there is none to go back to", now.Version)
}

// Ran reports whether version has been the stable release here.
func (t Track) Ran(v prompt.Version) bool {
	for _, d := range t {
		if d.Version == v {
			return true
		}
	}
	return false
}

// RanDigest reports whether a digest has served subjects here, as the stable
// release or as a candidate.
func (t Track) RanDigest(digest string) bool {
	return slices.ContainsFunc(t, func(d Deployment) bool { return d.serves(digest) })
}

// serves reports whether d gives the digest to anybody.
func (d Deployment) serves(digest string) bool {
	if d.Action == Retire {
		return false
	}
	if d.Rollout == nil {
		return d.Digest == digest
	}
	return slices.ContainsFunc(d.Rollout.Arms, func(a Arm) bool { return a.Digest == digest && a.Share() > 0 })
}

// Quarantined is the rollback that took a digest away, and false if none did
// or if it was deployed or gone back to since: a person has cleared it by that.
func (t Track) Quarantined(digest string) (Deployment, bool) {
	var by Deployment
	found := false
	for k, d := range t {
		switch {
		case d.Action == Rollback && d.Digest != digest && k > 0 && t[k-1].offers(digest) && !d.contends(digest):
			by, found = d, true
		case d.Action == Rollback && d.Digest == digest,
			d.Action == Deploy && (d.Digest == digest || d.contends(digest)):
			found = false
		}
	}
	return by, found
}

// offers reports whether a rollback after d takes the digest away, unless it
// leaves it where it is: the release for everybody, or what runs beside it.
func (d Deployment) offers(digest string) bool {
	if d.Rollout != nil {
		return d.contends(digest)
	}
	return d.Digest == digest
}

// contends reports whether the digest is one of a rollout's beside the stable
// release. The rollback of one arm of an experiment leaves the others.
func (d Deployment) contends(digest string) bool {
	return d.Rollout != nil && slices.ContainsFunc(d.Rollout.Contenders(), func(a Arm) bool { return a.Digest == digest })
}

// stack is the records by which each stable release began, without those that
// were rolled back: going back to a release takes everything above it off.
func (t Track) stack() []Deployment {
	var stack []Deployment
	for k, d := range t {
		n := len(stack)
		if n > 0 && stack[n-1].Version == d.Version {
			continue
		}
		if d.Action == Rollback {
			if i := slices.IndexFunc(stack, func(s Deployment) bool { return s.Version == d.Version }); i >= 0 {
				stack = stack[:i]
			} else if !t[:k].Ran(d.Version) {
				stack = nil // it ran before the records that were kept
			}
		}
		stack = append(stack, d)
	}
	return stack
}
