package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// state is what a refused command must leave as it was.
func (s *shop) state() string {
	s.Helper()
	return s.head() + "\n" + s.gitOut("for-each-ref") + "\n" + s.gitOut("status", "--porcelain") + "\n" +
		s.read("prompts/registry.json") + s.read("prompts/customer-support/.prompt-metadata.json")
}

// inject runs the command while system calls fail, and reports whether any did.
func (s *shop) inject(args []string, calls, how string) (a answer, hit bool) {
	s.Helper()
	log := s.dir + ".strace"
	defer os.Remove(log)
	cmd := s.command("strace", append([]string{"-f", "-qq", "-o", log, "-e", "signal=none", "-e", "trace=" + calls, "-e", "inject=" + calls + ":" + how, s.program}, args...)...)
	a = s.finish(cmd, args)
	seen, err := os.ReadFile(log)
	if err != nil {
		s.Fatal(err)
	}
	return a, strings.Contains(string(seen), "(INJECTED)")
}

// failing runs a release while calls fail, and holds it against the law.
func (f *fault) failing(calls, how, says string) (hit bool) {
	f.Helper()
	s := f.shop("shop")
	defer s.done()
	f.Runs++
	before := s.state()
	a, hit := s.inject(releaseStory.args, calls, how)
	s.never(how)
	if hit {
		f.Hit++
	}
	if hit && says != "" {
		if a.status == 0 {
			f.Errorf("%s: it was acknowledged: %s", how, a)
		}
		// git does not always tell the system's word for it.
		if told := strings.ToLower(a.err); !strings.Contains(told, says) && !strings.Contains(told, "couldn't write") {
			f.Errorf("%s: the cause is not told: %s", how, a)
		}
		if after := s.state(); after != before && !s.exists(".git/incipit/journal.json") {
			f.Errorf("%s: it was not taken back: %s", how, a)
		}
	}
	trail := []string{a.String()}
	s.settle(releaseStory, a.status == 0, &trail)
	if f.Failed() {
		f.Fatalf("%s %s:\n%s", calls, how, strings.Join(trail, "\n"))
	}
	return hit
}

// failingSync lets one fsync fail, and then all from one on. What is not safe
// on the disk is not acknowledged.
func failingSync(f *fault) {
	last := 30
	if f.full == "" {
		last = 3
	}
	for n := 1; n <= last; n++ {
		if !f.failing("fsync,fdatasync", fmt.Sprintf("error=EIO:when=%d", n), "input/output error") {
			break
		}
		f.failing("fsync,fdatasync", fmt.Sprintf("error=EIO:when=%d+", n), "input/output error")
	}
}

// interruptedCalls lets calls answer EINTR, which means: again.
func interruptedCalls(f *fault) {
	ns := []int{2, 7}
	if f.full != "" {
		ns = nil
		for n := range 30 {
			ns = append(ns, n+1)
		}
	}
	for _, n := range ns {
		f.failing("write,pwrite64,fsync,ftruncate", fmt.Sprintf("error=EINTR:when=%d", n), "")
	}
}

// fullDisk fills a small file system around a release. Where none can be
// mounted, the system calls say that it is full.
func fullDisk(f *fault) {
	step := 3
	if f.full != "" {
		step = 1
	}
	for n := 1; n <= 12; n += step {
		f.failing("write,pwrite64,mkdir,mkdirat,link,linkat", fmt.Sprintf("error=ENOSPC:when=%d+", n), "")
	}
	small := filepath.Join(f.dir, "small")
	if err := os.Mkdir(small, 0o755); err != nil {
		f.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=3m", "none", small).CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" && os.Getuid() == 0 {
			f.Fatalf("no small disk can be mounted: %v\n%s", err, out)
		}
		f.Logf("only simulated, since this user may not mount a disk: %s", out)
		return
	}
	f.Cleanup(func() {
		if err := syscall.Unmount(small, 0); err != nil {
			f.Error(err)
		}
	})
	for free := 0; free <= 120; free += 8 * step {
		from := f.shop("shop")
		s := &shop{fault: f, dir: filepath.Join(small, "shop")}
		if out, err := exec.Command("cp", "-a", from.dir, s.dir).CombinedOutput(); err != nil {
			f.Fatalf("%v: %s", err, out)
		}
		from.done()
		f.Runs++
		filler := filepath.Join(small, "filler")
		fill(f, filler, int64(free)<<10)
		before := s.state()
		a := s.run(releaseStory.args...)
		s.never("on the full disk")
		if a.status != 0 {
			f.Hit++
			if !strings.Contains(a.err, "space") { // git's own words are more than one
				f.Errorf("the cause is not told: %s", a)
			}
			if after := s.state(); after != before && !s.exists(".git/incipit/journal.json") {
				f.Errorf("with %d KiB free it was not taken back: %s", free, a)
			}
		}
		if err := os.Remove(filler); err != nil {
			f.Fatal(err)
		}
		trail := []string{a.String()}
		s.settle(releaseStory, a.status == 0, &trail)
		if f.Failed() {
			f.Fatalf("with %d KiB free:\n%s", free, strings.Join(trail, "\n"))
		}
		s.done()
	}
}

// fill writes a file until only so many bytes are free beside it.
func fill(f *fault, name string, free int64) {
	f.Helper()
	file, err := os.Create(name)
	if err != nil {
		f.Fatal(err)
	}
	defer file.Close()
	zeros := make([]byte, 4<<10)
	for err == nil {
		_, err = file.Write(zeros)
	}
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		f.Fatal(err)
	}
	if err := file.Truncate(max(0, size-free)); err != nil {
		f.Fatal(err)
	}
}

// signals sends what Ctrl-C and a shutdown send: to the whole group, or to the
// program alone.
func signals(f *fault) {
	rounds := 1
	if f.full != "" {
		rounds = 10
	}
	for range rounds {
		for i, st := range stages {
			for j, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
				if f.full == "" && (i+j)%2 == 1 {
					continue
				}
				group := sig == syscall.SIGINT // as a terminal does
				s := f.shop("shop")
				f.Runs++
				before := s.state()
				a, hit := s.signalAt(releaseStory.args, func(head string) bool { return st.reached(s, head) }, func(pid int) {
					if group {
						pid = -pid
					}
					syscall.Kill(pid, sig) //nolint:errcheck // it may be gone
				})
				if hit {
					f.Hit++
				}
				switch a.status {
				case 0:
				case 130:
					if after := s.state(); after != before {
						f.Errorf("it was interrupted and left something: %s", s.gitOut("status", "--porcelain"))
					}
					if !strings.Contains(a.err, "interrupted") {
						f.Errorf("it does not say so: %s", a)
					}
				default:
					f.Error(a)
				}
				if left := s.leftovers(); len(left) > 0 {
					f.Errorf("left behind: %s", left)
				}
				trail := []string{a.String()}
				s.settle(releaseStory, a.status == 0, &trail)
				if f.Failed() {
					f.Fatalf("%s when it was seen that: %s\n%s", sig, st.name, strings.Join(trail, "\n"))
				}
				s.done()
			}
		}
	}
}

// missingRights takes away the right to write, as another user if need be:
// root may write everywhere.
func missingRights(f *fault) {
	for _, dir := range []string{"prompts/customer-support", "prompts", ".git", ".git/incipit", ".git/objects", ".git/refs/heads", ".git/refs/tags", ".git/logs/refs/heads"} {
		s := f.shop("shop")
		f.Runs++
		f.Hit++
		if os.Getuid() == 0 {
			if out, err := exec.Command("chown", "-R", "65534:65534", s.dir).CombinedOutput(); err != nil {
				f.Fatalf("chown: %v\n%s", err, out)
			}
			s.env = append(s.env, "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*")
		}
		before := s.state()
		closeTree(f, s.path(dir), 0o555)
		cmd := s.command(s.program, releaseStory.args...)
		if os.Getuid() == 0 {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		}
		a := s.finish(cmd, releaseStory.args)
		closeTree(f, s.path(dir), 0o755)
		if after := s.state(); a.status != 0 && after != before {
			f.Errorf("it left something: %s", s.gitOut("status", "--porcelain"))
		}
		if a.status == 0 && dir != ".git/logs/refs/heads" || a.status != 0 && !strings.Contains(strings.ToLower(a.err), "permission") {
			f.Error(a)
		}
		trail := []string{a.String()}
		s.settle(releaseStory, a.status == 0, &trail)
		if f.Failed() {
			f.Fatalf("without the right to write to %s:\n%s", dir, strings.Join(trail, "\n"))
		}
		s.done()
	}
}

// closeTree sets the mode of a directory and all directories below it.
func closeTree(f *fault, dir string, mode fs.FileMode) {
	f.Helper()
	var dirs []string
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, name)
		}
		return err
	})
	if err != nil {
		f.Fatal(err)
	}
	for _, d := range dirs {
		if err := os.Chmod(d, mode); err != nil {
			f.Fatal(err)
		}
	}
}
