package sqlstore_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/registry"
)

func TestAFullVolumeRefusesChangesAndServesOn(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Skip("a small volume needs root: " + err.Error())
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	db := storetest.SQLite(t)
	db.Config.Dir = filepath.Join(dir, "data")
	s, ctx := db.Open(t), t.Context()
	environments(t, s, "dev")
	deploy(t, s, "dev", "support", "1.0.0")
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, bytes.Repeat([]byte{1}, 2<<20), 0o600); err == nil {
		t.Fatal("the volume is larger than it should be")
	}
	var err error
	recorded := 1
	for range 1000 {
		if _, err = s.Change(ctx, "support", "dev", registry.Once{}, next("1.0.0", strings.Repeat("x", 2000))); err != nil {
			break
		}
		recorded++
	}
	refused(t, err, "has no space left", "make space")
	refused(t, s.Probe(ctx), "has no space left", "make space")
	if now, err := s.Running(ctx, "dev"); err != nil || int(now.Revision) != recorded {
		t.Errorf("%+v, %v", now.Revision, err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if err := s.Probe(ctx); err != nil {
		t.Errorf("with space again: %v", err)
	}
	deploy(t, s, "dev", "support", "1.0.0")
	if now, err := db.Open(t).Running(ctx, "dev"); err != nil || int(now.Revision) != recorded+1 {
		t.Errorf("%+v, %v", now.Revision, err)
	}
}
