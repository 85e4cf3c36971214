package incipit

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	module = "github.com/incipit-dev/incipit"
	semver = "github.com/Masterminds/semver/v3"
)

// A sourceFile is a Go file of the repository and what it imports.
type sourceFile struct {
	path    string // with slashes, from the root
	imports []string
}

func (f sourceFile) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }

// inProgram reports whether the file belongs to the heavy half.
func (f sourceFile) inProgram() bool { return strings.HasPrefix(f.path, "cmd/") }

// house reads the imports of every Go file, except where the go command does
// not look either.
func house(t *testing.T) []sourceFile {
	t.Helper()
	var files []sourceFile
	root := os.DirFS(".")
	err := fs.WalkDir(root, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if base := path.Base(name); e.IsDir() && name != "." && (base == "testdata" || base[0] == '.' || base[0] == '_' || name == "examples") {
			return fs.SkipDir // examples is a module of its own, with the clients of providers
		}
		if e.IsDir() || path.Ext(name) != ".go" {
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ImportsOnly)
		if err != nil {
			return err
		}
		f := sourceFile{path: name}
		for _, spec := range parsed.Imports {
			p, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			f.imports = append(f.imports, p)
		}
		files = append(files, f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 30 {
		t.Fatalf("only %d Go files: the test looks in the wrong place", len(files))
	}
	return files
}

// standard reports whether the standard library has the package: its paths
// have no dot in their first element.
func standard(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".")
}

func TestTheLightHalfImportsTheStandardLibraryAndSemver(t *testing.T) {
	for _, f := range house(t) {
		if f.inProgram() {
			continue
		}
		for _, p := range f.imports {
			if !standard(p) && p != semver && p != module && !strings.HasPrefix(p, module+"/internal/") {
				t.Errorf("%s imports %s", f.path, p)
			}
		}
	}
}

func TestTheLightHalfHasNoDiskNoNetworkNoProcess(t *testing.T) {
	world := []string{"os", "os/exec", "os/signal", "net", "net/http", "database/sql", "syscall", "plugin", "unsafe", "C"}
	for _, f := range house(t) {
		if !strings.HasPrefix(f.path, "internal/") || f.isTest() {
			continue
		}
		for _, p := range f.imports {
			for _, w := range world {
				if p == w {
					t.Errorf("%s imports %s", f.path, p)
				}
			}
		}
	}
}

func TestTheRootModuleDoesNotKnowTheProgram(t *testing.T) {
	for _, f := range house(t) {
		if f.inProgram() {
			continue
		}
		for _, p := range f.imports {
			if strings.HasPrefix(p, module+"/cmd") {
				t.Errorf("%s imports %s", f.path, p)
			}
		}
	}
}

func TestProcessesAreStartedBehindFewDoors(t *testing.T) {
	doors := []string{
		"gitrepo",            // git
		"provider",           // exec: providers, where the command line allows them
		"sandbox",            // the code of suites
		"sqlstore/storetest", // the PostgreSQL that tests run against
		"scripts/compat",     // promptfoo, to record its verdicts
	}
	for _, f := range house(t) {
		room := strings.TrimPrefix(path.Dir(f.path), "cmd/incipit/internal/")
		if f.isTest() || slices.Contains(doors, room) {
			continue
		}
		for _, p := range f.imports {
			if p == "os/exec" {
				t.Errorf("%s imports os/exec", f.path)
			}
		}
	}
}

func TestTheRootModuleHasOneDependency(t *testing.T) {
	text, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	var required []string
	block := false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "require (":
			block = true
		case line == ")":
			block = false
		case block && line != "":
			required = append(required, line)
		case strings.HasPrefix(line, "require "):
			required = append(required, strings.TrimPrefix(line, "require "))
		case strings.HasPrefix(line, "replace "):
			t.Errorf("who imports the module does not get: %s", line)
		}
	}
	if len(required) != 1 || !strings.HasPrefix(required[0], semver+" ") {
		t.Errorf("the module requires %q, want %s alone", required, semver)
	}
}
