package registry

import (
	"slices"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// A Track is what happened to one prompt in one environment, the oldest
// record first. The registry may keep only its end.
type Track []Deployment

// Current is the last record, and false if nothing was ever deployed.
func (t Track) Current() (Deployment, bool) {
	if len(t) == 0 {
		return Deployment{}, false
	}
	return t[len(t)-1], true
}

// Seq is the number of the last record, 0 before the first.
func (t Track) Seq() int {
	d, _ := t.Current()
	return d.Seq
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
	if len(stack) < 2 {
		return prompt.Version{}, Errorf(ErrNotFound, "%s is the first release that ran here, there is none to go back to", now.Version)
	}
	return stack[len(stack)-2], nil
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

// stack is the stable releases in order, without those that were rolled back:
// going back to a release takes everything above it off.
func (t Track) stack() []prompt.Version {
	var stack []prompt.Version
	for k, d := range t {
		n := len(stack)
		if n > 0 && stack[n-1] == d.Version {
			continue
		}
		if d.Action == Rollback {
			if i := slices.Index(stack, d.Version); i >= 0 {
				stack = stack[:i]
			} else if !t[:k].Ran(d.Version) {
				stack = nil // it ran before the records that were kept
			}
		}
		stack = append(stack, d.Version)
	}
	return stack
}
