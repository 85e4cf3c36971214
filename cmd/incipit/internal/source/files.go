package source

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"
)

// A worktree is the files of a workspace. Opening one cannot leave the
// directory; listings come straight from the system, which is several times
// faster, and show links without following them.
type worktree struct {
	root *os.Root
	dir  string
}

var (
	_ fs.ReadDirFS  = worktree{}
	_ fs.ReadLinkFS = worktree{}
)

func (t worktree) Open(name string) (fs.File, error) { return t.root.Open(filepath.FromSlash(name)) }

func (t worktree) Lstat(name string) (fs.FileInfo, error) {
	return t.root.Lstat(filepath.FromSlash(name))
}

func (t worktree) ReadLink(name string) (string, error) {
	return t.root.Readlink(filepath.FromSlash(name))
}

func (t worktree) ReadDir(name string) ([]fs.DirEntry, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrInvalid}
	}
	return os.ReadDir(filepath.Join(t.dir, filepath.FromSlash(name)))
}

// readFile reads a plain file of the workspace, of at most limit bytes.
func (w *Workspace) readFile(name string, limit int64) ([]byte, error) {
	if err := checkPath(w.Files(), name); err != nil {
		return nil, err
	}
	f, err := w.Files().Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s is larger than %d bytes", name, limit)
	}
	return data, err
}

// stat tells of a file of the workspace, without following a link.
func (w *Workspace) stat(name string) (fs.FileInfo, error) {
	if w.bare != nil {
		return fs.Stat(w.tree, name)
	}
	return w.root.Lstat(name)
}

// readAtMost reads the first bytes of a file.
func readAtMost(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

// tempSuffix ends the names of files that are being written. A crash may leave
// one; recovery knows its name.
const tempSuffix = ".incipit-tmp"

// writeFile replaces a file of the workspace whole, or not at all: written
// beside it, synced, renamed. Directories are made as needed.
func (w *Workspace) writeFile(name string, data []byte) error {
	if err := checkPath(w.Files(), name); err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if fi, err := w.root.Stat(name); err == nil {
		mode = fi.Mode().Perm()
	}
	if dir := path.Dir(name); dir != "." {
		if err := w.root.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	return replaceFile(w.root, name, data, mode)
}

// replaceFile writes a file beside the one it replaces, syncs and renames it.
func replaceFile(root *os.Root, name string, data []byte, mode fs.FileMode) error {
	temp := name + tempSuffix
	f, err := root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = root.Rename(temp, name)
	}
	if err != nil {
		root.Remove(temp) //nolint:errcheck // the first error is the one to tell
		return err
	}
	return syncDir(filepath.Join(root.Name(), filepath.FromSlash(path.Dir(name))))
}

// syncDir makes a rename durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); errors.Is(err, syscall.EIO) || errors.Is(err, syscall.ENOSPC) {
		return err
	}
	return nil // some systems cannot sync a directory
}
