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
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/gitrepo"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// maxForeignFile bounds the files that are read from elsewhere, in bytes.
const maxForeignFile = 1 << 20

// A Foreign is a directory outside of the workspace that files are imported
// from. Nothing outside of it is read, and no link in it is followed.
type Foreign struct {
	dir  string // absolute
	root *os.Root

	objects *gitrepo.Objects // of the repository that it lies in, once asked for
}

// OpenForeign opens dir for reading. Close ends it.
func OpenForeign(dir string) (*Foreign, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(abs)
	if err != nil {
		return nil, err
	}
	return &Foreign{dir: abs, root: root}, nil
}

// Close frees what was opened.
func (f *Foreign) Close() error {
	var err error
	if f.objects != nil {
		err = f.objects.Close()
	}
	return errors.Join(err, f.root.Close())
}

// Name is the directory's own name.
func (f *Foreign) Name() string { return filepath.Base(f.dir) }

// Files is the directory as it is now.
func (f *Foreign) Files() fs.FS { return plainFiles{worktree{f.root, f.dir}} }

// plainFiles opens plain files alone, and none behind a link.
type plainFiles struct{ tree worktree }

var _ fs.ReadDirFS = plainFiles{}

func (p plainFiles) Open(name string) (fs.File, error) {
	if err := p.check(name); err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return p.tree.Open(name)
}

func (p plainFiles) ReadDir(name string) ([]fs.DirEntry, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrInvalid}
	}
	for dir := name; dir != "."; dir = path.Dir(dir) {
		if fi, err := p.tree.Lstat(dir); err != nil || !fi.IsDir() {
			return nil, &fs.PathError{Op: "readdir", Path: name, Err: errors.Join(err, fs.ErrNotExist)}
		}
	}
	return p.tree.ReadDir(name)
}

// check refuses what is no plain file before it is opened: a pipe would hang.
func (p plainFiles) check(name string) error {
	if !fs.ValidPath(name) {
		return fs.ErrInvalid
	}
	for at := name; at != "."; at = path.Dir(at) {
		fi, err := p.tree.Lstat(at)
		switch {
		case err != nil:
			return errors.Unwrap(err)
		case fi.Mode()&fs.ModeSymlink != 0:
			return registry.Errorf(prompt.ErrInvalid, "%s is a symbolic link, and links are not followed", prompt.Clip(at, 120))
		case at == name && !fi.Mode().IsRegular(), at != name && !fi.IsDir():
			return registry.Errorf(prompt.ErrInvalid, "%s is no plain file", prompt.Clip(at, 120))
		}
	}
	return nil
}

// A Revision is a commit that changed a file, and the directory as it was then.
type Revision struct {
	Commit  string
	Author  string // made safe to print
	At      time.Time
	Subject string // made safe to print
	Files   fs.FS
}

// History lists the commits of the branch that is checked out that changed the
// file name of the directory, the oldest first. A commit that has no such file
// is left out; a file is not followed past a change of its name.
func (f *Foreign) History(ctx context.Context, name string) ([]Revision, error) {
	repo, err := gitrepo.Open(ctx, f.dir)
	if errors.Is(err, gitrepo.ErrNoRepository) {
		return nil, registry.WithFix(err, "leave out --history")
	}
	if err != nil {
		return nil, err
	}
	if repo.Shallow {
		return nil, registry.WithFix(fmt.Errorf("%s lies in a shallow clone: its history is not all there", prompt.Clip(name, 120)), "git fetch --unshallow")
	}
	commits, err := repo.History(ctx, "HEAD", true, name)
	if err != nil {
		return nil, err
	}
	if f.objects == nil {
		f.objects = repo.Objects(context.WithoutCancel(ctx))
	}
	var out []Revision
	for _, id := range slices.Backward(commits) {
		tree := repo.Tree(f.objects, id).AtMost(maxForeignFile)
		if _, err := fs.Stat(tree, name); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		c, err := f.objects.Commit(id)
		if err != nil {
			return nil, err
		}
		subject, _, _ := strings.Cut(strings.TrimSpace(c.Message), "\n")
		out = append(out, Revision{c.ID, prompt.Clip(c.Author.String(), 200), c.Author.At, prompt.Clip(subject, 200), tree})
	}
	if len(out) == 0 {
		return nil, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "no commit has the file %s", prompt.Clip(name, 120)), "commit it, or leave out --history")
	}
	return out, nil
}
