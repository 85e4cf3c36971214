package examples_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What a fragment of the documentation may use without declaring it.
const prelude = `
var (
	_ = context.Background
	_ = errors.Is
	_ = fmt.Println
	_ = regexp.MustCompile
	_ = slog.Info
	_ = time.Now
	_ = incipit.New
)

type reply struct {
	ID           string
	OutputTokens int64
}
`

const imports = `
import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/incipit-dev/incipit"
)
`

const surroundings = `ctx context.Context, client *incipit.Client, p incipit.Prompt, call incipit.Call, key, user, question string, complete func(context.Context, incipit.Prompt) (reply, error)`

// whole makes a file of a block of the documentation: a program as it is,
// declarations with the imports they need, statements in a function.
func whole(block string) (string, error) {
	if strings.HasPrefix(block, "package ") {
		return block, nil
	}
	if regexp.MustCompile(`^(//go:|func |var |type )`).MatchString(block) {
		return "package doc\n" + imports + prelude + block, nil
	}
	head := "package doc\n" + imports + prelude + "func _(" + surroundings + ") error {\n{\n"
	parsed, err := parser.ParseFile(token.NewFileSet(), "", head+block+"\n}\nreturn nil\n}\n", parser.SkipObjectResolution)
	if err != nil {
		return "", err
	}
	// What a fragment declares and leaves to the reader is used.
	used := ""
	f, ok := parsed.Decls[len(parsed.Decls)-1].(*ast.FuncDecl)
	if !ok {
		return "", errors.New("the fragment is no list of statements")
	}
	outer, ok := f.Body.List[0].(*ast.BlockStmt)
	if !ok {
		return "", errors.New("the fragment is no list of statements")
	}
	for _, s := range outer.List {
		if a, ok := s.(*ast.AssignStmt); ok && a.Tok == token.DEFINE {
			for _, l := range a.Lhs {
				if id, ok := l.(*ast.Ident); ok {
					used += "_ = " + id.Name + "\n"
				}
			}
		}
	}
	return head + block + "\n" + used + "}\nreturn nil\n}\n", nil
}

// TestTheGoCodeInTheDocumentationWorks makes a module of its blocks, as a
// reader would, vets it, and runs the tests among them.
func TestTheGoCodeInTheDocumentationWorks(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	blocks := 0
	for _, doc := range []string{"../docs/sdk.md", "README.md", "chat-http/README.md", "worker/README.md"} {
		text := read(t, doc)
		for i, m := range regexp.MustCompile("(?ms)^```go\n(.*?)^```").FindAllStringSubmatch(text, -1) {
			blocks++
			file, err := whole(m[1])
			if err != nil {
				t.Errorf("%s, block %d: %v", doc, i+1, err)
				continue
			}
			pkg := fmt.Sprintf("%s%d", strings.ToLower(strings.TrimSuffix(filepath.Base(doc), ".md")), i+1)
			kind := "/doc.go"
			if strings.Contains(file, `"testing"`) {
				kind = "/doc_test.go"
			}
			write(pkg+kind, file)
			write(pkg+"/prompts.bundle", "")
		}
	}
	if blocks < 8 {
		t.Fatalf("only %d blocks of Go were found", blocks)
	}
	module := regexp.MustCompile(`(?m)^module .*$`).ReplaceAllString(read(t, "../go.mod"), "module doc")
	write("go.mod", module+"\nrequire github.com/incipit-dev/incipit v0.0.0\nreplace github.com/incipit-dev/incipit => "+root+"\n")
	write("go.sum", read(t, "../go.sum"))
	for _, command := range []string{"vet", "test"} {
		run := exec.CommandContext(t.Context(), "go", command, "./...")
		run.Dir, run.Env = dir, append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")
		if out, err := run.CombinedOutput(); err != nil {
			t.Errorf("go %s: %v\n%s", command, err, out)
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
