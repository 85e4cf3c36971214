package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/internal/registry"
)

// TestMain is also the server that a test kills: it clones, and does nothing
// else.
func TestMain(m *testing.M) {
	if dir := os.Getenv("GITREPO_TEST_CLONE"); dir != "" {
		url, err := ParseRemote(os.Getenv("GITREPO_TEST_URL"))
		if err == nil {
			_, err = Clone(context.Background(), Remote{URL: url}, dir)
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// A server is killed by kill -9 while it clones. The git that it started lives
// on and holds the lock, so nobody takes its half clone away from under it;
// when it is gone, the clone is made again.
func TestAServerKilledWhileItClonesLeavesNothingThatStays(t *testing.T) {
	up := upstream(t)
	url := "ssh://git@example.com" + up
	state := t.TempDir()
	half, stop := filepath.Join(state, "half"), filepath.Join(state, "stop")
	dir := filepath.Join(t.TempDir(), "data", "clone.git")
	ssh(t, "touch "+half+"\nwhile [ ! -e "+stop+" ]; do sleep 0.02; done\nexit 1")
	server := exec.Command(os.Args[0])
	server.Env = append(os.Environ(), "GITREPO_TEST_CLONE="+dir, "GITREPO_TEST_URL="+url)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, half)
	if err := server.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	server.Wait() //nolint:errcheck // it was killed
	if _, err := os.Stat(dir + ".partial"); err != nil {
		t.Fatal("there is no half clone")
	}
	rem := Remote{URL: mustParse(t, url), Timeout: 300 * time.Millisecond}
	if _, err := Clone(t.Context(), rem, dir); !errors.Is(err, registry.ErrUnavailable) {
		t.Errorf("while its git lives: %v", err)
	}
	if _, err := os.Stat(dir + ".partial"); err != nil {
		t.Error("the half clone was taken away from under it")
	}
	write(t, stop, "")
	ssh(t, `exec sh -c "$*"`)
	rem.Timeout = 0
	r, err := Clone(t.Context(), rem, dir)
	if err != nil {
		t.Fatal(err)
	}
	if refs(t, r.Dir) != refs(t, up) {
		t.Error("refs are missing")
	}
	if _, err := os.Stat(dir + ".partial"); err == nil {
		t.Error("the half clone is still there")
	}
}

// await waits for a file that another process makes.
func await(t *testing.T, name string) {
	t.Helper()
	for range 3000 {
		if _, err := os.Stat(name); err == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s never came", filepath.Base(name))
}
