package source

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// Edited opens what was fetched last as if a prompt had these texts: it can be
// read, validated and planned on like any workspace, and nothing is written.
// Close frees it. Included texts cannot be edited.
func (r *Remote) Edited(ctx context.Context, id prompt.ID, texts registry.Texts) (*Workspace, error) {
	w, err := r.Open(ctx)
	if err != nil {
		return nil, err
	}
	if err := w.put(id, texts); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// put lays texts over the tree of a bare workspace.
func (w *Workspace) put(id prompt.ID, texts registry.Texts) error {
	if err := texts.Validate(); err != nil {
		return err
	}
	if _, ok := id.Shared(); ok {
		return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%s is an included text, which has no drafts", id), "change it in Git: it reaches every prompt that includes it")
	}
	before, err := w.Now().Texts(id)
	if err != nil {
		return err
	}
	w.edit = &overlay{under: w.tree, dir: path.Join(w.Config.Prompts, string(id)), texts: texts, before: before}
	w.tree = w.edit
	return nil
}

// Before are the texts that the commit has of the prompt that is edited.
func (w *Workspace) Before() registry.Texts {
	if w.edit == nil {
		return nil
	}
	return w.edit.before
}

// Past is what a commit holds that the branch has, or had on its way. It
// reports ErrConflict for any other: it may have been taken back.
func (w *Workspace) Past(ctx context.Context, commit string) (View, error) {
	if commit == w.head {
		return w.Now(), nil
	}
	repo, err := w.Git(ctx)
	if err != nil {
		return View{}, err
	}
	gone := registry.WithFix(registry.Errorf(registry.ErrConflict, "the branch has no commit %s", prompt.Clip(prompt.Visible(commit), 64)), "read the draft again, and start from what it names")
	if len(commit) < 40 || strings.Trim(commit, "0123456789abcdef") != "" || w.head == "" {
		return View{}, gone
	}
	known, err := repo.Known(ctx, commit)
	if err == nil && !known {
		err = gone
	}
	if err != nil {
		return View{}, err
	}
	ok, err := repo.Reachable(ctx, commit, w.head)
	if err == nil && !ok {
		err = gone
	}
	if err != nil {
		return View{}, err
	}
	return w.At(ctx, commit)
}

// Texts are the files of a prompt in the view; none if it is not there. It
// reports ErrInvalid for files that a person could not edit as text.
func (v View) Texts(id prompt.ID) (registry.Texts, error) {
	out := registry.Texts{}
	d, err := v.w.open(v.Files, id)
	if errors.Is(err, registry.ErrNotFound) {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	f, findings := d.files(v.Files)
	if len(findings) > 0 {
		return nil, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%s %s", findings[0].Path, findings[0].Message), "correct it in Git")
	}
	for name, data := range map[string][]byte{prompt.SystemFile: f.System, prompt.UserFile: f.User, prompt.ExamplesFile: f.Examples, prompt.MetadataFile: f.Metadata} {
		if data != nil {
			out[name] = string(data)
		}
	}
	return out, out.Validate()
}

// An overlay is a tree in which one prompt has other files. What else lies in
// its directory stays. A directory that the tree lacks can be read, and is not
// listed in the one above.
type overlay struct {
	under  fs.FS
	dir    string
	texts  registry.Texts
	before registry.Texts
}

var _ fs.ReadDirFS = (*overlay)(nil)

// changed are the paths of the files that differ, in order.
func (o *overlay) changed() []string {
	var out []string
	for _, name := range registry.TextNames() {
		text, is := o.texts[name]
		old, was := o.before[name]
		if is != was || text != old {
			out = append(out, path.Join(o.dir, name))
		}
	}
	slices.Sort(out)
	return out
}

// text finds the name of a path among those that the prompt may have.
func (o *overlay) text(name string) (text string, is, ours bool) {
	dir, base := path.Split(name)
	if strings.TrimSuffix(dir, "/") != o.dir || !slices.Contains(registry.TextNames(), base) {
		return "", false, false
	}
	text, is = o.texts[base]
	return text, is, true
}

func (o *overlay) Open(name string) (fs.File, error) {
	text, is, ours := o.text(name)
	switch {
	case !ours:
		return o.under.Open(name)
	case !is:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &textFile{bytes.NewReader([]byte(text)), textInfo{path.Base(name), int64(len(text))}}, nil
}

func (o *overlay) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(o.under, name)
	if name != o.dir || err != nil && !errors.Is(err, fs.ErrNotExist) {
		return entries, err
	}
	if len(entries) == 0 && len(o.texts) == 0 {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrNotExist}
	}
	out := slices.DeleteFunc(slices.Clone(entries), func(e fs.DirEntry) bool { return slices.Contains(registry.TextNames(), e.Name()) })
	for _, n := range slices.Sorted(maps.Keys(o.texts)) {
		out = append(out, fs.FileInfoToDirEntry(textInfo{n, int64(len(o.texts[n]))}))
	}
	slices.SortFunc(out, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return out, nil
}

// Stat tells of a file or a directory; a tree's directories cannot be opened.
func (o *overlay) Stat(name string) (fs.FileInfo, error) {
	if _, _, ours := o.text(name); !ours {
		return fs.Stat(o.under, name)
	}
	f, err := o.Open(name)
	if err != nil {
		return nil, err
	}
	return f.Stat()
}

type textFile struct {
	*bytes.Reader
	info textInfo
}

func (f *textFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *textFile) Close() error               { return nil }

type textInfo struct {
	name string
	size int64
}

func (i textInfo) Name() string       { return i.name }
func (i textInfo) Size() int64        { return i.size }
func (i textInfo) Mode() fs.FileMode  { return 0o644 }
func (i textInfo) ModTime() time.Time { return time.Time{} }
func (i textInfo) IsDir() bool        { return false }
func (i textInfo) Sys() any           { return nil }
