package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

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
	w := &Workspace{Dir: abs, Config: DefaultConfig(), now: opts.Now, notify: opts.Notify, repo: repo}
	if w.root, err = os.OpenRoot(abs); err != nil {
		return nil, err
	}
	defer w.Close()
	if err := w.writeNew(files, out); err != nil {
		return out, err
	}
	if _, err := repo.Identity(ctx); err != nil && commit {
		out.Pending, commit = err.Error(), false // the files stay, for the person to commit
	}
	if err := w.initRegistry(ctx, commit, out); err != nil {
		return out, err
	}
	if len(out.Written) == 0 {
		out.Pending = ""
	}
	if len(out.Written) == 0 || !commit {
		return out, nil
	}
	err = w.exclusively(ctx, func(repo *gitrepo.Repo) error {
		c := change{What: "init", Message: "chore: prompts as code\n\nTwo prompts with their contract and tests, environments, and checks in CI.\n", Paths: out.Written, Untracked: out.Written}
		if c.Head, _, err = repo.Head(ctx); err != nil {
			return err
		}
		if out.Commit, err = w.make(ctx, repo, c); err != nil {
			return err
		}
		out.Published, err = w.publish(ctx, repo, false)
		return err
	})
	return out, err
}

func (w *Workspace) writeNew(files []NewFile, out *Initialization) error {
	for _, f := range files {
		_, err := w.root.Lstat(filepath.FromSlash(f.Path))
		switch {
		case err == nil:
			out.Kept = append(out.Kept, f.Path)
		case errors.Is(err, fs.ErrNotExist):
			if err := w.writeFile(f.Path, f.Data); err != nil {
				return err
			}
			out.Written = append(out.Written, f.Path)
		default:
			return err
		}
	}
	return nil
}

// initRegistry registers the prompts that were just written. Where they are
// not tagged at once, that is left to publish.
func (w *Workspace) initRegistry(ctx context.Context, tagged bool, out *Initialization) error {
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
		file := d.dir + "/" + prompt.MetadataFile
		if e, err := reg.Entry(d.id); err != nil || e != nil || !slices.Contains(out.Written, file) {
			continue
		}
		draft, findings, err := w.Draft(ctx, d.id)
		if err != nil || prompt.Failed(findings) {
			return fmt.Errorf("%s was written and is not valid: %v: %w", d.id, findings, errors.Join(err, prompt.ErrInvalid))
		}
		v, err := prompt.ParseVersion(draft.Metadata.Version)
		if err != nil {
			return err
		}
		digest, err := draft.Prompt.Digest()
		if err != nil {
			return err
		}
		e := &Entry{}
		if !tagged {
			e.Unpublished = v.String()
		}
		e.describe(draft.Metadata, v, digest, w.timestamp())
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
	out.Written = append(out.Written, w.RegistryPath())
	return w.writeFile(w.RegistryPath(), reg.Bytes())
}

// Create writes the files of a new prompt. It refuses one that is there.
func (w *Workspace) Create(id prompt.ID, files []NewFile) ([]string, error) {
	if _, err := w.open(w.Files(), id); err == nil {
		return nil, registry.WithFix(registry.Errorf(registry.ErrConflict, "%s exists already", id), "edit it, or choose another id")
	} else if !errors.Is(err, registry.ErrNotFound) {
		return nil, err
	}
	var out Initialization
	err := w.writeNew(files, &out)
	return out.Written, err
}
