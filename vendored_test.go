package incipit

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"
)

// What other projects wrote and we keep a copy of is the version that is locked
// beside it, and its license lies with it.
func TestVendoredFilesAreTheOnesThatAreLocked(t *testing.T) {
	locks := 0
	err := fs.WalkDir(os.DirFS("."), "cmd", func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == "lock.json" {
			locks++
			checkLock(t, name)
		}
		return err
	})
	if err != nil || locks < 5 {
		t.Errorf("%d locks, %v", locks, err)
	}
}

func checkLock(t *testing.T, name string) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var lock struct {
		Package, Version, Integrity string
		Files                       map[string]string
	}
	if err := json.Unmarshal(text, &lock); err != nil {
		t.Fatal(name, err)
	}
	if lock.Package == "" || lock.Version == "" || !strings.HasPrefix(lock.Integrity, "sha512-") || lock.Files["LICENSE"] == "" || len(lock.Files) < 2 {
		t.Errorf("%s lacks something: %+v", name, lock)
	}
	for file, want := range lock.Files {
		content, err := os.ReadFile(path.Join(path.Dir(name), path.Base(file)))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(content)
		if got := "sha256-" + base64.StdEncoding.EncodeToString(sum[:]); got != want {
			t.Errorf("%s: %s is %s, locked is %s: run scripts/vendor-js", name, file, got, want)
		}
	}
}
