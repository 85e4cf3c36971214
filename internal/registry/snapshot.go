package registry

import (
	"github.com/incipit-dev/incipit/internal/prompt"
)

// A Snapshot is what an environment runs: an immutable value. Revision only
// grows within an environment.
type Snapshot struct {
	Environment string               `json:"environment"`
	Revision    int64                `json:"revision"`
	Prompts     map[prompt.ID]*Entry `json:"prompts"`
}

// An Entry is one prompt of a snapshot: the split of its subjects, which is
// valid, and the prompt of each arm.
type Entry struct {
	Rollout  Rollout                  `json:"rollout"`
	Releases map[string]prompt.Prompt `json:"releases"` // by the arm's name
}

// Resolve answers which arm serves a subject. It is a pure function: SDK,
// server and command line call it, and agree.
func Resolve(s *Snapshot, id prompt.ID, subject string) (*Entry, *Arm, error) {
	e := s.Prompts[id]
	if e == nil {
		return nil, nil, Errorf(ErrNotFound, "%s runs no release in %s", id, s.Environment)
	}
	return e, e.Rollout.Assign(subject), nil
}
