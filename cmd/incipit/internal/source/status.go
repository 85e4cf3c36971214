package source

import (
	"context"
	"errors"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/gitrepo"
	"github.com/incipit-dev/incipit/internal/prompt"
)

// A State says how a prompt of the work tree stands to its last release.
type State string

// The states.
const (
	StateNew      State = "new"      // never released
	StateChanged  State = "changed"  // differs from its last release
	StateReleased State = "released" // is its last release
	StateBumped   State = "bumped"   // is a version that publish has yet to tag
	StateInvalid  State = "invalid"  // cannot be released as it is

	StateUnregistered State = "unregistered" // has releases that the registry does not know
)

// A Standing is one prompt of the work tree.
type Standing struct {
	Prompt   prompt.ID `json:"prompt"`
	State    State     `json:"state"`
	Version  string    `json:"version,omitempty"` // the last release
	Findings int       `json:"findings,omitempty"`
}

// Standings compares every prompt of the work tree with what the registry has
// of its last release.
func (w *Workspace) Standings(ctx context.Context) ([]Standing, error) {
	reg, err := w.Registry()
	if err != nil {
		return nil, err
	}
	dirs, _, err := scan(w.Files(), w.Config.Prompts)
	if err != nil {
		return nil, err
	}
	tagged, err := w.taggedNames(ctx)
	if err != nil {
		return nil, err
	}
	type answer struct {
		Standing
		err error
	}
	out := make([]Standing, len(dirs))
	for i, a := range each(dirs, func(d promptDir) answer {
		s, err := w.standing(ctx, reg, d, tagged)
		return answer{s, err}
	}) {
		if a.err != nil {
			return nil, a.err
		}
		out[i] = a.Standing
	}
	return out, nil
}

func (w *Workspace) standing(ctx context.Context, reg *Registry, d promptDir, tagged map[string]bool) (Standing, error) {
	s := Standing{Prompt: d.id, State: StateNew}
	files := w.Files()
	draft, _, findings := w.parse(ctx, files, d, false)
	e, err := reg.Entry(d.id)
	if err != nil {
		return s, err
	}
	if e != nil && e.CurrentVersion != "" {
		s.Version, s.State = e.CurrentVersion, StateChanged
		if e.Unpublished == e.CurrentVersion && tagged != nil && !tagged[string(d.id)+"@"+e.CurrentVersion] {
			s.State = StateBumped
		}
		digest, err := draft.Prompt.Digest()
		if err == nil && s.State == StateChanged && digest == w.releasedDigest(ctx, d.id, e) {
			s.State = StateReleased
		}
	}
	if e == nil && anyTag(tagged, d.id) {
		s.State = StateUnregistered
	}
	if prompt.Failed(findings) {
		s.State, s.Findings = StateInvalid, len(findings)
	}
	return s, nil
}

// releasedDigest is the digest of the current version, from the registry, or
// from the tag where another program wrote the registry.
func (w *Workspace) releasedDigest(ctx context.Context, id prompt.ID, e *Entry) string {
	if e.Digest != "" {
		return e.Digest
	}
	v, err := prompt.ParseVersion(e.CurrentVersion)
	if err != nil {
		return ""
	}
	r, err := w.ReleaseOf(ctx, id, v)
	if err != nil {
		return ""
	}
	return r.Digest
}

// Uncommitted lists the files of the prompts, tests and configuration that
// differ from the last commit, and nil outside a repository.
func (w *Workspace) Uncommitted(ctx context.Context) ([]gitrepo.FileStatus, error) {
	repo, err := w.Git(ctx)
	if errors.Is(err, gitrepo.ErrNoRepository) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return repo.Status(ctx, w.Config.Prompts, "tests", ConfigFile)
}
