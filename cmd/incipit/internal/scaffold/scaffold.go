// Package scaffold holds the files that `incipit init` and `incipit new` make,
// embedded in the binary, and fills in what differs from one use to the next.
//
// It returns values and never touches the disk: whoever writes the files
// decides what happens where one exists already. prompts/registry.json is not
// among them, because the registry is made by the code that owns its rules.
package scaffold

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"
)

// files needs "all:", since .gitattributes, .github and the metadata begin with a dot.
//
//go:embed all:files
var files embed.FS

const (
	workspaceRoot = "files/workspace"
	promptRoot    = "files/prompt"
)

// Input is what the templates need from the outside.
type Input struct {
	Now    time.Time // written as RFC 3339, UTC
	Author string    // "Name <mail>" or just a name, JSON-escaped where it lands in JSON
}

// File is one file to write.
type File struct {
	Path string // slash-separated and relative to the workspace
	Data []byte
}

// Workspace returns the files of a new workspace in the order they are
// written: sorted by path, so that .gitattributes stands before the prompts
// whose bytes it protects.
func Workspace(in Input) ([]File, error) {
	fill, err := in.replacer()
	if err != nil {
		return nil, err
	}
	var out []File
	err = fs.WalkDir(files, workspaceRoot, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := load(name, strings.TrimPrefix(name, workspaceRoot+"/"), fill)
		out = append(out, f)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Prompt returns the files of a new prompt with the given id (already
// validated, such as "billing/refunds"): three in its folder under dir, the
// workspace's prompts directory, and its suite tests/<id>.yaml.
//
// It reports an error if dir or id leads out of the workspace.
func Prompt(dir, id string, in Input) ([]File, error) {
	fill, err := in.replacer("@ID@", id, "@NAME@", displayName(id))
	if err != nil {
		return nil, err
	}
	targets := []struct{ template, path string }{
		{"system-prompt.txt", path.Join(dir, id, "system-prompt.txt")},
		{"user-prompt.txt", path.Join(dir, id, "user-prompt.txt")},
		{".prompt-metadata.json", path.Join(dir, id, ".prompt-metadata.json")},
		{"suite.yaml", path.Join("tests", id+".yaml")},
	}
	out := make([]File, 0, len(targets))
	for _, t := range targets {
		if !fs.ValidPath(t.path) {
			return nil, fmt.Errorf("prompt %q in %q: %w", id, dir, fs.ErrInvalid)
		}
		f, err := load(promptRoot+"/"+t.template, t.path, fill)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

func load(name, target string, fill *strings.Replacer) (File, error) {
	data, err := files.ReadFile(name)
	if err != nil {
		return File{}, err
	}
	return File{Path: target, Data: []byte(fill.Replace(string(data)))}, nil
}

// replacer fills in the tokens in one pass, so an author called @NOW@ stays
// one. @AUTHOR@ stands only between the quotes of a JSON string.
func (in Input) replacer(more ...string) (*strings.Replacer, error) {
	author, err := jsonText(in.Author)
	if err != nil {
		return nil, err
	}
	return strings.NewReplacer(append([]string{
		"@NOW@", in.Now.UTC().Format(time.RFC3339),
		"@AUTHOR@", author,
	}, more...)...), nil
}

// jsonText escapes s for use between the quotes of a JSON string. The angle
// brackets of a mail address stay readable, as nothing here is HTML.
func jsonText(s string) (string, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return "", err
	}
	quoted := strings.TrimSuffix(b.String(), "\n")
	return quoted[1 : len(quoted)-1], nil
}

// displayName makes "Billing refunds" of "billing/refunds". An id is ASCII.
func displayName(id string) string {
	words := strings.FieldsFunc(id, func(r rune) bool { return strings.ContainsRune("/-_.", r) })
	name := strings.Join(words, " ")
	if name == "" {
		return id
	}
	return strings.ToUpper(name[:1]) + name[1:]
}
