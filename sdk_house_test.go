package incipit

import (
	"bytes"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// What the package for applications may import. It is written down so that
// making it longer is a decision.
func TestTheSDKImportsAShortList(t *testing.T) {
	allowed := []string{
		"bufio", "bytes", "cmp", "compress/gzip", "context", "crypto/rand", "crypto/sha256", "encoding/hex", "encoding/json", "errors", "fmt", "io", "io/fs",
		"log/slog", "maps", "math", "math/rand/v2", "mime", "net", "net/http", "net/url", "os", "path", "path/filepath", "reflect", "slices",
		"strconv", "strings", "sync", "sync/atomic", "syscall", "time", "unicode", "unicode/utf8",
		module + "/internal/prompt", module + "/internal/registry", module + "/internal/strictjson",
	}
	used := make(map[string]bool)
	for _, f := range house(t) {
		if path.Dir(f.path) != "." || f.isTest() {
			continue
		}
		for _, p := range f.imports {
			used[p] = true
			switch {
			case !slices.Contains(allowed, p):
				t.Errorf("%s imports %s", f.path, p)
			case p == "syscall" && !strings.HasSuffix(f.path, "_unix.go"):
				t.Errorf("%s imports %s, which is not the same everywhere", f.path, p)
			case (p == "crypto/rand" || p == "math/rand/v2") && f.path != "clock.go":
				t.Errorf("%s imports %s: randomness comes from clock.go", f.path, p)
			}
		}
	}
	for _, p := range allowed {
		if !used[p] {
			t.Errorf("nothing imports %s any more: take it off the list", p)
		}
	}
}

// The examples' bundle is written by the code that reads it.
func TestTheBundleOfTheExamplesIsWhatIsWrittenNow(t *testing.T) {
	want := copyOf(t, "production", 12, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), map[prompt.ID]*registry.Entry{"customer-support": runs(t, "1.4.0", text)})
	name := filepath.Join("testdata", "sdk", "production.bundle")
	if *update {
		if err := os.WriteFile(name, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s: %v; write it anew with -update", name, err)
	}
}
