package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/gitrepo"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A NewFile is a file to write where there is none.
type NewFile struct {
	Path string // with slashes, relative to the workspace
	Data []byte
}

// An Initialization is what Init did.
type Initialization struct {
	Dir       string        `json:"dir"`
	Written   []string      `json:"written"`
	Kept      []string      `json:"kept"` // there already, and left as they were
	Created   bool          `json:"created_repository"`
	Commit    string        `json:"commit,omitempty"`
	Published []Publication `json:"published,omitempty"`
	Pending   string        `json:"pending,omitempty"` // why nothing was committed
}

// Init makes dir a workspace: a repository if it lies in none, the files that
// do not exist yet, the registry, one commit of them, and a tag for each
// prompt's first version. A file that exists is left as it is; where all do,
// nothing is changed.
func Init(ctx context.Context, dir string, files []NewFile, commit bool, opts Options) (*Initialization, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(abs, 0o755); err != nil {
		return nil, err
	}
	out := &Initialization{Dir: abs}
	repo, err := gitrepo.Open(ctx, abs)
	if errors.Is(err, gitrepo.ErrNoRepository) {
		out.Created = true
		repo, err = gitrepo.Init(ctx, abs)
	}
	if err != nil {
		return nil, err
	}
	if err := repo.Ready(); err != nil {
		return nil, err
	}
	if repo.Top == abs && repo.HalfMade() {
		if repo, err = gitrepo.Init(ctx, abs); err != nil {
			return nil, err
		}
	}
	w := &Workspace{Dir: abs, Config: DefaultConfig(), now: opts.Now, notify: opts.Notify, repo: repo}
	if w.root, err = os.OpenRoot(abs); err != nil {
		return nil, err
	}
	defer w.Close()
	if _, err := repo.Identity(ctx); err != nil && commit {
		out.Pending, commit = err.Error(), false // the files stay, for the person to commit
	}
	err = w.exclusively(ctx, func(repo *gitrepo.Repo) error { return w.initialize(ctx, repo, files, commit, out) })
	if len(out.Written) == 0 {
		out.Pending = ""
	}
	return out, err
}

// initialize makes all that Init makes in one change: after a crash nothing of
// it is left, and the next run does it all.
func (w *Workspace) initialize(ctx context.Context, repo *gitrepo.Repo, files []NewFile, commit bool, out *Initialization) (err error) {
	c := change{What: "init", Message: "chore: prompts as code\n\nTwo prompts with their contract and tests, environments, and checks in CI.\n"}
	if c.Head, _, err = repo.Head(ctx); err != nil {
		return err
	}
	missing, kept, err := w.missing(files)
	if err != nil {
		return err
	}
	out.Kept = kept
	for _, f := range missing {
		c.Files = append(c.Files, writing(f.Path, nil, f.Data, false))
		c.Untracked = append(c.Untracked, f.Path)
	}
	if len(missing) == 0 {
		return nil
	}
	c.Started = w.now()
	if err := w.writeJournal(repo, c); err != nil {
		return err
	}
	err = w.writeNew(missing)
	if err == nil {
		err = w.initRegistry(ctx, commit, &c, out)
	}
	if err == nil && !commit {
		err = w.writeRest(repo, c, len(missing))
	}
	if err != nil {
		_, err = w.giveUp(context.WithoutCancel(ctx), repo, c, "", err)
		return err
	}
	if commit {
		out.Commit, err = w.make(ctx, repo, c)
		for i := range out.Published {
			out.Published[i].Commit = out.Commit
		}
	} else {
		err = w.removeJournal(repo)
	}
	if err != nil {
		out.Published = nil
		return err
	}
	out.Written = c.Untracked
	return nil
}

// writeRest writes the files of c from the n-th on.
func (w *Workspace) writeRest(repo *gitrepo.Repo, c change, n int) error {
	if err := w.writeJournal(repo, c); err != nil {
		return err
	}
	for _, f := range c.Files[n:] {
		if err := w.writeFile(f.Path, f.after); err != nil {
			return err
		}
	}
	return nil
}

// missing are the files that do not exist yet, and the names of those that do.
func (w *Workspace) missing(files []NewFile) (missing []NewFile, kept []string, err error) {
	for _, f := range files {
		_, err := w.root.Lstat(filepath.FromSlash(f.Path))
		switch {
		case err == nil:
			kept = append(kept, f.Path)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, nil, err
		case !w.othersPrompt(path.Dir(f.Path)):
			missing = append(missing, f)
		}
	}
	return missing, kept, nil
}

// othersPrompt reports whether dir holds a system message without metadata:
// mixed with our files it would be neither their prompt nor ours.
func (w *Workspace) othersPrompt(dir string) bool {
	if !strings.HasPrefix(dir, w.Config.Prompts+"/") {
		return false
	}
	_, err := w.root.Lstat(filepath.FromSlash(path.Join(dir, prompt.SystemFile)))
	_, metaErr := w.root.Lstat(filepath.FromSlash(path.Join(dir, prompt.MetadataFile)))
	return err == nil && metaErr != nil
}

func (w *Workspace) writeNew(files []NewFile) error {
	for _, f := range files {
		if err := w.writeFile(f.Path, f.Data); err != nil {
			return err
		}
	}
	return nil
}

// initRegistry registers the prompts that c has just written, and gives c their
// tags. A prompt that is not committed now, or of which a part was there before,
// is left to publish.
func (w *Workspace) initRegistry(ctx context.Context, commit bool, c *change, out *Initialization) error {
	reg, err := w.Registry()
	if err != nil {
		return err
	}
	dirs, _, err := scan(w.Files(), w.Config.Prompts)
	if err != nil {
		return err
	}
	changed := false
	for _, d := range dirs {
		if e, err := reg.Entry(d.id); err != nil || e != nil || !slices.Contains(c.Untracked, d.dir+"/"+prompt.MetadataFile) {
			continue
		}
		draft, findings, err := w.Draft(ctx, d.id)
		if err != nil || prompt.Failed(findings) {
			return fmt.Errorf("%s was written and is not valid: %v: %w", d.id, findings, errors.Join(err, prompt.ErrInvalid))
		}
		p := Publication{Prompt: d.id}
		if p.Version, err = prompt.ParseVersion(draft.Metadata.Version); err != nil {
			return err
		}
		p.Tag = d.id.Tag(p.Version)
		tag, err := w.firstTag(ctx, &p, draft)
		e := &Entry{Unpublished: p.Version.String()}
		if err == nil && commit && d.within(c.Untracked) {
			e.Unpublished = ""
			c.Tags = append(c.Tags, tag)
			out.Published = append(out.Published, p)
		}
		e.Describe(draft.Metadata, p.Version, p.Digest, w.timestamp())
		if reg, err = reg.Put(d.id, e); err != nil {
			return err
		}
		changed = true
	}
	if !changed {
		return nil
	}
	if _, err := w.root.Lstat(w.RegistryPath()); err == nil {
		out.Kept = append(out.Kept, w.RegistryPath())
		return nil // another tool's registry; rebuild takes the prompts in
	}
	c.Files = append(c.Files, writing(w.RegistryPath(), nil, reg.Bytes(), false))
	c.Untracked = append(c.Untracked, w.RegistryPath())
	return nil
}

// within reports whether all files of the prompt are among the given ones.
func (d promptDir) within(files []string) bool {
	return !slices.ContainsFunc(d.entries, func(e fs.DirEntry) bool {
		return !e.IsDir() && !slices.Contains(files, path.Join(d.dir, e.Name()))
	})
}

// Absent reports ErrConflict if the work tree has a prompt with this id.
func (w *Workspace) Absent(id prompt.ID) error {
	_, err := w.open(w.Files(), id)
	switch {
	case err == nil:
		return registry.WithFix(registry.Errorf(registry.ErrConflict, "%s exists already", id), "edit it, or choose another id")
	case errors.Is(err, registry.ErrNotFound):
		return nil
	}
	return err
}

// Create writes the files of a new prompt. It refuses one that is there.
func (w *Workspace) Create(id prompt.ID, files []NewFile) ([]string, error) {
	if err := w.Absent(id); err != nil {
		return nil, err
	}
	missing, _, err := w.missing(files)
	if err != nil {
		return nil, err
	}
	written := make([]string, 0, len(missing))
	for _, f := range missing {
		if err := w.writeFile(f.Path, f.Data); err != nil {
			return written, err
		}
		written = append(written, f.Path)
	}
	return written, nil
}
