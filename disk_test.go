//go:build unix

package incipit

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec" //nolint:depguard // a process must be killed
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func diskAt(t testing.TB, dir string) *diskCopy {
	t.Helper()
	return newDiskCopy(&Options{CacheDir: dir, Server: "http://incipit.test", Environment: "production", Logger: quiet()}, 1<<20)
}

func TestACopyOnDiskThatCannotBeTrustedIsIgnored(t *testing.T) {
	entries := map[prompt.ID]*registry.Entry{"support": runs(t, "1.0.0", text)}
	good := copyOf(t, "production", 7, time.Now(), entries)
	write := func(data []byte) func(*testing.T, string) {
		return func(t *testing.T, name string) {
			t.Helper()
			if err := os.WriteFile(name, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		name string
		make func(*testing.T, string)
		says string // "" for one that is used
	}{
		{"as it was written", write(good), ""},
		{"cut off", write(good[:len(good)-100]), "checksum"},
		{"empty", write(nil), "no copy"},
		{"one byte changed", write([]byte(strings.Replace(string(good), "friendly", "unfriend", 1))), "checksum"},
		{"of another environment", write(copyOf(t, "staging", 7, time.Now(), entries)), `environment "staging"`},
		{"of another format", write([]byte("incipit-copy/9 " + string(good))), "incipit-copy/9"},
		{"writable by everybody", func(t *testing.T, name string) {
			t.Helper()
			write(good)(t, name)
			if err := os.Chmod(name, 0o666); err != nil {
				t.Fatal(err)
			}
		}, "written by others"},
		{"writable by the group", func(t *testing.T, name string) {
			t.Helper()
			write(good)(t, name)
			if err := os.Chmod(name, 0o660); err != nil {
				t.Fatal(err)
			}
		}, "written by others"},
		{"a link", func(t *testing.T, name string) {
			t.Helper()
			write(good)(t, name+".real")
			if err := os.Symlink(name+".real", name); err != nil {
				t.Fatal(err)
			}
		}, "no plain file"},
		{"a pipe that nobody writes to", func(t *testing.T, name string) {
			t.Helper()
			if err := syscall.Mkfifo(name, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "no plain file"},
		{"a directory", func(t *testing.T, name string) {
			t.Helper()
			if err := os.Mkdir(name, 0o700); err != nil {
				t.Fatal(err)
			}
		}, "no plain file"},
		{"far too large", func(t *testing.T, name string) {
			t.Helper()
			write(good)(t, name)
			if err := os.Truncate(name, 1<<32); err != nil {
				t.Fatal(err)
			}
		}, "larger than"},
		{"none", func(*testing.T, string) {}, "no such file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := diskAt(t, t.TempDir())
			c.make(t, d.path)
			s, _, err := d.load("production")
			switch {
			case c.says == "" && (err != nil || s.Revision != 7):
				t.Errorf("got %v, %v", s, err)
			case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)):
				t.Errorf("got %v, want something about %q", err, c.says)
			}
		})
	}
}

func TestACopyOfAnotherOwnerIsIgnored(t *testing.T) {
	d := diskAt(t, t.TempDir())
	if err := d.save(snapshotAt(t, 1, 1, "1.0.0"), time.Now()); err != nil {
		t.Fatal(err)
	}
	fi, err := os.Stat(d.path)
	if err != nil {
		t.Fatal(err)
	}
	if !ownedByUs(fi) || ownedByUs(foreignFile{fi}) || ownedByUs(namelessFile{fi}) {
		t.Error("the owner is not told")
	}
	if os.Geteuid() != 0 {
		return // only root can give a file away
	}
	if err := os.Chown(d.path, 12345, -1); err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.load("production"); err == nil || !strings.Contains(err.Error(), "another user") {
		t.Errorf("got %v", err)
	}
}

type foreignFile struct{ fs.FileInfo }

func (f foreignFile) Sys() any {
	st := *f.FileInfo.Sys().(*syscall.Stat_t)
	st.Uid++
	return &st
}

type namelessFile struct{ fs.FileInfo }

func (namelessFile) Sys() any { return nil }

func TestABundleThatIsNewerThanTheCopyOnDiskIsServed(t *testing.T) {
	for _, c := range []struct {
		name   string
		rev    int64
		age    time.Duration
		source string
	}{
		{"a higher revision, made later", 9, time.Minute, fromBundle},
		{"a higher revision, made before: another count", 9, time.Hour, fromDisk},
		{"a lower revision, made later", 3, time.Minute, fromDisk},
	} {
		synctest.Test(t, func(t *testing.T) {
			s, _ := threeEvents(t)
			s.down()
			o := s.options()
			o.CacheDir = t.TempDir()
			entries := map[prompt.ID]*registry.Entry{"support": runs(t, "1.0.0", text)}
			d := newDiskCopy(&o, 1<<20)
			if err := d.save(&registry.Snapshot{Environment: "production", Generation: 1, Revision: 5, Prompts: entries}, time.Now().Add(-30*time.Minute)); err != nil {
				t.Fatal(err)
			}
			o.Bundle = copyOf(t, "production", c.rev, time.Now().Add(-c.age), entries)
			if p := ask(t, connect(t, o), "support"); p.Source != c.source {
				t.Errorf("%s: served from %s", c.name, p.Source)
			}
		})
	}
}

func TestNothingIsLeftOfKilledWriters(t *testing.T) {
	d := diskAt(t, t.TempDir())
	now := time.Now()
	for name, age := range map[string]time.Duration{d.path + ".1.tmp": 2 * time.Hour, d.path + ".2.tmp": time.Minute} {
		if err := errors.Join(os.WriteFile(name, nil, 0o600), os.Chtimes(name, now.Add(-age), now.Add(-age))); err != nil {
			t.Fatal(err)
		}
	}
	d.sweep(now)
	left, _ := filepath.Glob(d.path + "*")
	if len(left) != 1 || !strings.HasSuffix(left[0], ".2.tmp") {
		t.Errorf("left: %q; one may still be written", left)
	}
}

// killedWriter is set in the process that TestFaultAKilledWriterLeavesTheOldCopy
// kills.
const killedWriter = "INCIPIT_TEST_WRITER"

func TestFaultAKilledWriterLeavesTheOldCopy(t *testing.T) {
	if dir := os.Getenv(killedWriter); dir != "" {
		writeForEver(t, dir)
	}
	kills := 25
	if os.Getenv("INCIPIT_FAULTS") != "" { // make faults
		kills = 200
	}
	dir := t.TempDir()
	d := diskAt(t, dir)
	d.limit = 1 << 30
	last, torn := int64(0), 0
	for range kills {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFaultAKilledWriterLeavesTheOldCopy$")
		cmd.Env = append(os.Environ(), killedWriter+"="+dir, fmt.Sprintf("INCIPIT_TEST_FROM=%d", last))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for range 1 + rand.IntN(3) { // it is somewhere in the next write
			if !lines.Scan() {
				break
			}
			if _, err := fmt.Sscan(lines.Text(), &last); err != nil {
				t.Fatalf("the writer says %q", lines.Text())
			}
		}
		for range rand.IntN(1 << 18) { // a moment of it
			_ = kills
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		s, _, err := d.load("production")
		if err != nil || s.Revision < last {
			torn++
			t.Errorf("revision %d was written; after the kill: %v, %v", last, s, err)
			continue
		}
		last = s.Revision
	}
	t.Logf("%d kills, %d copies were not usable or older than what had been written; revision %d at the end", kills, torn, last)
}

// writeForEver writes one copy after the other, and says each when it is done.
func writeForEver(t *testing.T, dir string) {
	t.Helper()
	var from int64
	_, _ = fmt.Sscan(os.Getenv("INCIPIT_TEST_FROM"), &from)
	d := diskAt(t, dir)
	s := snapshotAt(t, 1, from, "1.0.0")
	for i := range 10 { // large enough for several writes
		s.Prompts[prompt.ID(fmt.Sprintf("p%d", i))] = runs(t, "1.0.0", strings.Repeat(text, 100))
	}
	for {
		s.Revision++
		if err := d.save(s, time.Now()); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(os.Stdout, s.Revision)
	}
}
