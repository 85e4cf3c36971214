package source

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A promptDir is a directory that holds a prompt, and what lies in it.
type promptDir struct {
	id      prompt.ID
	dir     string
	entries []fs.DirEntry
}

// scan finds the prompts below the prompts directory of fsys, in the order of
// their ids. What cannot be followed or named is reported and left out.
func scan(fsys fs.FS, root string) ([]promptDir, []prompt.Finding, error) {
	s := scanner{fsys: fsys, root: root}
	if err := checkPath(fsys, root); err != nil {
		return nil, nil, err
	}
	if err := s.walk(root, ""); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil, nil
		}
		return nil, nil, err
	}
	slices.SortFunc(s.found, func(a, b promptDir) int { return strings.Compare(string(a.id), string(b.id)) })
	return s.found, s.findings, nil
}

type scanner struct {
	fsys     fs.FS
	root     string
	found    []promptDir
	findings []prompt.Finding
}

func (s *scanner) report(name, code, msg, fix string) {
	s.findings = append(s.findings, prompt.Finding{Path: name, Code: code, Severity: prompt.SeverityError, Message: msg, Fix: fix})
}

func (s *scanner) walk(dir, id string) error {
	entries, err := fs.ReadDir(s.fsys, dir)
	if err != nil {
		return err
	}
	isPrompt := false
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		switch {
		case e.Name() == prompt.SystemFile || e.Name() == prompt.MetadataFile:
			isPrompt = true
		case dir != s.root && e.Name() == ".git":
			s.report(dir, "submodule", "a repository inside the repository: its prompts would not be part of a release", "move the files into this repository")
			return nil
		}
		switch {
		case e.Type()&fs.ModeSymlink != 0 && !isPromptFile(e.Name()): // files reports its own
			s.report(name, "link", "a symbolic link: a release would hold the link and not what it shows", "replace it by the file or directory itself")
		case e.Type()&fs.ModeIrregular != 0:
			s.report(name, "submodule", "a submodule: its prompts would not be part of a release", "move the files into this repository")
		case e.IsDir() && s.descend(dir, e.Name()):
			if err := s.walk(name, path.Join(id, e.Name())); err != nil {
				return err
			}
		}
	}
	if isPrompt && dir != s.root {
		parsed, err := prompt.ParseID(id)
		if err != nil {
			s.report(dir, "prompt-id", err.Error(), "rename the directory")
			return nil
		}
		s.found = append(s.found, promptDir{parsed, dir, entries})
	}
	return nil
}

func isPromptFile(name string) bool {
	return name == prompt.SystemFile || name == prompt.UserFile || name == prompt.ExamplesFile || name == prompt.MetadataFile
}

// descend leaves out what belongs to tools, and the included texts.
func (s *scanner) descend(dir, name string) bool {
	return !strings.HasPrefix(name, ".") && !(dir == s.root && name+"/" == prompt.SharedPrefix) &&
		strings.Count(strings.TrimPrefix(dir, s.root), "/") < 16
}

// files reads the files of a prompt. A file that cannot be read is reported
// and stays nil.
func (d promptDir) files(fsys fs.FS) (prompt.Files, []prompt.Finding) {
	f := prompt.Files{Dir: d.dir}
	var findings []prompt.Finding
	for _, e := range d.entries {
		var dst *[]byte
		limit := prompt.MaxTextBytes
		switch e.Name() {
		case prompt.SystemFile:
			dst = &f.System
		case prompt.UserFile:
			dst = &f.User
		case prompt.ExamplesFile:
			dst = &f.Examples
		case prompt.MetadataFile:
			dst, limit = &f.Metadata, prompt.MaxMetadataBytes
		default:
			continue
		}
		name := path.Join(d.dir, e.Name())
		data, code, err := readRegular(fsys, name, e, limit)
		if err != nil {
			findings = append(findings, prompt.Finding{Path: name, Code: code, Severity: prompt.SeverityError, Message: err.Error()})
			continue
		}
		*dst = data
	}
	return f, findings
}

// readRegular reads a plain file of at most limit bytes, and tells by code
// why it does not.
func readRegular(fsys fs.FS, name string, e fs.DirEntry, limit int) (data []byte, code string, err error) {
	switch t := e.Type(); {
	case t&fs.ModeSymlink != 0:
		return nil, "link", errors.New("is a symbolic link; a prompt's files must be plain files")
	case !t.IsRegular():
		return nil, "not-a-file", errors.New("is no plain file")
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, "unreadable", err
	}
	defer f.Close()
	data, err = io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err != nil {
		return nil, "unreadable", err
	}
	if len(data) > limit {
		return nil, "too-large", fmt.Errorf("is larger than %d bytes", limit)
	}
	if data == nil {
		data = []byte{}
	}
	return data, "", nil
}

// checkPath refuses a directory that is reached through a link.
func checkPath(fsys fs.FS, dir string) error {
	if _, ok := fsys.(fs.ReadLinkFS); !ok {
		return nil // a commit's tree cannot be reached that way
	}
	for i := range len(dir) + 1 {
		if i < len(dir) && dir[i] != '/' {
			continue
		}
		fi, err := fs.Lstat(fsys, dir[:i])
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if fi.Mode()&fs.ModeSymlink != 0 {
			return fmt.Errorf("%s is a symbolic link, which is %w here: prompts must lie in the repository itself", dir[:i], prompt.ErrInvalid)
		}
	}
	return nil
}

// open finds the directory of one prompt.
func (w *Workspace) open(fsys fs.FS, id prompt.ID) (promptDir, error) {
	d := promptDir{id: id, dir: path.Join(w.Config.Prompts, string(id))}
	if err := checkPath(fsys, d.dir); err != nil {
		return d, err
	}
	entries, err := fs.ReadDir(fsys, d.dir)
	d.entries = entries
	isPrompt := slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		return e.Name() == prompt.SystemFile || e.Name() == prompt.MetadataFile
	})
	if errors.Is(err, fs.ErrNotExist) || err == nil && !isPrompt {
		if w.bare != nil { // what may be meant is not worth a walk for each of ten thousand tags
			return d, fmt.Errorf("prompt %s is %w in this commit", id, registry.ErrNotFound)
		}
		known, _, scanErr := scan(w.Files(), w.Config.Prompts)
		if scanErr != nil {
			return d, scanErr
		}
		return d, UnknownPrompt(id, ids(known))
	}
	return d, err
}

func ids(ds []promptDir) []string {
	out := make([]string, len(ds))
	for i, d := range ds {
		out[i] = string(d.id)
	}
	return out
}

// IDs lists the prompts of the work tree.
func (w *Workspace) IDs() ([]prompt.ID, error) {
	found, _, err := scan(w.Files(), w.Config.Prompts)
	out := make([]prompt.ID, len(found))
	for i, d := range found {
		out[i] = d.id
	}
	return out, err
}

// Draft reads a prompt from the work tree, with everything that is wrong with
// it. The id may name an included text.
func (w *Workspace) Draft(ctx context.Context, id prompt.ID) (prompt.Draft, []prompt.Finding, error) {
	return w.draft(ctx, w.Files(), id, false)
}

// draft reads a prompt from any tree. The ranged includes of a released one
// expand to the releases that its metadata pins, those of another to the
// highest release in the range.
func (w *Workspace) draft(ctx context.Context, fsys fs.FS, id prompt.ID, released bool) (prompt.Draft, []prompt.Finding, error) {
	if name, ok := id.Shared(); ok {
		var pins map[string]prompt.Version
		if released {
			pins = pinsOf(nil) // it has no metadata to pin anything in
		}
		include := w.includer(ctx, fsys, pins)
		text, _, err := include(name, "")
		if err != nil {
			return prompt.Draft{}, nil, err
		}
		d, findings := prompt.ParseShared(id, w.sharedPath(name), []byte(text), include)
		return d, findings, nil
	}
	dir, err := w.open(fsys, id)
	if err != nil {
		return prompt.Draft{}, nil, err
	}
	d, _, findings := w.parse(ctx, fsys, dir, released)
	return d, findings, nil
}

// parse reads and parses the files of a prompt. A file that is there and
// cannot be read is not called missing too.
func (w *Workspace) parse(ctx context.Context, fsys fs.FS, dir promptDir, released bool) (prompt.Draft, prompt.Files, []prompt.Finding) {
	files, findings := dir.files(fsys)
	unread := make(map[string]bool)
	for _, f := range findings {
		unread[f.Path] = true
	}
	var pins map[string]prompt.Version
	if released {
		pins = pinsOf(files.Metadata)
	}
	d, more := prompt.Parse(dir.id, files, w.includer(ctx, fsys, pins))
	for _, f := range more {
		if f.Code != "missing-file" || !unread[f.Path] {
			findings = append(findings, f)
		}
	}
	prompt.SortFindings(findings)
	return d, files, findings
}

// pinsOf are the includes that metadata pins; never nil. That it cannot be
// read is for Parse to say.
func pinsOf(metadata []byte) map[string]prompt.Version {
	var m struct {
		Includes map[string]prompt.Version `json:"includes"`
	}
	if json.Unmarshal(metadata, &m) != nil || m.Includes == nil {
		return make(map[string]prompt.Version)
	}
	return m.Includes
}
