package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestFaults lets the real program and the real git meet what can go wrong:
// kills at every system call, at every stage and during the recovery, other
// processes, full and failing disks, signals, missing rights. It runs a sample;
// with INCIPIT_FAULTS set to a directory it runs all, and writes faults.json
// there.
//
// The law is the same everywhere: what was answered with success is there once
// and whole, what was not is there whole or not at all, and the same command
// run again leaves the repository as if nothing had happened.
func TestFaults(t *testing.T) {
	h := newHarness(t)
	faults := []struct {
		id, name string
		run      func(f *fault)
	}{
		{"F01", "release is killed", killedReleases},
		{"F01", "the first commit is killed", killedFirstCommits},
		{"F01", "the release of a new prompt is killed", killedNewPrompts},
		{"F01", "init is killed", killedInits},
		{"F01", "bump is killed", killedBumps},
		{"F01", "publish is killed", killedPublishes},
		{"F02", "release is killed at each stage, with all its children", killedGroups},
		{"F02", "the recovery is killed too", killedRecoveries},
		{"F02", "release is killed while its git goes on", orphanedGits},
		{"F03", "lock files are left behind, or held", lockFiles},
		{"F04", "deploy is killed", killedDeploys},
		{"F05", "rollback is killed", killedRollbacks},
		{"F13", "one version is released by many at once", sameVersion},
		{"F14", "different prompts are released at once", differentPrompts},
		{"F15", "many deploy to one environment", manyDeploys},
		{"F18", "the disk is full", fullDisk},
		{"F20", "fsync fails", failingSync},
		{"F21", "system calls are interrupted", interruptedCalls},
		{"F11", "a signal ends release", signals},
		{"F39", "directories cannot be written to", missingRights},
	}
	t.Run("all", func(t *testing.T) {
		for _, f := range faults {
			t.Run(f.id+" "+f.name, func(t *testing.T) {
				t.Parallel()
				one := &fault{T: t, harness: h, outcome: outcome{ID: f.id, Name: f.name}}
				t.Cleanup(func() { h.note(one) })
				f.run(one)
			})
		}
	})
	h.report(t, "faults.json")
}

// An outcome is what became of one fault.
type outcome struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Runs    int    `json:"runs"`  // faulty runs
	Hit     int    `json:"hit"`   // of them, those that the fault struck
	Acked   int    `json:"acked"` // changes that were answered with success
	Lost    int    `json:"lost"`  // of them, those that are not there
	Dup     int    `json:"dup"`   // changes that are there more than once
	Outcome string `json:"outcome"`
}

// A fault is a test of one fault.
type fault struct {
	*testing.T
	*harness
	outcome
}

// A harness is what all faults share.
type harness struct {
	dir     string // of everything
	program string
	git     string
	full    string // the directory for results, "" for a short run

	mu       sync.Mutex
	outcomes []outcome
	rounds   int
}

func newHarness(t *testing.T) *harness {
	t.Helper()
	h := &harness{full: os.Getenv("INCIPIT_FAULTS")}
	if _, err := exec.LookPath("strace"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("strace is not installed, so nothing can be proved; run scripts/install-test-deps")
		}
		t.Skip("strace is not installed; run scripts/install-test-deps")
	}
	git, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	h.git = git
	h.dir = t.TempDir()
	// Another user must be able to come this far: see missingRights.
	if err := os.Chmod(filepath.Dir(h.dir), 0o755); err != nil {
		t.Fatal(err)
	}
	h.program = filepath.Join(h.dir, "incipit")
	if out, err := exec.Command("go", "build", "-o", h.program, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	h.templates(t)
	return h
}

func (h *harness) note(f *fault) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case f.Failed():
		f.Outcome = "failed"
	case f.Skipped():
		f.Outcome = "skipped"
	default:
		f.Outcome = "survived"
	}
	h.outcomes = append(h.outcomes, f.outcome)
}

// report prints what became of all faults, and writes it into a file in full
// mode.
func (h *harness) report(t *testing.T, file string) {
	t.Helper()
	slices.SortFunc(h.outcomes, func(a, b outcome) int { return strings.Compare(a.ID+a.Name, b.ID+b.Name) })
	survived, all := 0, outcome{}
	for _, o := range h.outcomes {
		if o.Outcome == "survived" {
			survived++
		}
		all.Runs, all.Hit, all.Acked, all.Lost, all.Dup = all.Runs+o.Runs, all.Hit+o.Hit, all.Acked+o.Acked, all.Lost+o.Lost, all.Dup+o.Dup
		t.Logf("%s %-60s %4d runs, %4d struck, %4d acknowledged, %d lost, %d doubled: %s", o.ID, o.Name, o.Runs, o.Hit, o.Acked, o.Lost, o.Dup, o.Outcome)
	}
	summary := fmt.Sprintf("faults survived %d/%d, acknowledged writes lost %d/%d over %d faults that struck, duplicate effects %d",
		survived, len(h.outcomes), all.Lost, all.Acked, all.Hit, all.Dup)
	fmt.Println(summary)
	if h.full == "" {
		return
	}
	data, err := json.MarshalIndent(h.outcomes, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(h.full, file), append(data, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// templates makes the repositories that the rounds start from.
func (h *harness) templates(t *testing.T) {
	t.Helper()
	f := &fault{T: t, harness: h}
	s := &shop{fault: f, dir: filepath.Join(h.dir, "shop")}
	f.must(s.at(h.dir).run("init", s.dir))
	s.write("staged.txt", "not yours\n")
	s.gitOut("add", "staged.txt")
	s.append("prompts/customer-support/system-prompt.txt", "Be kind.\n")

	p := s.copyTo("greeting") // a prompt that git does not know yet
	f.must(p.run("new", "greeting"))
	p.gitOut("checkout", "-q", "prompts/customer-support")

	b := s.copyTo("unborn") // before the first commit
	if err := os.RemoveAll(b.dir); err != nil {
		t.Fatal(err)
	}
	f.must(b.at(h.dir).run("init", "--no-commit", b.dir))
	b.write("staged.txt", "not yours\n")
	b.gitOut("add", "staged.txt")

	d := s.copyTo("deployed")
	f.must(d.run("release", "customer-support", "--patch", "-m", "kind"))
	f.must(d.run("deploy", "customer-support@1.0.0", "--env", "dev"))
	f.must(d.run("deploy", "customer-support@1.0.1", "--env", "dev"))

	m := s.copyTo("merged") // two versions to publish, with a commit on top
	m.append("prompts/data-extraction/system-prompt.txt", "Be exact.\n")
	f.must(m.run("bump", "data-extraction", "--patch", "-m", "exact"))
	f.must(m.run("bump", "customer-support", "--patch", "-m", "kind"))
	m.gitOut("commit", "-q", "--allow-empty", "-m", "on top")

	if err := os.Mkdir(filepath.Join(h.dir, "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
}

// A shop is a repository with prompts, for one round.
type shop struct {
	*fault
	dir string
	env []string // beyond the usual
}

// shop is a fresh copy of a template.
func (f *fault) shop(template string) *shop {
	f.Helper()
	f.mu.Lock()
	f.rounds++
	dir := filepath.Join(f.dir, fmt.Sprintf("round-%d", f.rounds))
	f.mu.Unlock()
	from := &shop{fault: f, dir: filepath.Join(f.dir, template)}
	return from.copyTo(filepath.Base(dir))
}

func (s *shop) copyTo(name string) *shop {
	s.Helper()
	to := &shop{fault: s.fault, dir: filepath.Join(s.harness.dir, name)}
	if out, err := exec.Command("cp", "-a", s.dir, to.dir).CombinedOutput(); err != nil {
		s.Fatalf("cp: %v\n%s", err, out)
	}
	return to
}

func (s *shop) done() { os.RemoveAll(s.dir) } //nolint:errcheck // the test's own directory goes later

func (s *shop) at(dir string) *shop { return &shop{fault: s.fault, dir: dir, env: s.env} }

func (s *shop) path(name string) string { return filepath.Join(s.dir, filepath.FromSlash(name)) }

func (s *shop) write(name, text string) {
	s.Helper()
	if err := os.WriteFile(s.path(name), []byte(text), 0o644); err != nil {
		s.Fatal(err)
	}
}

func (s *shop) append(name, text string) {
	s.Helper()
	s.write(name, s.read(name)+text)
}

func (s *shop) read(name string) string {
	s.Helper()
	data, err := os.ReadFile(s.path(name))
	if err != nil {
		s.Fatal(err)
	}
	return string(data)
}

func (s *shop) exists(name string) bool {
	_, err := os.Lstat(s.path(name))
	return err == nil
}

// An answer is what a run of the program ended with.
type answer struct {
	args     []string
	status   int // -1 if a signal ended it
	out, err string
}

func (a answer) String() string {
	return fmt.Sprintf("incipit %s: exit status %d\n%s%s", strings.Join(a.args, " "), a.status, a.out, a.err)
}

func (f *fault) must(a answer) answer {
	f.Helper()
	if a.status != 0 {
		f.Fatal(a)
	}
	return a
}

// command prepares a program in the shop, with a clean environment.
func (s *shop) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = s.dir
	cmd.WaitDelay = 20 * time.Second // for a pipe that an orphan keeps
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.harness.dir, "TMPDIR=" + os.TempDir(), "LC_ALL=C.UTF-8",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_TEMPLATE_DIR=", "GIT_CEILING_DIRECTORIES=" + s.harness.dir,
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.com",
	}, s.env...)
	return cmd
}

func (s *shop) run(args ...string) answer {
	s.Helper()
	return s.finish(s.command(s.program, args...), args)
}

// finish runs a command to its end, which must come.
func (s *shop) finish(cmd *exec.Cmd, args []string) answer {
	s.Helper()
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	if err := cmd.Start(); err != nil {
		s.Fatal(err)
	}
	return s.wait(cmd, args, &out, &err)
}

func (s *shop) wait(cmd *exec.Cmd, args []string, out, errs *bytes.Buffer) answer {
	s.Helper()
	ended := context.AfterFunc(s.deadline(), func() { cmd.Process.Kill() }) //nolint:errcheck // it may be gone
	err := cmd.Wait()
	if !ended() {
		s.Errorf("%v did not end: %s%s", cmd.Args, out, errs)
	}
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok && !errors.Is(err, exec.ErrWaitDelay) {
		s.Error(err)
	}
	return answer{args, cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// deadline is when something that must happen is given up.
func (f *fault) deadline() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	f.Cleanup(cancel)
	return ctx
}

// until polls a condition.
func (f *fault) until(what string, met func() bool) {
	f.Helper()
	deadline := f.deadline()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !met() {
		select {
		case <-tick.C:
		case <-deadline.Done():
			f.Fatal("waited in vain: " + what)
		}
	}
}

func (s *shop) gitOut(args ...string) string {
	s.Helper()
	cmd := s.command(s.git, append([]string{"--no-optional-locks"}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimRight(string(out), "\n")
}

// quiet waits until no process holds the lock any more: a killed program's
// children keep it.
func (s *shop) quiet() {
	s.Helper()
	if f, err := os.OpenFile(s.path(".git/incipit/lock"), os.O_RDWR, 0); err == nil {
		defer f.Close()
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
			s.Fatal(err)
		}
	}
}

// tags are the tags and the commits they point to.
func (s *shop) tags() map[string]string {
	s.Helper()
	out := make(map[string]string)
	for line := range strings.Lines(s.gitOut("for-each-ref", "--format=%(refname:strip=2) %(*objectname)", "refs/tags")) {
		name, commit, _ := strings.Cut(strings.TrimSpace(line), " ")
		out[name] = commit
	}
	return out
}

func (s *shop) head() string {
	s.Helper()
	out, err := s.command(s.git, "rev-parse", "--verify", "-q", "HEAD").Output()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		s.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// never holds at any moment: a tag of a release points to a commit that holds
// exactly this version, and Git's objects are sound.
func (s *shop) never(when string) {
	s.Helper()
	if s.command(s.git, "rev-parse", "--git-dir").Run() != nil {
		return // not a repository yet
	}
	for name, commit := range s.tags() {
		id, version, _ := strings.Cut(name, "@")
		raw, err := s.command(s.git, "show", commit+":prompts/"+id+"/.prompt-metadata.json").CombinedOutput()
		var m struct{ Version string }
		if err != nil || json.Unmarshal(raw, &m) != nil || m.Version != version {
			s.Errorf("%s: tag %s points to a commit without this version: %s", when, name, raw)
		}
	}
	if out, err := s.command(s.git, "fsck", "--strict", "--no-dangling", "--connectivity-only").CombinedOutput(); err != nil {
		s.Errorf("%s: git fsck: %v\n%s", when, err, out)
	}
}

// leftovers are files that must not stay behind.
func (s *shop) leftovers() []string {
	s.Helper()
	var found []string
	err := filepath.WalkDir(s.dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if strings.HasSuffix(name, ".lock") || strings.HasSuffix(name, ".incipit-tmp") || d.Name() == "journal.json" {
			found = append(found, name)
		}
		return nil
	})
	if err != nil {
		s.Fatal(err)
	}
	return found
}

// sound holds once a command has ended that was not disturbed: status is what
// git status must say.
func (s *shop) sound(status string) {
	s.Helper()
	s.never("in the end")
	if out, err := s.command(s.git, "fsck", "--strict", "--no-dangling").CombinedOutput(); err != nil || len(out) > 0 {
		s.Errorf("git fsck: %v\n%s", err, out)
	}
	if got := s.gitOut("status", "--porcelain"); got != status {
		s.Errorf("git status says %q, want %q", got, status)
	}
	if left := s.leftovers(); len(left) > 0 {
		s.Errorf("left behind: %s", left)
	}
	if a := s.run("verify"); a.status != 0 {
		s.Error(a)
	}
	if merges := s.gitOut("rev-list", "--merges", "--all"); merges != "" {
		s.Errorf("the history is not linear: %s", merges)
	}
}

// wantTags compares the tags there are with those there must be.
func (s *shop) wantTags(names ...string) {
	s.Helper()
	slices.Sort(names)
	if got := slices.Sorted(maps.Keys(s.tags())); !slices.Equal(got, names) {
		s.Errorf("tags are %v, want %v", got, names)
	}
}

// wantCommit holds the last commit against what it must be: the n-th, and made
// of these files.
func (s *shop) wantCommit(n int, files ...string) {
	s.Helper()
	if got := s.gitOut("rev-list", "--count", "HEAD"); got != fmt.Sprint(n) {
		s.Errorf("there are %s commits, want %d\n%s", got, n, s.gitOut("log", "--oneline"))
	}
	if len(files) == 0 {
		return
	}
	got := strings.Fields(s.gitOut("show", "--root", "--format=", "--name-only", "HEAD"))
	if !slices.Equal(got, files) {
		s.Errorf("the commit holds %v, want %v", got, files)
	}
}
