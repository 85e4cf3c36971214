package gitrepo

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Tree is the files of a commit, below a directory, as a file system. Links
// and submodules show in their modes and are never followed.
type Tree struct {
	objects *Objects
	root    string // revision and a colon, and the directory with a slash
	limit   int64  // of a file, in bytes

	mu      sync.Mutex
	name    string      // the directory that was listed last: files are read
	entries []treeEntry // from one directory in a row
}

// Tree returns the files that rev has in the directory that r was opened in.
// Objects must have been opened there too: git reads ./ from its own directory.
func (r *Repo) Tree(o *Objects, rev string) *Tree {
	if r.Bare {
		return &Tree{objects: o, root: rev + ":" + r.Prefix, limit: MaxObject}
	}
	return &Tree{objects: o, root: rev + ":./", limit: MaxObject}
}

// AtMost makes files of more than limit bytes unreadable. It returns t.
func (t *Tree) AtMost(limit int64) *Tree {
	t.limit = limit
	return t
}

var (
	_ fs.ReadDirFS  = (*Tree)(nil)
	_ fs.ReadFileFS = (*Tree)(nil)
	_ fs.StatFS     = (*Tree)(nil)
)

type treeEntry struct{ mode, name, id string }

func (e treeEntry) Name() string               { return e.name }
func (e treeEntry) IsDir() bool                { return e.Type().IsDir() }
func (e treeEntry) Info() (fs.FileInfo, error) { return fileInfo{e, 0}, nil }

// Type maps git's modes: 100644 is a plain file. An executable one keeps its
// bits, so that a caller who wants plain files alone can tell.
func (e treeEntry) Type() fs.FileMode {
	switch e.mode {
	case "40000":
		return fs.ModeDir
	case "120000":
		return fs.ModeSymlink
	case "160000":
		return fs.ModeIrregular // a submodule
	}
	return 0
}

func (t *Tree) spec(name string) string {
	if name == "." {
		return t.root
	}
	return t.root + name
}

// ReadDir lists a directory, in the order of names.
func (t *Tree) ReadDir(name string) ([]fs.DirEntry, error) {
	es, err := t.list(name)
	if err != nil {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: err}
	}
	out := make([]fs.DirEntry, len(es))
	for i, e := range es {
		out[i] = e
	}
	slices.SortFunc(out, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return out, nil
}

func (t *Tree) list(name string) ([]treeEntry, error) {
	if !fs.ValidPath(name) {
		return nil, fs.ErrInvalid
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.entries != nil && t.name == name {
		return t.entries, nil
	}
	obj, err := t.objects.Get(t.spec(name))
	if err != nil {
		return nil, err
	}
	es, err := treeEntries(obj)
	t.name, t.entries = name, es
	return es, err
}

// ReadFile reads a plain file.
func (t *Tree) ReadFile(name string) ([]byte, error) {
	data, _, err := t.read(name)
	return data, err
}

func (t *Tree) read(name string) ([]byte, treeEntry, error) {
	fail := func(err error) ([]byte, treeEntry, error) {
		return nil, treeEntry{}, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	es, err := t.list(path.Dir(name))
	if err != nil {
		return fail(err)
	}
	i := slices.IndexFunc(es, func(e treeEntry) bool { return e.name == path.Base(name) })
	if i < 0 {
		return fail(fs.ErrNotExist)
	}
	if es[i].Type() != 0 {
		return fail(fmt.Errorf("mode %s is no plain file", es[i].mode))
	}
	obj, err := t.objects.GetAtMost(es[i].id, t.limit)
	if err != nil {
		return fail(err)
	}
	return obj.Data, es[i], nil
}

// Open implements fs.FS for plain files.
func (t *Tree) Open(name string) (fs.File, error) {
	data, e, err := t.read(name)
	if err != nil {
		return nil, err
	}
	return &file{bytes.NewReader(data), fileInfo{e, int64(len(data))}}, nil
}

type file struct {
	*bytes.Reader
	info fileInfo
}

// Stat tells of a directory, which cannot be opened, and of a file by opening
// it: what lists a file does not tell its size.
func (t *Tree) Stat(name string) (fs.FileInfo, error) {
	if name == "." {
		return fileInfo{treeEntry{mode: "40000", name: "."}, 0}, nil
	}
	es, err := t.list(path.Dir(name))
	if err != nil {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	i := slices.IndexFunc(es, func(e treeEntry) bool { return e.name == path.Base(name) })
	if i >= 0 && es[i].IsDir() {
		return es[i].Info()
	}
	f, err := t.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Stat()
}

func (f *file) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *file) Close() error               { return nil }

var _ io.Reader = (*file)(nil)

type fileInfo struct {
	treeEntry
	size int64
}

func (i fileInfo) Size() int64        { return i.size }
func (i fileInfo) ModTime() time.Time { return time.Time{} }
func (i fileInfo) Sys() any           { return nil }
func (i fileInfo) Mode() fs.FileMode {
	if i.mode == "100755" {
		return 0o755
	}
	return i.Type() | 0o644
}
