//go:build unix

package sqlstore

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/internal/registry"
)

func TestALockWhoseProcessIsGoneIsWaitedFor(t *testing.T) {
	dir := t.TempDir()
	held, err := LockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := LockDir(dir); !errors.Is(err, registry.ErrConflict) {
		t.Fatalf("a second server: %v", err)
	}
	// As if the one who wrote its number down was killed, and a child of it
	// had the file open still.
	const nobody = "99999999\n" // more than a process can have
	if err := os.WriteFile(filepath.Join(dir, lockName), []byte(nobody), 0o600); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(50*time.Millisecond, func() { held.Close() }) //nolint:errcheck // the lock tells
	again, err := LockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}
