package gitrepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/lockedfile"
)

// ErrLocked means that another incipit is changing this repository.
var ErrLocked = errors.New("another incipit is at work here")

// A Lock is held while a repository is changed. The children that git runs
// inherit it: if we are killed, it falls only when the last of them is gone.
type Lock struct {
	repo *Repo
	file *lockedfile.File
}

// Acquire takes the repository's lock, which all its work trees share. It
// reports ErrLocked if it is not free before wait is over.
func (r *Repo) Acquire(ctx context.Context, wait time.Duration) (*Lock, error) {
	dir := r.StateDir()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	name := filepath.Join(dir, "lock")
	done := make(chan lockResult, 1)
	go func() { // waits in the kernel; ends when the lock is free or we are gone
		f, err := lockedfile.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
		done <- lockResult{f, err}
	}()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case got := <-done:
		if got.err != nil {
			return nil, got.err
		}
		l := &Lock{r, got.file}
		r.lock = l
		return l, l.sign()
	case <-ctx.Done():
		go abandon(done)
		return nil, context.Cause(ctx)
	case <-timer.C:
		go abandon(done)
		return nil, fmt.Errorf("%w (process %s, for more than %s); wait for it, or end it", ErrLocked, r.lockHolder(name), wait)
	}
}

type lockResult struct {
	file *lockedfile.File
	err  error
}

// abandon gives back a lock that came after nobody waited for it any more.
func abandon(done <-chan lockResult) {
	if late := <-done; late.err == nil {
		late.file.Close() //nolint:errcheck // nothing was written to it
	}
}

// sign leaves the process id for whoever waits. It is a courtesy: the lock is
// the kernel's.
func (l *Lock) sign() error {
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	_, err := l.file.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	return err
}

// lockHolder is the process that took the lock or, where that was killed, the
// git it left running.
func (r *Repo) lockHolder(name string) string {
	f, err := os.Open(name)
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	b, _ := io.ReadAll(io.LimitReader(f, 20))
	pid := strings.TrimSpace(string(b))
	if _, err := os.Stat("/proc/" + pid); pid == "" || err != nil {
		if git, ok := r.GitProcess(); ok {
			return git + ", a git that a killed incipit left running"
		}
	}
	if pid == "" {
		return "unknown"
	}
	return pid
}

// Release gives the lock back.
func (l *Lock) Release() error {
	l.repo.lock = nil
	return l.file.Close()
}

// StateDir is where Incipit keeps the lock, shared by all work trees. Git
// ignores it.
func (r *Repo) StateDir() string { return filepath.Join(r.CommonDir, "incipit") }

// A LockFile is a lock that git left behind or holds.
type LockFile struct {
	Path  string
	Since time.Time
}

// LockFiles lists the locks that git takes to commit and to tag: those of the
// index, of HEAD and its branch, and of the given refs, or of all refs if none
// is given.
func (r *Repo) LockFiles(refs ...string) []LockFile {
	var found []LockFile
	add := func(path string) {
		if fi, err := os.Lstat(path); err == nil && fi.Mode().IsRegular() {
			found = append(found, LockFile{path, fi.ModTime()})
		}
	}
	for _, name := range []string{"index.lock", "HEAD.lock"} {
		add(filepath.Join(r.GitDir, name))
	}
	add(filepath.Join(r.CommonDir, "packed-refs.lock"))
	if len(refs) > 0 {
		if head, err := os.ReadFile(filepath.Join(r.GitDir, "HEAD")); err == nil {
			refs = append(refs, strings.TrimSpace(strings.TrimPrefix(string(head), "ref: ")))
		}
		for _, ref := range refs {
			add(filepath.Join(r.CommonDir, filepath.FromSlash(ref)+".lock"))
		}
	}
	for _, kind := range []string{"heads", "tags"} {
		if len(refs) > 0 {
			break // a repository may have ten thousand of them
		}
		//nolint:errcheck // what cannot be read cannot be removed either
		filepath.WalkDir(filepath.Join(r.CommonDir, "refs", kind), func(path string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() && strings.HasSuffix(path, ".lock") {
				add(path)
			}
			return nil
		})
	}
	partial, _ := filepath.Glob(filepath.Join(r.GitDir, "next-index-*.lock"))
	for _, p := range partial {
		add(p)
	}
	return found
}

// GitProcess returns the id of a git process that may hold a lock of this
// repository, and false if there is none or the system does not tell.
func (r *Repo) GitProcess() (pid string, ok bool) {
	places := r.places()
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, d := range dirs {
		comm, err := os.ReadFile(filepath.Join(d, "comm"))
		if err != nil || !strings.HasPrefix(string(comm), "git") {
			continue
		}
		args, err := os.ReadFile(filepath.Join(d, "cmdline"))
		if err != nil || bytes.Contains(args, []byte("\x00cat-file\x00")) {
			continue // reads alone, and is most likely our own
		}
		cwd, err := os.Readlink(filepath.Join(d, "cwd"))
		if err == nil && slices.ContainsFunc(places, func(p string) bool { return inside(cwd, p) }) {
			return filepath.Base(d), true
		}
	}
	return "", false
}

// places are the directories in which git works on this repository: the git
// directories, and all its work trees, which share locks.
func (r *Repo) places() []string {
	out := []string{r.Top, r.GitDir, r.CommonDir, filepath.Dir(r.CommonDir)}
	if r.Bare {
		out = out[:3] // what lies beside a bare repository is none of its work trees
	}
	links, _ := filepath.Glob(filepath.Join(r.CommonDir, "worktrees", "*", "gitdir"))
	for _, l := range links {
		if b, err := os.ReadFile(l); err == nil {
			out = append(out, filepath.Dir(strings.TrimSpace(string(b))))
		}
	}
	for i, p := range out {
		if real, err := filepath.EvalSymlinks(p); err == nil {
			out[i] = real
		}
	}
	return out
}

func inside(path, dir string) bool {
	return dir != "" && (path == dir || strings.HasPrefix(path, dir+string(filepath.Separator)))
}
