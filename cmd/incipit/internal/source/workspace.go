// Package source is the Git side of Incipit: it turns the files of a work tree
// or a commit into prompts, and prompts into releases. It reads and writes
// registry.json, and makes each change of the repository whole or not at all.
//
// It decides nothing about deployments; that is lifecycle's.
package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/gitrepo"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// ErrNoWorkspace means that no directory upwards holds prompts.
var ErrNoWorkspace = errors.New("no workspace")

// A Workspace is a directory with prompts, usually the root of a repository.
// It is safe for concurrent reads; Close frees what they opened.
type Workspace struct {
	Dir    string // absolute
	Config Config

	// Now is the clock of what is written; Notify is told of things that were
	// mended on the way. Both are set by Open.
	now    func() time.Time
	notify func(string)

	root      *os.Root
	completed bool // an interrupted change was, by us

	// A server has no work tree: files are those of the commit head in bare.
	bare *gitrepo.Repo
	head string // "" before the first commit
	tree fs.FS
	edit *overlay // in tree, where a prompt is read with other files

	mu      sync.Mutex
	repo    *gitrepo.Repo    // discovered, once asked for
	objects *gitrepo.Objects // started, once asked for
}

// Options are what a workspace takes from the outside.
type Options struct {
	Now    func() time.Time
	Notify func(string) // may be nil
}

// Open finds the workspace that dir lies in: the nearest directory upwards
// with an incipit.yaml, or else the top of the repository if it has prompts/.
// It reports ErrNoWorkspace if there is neither.
func Open(ctx context.Context, dir string, opts Options) (*Workspace, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	w := &Workspace{now: opts.Now, notify: opts.Notify, Config: DefaultConfig()}
	if w.notify == nil {
		w.notify = func(string) {}
	}
	for d := abs; ; d = filepath.Dir(d) {
		data, err := readAtMost(filepath.Join(d, ConfigFile), maxConfigBytes+1)
		if err == nil {
			w.Dir = d
			if w.Config, err = ParseConfig(data); err != nil {
				return nil, err
			}
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if d == filepath.Dir(d) {
			break
		}
	}
	if w.Dir == "" {
		if err := w.openTop(ctx, abs); err != nil {
			return nil, err
		}
	}
	w.root, err = os.OpenRoot(w.Dir)
	return w, err
}

func (w *Workspace) openTop(ctx context.Context, dir string) error {
	none := registry.WithFix(fmt.Errorf("%s holds %w: there is no %s and no prompts directory here or above", dir, ErrNoWorkspace, ConfigFile),
		"incipit init makes one; -C DIR works in another directory")
	repo, err := gitrepo.Open(ctx, dir)
	if errors.Is(err, gitrepo.ErrNoRepository) {
		if fi, err := os.Lstat(filepath.Join(dir, w.Config.Prompts)); err == nil && fi.IsDir() {
			w.Dir = dir // what needs no Git works without
			return nil
		}
		return none
	}
	if err != nil {
		return err
	}
	if repo.Bare {
		return registry.WithFix(repo.Ready(), "git clone %s, then run incipit in the clone", repo.GitDir)
	}
	if fi, err := os.Lstat(filepath.Join(repo.Top, w.Config.Prompts)); err != nil || !fi.IsDir() {
		return none
	}
	w.Dir = repo.Top
	return nil
}

// Close ends the processes and frees the handles of w.
func (w *Workspace) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var err error
	if w.objects != nil {
		err = w.objects.Close()
		w.objects = nil
	}
	if w.root != nil {
		err = errors.Join(err, w.root.Close())
	}
	return err
}

// Git is the repository that the workspace lies in.
func (w *Workspace) Git(ctx context.Context) (*gitrepo.Repo, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.repo != nil {
		return w.repo, nil
	}
	repo, err := gitrepo.Open(ctx, w.Dir)
	if errors.Is(err, gitrepo.ErrNoRepository) {
		return nil, registry.WithFix(err, "git init, or incipit init in an empty directory")
	}
	w.repo = repo
	return repo, err
}

// reader is the repository's object reader. It does without discovering the
// repository, which would cost a process of its own.
func (w *Workspace) reader(ctx context.Context) (*gitrepo.Objects, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.objects != nil {
		return w.objects, nil
	}
	w.objects = w.place().Objects(context.WithoutCancel(ctx))
	return w.objects, nil
}

// place is where objects are read.
func (w *Workspace) place() *gitrepo.Repo {
	if w.bare != nil {
		return w.bare
	}
	return gitrepo.At(w.Dir)
}

// Files is the work tree, below the workspace. In a bare repository it is the
// commit that the workspace was opened at.
func (w *Workspace) Files() fs.FS {
	if w.bare != nil {
		return w.tree
	}
	return worktree{w.root, w.Dir}
}

// at is the tree of a commit or tag, below the workspace.
func (w *Workspace) at(ctx context.Context, rev string) (fs.FS, error) {
	o, err := w.reader(ctx)
	if err != nil {
		return nil, err
	}
	tree := w.place().Tree(o, rev)
	if w.bare != nil { // releases alone are read there, and anyone may push what looks like one
		tree.AtMost(maxReleaseFile)
	}
	return tree, nil
}

func (w *Workspace) timestamp() string { return w.now().UTC().Format(time.RFC3339) }

// RegistryPath is where the registry lies in the workspace.
func (w *Workspace) RegistryPath() string { return w.Config.Prompts + "/registry.json" }

// UnknownPrompt says that there is no such prompt, and which one may be meant.
func UnknownPrompt(id prompt.ID, known []string) error {
	return registry.WithFix(fmt.Errorf("prompt %s is %w", id, registry.ErrNotFound), "%s", suggest(string(id), known, "prompts are "))
}
