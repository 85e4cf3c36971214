package cli

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func TestAnInputThatWasKeptIsShown(t *testing.T) {
	released := []prompt.Message{{Role: "user", Content: "Hello {{name}}"}}
	for _, tt := range []struct {
		name     string
		input    string
		rendered []prompt.Message
		want     []string
		not      string
	}{
		{"none", "", nil, []string{"was not kept", "Hello {{name}}"}, "input"},
		{"the values", `{"name":"Ann"}`, []prompt.Message{{Role: "user", Content: "Hello Ann"}}, []string{"as they were sent", "Hello Ann"}, "{{name}}"},
		{"something else", `[{"role":"user","parts":[]}]`, nil, []string{"does not tell what stood for the variables", "Hello {{name}}", `[{"role":"user","parts":[]}]`}, "was not kept"},
	} {
		var b bytes.Buffer
		tr := registry.Trace{Messages: released, Rendered: tt.rendered}
		tr.Call.Input = tt.input
		printSent(&b, &tr, false)
		for _, want := range tt.want {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%s: no %q in\n%s", tt.name, want, &b)
			}
		}
		if strings.Contains(b.String(), tt.not) {
			t.Errorf("%s: %q in\n%s", tt.name, tt.not, &b)
		}
	}
}

func TestAnExportIsForItsOwner(t *testing.T) {
	name := filepath.Join(t.TempDir(), "calls.ndjson")
	write := func(w io.Writer) error {
		_, err := io.WriteString(w, "{}\n")
		return err
	}
	if n, err := intoFile(name, write); err != nil || n != 3 {
		t.Fatal(n, err)
	}
	if st, err := os.Stat(name); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	if _, err := intoFile(filepath.Dir(name), write); err == nil || strings.Contains(err.Error(), ".incipit-") {
		t.Errorf("into a directory: %v", err)
	}
}
