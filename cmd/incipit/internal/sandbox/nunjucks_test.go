package sandbox

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNunjucksIsTheOneThatIsLocked(t *testing.T) {
	text, err := os.ReadFile("nunjucks/lock.json")
	if err != nil {
		t.Fatal(err)
	}
	var lock struct {
		Version   string
		Integrity string
		Files     map[string]string
	}
	if err := json.Unmarshal(text, &lock); err != nil {
		t.Fatal(err)
	}
	if len(lock.Files) != 2 || !strings.HasPrefix(lock.Integrity, "sha512-") || !strings.Contains(nunjucksSource[:100], "nunjucks "+lock.Version) {
		t.Errorf("the lock is %+v", lock)
	}
	for name, want := range lock.Files {
		content, err := os.ReadFile("nunjucks/" + filepath.Base(name))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(content)
		if got := "sha256-" + base64.StdEncoding.EncodeToString(sum[:]); got != want {
			t.Errorf("%s is %s, locked is %s: run scripts/vendor-js", name, got, want)
		}
	}
}
