package source

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A ReleaseRequest is what a person asks for. Without a bump, a version and a
// pre-release name, a prompt's first release takes the version that its
// metadata has.
type ReleaseRequest struct {
	Prompt  prompt.ID
	Bump    prompt.Bump
	Version string // an exact version instead of a bump
	Pre     string // rc: the next 1.4.0-rc.N
	Message string
	NoTag   bool // a bump: publish will tag it where it is merged
}

// A ReleasePlan is what a release would do, and everything it was decided by.
type ReleasePlan struct {
	Prompt   prompt.ID       `json:"prompt"`
	From     string          `json:"from,omitempty"` // the last release, "" for the first
	To       prompt.Version  `json:"to"`
	Bump     prompt.Bump     `json:"bump"`
	Required prompt.Bump     `json:"required_bump"`
	Changes  []prompt.Change `json:"changes"`
	Digest   string          `json:"digest"`
	Tag      string          `json:"tag"`
	Message  string          `json:"message"`
	Files    []string        `json:"files"`

	head     string
	versions []prompt.Version
	writes   []fileChange

	registryAtHead bool // the registry is as HEAD has it
	untracked      []string
}

// An InvalidError is a prompt that validation found errors in.
type InvalidError struct {
	Prompt   prompt.ID
	Findings []prompt.Finding
}

func (e *InvalidError) Error() string {
	return fmt.Sprintf("%s has %d findings: not valid", e.Prompt, len(e.Findings))
}

func (e *InvalidError) Unwrap() error { return prompt.ErrInvalid }

// PlanRelease works out what a release would do, and refuses what must not be
// released: an invalid or unchanged prompt, a version that is taken or not
// higher, and a bump smaller than the change.
func (w *Workspace) PlanRelease(ctx context.Context, req ReleaseRequest) (*ReleasePlan, error) {
	versions, err := w.Versions(ctx, req.Prompt)
	if err != nil {
		return nil, err
	}
	return w.planRelease(ctx, req, versions)
}

func (w *Workspace) planRelease(ctx context.Context, req ReleaseRequest, versions []prompt.Version) (*ReleasePlan, error) {
	repo, err := w.Git(ctx)
	if err != nil {
		return nil, err
	}
	if err := repo.Ready(); err != nil {
		return nil, err
	}
	if repo.Shallow {
		return nil, registry.WithFix(errors.New("this clone is shallow: earlier releases and their tags may be missing"), "git fetch --unshallow --tags")
	}
	if strings.TrimSpace(req.Message) == "" {
		return nil, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "a release needs a message: without one nobody could tell why it was made"), "add -m \"what changed, and why\"")
	}
	d, findings, err := w.Draft(ctx, req.Prompt)
	if err != nil {
		return nil, err
	}
	if prompt.Failed(findings) {
		return nil, &InvalidError{req.Prompt, findings}
	}
	p := &ReleasePlan{Prompt: req.Prompt, versions: versions}
	if p.Digest, err = d.Prompt.Digest(); err != nil {
		return nil, err
	}
	base, err := w.compareWithBase(ctx, p, d)
	if err != nil {
		return nil, err
	}
	if err := p.choose(req, d.Metadata, base); err != nil {
		return nil, err
	}
	previous, err := w.previous(ctx, p)
	if err != nil {
		return nil, err
	}
	o, err := w.reader(ctx)
	if err != nil {
		return nil, err
	}
	if p.head, err = o.Head(); err != nil {
		return nil, err
	}
	if err := w.gather(ctx, repo, p, d, req, previous); err != nil {
		return nil, err
	}
	p.Tag = req.Prompt.Tag(p.To)
	p.Message = releaseMessage(p, req.Message, d.Metadata)
	return p, nil
}

// compareWithBase fills in the changes since the last stable release, which is
// what callers depend on, and refuses a prompt that is the same.
func (w *Workspace) compareWithBase(ctx context.Context, p *ReleasePlan, d prompt.Draft) (base prompt.Version, err error) {
	for _, v := range p.versions {
		if v.Pre == "" {
			base = v
		}
	}
	if base.IsZero() {
		return base, nil
	}
	r, err := w.ReleaseOf(ctx, p.Prompt, base)
	if err != nil {
		return base, err
	}
	if r.Digest == p.Digest {
		return base, unchanged(p.Prompt, base, w.Config.Prompts)
	}
	old, err := w.Released(ctx, r)
	if err != nil {
		return base, err
	}
	p.Changes = prompt.Compare(old.Prompt, d.Prompt)
	p.Required = prompt.RequiredBump(p.Changes)
	return base, nil
}

func unchanged(id prompt.ID, v prompt.Version, dir string) error {
	return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%s has not changed since %s, there is nothing to release", id, v),
		"edit %s, then release", path.Join(dir, string(id), prompt.SystemFile))
}
