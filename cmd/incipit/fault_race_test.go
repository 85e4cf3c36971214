package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// waitsForLock reports whether a process stands in line for a file lock.
func waitsForLock(f *fault, pid int) bool {
	f.Helper()
	data, err := os.ReadFile("/proc/locks")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		// 1: -> FLOCK ADVISORY WRITE 12910 fe:00:9977903 0 EOF
		if at := strings.Fields(line); len(at) > 5 && at[1] == "->" && at[5] == strconv.Itoa(pid) {
			return true
		}
	}
	return false
}

// ended reports whether a child of ours has ended and was not waited for yet.
func ended(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && bytes.Contains(stat, []byte(") Z "))
}

// A runner is a command that runs beside others.
type runner struct {
	cmd       *exec.Cmd
	args      []string
	out, errs bytes.Buffer
}

// together runs all command lines at once. With inLine they all stand in line
// for the lock before the first one may have it.
func (s *shop) together(inLine bool, lines ...[]string) []answer {
	s.Helper()
	var lock *os.File
	if inLine {
		var err error
		if lock, err = os.OpenFile(s.path(".git/incipit/lock"), os.O_RDWR, 0); err != nil {
			s.Fatal(err)
		}
		if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
			s.Fatal(err)
		}
	}
	var rs []*runner
	for _, args := range lines {
		r := &runner{cmd: s.command(s.program, args...), args: args}
		r.cmd.Stdout, r.cmd.Stderr = &r.out, &r.errs
		if err := r.cmd.Start(); err != nil {
			s.Fatal(err)
		}
		rs = append(rs, r)
	}
	if inLine {
		for _, r := range rs {
			s.until("all stand in line", func() bool { return waitsForLock(s.fault, r.cmd.Process.Pid) || ended(r.cmd.Process.Pid) })
		}
		if err := lock.Close(); err != nil {
			s.Fatal(err)
		}
	}
	out := make([]answer, 0, len(rs))
	for _, r := range rs {
		out = append(out, s.wait(r.cmd, r.args, &r.out, &r.errs))
	}
	return out
}

func sameVersion(f *fault) {
	rounds := 1
	if f.full != "" {
		rounds = 12
	}
	const many = 16
	for range rounds {
		for _, kind := range []struct {
			flags   []string
			version string
			free    string
			inLine  bool
		}{
			{[]string{"--version", "1.1.0"}, "1.1.0", "1.1.1", true},
			{[]string{"--patch"}, "1.0.1", "1.0.2", true},
			{[]string{"--patch"}, "1.0.1", "", false},
		} {
			s := f.shop("shop")
			f.Runs++
			f.Hit++
			line := append([]string{"release", "customer-support", "-m", "kind"}, kind.flags...)
			won := 0
			for _, a := range s.together(kind.inLine, slices.Repeat([][]string{line}, many)...) {
				switch {
				case a.status == 0:
					won++
				case a.status == 5 && strings.Contains(a.err, "the next free version is "+kind.free):
				case !kind.inLine && a.status == 2 && strings.Contains(a.err, "nothing to release"): // came after it all
				default:
					f.Error(a)
				}
			}
			f.Acked += won
			if won != 1 {
				f.Dup += max(won-1, 0)
				f.Errorf("%d releases of %s succeeded", won, kind.version)
			}
			s.wantTags("customer-support@1.0.0", "customer-support@"+kind.version, "data-extraction@1.0.0")
			s.wantCommit(2)
			s.sound(stagedOnly)
			s.done()
		}
	}
}

func differentPrompts(f *fault) {
	many := 6
	if f.full != "" {
		many = 24
	}
	for _, inLine := range []bool{true, false} {
		s := f.shop("shop")
		f.Runs++
		f.Hit++
		want := []string{"customer-support@1.0.0", "customer-support@1.0.1", "data-extraction@1.0.0"}
		lines := [][]string{releaseStory.args}
		for i := range many {
			id := fmt.Sprintf("prompt-%d", i)
			f.must(s.run("new", id))
			lines = append(lines, []string{"release", id, "--minor", "-m", "first"})
			want = append(want, id+"@0.1.0")
		}
		for _, a := range s.together(inLine, lines...) {
			// With more of them than the wait for the lock is long, one tries again.
			for a.status == 6 {
				a = s.run(a.args...)
			}
			if a.status != 0 {
				f.Error(a)
				continue
			}
			f.Acked++
		}
		s.wantTags(want...)
		s.wantCommit(1 + len(lines))
		for _, tag := range want {
			s.gitOut("merge-base", "--is-ancestor", tag, "HEAD")
		}
		s.sound(stagedOnly)
		s.done()
	}
}

// seqAt is the number of the last deployment that a commit's registry tells of.
func seqAt(s *shop, rev, env string) int {
	s.Helper()
	var reg map[string]struct {
		Deployments map[string]struct {
			History []struct{ Seq int }
		}
	}
	if err := json.Unmarshal([]byte(s.gitOut("show", rev+":prompts/registry.json")), &reg); err != nil {
		s.Fatal(err)
	}
	last := 0
	for _, d := range reg["customer-support"].Deployments[env].History {
		last = max(last, d.Seq)
	}
	return last
}

// manyDeploys has each writer deploy a release of its own. Every deployment
// that was answered is in the history once, and the numbers have no gap.
func manyDeploys(f *fault) {
	writers, each := 8, 1
	if f.full != "" {
		writers, each = 32, 3
	}
	s := f.shop("deployed")
	for range writers {
		s.append("prompts/customer-support/system-prompt.txt", "Be kind.\n")
		f.must(s.run("release", "customer-support", "--patch", "-m", "kinder"))
	}
	start := deployedIn(s, "dev")
	acked := make(map[int]int)
	for range each {
		var lines [][]string
		for w := range writers {
			lines = append(lines, []string{"deploy", fmt.Sprintf("customer-support@1.0.%d", w+2), "--env", "dev", "--json"})
		}
		for _, a := range s.together(true, lines...) {
			f.Runs++
			f.Hit++
			// Somebody was faster: look again, and decide again.
			for a.status == 6 || a.status == 5 && strings.Contains(a.err, "since it was looked at") {
				a = s.run(a.args...)
			}
			var r struct {
				Already    string
				Deployment struct{ Seq int }
			}
			if err := json.Unmarshal([]byte(a.out), &r); a.status != 0 || err != nil {
				f.Errorf("%s%v", a, err)
			} else if r.Already == "" {
				acked[r.Deployment.Seq]++
				f.Acked++
			}
		}
	}
	seen := make(map[int]bool)
	for i, commit := range slices.Backward(strings.Fields(s.gitOut("rev-list", "HEAD", "--", "prompts/registry.json"))) {
		seq := seqAt(s, commit, "dev")
		if seen[seq] && seq > start || seq > 0 && !seen[seq-1] {
			f.Errorf("commit %d from the end has deployment %d out of turn", i, seq)
		}
		seen[seq] = true
	}
	for seq, n := range acked {
		if !seen[seq] {
			f.Lost++
			f.Errorf("deployment %d was acknowledged and is not in the history", seq)
		}
		if n > 1 {
			f.Dup++
			f.Errorf("deployment %d was acknowledged %d times", seq, n)
		}
	}
	if got := deployedIn(s, "dev"); got != start+len(acked) {
		f.Errorf("the last deployment is %d, want %d", got, start+len(acked))
	}
	// Of those who have seen the same revision, one may act on it.
	line := []string{"deploy", "customer-support@1.0.0", "--env", "staging", "--revision", "0"}
	won := 0
	for _, a := range s.together(true, slices.Repeat([][]string{line}, 4)...) {
		switch {
		case a.status == 0 && !strings.Contains(a.out, "already"):
			won++
		case a.status == 5 || a.status == 0:
		default:
			f.Error(a)
		}
	}
	if won != 1 {
		f.Errorf("%d deployments followed revision 0", won)
	}
	s.sound(stagedOnly)
	s.done()
}

// lockFiles holds the removal of git's lock files against its rule: only those
// that a crash left behind, and only while no git is at work.
func lockFiles(f *fault) {
	staleLocks(f)
	foreignLocks(f)
	heldLock(f)
}

var everyLock = []string{"index.lock", "HEAD.lock", "packed-refs.lock", "refs/heads/main.lock", "refs/tags/customer-support@1.0.1.lock", "next-index-4711.lock"}

func staleLocks(f *fault) {
	for _, st := range stages[:6] {
		s := f.shop("shop")
		f.Runs++
		a, hit := s.signalAt(releaseStory.args, func(head string) bool { return st.reached(s, head) }, func(pid int) { syscall.Kill(-pid, syscall.SIGKILL) }) //nolint:errcheck // it may be gone
		s.quiet()
		if !hit || !s.exists(".git/incipit/journal.json") {
			s.done()
			continue // it was faster than we
		}
		f.Hit++
		for _, name := range everyLock {
			s.write(".git/"+name, "")
		}
		doctor := s.run("doctor")
		if doctor.status != 1 || !strings.Contains(doctor.out, "doctor --repair") {
			f.Error(doctor)
		}
		repaired := s.run("doctor", "--repair")
		if !strings.Contains(repaired.err, "removed a lock file") || len(s.leftovers()) > 0 {
			f.Errorf("%s%v", repaired, s.leftovers())
		}
		trail := []string{a.String()}
		s.settle(releaseStory, false, &trail)
		s.done()
	}
}

func foreignLocks(f *fault) {
	for _, name := range everyLock {
		s := f.shop("shop")
		f.Runs++
		f.Hit++
		s.write(".git/"+name, "")
		before := s.gitOut("status", "--porcelain")
		a := s.run(releaseStory.args...)
		if a.status != 6 || !strings.Contains(a.err, name) || !strings.Contains(a.err, "doctor --repair") || !s.exists(".git/"+name) {
			f.Error(a)
		}
		if after := s.gitOut("status", "--porcelain"); after != before {
			f.Errorf("a refused release changed the work tree: %s", after)
		}
		f.must(s.run("doctor", "--repair"))
		f.must(s.run(releaseStory.args...))
		releaseStory.whole(s)
		s.done()
	}
}

func heldLock(f *fault) {
	for _, crashed := range []bool{false, true} {
		s := f.shop("deployed")
		f.Runs++
		f.Hit++
		s.append("README.md", "mine\n")
		goOn := s.dir + ".go"
		editor := s.command(s.git, "commit", "-q", "--only", "README.md")
		editor.Env = append(editor.Env, fmt.Sprintf("GIT_EDITOR=while ! [ -e %s ]; do sleep 0.01; done; echo mine >", goOn))
		var out, errs bytes.Buffer
		editor.Stdout, editor.Stderr = &out, &errs
		if crashed {
			// Killed before it committed: the journal and what it wrote are there.
			a, _ := s.strike(kill{in: "commit", call: "link", parent: true, n: 1}, []string{"rollback", "customer-support", "--env", "dev"})
			if !s.exists(".git/incipit/journal.json") {
				f.Fatal(a)
			}
			s.quiet()
			if err := os.Remove(s.path(".git/index.lock")); err != nil {
				f.Fatal(err)
			}
		}
		if err := editor.Start(); err != nil {
			f.Fatal(err)
		}
		f.until("git holds its lock", func() bool { return s.exists(".git/index.lock") })
		for _, args := range [][]string{{"rollback", "customer-support", "--env", "dev"}, {"doctor", "--repair"}} {
			a := s.run(args...)
			if a.status != 6 || !strings.Contains(a.err, "index.lock") || !strings.Contains(a.err, strconv.Itoa(editor.Process.Pid)) {
				f.Error(a)
			}
		}
		if !s.exists(".git/index.lock") {
			f.Error("a lock that git holds was removed")
		}
		if err := os.WriteFile(goOn, nil, 0o644); err != nil {
			f.Fatal(err)
		}
		if a := s.wait(editor, nil, &out, &errs); a.status != 0 {
			f.Errorf("git commit: %s", a)
		}
		f.must(s.run("rollback", "customer-support", "--env", "dev"))
		s.wantCommit(6, "prompts/registry.json")
		s.sound(stagedOnly)
		s.done()
	}
}
