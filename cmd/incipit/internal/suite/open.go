package suite

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// What may be read, in bytes.
const (
	maxSuiteBytes   = 1 << 20  // a suite, a prompt, a value, a script
	maxYAMLBytes    = 4 << 20  // a file of tests as YAML or JSON
	maxDatasetBytes = 16 << 20 // a file of tests as CSV or JSONL
	maxTotalBytes   = 64 << 20 // all files of a suite together
)

const fileScheme = "file://"

// resolve turns a reference that stands at n into the path of a file, relative
// to base. What leads out of the files is refused.
func (l *loader) resolve(ref, base string, n *node) (name string, ok bool) {
	name = strings.TrimPrefix(ref, fileScheme)
	if scheme, _, found := strings.Cut(name, "://"); found {
		l.errorAt(n, "remote", fmt.Sprintf("%s:// is not supported; a suite reads files beside it and nothing from the network", prompt.Clip(scheme, 20)),
			"download it and commit the file")
		return "", false
	}
	if strings.ContainsAny(name, "\\\x00") || path.IsAbs(name) || len(name) > 1 && name[1] == ':' || !utf8.ValidString(name) || name == "" {
		l.errorAt(n, "outside", fmt.Sprintf("%q is no path relative to the suite", prompt.Clip(name, 120)), "write file:// and a path with slashes, such as file://data/cases.csv")
		return "", false
	}
	joined := path.Join(base, name)
	if !fs.ValidPath(joined) || joined == "." {
		l.errorAt(n, "outside", fmt.Sprintf("%q leads out of the workspace", prompt.Clip(name, 120)), "copy the file into the workspace")
		return "", false
	}
	if joined == ".git" || strings.HasPrefix(joined, ".git/") {
		l.errorAt(n, "outside", "files of Git itself are not read", "")
		return "", false
	}
	return joined, true
}

// bytesOf reads a plain file of at most limit bytes. n is where it is named.
func (l *loader) bytesOf(name string, limit int64, n *node) ([]byte, bool) {
	refuse := func(code, msg, fix string) ([]byte, bool) {
		l.errorAt(n, code, prompt.Clip(name, 120)+" "+msg, fix)
		return nil, false
	}
	info, err := l.lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return refuse("missing", "does not exist", "")
	case errors.Is(err, errLink):
		return refuse("link", "is a symbolic link, or lies behind one; a suite reads plain files", "copy the file here")
	case err != nil:
		return refuse("unreadable", "cannot be read: "+prompt.Clip(err.Error(), 120), "")
	case !info.Mode().IsRegular():
		return refuse("not-a-file", "is no plain file", "")
	case info.Size() > limit:
		return refuse("too-large", fmt.Sprintf("is larger than %d MiB", limit>>20), "split it")
	}
	f, err := l.files.Open(name)
	if err != nil {
		return refuse("unreadable", "cannot be read: "+prompt.Clip(err.Error(), 120), "")
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return refuse("unreadable", "cannot be read: "+prompt.Clip(err.Error(), 120), "")
	}
	if int64(len(data)) > limit {
		return refuse("too-large", fmt.Sprintf("is larger than %d MiB", limit>>20), "split it")
	}
	if _, again := l.sums[name]; !again {
		l.sums[name] = sha256.Sum256(data)
		if l.total += int64(len(data)); l.total > maxTotalBytes {
			return refuse("too-large", fmt.Sprintf("makes the files of this suite larger than %d bytes together", maxTotalBytes), "split the suite")
		}
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(data) {
		return refuse("encoding", "is not UTF-8", "save it as UTF-8")
	}
	return data, true
}

// errLink is a symbolic link on the way to a file.
var errLink = errors.New("a symbolic link")

// lstat looks at a file and every directory above it without following links.
func (l *loader) lstat(name string) (fs.FileInfo, error) {
	if _, ok := l.files.(fs.ReadLinkFS); !ok {
		return fs.Stat(l.files, name) // a commit's tree: a link is a file of its own mode there
	}
	for i := range len(name) {
		if name[i] != '/' {
			continue
		}
		info, err := fs.Lstat(l.files, name[:i])
		if err != nil {
			return nil, err
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			return nil, errLink
		}
	}
	info, err := fs.Lstat(l.files, name)
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return nil, errLink
	}
	return info, err
}

// document reads a YAML or JSON file. It returns nil if there is nothing in
// it, or if it cannot be read, which is reported where it is named.
func (l *loader) document(name string, limit int64, n *node) *node {
	if root, ok := l.loaded[name]; ok {
		return root
	}
	data, ok := l.bytesOf(name, limit, n)
	if !ok {
		return nil
	}
	parse := l.parseYAML
	if strings.HasSuffix(name, ".json") {
		parse = func(name string, data []byte) (*node, bool) { return l.parseJSON(name, data, 1) }
	}
	root, ok := parse(name, data)
	if !ok {
		root = nil // what there is of it would make errors of its own
	}
	l.loaded[name] = root
	return root
}

// textOf reads a file as a text, without blanks around it.
func (l *loader) textOf(name string, n *node) (string, bool) {
	if s, ok := l.texts[name]; ok {
		return s, true
	}
	data, ok := l.bytesOf(name, maxSuiteBytes, n)
	if !ok {
		return "", false
	}
	s := strings.TrimSpace(string(data))
	l.texts[name] = s
	return s, true
}

// script keeps the text of a script that a value names, and returns the
// reference with the path of the file, relative to the files.
func (l *loader) script(n *node, ref string) string {
	name, function := scriptParts(ref)
	file, ok := l.resolve(name, l.dir, n)
	if !ok {
		return ref
	}
	switch path.Ext(file) {
	case ".js", ".cjs", ".mjs", ".py":
	default:
		l.errorAt(n, "unsupported", fmt.Sprintf("%q is no script that can be run", prompt.Clip(ref, 120)), "write a .js or .py file")
		return ref
	}
	if _, ok := l.sources[file]; !ok {
		data, ok := l.bytesOf(file, maxSuiteBytes, n)
		if !ok {
			return ref
		}
		l.sources[file] = string(data)
	}
	if function != "" {
		file += ":" + function
	}
	return fileScheme + file
}

// scriptParts parts file.js:function.
func scriptParts(ref string) (file, function string) {
	if i := strings.LastIndexByte(ref, ':'); i > len(fileScheme) {
		return ref[:i], ref[i+1:]
	}
	return ref, ""
}
