// Package importer reads the prompts of other tools and makes of each a prompt
// with its metadata and suite, one version at a time. It also writes a prompt
// of ours in those formats.
//
// It returns values and never touches the work tree; what it reads it is
// handed as an fs.FS, and it opens only what was named, or what that names
// beside it. Nothing of what it reads is run.
package importer

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A Kind is a format of another tool.
type Kind string

// The kinds.
const (
	Promptfoo Kind = "promptfoo" // promptfooconfig.yaml
	GitHub    Kind = "github"    // *.prompt.yml, of GitHub Models
	Dotprompt Kind = "dotprompt" // *.prompt, of Genkit and Firebase
	Prompty   Kind = "prompty"   // *.prompty
	OpenAI    Kind = "openai"    // a prompt object, or a list of versions, as JSON
	Evals     Kind = "evals"     // samples of OpenAI evals, *.jsonl
)

// Kinds are those that can be read. All but Evals can be written, too.
func Kinds() []Kind { return []Kind{Promptfoo, GitHub, Dotprompt, Prompty, OpenAI, Evals} }

// ParseKind reads the name of a kind.
func ParseKind(s string) (Kind, error) {
	if k := Kind(s); slices.Contains(Kinds(), k) {
		return k, nil
	}
	return "", registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%q is no format that can be read", prompt.Clip(s, 40)),
		"formats are promptfoo, github, dotprompt, prompty, openai and evals")
}

// Detect tells a file's kind by its name, where the name leaves no doubt.
func Detect(name string) (Kind, bool) {
	base := strings.ToLower(path.Base(name))
	switch {
	case strings.HasPrefix(base, "promptfooconfig.") && (strings.HasSuffix(base, ".yaml") || strings.HasSuffix(base, ".yml") || strings.HasSuffix(base, ".json")):
		return Promptfoo, true
	case strings.HasSuffix(base, ".prompt.yml"), strings.HasSuffix(base, ".prompt.yaml"):
		return GitHub, true
	case strings.HasSuffix(base, ".prompt"):
		return Dotprompt, true
	case strings.HasSuffix(base, ".prompty"):
		return Prompty, true
	case strings.HasSuffix(base, ".jsonl"):
		return Evals, true
	}
	return "", false
}

// Limits of what is read.
const (
	MaxFileBytes = 1 << 20
	maxDepth     = 32      // of mappings and lists in one another
	maxNodes     = 200_000 // of a document, aliases written out
	maxLines     = 100_000 // of a file of samples
	maxVersions  = 1000    // of a file
	maxFiles     = 100     // that a file names
	maxBytes     = 8 << 20 // of those together, and of all suites of a file
)

// Options say what the source leaves open.
type Options struct {
	ID       string // of the prompt; "" takes it from the file's name, and a list of prompts counts on from it
	Fallback string // the name to take an id from where the file has a name of its kind alone: promptfooconfig.yaml
	Model    string // where the source names none
	System   string // the system message of a prompt that has none
	Match    string // of samples: starts-with (as in evals), equals or contains; "" is starts-with
}

// A Prompt is a prompt of the source, the oldest version first.
type Prompt struct {
	ID       prompt.ID
	Versions []Version
}

// A Version is one state of a prompt, in our syntax.
type Version struct {
	Number string // a semantic version, if the source counts in them, else ""
	Label  string // which one it is, for people: "version 3", "commit 1a2b3c4d5e6f"; "" if there is one alone

	File    string // it was read from
	Line    int    // where it begins
	Subject string // what changed, if the source says so
	Author  string
	At      time.Time // when it was made, if that is known

	Name, Description, Model string
	Tags                     []string

	Messages     []prompt.Message
	Variables    map[string]prompt.Variable
	Parameters   map[string]any
	Tools        []any
	OutputSchema map[string]any

	Suite  []byte // tests/<id>.yaml; nil if the source has no tests
	Extras []File // that the suite names, by paths from the suite's directory
	Notes  []Note
}

// A File is one that the import writes.
type File struct {
	Path string // with slashes
	Data []byte
}

// A Note is something that a person should look at: what could not be taken
// over, or was decided for them.
type Note struct {
	File string `json:"file"`
	Line int    `json:"line,omitempty"`
	Text string `json:"text"`
}

func (n Note) String() string { return fmt.Sprintf("%s:%d: %s", n.File, max(n.Line, 1), n.Text) }

// Read reads the file name of fsys. Its errors wrap prompt.ErrInvalid where the
// file is at fault, and name file and line.
func Read(kind Kind, fsys fs.FS, name string, opts Options) ([]Prompt, error) {
	if opts.ID != "" {
		if err := ownID(opts.ID); err != nil {
			return nil, err
		}
	}
	data, err := readFile(fsys, name)
	if err != nil {
		return nil, err
	}
	r := reader{fsys: fsys, file: name, data: data, opts: opts}
	return r.read(kind)
}

// read reads the file as what it is said to be.
func (r *reader) read(kind Kind) ([]Prompt, error) {
	switch kind {
	case Promptfoo:
		return r.promptfoo()
	case GitHub:
		return r.one(r.github)
	case Dotprompt:
		return r.one(r.dotprompt)
	case Prompty:
		return r.one(r.prompty)
	case OpenAI:
		return r.openAI()
	case Evals:
		return r.one(r.evals)
	}
	_, err := ParseKind(string(kind))
	return nil, err
}

func ownID(s string) error {
	id, err := prompt.ParseID(s)
	if err != nil {
		return err
	}
	if _, shared := id.Shared(); shared {
		return registry.Errorf(prompt.ErrInvalid, "%s names an included text, and a prompt is imported", id)
	}
	return nil
}

// A reader reads one file.
type reader struct {
	fsys fs.FS
	file string
	data []byte
	opts Options

	opened map[string][]byte // files that the file names
	bytes  int               // of them
}

// one is what a file of a single prompt comes to.
func (r *reader) one(read func() (Version, error)) ([]Prompt, error) {
	v, err := read()
	if err != nil {
		return nil, err
	}
	id, err := r.id("")
	if err != nil {
		return nil, err
	}
	if err := r.finish(&v, id); err != nil {
		return nil, err
	}
	return []Prompt{{id, []Version{v}}}, nil
}

// id is the prompt's id: the one that was asked for, or one made of the file's
// name. suffix tells the prompts of one file apart.
func (r *reader) id(suffix string) (prompt.ID, error) {
	id := r.opts.ID
	if id == "" {
		id = slug(stem(r.file))
		if kind, ok := Detect(r.file); (ok && kind == Promptfoo || id == "") && r.opts.Fallback != "" {
			id = slug(r.opts.Fallback)
		}
	}
	if s := slug(suffix); s != "" {
		id += "-" + s
	}
	if len(id) > 64 && r.opts.ID == "" {
		id = strings.Trim(id[:64], "-")
	}
	if id == "" {
		return "", registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%s has no name that a prompt's id could be made of", prompt.Clip(r.file, 80)), "give --id ID")
	}
	return prompt.ParseID(id)
}

// stem is a file's name without the endings that tell its kind.
func stem(name string) string {
	base := path.Base(name)
	for _, end := range []string{".prompt.yml", ".prompt.yaml", ".prompty", ".prompt", ".jsonl", ".json", ".yaml", ".yml"} {
		if s, ok := strings.CutSuffix(strings.ToLower(base), end); ok {
			return base[:len(s)]
		}
	}
	return base
}

// slug makes "summarize-text" of "Summarize Text!".
func slug(s string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(s) {
		if b.Len() == 64 {
			break
		}
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			b.WriteRune(r)
		} else if b.Len() > 0 && !strings.HasSuffix(b.String(), "-") {
			b.WriteByte('-')
		}
	}
	return strings.Trim(b.String(), "-")
}

// readFile reads a plain file of at most MaxFileBytes.
func readFile(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, MaxFileBytes+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if len(data) > MaxFileBytes {
		return nil, registry.Errorf(prompt.ErrInvalid, "%s is larger than %d bytes", prompt.Clip(name, 120), MaxFileBytes)
	}
	return data, nil
}

// fail is an error about a line of a file.
func fail(file string, line int, format string, args ...any) error {
	return registry.Errorf(prompt.ErrInvalid, "%s:%d: %s", prompt.Clip(file, 200), max(line, 1), fmt.Sprintf(format, args...))
}
