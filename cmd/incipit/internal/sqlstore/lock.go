package sqlstore

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/registry"
)

// lockName is the file that a server holds as long as it uses the directory.
const lockName = "server.lock"

// LockDir makes this process the one server of a directory, until the lock is
// closed or the process ends. It reports ErrConflict, with the process, while
// another one is.
//
// It keeps servers apart, not writers: SQLite's own locks do that, and
// "incipit rollback --local" works beside a server.
func LockDir(dir string) (io.Closer, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, lockName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	held, err := waitLock(f)
	if held {
		return nil, errors.Join(heldBy(f, dir), f.Close())
	}
	if err == nil {
		err = errors.Join(f.Truncate(0), writeAt(f, strconv.Itoa(os.Getpid())+"\n"))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	return f, nil
}

// waitLock takes the lock, or reports that another process holds it. One whose
// process is gone falls at once: a git that a killed server was about to start
// has it for a moment longer.
func waitLock(f *os.File) (held bool, err error) {
	for n := 1; ; n++ {
		if held, err = tryLock(f); !held || n == 50 || !gone(holder(f)) {
			return held, err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// holder is the process that took the lock last, as it wrote it down.
func holder(f *os.File) string {
	b := make([]byte, 20)
	n, _ := f.ReadAt(b, 0)
	return strings.TrimSpace(string(b[:n]))
}

func writeAt(f *os.File, text string) error {
	_, err := f.WriteAt([]byte(text), 0)
	return err
}

func heldBy(f *os.File, dir string) error {
	who := "another process"
	if pid := holder(f); pid != "" {
		who = "process " + pid
	}
	return registry.WithFix(registry.Errorf(registry.ErrConflict, "%s serves from %s already", who, dir),
		"stop it first, or give this server another --data; several servers need --database postgres://…")
}
