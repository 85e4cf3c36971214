package source

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/gitrepo"
	"github.com/incipit-dev/incipit/internal/prompt"
)

// importFiles are the files of a version by their paths in the workspace.
func (w *Workspace) importFiles(v ImportedVersion) []NewFile {
	var out []NewFile
	for _, f := range v.Files {
		out = append(out, NewFile{path.Join(w.Config.Prompts, string(v.Prompt), f.Path), f.Data})
	}
	if v.Suite != nil {
		out = append(out, NewFile{suitePath(v.Prompt), v.Suite})
	}
	for _, f := range v.Extras {
		out = append(out, NewFile{path.Join(path.Dir(suitePath(v.Prompt)), f.Path), f.Data})
	}
	return out
}

// importOne makes the release that was planned: its files, its commit, its tag.
func (w *Workspace) importOne(ctx context.Context, repo *gitrepo.Repo, one *Imported) error {
	p := one.plan
	o, err := w.reader(ctx)
	if err != nil {
		return err
	}
	if p.head, err = o.Head(); err != nil {
		return err
	}
	if err := w.gatherPaths(ctx, repo, p, w.RegistryPath()); err != nil { // whether the registry is as HEAD has it
		return err
	}
	if err := w.writeImported(one); err != nil {
		return err
	}
	c := change{
		What: "import " + p.Tag, Head: p.head, Message: p.Message, Files: p.writes, Untracked: p.untracked,
		Prompt: p.Prompt, Digest: p.Digest, Tags: []tagChange{{p.Tag, p.Message}},
	}
	gone, err := w.removeLeft(one)
	for _, f := range gone {
		c.Paths = append(c.Paths, f.Path)
	}
	if err == nil {
		one.Commit, err = w.make(ctx, repo, c)
	}
	if err != nil { // what make does not know of
		return errors.Join(err, w.writeNew(gone))
	}
	return nil
}

// writeImported plans the bytes of the version's files and of the registry.
func (w *Workspace) writeImported(one *Imported) error {
	p := one.plan
	for _, f := range one.files {
		before, err := w.readFile(f.Path, gitrepo.MaxObject)
		if errors.Is(err, fs.ErrNotExist) {
			before, err = nil, nil
		}
		if err != nil {
			return err
		}
		after := f.Data
		if path.Base(f.Path) == prompt.MetadataFile {
			if after, err = w.nextMetadata(after, p, one.draft, one.in.Message, one.before); err != nil {
				return err
			}
		}
		p.write(f.Path, before, after, false)
	}
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
	entry.Describe(one.draft.Metadata, p.To, p.Digest, w.timestamp())
	entry.Unpublished = ""
	next, err := reg.Put(p.Prompt, entry)
	if err != nil {
		return err
	}
	p.writeRegistry(w, reg, next)
	return nil
}

// removeLeft removes the files of the version before that this one has no
// longer, and returns what they held.
func (w *Workspace) removeLeft(one *Imported) (gone []NewFile, err error) {
	dir := path.Join(w.Config.Prompts, string(one.Prompt))
	for _, name := range []string{path.Join(dir, prompt.UserFile), path.Join(dir, prompt.ExamplesFile), suitePath(one.Prompt)} {
		if slices.ContainsFunc(one.files, func(f NewFile) bool { return f.Path == name }) {
			continue
		}
		data, err := w.readFile(name, gitrepo.MaxObject)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = w.root.Remove(name)
		}
		if err != nil {
			return gone, err
		}
		gone = append(gone, NewFile{name, data})
	}
	return gone, nil
}

// Plan is what a dry run shows of the version: the files and the message.
func (i Imported) Plan() (files []string, message string) {
	if i.plan == nil {
		return nil, ""
	}
	for _, f := range i.files {
		files = append(files, f.Path)
	}
	return files, i.plan.Message
}
