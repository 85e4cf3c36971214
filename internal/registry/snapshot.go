package registry

import (
	"github.com/incipit-dev/incipit/internal/prompt"
)

// A Snapshot is what an environment runs: an immutable value. Revision only
// grows within a generation, and the generation grows when a backup is
// restored.
type Snapshot struct {
	Environment string               `json:"environment"`
	Generation  int64                `json:"generation"`
	Revision    int64                `json:"revision"`
	Prompts     map[prompt.ID]*Entry `json:"prompts"`
}

// An Entry is one prompt of a snapshot: the split of its subjects, which is
// valid, and the prompt of each arm.
type Entry struct {
	Rollout  Rollout                  `json:"rollout"`
	Releases map[string]prompt.Prompt `json:"releases"` // by the arm's name
	// Removed is set where the prompt was retired: nothing runs from here on,
	// and Rollout and Releases are empty.
	Removed bool `json:"removed,omitempty"`
}

// A Patch is how one revision differs from the one before it.
type Patch struct {
	Environment string    `json:"environment"`
	Generation  int64     `json:"generation"`
	Revision    int64     `json:"revision"`
	Prompt      prompt.ID `json:"prompt"`
	Entry       *Entry    `json:"entry"`
}

// Resolve answers which arm serves a subject. It is a pure function: SDK,
// server and command line call it, and agree.
func Resolve(s *Snapshot, id prompt.ID, subject string) (*Entry, *Arm, error) {
	e := s.Prompts[id]
	if e == nil {
		return nil, nil, Errorf(ErrNotFound, "%s runs no release in %s", id, s.Environment)
	}
	if e.Removed {
		return nil, nil, Errorf(ErrNotFound, "%s was retired in %s", id, s.Environment)
	}
	return e, e.Rollout.Assign(subject), nil
}

// Check reports why an entry cannot be served: its split is not valid, or a
// release is missing or has another digest than its arm.
func (e *Entry) Check() error {
	if e.Removed {
		return nil
	}
	if err := e.Rollout.Validate(); err != nil {
		return err
	}
	for _, a := range e.Rollout.Arms {
		p, ok := e.Releases[a.Name]
		if !ok {
			return Errorf(prompt.ErrInvalid, "the release of arm %s is missing", prompt.Clip(a.Name, 40))
		}
		digest, err := p.Digest()
		if err != nil {
			return Errorf(prompt.ErrInvalid, "the release of arm %s: %v", prompt.Clip(a.Name, 40), err)
		}
		if digest != a.Digest {
			return Errorf(prompt.ErrInvalid, "the release of arm %s has the digest %s, not %s", prompt.Clip(a.Name, 40), digest, prompt.Clip(a.Digest, 80))
		}
	}
	return nil
}
