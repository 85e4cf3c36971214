package source

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/gitrepo"
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
	Enough  bool // raise Bump to what the change needs

	Diverged bool // release from a branch that lacks the last release

	// Tested says what is known of the tests of a digest; nil: nothing is.
	Tested func(ctx context.Context, id prompt.ID, digest string) (Tested, error)
}

// Tested is what evidence says of the tests of a release.
type Tested struct {
	Status    string // passed or failed; "" where there is no evidence
	SuiteHash string // sha256: of the suite that was run
	Evidence  string // sha256: of the report, and who signed it
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

	noTag          bool // a bump
	tested         Tested
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

// Found is what a server tells of it.
func (e *InvalidError) Found() []prompt.Finding { return e.Findings }

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
	if w.edit == nil {
		if err := repo.Ready(); err != nil {
			return nil, err
		}
	}
	if repo.Shallow {
		return nil, registry.WithFix(errors.New("this clone is shallow: earlier releases and their tags may be missing"), "git fetch --unshallow --tags")
	}
	if strings.TrimSpace(req.Message) == "" {
		return nil, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "a release needs a message: without one nobody could tell why it was made"), "add -m \"what changed, and why\"")
	}
	if issues := prompt.CheckText([]byte(req.Message)); len(issues) > 0 {
		return nil, registry.Errorf(prompt.ErrInvalid, "the message holds a character that nobody sees: %s", issues[0].Message)
	}
	d, findings, err := w.Draft(ctx, req.Prompt)
	if err != nil {
		return nil, err
	}
	if prompt.Failed(findings) {
		return nil, &InvalidError{req.Prompt, findings}
	}
	p := &ReleasePlan{Prompt: req.Prompt, versions: versions, noTag: req.NoTag}
	if p.Digest, err = d.Prompt.Digest(); err != nil {
		return nil, err
	}
	base, err := w.compareWithBase(ctx, p, d)
	if err != nil {
		return nil, err
	}
	if err := w.contains(ctx, repo, req, base, d.Metadata); err != nil {
		return nil, err
	}
	if err := p.choose(req, d.Metadata, base); err != nil {
		return nil, err
	}
	previous, err := w.previous(ctx, p)
	if err != nil {
		return nil, err
	}
	if err := w.fillTested(ctx, p, req, d.Metadata); err != nil {
		return nil, err
	}
	if p.head, err = w.headNow(ctx); err != nil {
		return nil, err
	}
	if err := w.gather(ctx, repo, p, d, req, previous); err != nil {
		return nil, err
	}
	p.Tag = req.Prompt.Tag(p.To)
	p.Message = releaseMessage(p, req.Message, d.Metadata)
	return p, nil
}

// headNow is the commit that a plan is made on.
func (w *Workspace) headNow(ctx context.Context) (string, error) {
	if w.bare != nil {
		return w.head, nil // HEAD may have moved since
	}
	o, err := w.reader(ctx)
	if err != nil {
		return "", err
	}
	return o.Head()
}

// compareWithBase fills in the changes since the last stable release, which is
// what callers depend on, and refuses a prompt that is the same.
func (w *Workspace) compareWithBase(ctx context.Context, p *ReleasePlan, d prompt.Draft) (base prompt.Version, err error) {
	base, _, same, err := w.compareWithLast(ctx, p, d)
	if err == nil && same {
		err = unchanged(p.Prompt, base, w.Config.Prompts)
	}
	return base, err
}

// compareWithLast is compareWithBase, where a prompt that is the same has no
// changes. It returns the release that it was compared with, too.
func (w *Workspace) compareWithLast(ctx context.Context, p *ReleasePlan, d prompt.Draft) (base prompt.Version, old prompt.Draft, same bool, err error) {
	for _, v := range p.versions {
		if v.Pre == "" {
			base = v
		}
	}
	if base.IsZero() {
		return base, old, false, nil
	}
	r, err := w.ReleaseOf(ctx, p.Prompt, base)
	if err != nil {
		return base, old, false, err
	}
	if r.Digest == p.Digest {
		return base, d, true, nil
	}
	if old, err = w.Released(ctx, r); err != nil {
		return base, old, false, err
	}
	p.Changes = prompt.Compare(old.Prompt, d.Prompt)
	p.Required = prompt.RequiredBump(p.Changes)
	return base, old, false, nil
}

// contains refuses a release from a branch that lacks the last one: its words
// would be taken back without anybody having said so.
func (w *Workspace) contains(ctx context.Context, repo *gitrepo.Repo, req ReleaseRequest, base prompt.Version, m prompt.Metadata) error {
	if base.IsZero() || req.Diverged {
		return nil
	}
	if here, err := prompt.ParseVersion(m.Version); err == nil && here.Compare(base) >= 0 {
		return nil // the metadata came with that release, or with a later bump
	}
	tag := req.Prompt.Tag(base)
	if ok, err := repo.Reachable(ctx, "refs/tags/"+tag, "HEAD"); ok || err != nil {
		return err
	}
	return registry.WithFix(registry.Errorf(registry.ErrConflict, "this branch does not have %s: a release from here would take its changes back", tag),
		"git merge %s, or give --diverged if that is what you want", tag)
}

func unchanged(id prompt.ID, v prompt.Version, dir string) error {
	return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%s has not changed since %s, there is nothing to release", id, v),
		"edit %s, then release", path.Join(dir, string(id), prompt.SystemFile))
}
