package source

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/gitrepo"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
	"github.com/incipit-dev/incipit/internal/strictjson"
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

	head      string
	versions  []prompt.Version
	writes    []fileChange
	untracked []string
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
	p := &ReleasePlan{Prompt: req.Prompt}
	if p.Digest, err = d.Prompt.Digest(); err != nil {
		return nil, err
	}
	if p.versions, err = w.Versions(ctx, req.Prompt); err != nil {
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
	if p.head, _, err = repo.Head(ctx); err != nil {
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

// choose finds the version and holds it against the rules.
func (p *ReleasePlan) choose(req ReleaseRequest, m prompt.Metadata, base prompt.Version) error {
	v, err := p.wanted(req, m, base)
	if err != nil {
		return err
	}
	p.To = v
	free := p.nextFree(base, max(p.Required, prompt.Patch))
	if slices.Contains(p.versions, v) {
		return registry.WithFix(registry.Errorf(registry.ErrConflict, "%s is released already", p.Prompt.Tag(v)), "the next free version is %s", free)
	}
	highest := base
	for _, k := range p.versions {
		if k.Core() == v.Core() || v.Pre != "" && k.Pre == "" {
			highest = maxVersion(highest, k)
		}
	}
	if v.Compare(highest) <= 0 {
		return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%s is not higher than %s, the last release of %s", v, highest, p.Prompt), "release %s or higher", free)
	}
	if len(p.versions) == 0 || base.IsZero() {
		p.Bump = max(req.Bump, prompt.Minor)
		return nil
	}
	p.Bump = base.BumpTo(v)
	need := p.Required
	if base.Major == 0 && need == prompt.Major {
		need = prompt.Minor // SemVer §4: before 1.0.0 the minor version tells of breaks
	}
	if p.Bump < need {
		return registry.WithFix(
			registry.Errorf(prompt.ErrInvalid, "a %s release is too small for this change, it needs a %s one: %s", p.Bump, need, p.reasons(need)),
			"incipit release %s --%s -m …", p.Prompt, need)
	}
	return nil
}

// wanted is the version that the request names or leads to.
func (p *ReleasePlan) wanted(req ReleaseRequest, m prompt.Metadata, base prompt.Version) (prompt.Version, error) {
	asked := 0
	for _, given := range []bool{req.Version != "", req.Bump != prompt.NoBump} {
		if given {
			asked++
		}
	}
	if asked > 1 || req.Version != "" && req.Pre != "" {
		return prompt.Version{}, registry.Errorf(prompt.ErrInvalid, "give an exact version or a bump, not both")
	}
	if req.Version != "" {
		return prompt.ParseVersion(req.Version)
	}
	if len(p.versions) == 0 {
		var current prompt.Version // an included text has no metadata
		if m.Version != "" {
			var err error
			if current, err = prompt.ParseVersion(m.Version); err != nil {
				return current, err
			}
		}
		// Prompts that were versioned before they had tags go on from there.
		switch {
		case req.Bump != prompt.NoBump:
			current = current.Core().Next(req.Bump)
		case current.IsZero():
			return current, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "the version is missing"), "for a first release give --minor (0.1.0), --major (1.0.0) or --version V")
		}
		return p.preRelease(current, req.Pre)
	}
	bump := req.Bump
	if bump == prompt.NoBump {
		if req.Pre == "" {
			return prompt.Version{}, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "the version is missing"),
				"this change needs --%s; or give --patch, --minor, --major, --version V or --pre rc", max(p.Required, prompt.Patch))
		}
		bump = max(p.Required, prompt.Patch)
		// A pre-release under way goes on: 1.4.0-rc.1 is followed by rc.2.
		if last := p.versions[len(p.versions)-1]; last.Pre != "" && last.Core().Compare(base.Next(bump)) >= 0 {
			return p.preRelease(last.Core(), req.Pre)
		}
	}
	return p.preRelease(base.Next(bump), req.Pre)
}

// preRelease appends the next free number of a pre-release name: rc.1, rc.2.
func (p *ReleasePlan) preRelease(core prompt.Version, name string) (prompt.Version, error) {
	if name == "" {
		return core, nil
	}
	for n := 1; ; n++ {
		v := core.Core()
		v.Pre = fmt.Sprintf("%s.%d", name, n)
		if _, err := prompt.ParseVersion(v.String()); err != nil {
			return v, err
		}
		if !slices.ContainsFunc(p.versions, func(k prompt.Version) bool { return k.Core() == v.Core() && k.Compare(v) >= 0 }) {
			return v, nil
		}
	}
}

func (p *ReleasePlan) nextFree(base prompt.Version, b prompt.Bump) prompt.Version {
	v := base.Next(b)
	for slices.Contains(p.versions, v) {
		v = v.Next(prompt.Patch)
	}
	return v
}

func (p *ReleasePlan) reasons(b prompt.Bump) string {
	var out []string
	for _, c := range p.Changes {
		if c.Bump >= b {
			out = append(out, c.Detail)
		}
	}
	return strings.Join(out, "; ")
}

func maxVersion(a, b prompt.Version) prompt.Version {
	if a.Compare(b) < 0 {
		return b
	}
	return a
}

// previous finds the release before the planned one, whose digest the new
// metadata carries: each release vouches for the one before it.
func (w *Workspace) previous(ctx context.Context, p *ReleasePlan) (digest string, err error) {
	var from prompt.Version
	for _, v := range p.versions {
		if v.Compare(p.To) < 0 {
			from = v
		}
	}
	if from.IsZero() {
		return "", nil
	}
	p.From = from.String()
	r, err := w.ReleaseOf(ctx, p.Prompt, from)
	if err == nil && p.To.Pre != "" && r.Digest == p.Digest {
		err = unchanged(p.Prompt, from, w.Config.Prompts)
	}
	return r.Digest, err
}

// gather finds the files that the release commits and the bytes that it
// writes: the new metadata and the registry's new entry.
func (w *Workspace) gather(ctx context.Context, repo *gitrepo.Repo, p *ReleasePlan, d prompt.Draft, req ReleaseRequest, previous string) error {
	if name, ok := p.Prompt.Shared(); ok {
		return w.gatherPaths(ctx, repo, p, w.sharedPath(name))
	}
	dir := path.Join(w.Config.Prompts, string(p.Prompt))
	if err := w.gatherPaths(ctx, repo, p, dir, "tests/"+string(p.Prompt)+".yaml", w.RegistryPath()); err != nil {
		return err
	}
	name := path.Join(dir, prompt.MetadataFile)
	before, err := w.readFile(name, prompt.MaxMetadataBytes)
	if err != nil {
		return err
	}
	after, err := w.nextMetadata(before, p, d, req.Message, previous)
	if err != nil {
		return err
	}
	p.write(name, before, after)

	reg, err := w.Registry()
	if err != nil {
		return err
	}
	entry, err := reg.Entry(p.Prompt)
	if err != nil {
		return err
	}
	if entry == nil {
		entry = &Entry{}
	}
	entry.describe(d.Metadata, p.To, p.Digest, w.timestamp())
	entry.Unpublished = ""
	if req.NoTag {
		entry.Unpublished = p.To.String()
	}
	next, err := reg.Put(p.Prompt, entry)
	if err != nil {
		return err
	}
	p.writeRegistry(w, reg, next)
	return nil
}

func (p *ReleasePlan) write(name string, before, after []byte) {
	p.writes = append(p.writes, fileChange{Path: name, Before: before, After: after})
	if !slices.Contains(p.Files, name) {
		p.Files = append(p.Files, name)
	}
	slices.Sort(p.Files)
}

func (p *ReleasePlan) writeRegistry(w *Workspace, before, after *Registry) {
	old := before.Bytes()
	if _, err := w.root.Lstat(w.RegistryPath()); err != nil {
		old = nil // there is no file yet
	}
	p.write(w.RegistryPath(), old, after.Bytes())
}

// nextMetadata is the metadata of the release: the person's bytes, with the
// fields that a release sets.
func (w *Workspace) nextMetadata(data []byte, p *ReleasePlan, d prompt.Draft, message, previousDigest string) ([]byte, error) {
	subject, _, _ := strings.Cut(strings.TrimSpace(message), "\n")
	sets := []struct {
		key   string
		value any
		set   bool
	}{
		{"version", p.To.String(), true},
		{"created", w.timestamp(), d.Metadata.Created == ""},
		{"updated", w.timestamp(), true},
		{"change_notes", conventional.ReplaceAllString(subject, ""), true},
		{"previous_version", p.From, p.From != ""},
		{"previous_digest", previousDigest, previousDigest != ""},
		{"includes", d.Pins, len(d.Pins) > 0 || len(d.Metadata.Includes) > 0},
	}
	var err error
	for _, s := range sets {
		if !s.set {
			continue
		}
		if data, err = strictjson.Append(data, s.key, s.value); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// gatherPaths lists what differs from HEAD among the prompt's own files, and
// refuses what a commit would hold as something other than a plain file.
func (w *Workspace) gatherPaths(ctx context.Context, repo *gitrepo.Repo, p *ReleasePlan, paths ...string) error {
	modes, err := repo.Modes(ctx, paths...)
	if err != nil {
		return err
	}
	for name, mode := range modes {
		if mode != "100644" && !strings.HasSuffix(name, "registry.json") {
			return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%s has the mode %s in Git: a prompt's files must be plain files", name, mode),
				"chmod 644 %s; git add %s", name, name)
		}
	}
	changed, err := repo.Status(ctx, paths...)
	if err != nil {
		return err
	}
	known, _, err := scan(w.Files(), w.Config.Prompts)
	if err != nil {
		return err
	}
	for _, c := range changed {
		switch {
		case c.Index == 'U' || c.Tree == 'U':
			return registry.Errorf(registry.ErrConflict, "%s has merge conflicts; resolve them first", c.Path)
		case c.Path == w.RegistryPath():
			if c.Index != '?' && c.Index != 'A' {
				return registry.WithFix(registry.Errorf(registry.ErrConflict, "%s has changes that are not committed, which a release would mix with its own", c.Path),
					"commit them, or drop them with git checkout HEAD -- %s", c.Path)
			}
		case belongsToAnother(c.Path, p.Prompt, w.Config.Prompts, known):
			continue
		default:
			p.Files = append(p.Files, c.Path)
		}
		if c.Index == '?' {
			p.untracked = append(p.untracked, c.Path)
		}
	}
	return nil
}

// belongsToAnother reports whether a file below the prompt's directory is part
// of a prompt that lies deeper.
func belongsToAnother(name string, id prompt.ID, root string, known []promptDir) bool {
	for _, k := range known {
		if k.id != id && strings.HasPrefix(string(k.id), string(id)+"/") && strings.HasPrefix(name, path.Join(root, string(k.id))+"/") {
			return true
		}
	}
	return false
}
