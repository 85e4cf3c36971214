package source

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/gitrepo"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
	"github.com/incipit-dev/incipit/internal/strictjson"
)

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
	changed := slices.Clone(p.Files)
	p.write(name, before, after, false)

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
	if req.NoTag && len(changed) == 0 && entry.Unpublished == p.To.String() && entry.Digest == p.Digest {
		return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%s is bumped to %s already, and has not changed since", p.Prompt, p.To),
			"push the branch; once it is merged: incipit publish")
	}
	entry.Describe(d.Metadata, p.To, p.Digest, w.timestamp())
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

func (p *ReleasePlan) write(name string, before, after []byte, atHead bool) {
	p.writes = append(p.writes, writing(name, before, after, atHead))
	if !slices.Contains(p.Files, name) {
		p.Files = append(p.Files, name)
	}
	slices.Sort(p.Files)
}

func (p *ReleasePlan) writeRegistry(w *Workspace, before, after *Registry) {
	old := before.Bytes()
	if _, err := w.stat(w.RegistryPath()); err != nil {
		old = nil // there is no file yet
	}
	p.write(w.RegistryPath(), old, after.Bytes(), p.registryAtHead && old != nil)
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
		{"change_notes", withoutForm(subject), true},
		{"previous_version", p.From, p.From != ""},
		{"previous_version", nil, p.From == "" && d.Metadata.PreviousVersion != ""}, // from before there were tags: no link leads there
		{"previous_digest", previousDigest, previousDigest != ""},
		{"test_status", p.tested.Status, p.tested.Status != ""},
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
	if w.edit != nil {
		p.Files, p.registryAtHead = w.edit.changed(), true
		return nil
	}
	changed, err := repo.Status(ctx, paths...)
	if err != nil {
		return err
	}
	p.registryAtHead = p.head != "" && !slices.ContainsFunc(changed, func(c gitrepo.FileStatus) bool { return c.Path == w.RegistryPath() })
	for _, c := range changed {
		switch {
		case c.State == gitrepo.Conflicted:
			return registry.Errorf(registry.ErrConflict, "%s has merge conflicts; resolve them first", c.Path)
		case c.Path == w.RegistryPath():
			if c.State == gitrepo.Changed {
				return dirtyRegistry(c.Path)
			}
		case w.belongsToAnother(c.Path, p.Prompt), strings.HasSuffix(c.Path, tempSuffix): // or half written, by a process that was killed
			continue
		case c.Mode != "" && c.Mode != "100644" && c.Mode != "000000": // 000000 is a deleted file
			return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%s has the mode %s in Git: a prompt's files must be plain files", c.Path, c.Mode),
				"chmod 644 %s", c.Path)
		default:
			p.Files = append(p.Files, c.Path)
		}
		if c.State == gitrepo.Untracked {
			p.untracked = append(p.untracked, c.Path)
		}
	}
	return nil
}

func dirtyRegistry(file string) error {
	return registry.WithFix(registry.Errorf(registry.ErrConflict, "%s has changes that are not committed, which this one would mix with its own", file),
		"commit them, or drop them with git checkout HEAD -- %s", file)
}

// belongsToAnother reports whether a file below the prompt's directory lies in
// the directory of a prompt that is nested in it.
func (w *Workspace) belongsToAnother(name string, id prompt.ID) bool {
	own := path.Join(w.Config.Prompts, string(id))
	for dir := path.Dir(name); strings.HasPrefix(dir, own+"/"); dir = path.Dir(dir) {
		for _, file := range []string{prompt.SystemFile, prompt.MetadataFile} {
			if _, err := w.root.Lstat(path.Join(dir, file)); err == nil {
				return true
			}
		}
	}
	return false
}
