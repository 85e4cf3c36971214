package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/incipit-dev/incipit/internal/registry"
)

// smallDisk mounts a file system of a few MB. ok is false where this user may
// not mount one.
func (f *fault) smallDisk(size string) (dir string, ok bool) {
	f.Helper()
	dir = sqliteAtHand(f).dir
	if err := os.Mkdir(dir, 0o755); err != nil {
		f.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+size, "none", dir).CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" && os.Getuid() == 0 {
			f.Fatalf("no small disk can be mounted: %v\n%s", err, out)
		}
		f.Logf("only simulated, since this user may not mount a disk: %s", out)
		return "", false
	}
	f.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			f.Error(err)
		}
	})
	return dir, true
}

// refusedWrites lets the writers write until a change is refused for a reason that
// the words tell, with something to try.
func (l *ledger) refusedWrites(v *serving, ws []*writer, words string) {
	l.Helper()
	l.forget()
	var told error
	l.during(ws, v.everyone(), func() {
		l.until("a change is refused", func() bool { told = l.lastRefusal(); return told != nil || l.Failed() })
	})
	fix, ok := errors.AsType[*registry.FixError](told)
	if !ok || fix.Fix == "" || !strings.Contains(told.Error(), words) {
		l.Errorf("a change was refused with %q, want %q and what to try", told, words)
	}
	if status := v.get("/healthz"); status != http.StatusOK {
		l.Errorf("the server is not alive: %d", status)
	}
	if l.full != "" {
		v.red()
	}
}

// red waits until the server says that it is not ready: its probe finds out
// within 5 s.
func (v *serving) red() {
	v.Helper()
	v.until("the server says that it is not ready", func() bool { return v.get("/readyz") == http.StatusServiceUnavailable })
}

// fullDatabase fills the disk under the server. Reads go on, changes are
// refused, and once there is space, all goes on without a restart.
func fullDatabase(f *fault) {
	dir, ok := f.smallDisk("12m")
	if !ok || f.full != "" {
		f.injectedFault("pwrite64", "error=ENOSPC:when=%d+", "space")
	}
	if !ok {
		return
	}
	v := f.serving(&database{dir: filepath.Join(dir, "data")}).start()
	l := f.ledger()
	ws := l.four()
	l.open(ws, v)
	p := v.probing()
	filler := filepath.Join(dir, "filler")
	for range f.times(1, 6) {
		f.Runs++
		out, err := os.Create(filler)
		if err != nil {
			f.Fatal(err)
		}
		for chunk := make([]byte, 4096); err == nil; {
			_, err = out.Write(chunk)
		}
		out.Close() //nolint:errcheck // the disk is full
		if !errors.Is(err, syscall.ENOSPC) {
			f.Fatal(err)
		}
		l.refusedWrites(v, ws, "has no space left")
		v.red()
		f.Hit++
		if err := os.Remove(filler); err != nil {
			f.Fatal(err)
		}
		l.during(ws, v.everyone(), func() { l.more(10) })
	}
	v.ready()
	p.end()
	l.settle(ws, v.url())
	l.hold(v)
	l.audit(v)
}

// injectedFault starts a server whose system calls fail after a while, and lets
// it meet four writers; and then one whose calls do not.
func (f *fault) injectedFault(calls, how, words string) {
	f.Helper()
	f.Runs++
	v := f.serving(sqliteAtHand(f)).start()
	l := f.ledger()
	ws := l.four()
	l.during(ws, v.everyone(), func() { l.more(5) })
	if status := v.terminate(); status != 0 {
		f.Fatalf("the server ended with %d\n%s", status, v.said())
	}
	listens := false
	for n := 4; !listens; n *= 2 { // its start makes some calls, too; each thread is counted by itself
		if n > 1000 {
			f.Fatal("the server never came to listen")
		}
		listens = v.launch("strace", "-f", "-qq", "-o", os.DevNull, "-e", "signal=none", "-e", "trace="+calls, "-e", "inject="+calls+":"+fmt.Sprintf(how, n))
		if !listens {
			v.killAll()
		}
	}
	l.refusedWrites(v, ws, words)
	f.Hit++
	acked := l.acked()
	if calls == "fsync,fdatasync" {
		// What failed once is not tried again: the next sync could say that all
		// is well although it is not.
		for _, w := range ws {
			w.once(f.Context(), v.client(func() string { return w.pending.key }))
		}
		if n := l.acked() - acked; n > 0 {
			f.Errorf("%d changes were acknowledged after a sync had failed", n)
		}
	}
	if v.get("/v1/environments/"+servedIn+"/snapshot") != http.StatusOK {
		f.Error("there is no snapshot any more")
	}
	v.killAll()
	v.start()
	l.hold(v)
	l.settle(ws, v.url())
	l.hold(v)
	l.audit(v)
}

// failingDatabaseSync lets syncs of the database fail.
func failingDatabaseSync(f *fault) {
	f.injectedFault("fsync,fdatasync", "error=EIO:when=%d", "could not be brought to disk")
	if f.full != "" {
		for range 3 {
			f.injectedFault("fsync,fdatasync", "error=EIO:when=%d+", "could not be brought to disk")
		}
	}
}

// readOnlyDatabase takes away the right to write: of a file, of a disk, of a
// database.
func readOnlyDatabase(f *fault) {
	f.injectedFault("pwrite64", "error=EROFS:when=%d+", "cannot be")
	if dir, ok := f.smallDisk("12m"); ok {
		f.Runs++
		v := f.serving(&database{dir: filepath.Join(dir, "data")}).start()
		if status := v.terminate(); status != 0 {
			f.Fatalf("the server ended with %d", status)
		}
		remount(f, dir, "ro")
		if v.launch() || v.status <= 0 || !strings.Contains(v.said(), "read-only") {
			f.Errorf("on a disk that cannot be written: exit status %d\n%s", v.status, v.said())
		}
		remount(f, dir, "rw")
		v.start()
		v.killAll()
		f.Hit++
	}
	pg, db := f.ownPostgres()
	f.Runs++
	v := f.serving(db).start()
	l := f.ledger()
	ws := l.four()
	l.open(ws, v)
	p := v.probing()
	readOnly := func(to string) {
		f.Helper()
		if err := pg.Command(`ALTER DATABASE served SET default_transaction_read_only = ` + to); err != nil {
			f.Fatal(err)
		}
		if err := pg.Restart(); err != nil { // the connections that there are keep what they had
			f.Fatal(err)
		}
	}
	readOnly("on")
	l.refusedWrites(v, ws, "cannot be written")
	f.Hit++
	readOnly("off")
	l.during(ws, v.everyone(), func() { l.more(10) })
	p.end()
	l.settle(ws, v.url())
	l.hold(v)
	l.audit(v)
}

func remount(f *fault, dir, how string) {
	f.Helper()
	if out, err := exec.Command("mount", "-o", "remount,"+how, dir).CombinedOutput(); err != nil {
		f.Fatalf("%v\n%s", err, out)
	}
}

// replacedDatabase takes the file away under the server, brings it back, and
// puts a copy in its place. What nobody would find again is not acknowledged.
func replacedDatabase(f *fault) {
	v := f.serving(sqliteAtHand(f)).start()
	l := f.ledger()
	ws := l.four()
	l.open(ws, v)
	p := v.probing()
	move := func(from, to string) {
		f.Helper()
		if err := os.Rename(from, to); err != nil {
			f.Fatal(err)
		}
	}
	away := v.db.file() + ".away"
	for range f.times(1, 4) {
		f.Runs, f.Hit = f.Runs+1, f.Hit+1
		move(v.db.file(), away)
		l.refusedWrites(v, ws, "was moved, deleted or replaced")
		v.red()
		move(away, v.db.file())
		l.during(ws, v.everyone(), func() { l.more(5) })
	}
	f.Runs, f.Hit = f.Runs+1, f.Hit+1
	l.settle(ws, v.url())
	l.hold(v)
	if out, err := exec.Command("cp", "-a", v.db.file(), away).CombinedOutput(); err != nil {
		f.Fatalf("%v\n%s", err, out)
	}
	move(away, v.db.file())
	l.refusedWrites(v, ws, "was moved, deleted or replaced")
	p.end()
	v.killAll()
	v.start() // on the one that is there
	l.hold(v)
	l.settle(ws, v.url())
	l.hold(v)
	l.audit(v)
}
