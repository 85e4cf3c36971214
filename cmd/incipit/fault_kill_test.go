package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// A story is a command to disturb, and what must be true in the end.
type story struct {
	from  string // template
	args  []string
	again string // what the command says where it has been carried out before
	twice int    // and its exit status
	whole func(s *shop)
	acked func(s *shop) bool // whether an acknowledged change is there
}

const stagedOnly = "A  staged.txt"

var releaseStory = story{
	from: "shop", args: []string{"release", "customer-support", "--patch", "-m", "kind"},
	again: "nothing to release", twice: 2,
	acked: func(s *shop) bool { return s.tags()["customer-support@1.0.1"] == s.head() },
	whole: func(s *shop) {
		s.wantTags("customer-support@1.0.0", "customer-support@1.0.1", "data-extraction@1.0.0")
		s.wantCommit(2, "prompts/customer-support/.prompt-metadata.json", "prompts/customer-support/system-prompt.txt", "prompts/registry.json")
		if !strings.HasSuffix(s.gitOut("show", "customer-support@1.0.1:prompts/customer-support/system-prompt.txt"), "Be kind.") {
			s.Error("the release does not hold the edit")
		}
		s.sound(stagedOnly)
	},
}

var newPromptStory = story{
	from: "greeting", args: []string{"release", "greeting", "--minor", "-m", "hello"},
	again: "nothing to release", twice: 2,
	acked: func(s *shop) bool { return s.tags()["greeting@0.1.0"] == s.head() },
	whole: func(s *shop) {
		s.wantTags("customer-support@1.0.0", "data-extraction@1.0.0", "greeting@0.1.0")
		s.wantCommit(2, "prompts/greeting/.prompt-metadata.json", "prompts/greeting/system-prompt.txt",
			"prompts/greeting/user-prompt.txt", "prompts/registry.json", "tests/greeting.yaml")
		s.sound(stagedOnly)
	},
}

var firstStory = story{
	from: "unborn", args: []string{"release", "customer-support", "-m", "first"},
	again: "nothing to release", twice: 2,
	acked: func(s *shop) bool { return s.tags()["customer-support@1.0.0"] == s.head() },
	whole: func(s *shop) {
		s.wantTags("customer-support@1.0.0")
		s.wantCommit(1, "prompts/customer-support/.prompt-metadata.json", "prompts/customer-support/system-prompt.txt",
			"prompts/customer-support/user-prompt.txt", "prompts/registry.json", "tests/customer-support.yaml")
		if left := s.leftovers(); len(left) > 0 {
			s.Errorf("left behind: %s", left)
		}
		if got := s.gitOut("status", "--porcelain", "staged.txt", "prompts/customer-support", "prompts/registry.json", "tests/customer-support.yaml"); got != stagedOnly {
			s.Errorf("git status says %q", got)
		}
		s.never("in the end")
	},
}

var deployStory = story{
	from: "shop", args: []string{"deploy", "customer-support@1.0.0", "--env", "dev"},
	again: "already runs",
	acked: func(s *shop) bool { return deployedIn(s, "dev") == 1 },
	whole: func(s *shop) {
		s.wantCommit(2, "prompts/registry.json")
		s.sound(" M prompts/customer-support/system-prompt.txt\n" + stagedOnly)
		if n := deployedIn(s, "dev"); n != 1 {
			s.Errorf("there are %d deployments, want 1", n)
		}
	},
}

var rollbackStory = story{
	from: "deployed", args: []string{"rollback", "customer-support", "--env", "dev"},
	again: "already rolled back",
	acked: func(s *shop) bool { return deployedIn(s, "dev") == 3 },
	whole: func(s *shop) {
		s.wantCommit(5, "prompts/registry.json")
		s.sound(stagedOnly)
		if n := deployedIn(s, "dev"); n != 3 {
			s.Errorf("there are %d deployments, want 3", n)
		}
	},
}

var bumpStory = story{
	from: "shop", args: []string{"bump", "customer-support", "--patch", "-m", "kind"},
	again: "is bumped to 1.0.1 already", twice: 2,
	acked: func(s *shop) bool { return strings.Contains(s.gitOut("log", "-1", "--format=%s"), "1.0.1") },
	whole: func(s *shop) {
		s.wantTags("customer-support@1.0.0", "data-extraction@1.0.0")
		s.sound(stagedOnly)
	},
}

var publishStory = story{
	from: "merged", args: []string{"publish"}, again: "has its tag already",
	acked: func(s *shop) bool { return len(s.tags()) == 4 },
	whole: func(s *shop) {
		s.wantTags("customer-support@1.0.0", "customer-support@1.0.1", "data-extraction@1.0.0", "data-extraction@1.0.1")
		s.wantCommit(4)
		tags := s.tags()
		if tags["customer-support@1.0.1"] != s.gitOut("rev-parse", "HEAD~1") || tags["data-extraction@1.0.1"] != s.gitOut("rev-parse", "HEAD~2") {
			s.Error("the tags are not on the commits that brought the versions")
		}
		s.sound("")
	},
}

var initStory = story{
	from: "empty", args: []string{"init"}, again: "nothing was changed",
	acked: func(s *shop) bool { return len(s.tags()) == 2 },
	whole: func(s *shop) {
		s.wantTags("customer-support@1.0.0", "data-extraction@1.0.0")
		s.wantCommit(1)
		s.sound("")
	},
}

// deployedIn counts the deployments that the committed registry tells of.
func deployedIn(s *shop, env string) int {
	return seqAt(s, "HEAD", env)
}

// A kill is where a command is to die: before a system call is carried out.
// strace counts each call by itself, and in each thread by itself.
type kill struct {
	in     string // a git command, whose process is killed; "" for any process
	call   string // a system call that changes files
	n      int    // the how manieth
	parent bool   // the program is killed at the same time
}

func (k kill) String() string {
	who := "any process"
	if k.in != "" {
		who = "git " + k.in
	}
	if k.parent {
		who += " and its parent"
	}
	return fmt.Sprintf("%s at %s %d", who, k.call, k.n)
}

// changing are the system calls that change files. To open is not one of them:
// what it leaves is seen by the next one.
var changing = []string{
	"write", "pwrite64", "ftruncate", "fsync", "fdatasync", "rename", "renameat", "renameat2", "link", "linkat",
	"symlink", "symlinkat", "unlink", "unlinkat", "mkdir", "mkdirat", "rmdir", "chmod", "fchmod", "fchmodat",
}

// strike runs the command with a kill in its way, and reports whether it was
// killed. struck is the answer of a program that lived on.
func (s *shop) strike(k kill, args []string) (struck answer, hit bool) {
	s.Helper()
	inject := []string{"-f", "-qq", "-o", os.DevNull, "-e", "signal=none", "-e", "trace=" + k.call, "-e", fmt.Sprintf("inject=%s:signal=SIGKILL:when=%d", k.call, k.n)}
	if k.in == "" {
		cmd := s.command("strace", append(append(inject, s.program), args...)...)
		a := s.finish(cmd, args)
		return a, a.status != 0
	}
	bin := s.dir + ".bin"
	defer os.RemoveAll(bin)
	if err := os.Mkdir(bin, 0o755); err != nil {
		s.Fatal(err)
	}
	script := fmt.Sprintf(`#!/bin/sh
skip= cmd=
for a; do
	case $skip$a in
	1*) skip= ;;
	-c) skip=1 ;;
	-*) ;;
	*) cmd=$a; break ;;
	esac
done
[ "$cmd" = %s ] || exec %s "$@"
strace %s %s "$@"
status=$?
if [ $status -eq 137 ]; then
	echo hit > %s/hit
	%t && kill -9 $PPID
fi
exit $status
`, k.in, s.git, strings.Join(inject, " "), s.git, bin, k.parent)
	if err := os.WriteFile(filepath.Join(bin, "git"), []byte(script), 0o755); err != nil {
		s.Fatal(err)
	}
	cmd := s.command(s.program, args...)
	cmd.Env = append(cmd.Env, "PATH="+bin+":"+os.Getenv("PATH"))
	a := s.finish(cmd, args)
	_, err := os.Stat(filepath.Join(bin, "hit"))
	return a, err == nil
}

// round disturbs a story with kills, one run for each, and then lets it run. It
// reports whether the last kill struck.
func (f *fault) round(st story, kills ...kill) (hit bool) {
	f.Helper()
	s := f.shop(st.from)
	defer s.done()
	f.Runs++
	failed := f.Failed()
	var trail []string
	acked := false
	for _, k := range kills {
		var a answer
		a, hit = s.strike(k, st.args)
		trail = append(trail, k.String()+"\n"+a.String())
		s.quiet()
		s.never(k.String())
		acked = acked || a.status == 0
		if a.status == 0 {
			break
		}
	}
	if hit {
		f.Hit++
	}
	s.settle(st, acked, &trail)
	if f.Failed() && !failed {
		f.Logf("this round failed:\n%s", strings.Join(trail, "\n"))
	}
	return hit
}

// settle runs a disturbed command undisturbed and holds the end against the
// story. The command completes what was begun, or does it anew.
func (s *shop) settle(st story, acked bool, trail *[]string) {
	s.Helper()
	there := acked && st.acked(s)
	if acked {
		s.Acked++
		if !there {
			s.Lost++
			s.Error("an acknowledged change is not there")
		}
	}
	a := s.run(st.args...)
	*trail = append(*trail, a.String())
	repeated := a.status == st.twice && strings.Contains(a.out+a.err, st.again)
	if a.status != 0 && !repeated {
		s.Errorf("run again, it failed: %s", a)
	}
	if acked && !repeated && st.again != "" {
		s.Dup++
		s.Errorf("an acknowledged change was made again: %s", a)
	}
	st.whole(s)
}

// fewKills are the kills of a short run: where a commit and a tag become visible,
// and a few before and after.
var fewKills = []kill{
	{call: "renameat", n: 1},
	{call: "fsync", n: 5},
	{call: "unlinkat", n: 1},
	{in: "init", call: "rename", n: 3, parent: true},
	{in: "add", call: "rename", n: 1, parent: true},
	{in: "commit", call: "link", n: 3, parent: true},
	{in: "commit", call: "rename", n: 1},
	{in: "commit", call: "rename", n: 2},
	{in: "commit", call: "rename", n: 2, parent: true},
	{in: "tag", call: "rename", n: 1, parent: true},
}

// sweep kills a story at every call of the program, and of each git command
// that changes something; in a short run at a few of them.
func (f *fault) sweep(st story, commands ...string) {
	f.Helper()
	if f.full == "" {
		for _, k := range fewKills {
			if k.in == "" || slices.Contains(commands, k.in) {
				f.round(st, k)
			}
		}
		return
	}
	for _, in := range append([]string{""}, commands...) {
		for _, call := range changing {
			for n, misses := 1, 0; misses < 2 && n < 400; n++ {
				misses++
				if f.round(st, kill{in: in, call: call, n: n}) {
					misses = 0
				}
				if in != "" && misses == 0 {
					f.round(st, kill{in: in, call: call, n: n, parent: true})
				}
			}
		}
	}
}

func killedReleases(f *fault) { f.sweep(releaseStory, "commit", "tag") }

func killedNewPrompts(f *fault) { f.sweep(newPromptStory, "add", "commit") }

func killedFirstCommits(f *fault) { f.sweep(firstStory, "add", "commit", "tag") }

func killedInits(f *fault) { f.sweep(initStory, "init", "add", "commit", "tag") }

func killedPublishes(f *fault) { f.sweep(publishStory, "tag") }

func killedBumps(f *fault) { f.sweep(bumpStory, "commit") }

func killedDeploys(f *fault) { f.sweep(deployStory, "commit") }

func killedRollbacks(f *fault) { f.sweep(rollbackStory, "commit") }

// killedRecoveries kills the run that would mend what a killed one left.
func killedRecoveries(f *fault) {
	first := []kill{{in: "commit", call: "rename", n: 1, parent: true}, {in: "commit", call: "rename", n: 2, parent: true}}
	second := []kill{{call: "renameat", n: 1}, {call: "unlinkat", n: 1}, {in: "reset", call: "rename", n: 1, parent: true}, {in: "tag", call: "rename", n: 1}}
	if f.full != "" {
		first = append(first, kill{in: "commit", call: "link", n: 2, parent: true}, kill{in: "tag", call: "link", n: 1, parent: true}, kill{in: "tag", call: "rename", n: 1, parent: true})
		second = nil
		for n := 1; n <= 4; n++ {
			for _, call := range []string{"renameat", "unlinkat", "fsync", "write"} {
				second = append(second, kill{call: call, n: n})
			}
			for _, in := range []string{"reset", "tag", "commit"} {
				for _, call := range []string{"rename", "unlink", "write"} {
					second = append(second, kill{in: in, call: call, n: n, parent: true}, kill{in: in, call: call, n: n})
				}
			}
		}
	}
	for _, a := range first {
		for _, b := range second {
			f.round(releaseStory, a, b)
		}
	}
	// A change that fails is taken back, and that is killed too.
	for _, b := range []kill{{in: "reset", call: "rename", n: 1, parent: true}, {in: "update-ref", call: "rename", n: 1, parent: true}, {in: "update-ref", call: "rename", n: 1}} {
		f.takenBack(b)
	}
}

// takenBack lets a release fail after its commit, since the tag cannot be made,
// and kills what takes it back.
func (f *fault) takenBack(k kill) {
	f.Helper()
	s := f.shop("shop")
	defer s.done()
	f.Runs++
	if err := os.MkdirAll(s.path(".git/hooks"), 0o755); err != nil {
		f.Fatal(err)
	}
	hook := s.path(".git/hooks/reference-transaction")
	if err := os.WriteFile(hook, []byte("#!/bin/sh\n[ \"$1\" = prepared ] && grep -q refs/tags/ && exit 1\nexit 0\n"), 0o755); err != nil {
		f.Fatal(err)
	}
	a, hit := s.strike(k, releaseStory.args)
	if hit {
		f.Hit++
	}
	s.quiet()
	s.never(k.String())
	if err := os.Remove(hook); err != nil {
		f.Fatal(err)
	}
	trail := []string{a.String()}
	s.settle(releaseStory, a.status == 0, &trail)
	if !hit || f.Failed() {
		f.Errorf("%s (struck: %t):\n%s", k, hit, strings.Join(trail, "\n"))
	}
}

// stages are what can be seen of a release from outside, in their order.
var stages = []struct {
	name    string
	reached func(s *shop, head string) bool
}{
	{"journal written", func(s *shop, _ string) bool { return s.exists(".git/incipit/journal.json") }},
	{"metadata half written", func(s *shop, _ string) bool {
		return s.exists("prompts/customer-support/.prompt-metadata.json.incipit-tmp")
	}},
	{"registry half written", func(s *shop, _ string) bool { return s.exists("prompts/registry.json.incipit-tmp") }},
	{"index locked", func(s *shop, _ string) bool { return s.exists(".git/index.lock") }},
	{"branch locked", func(s *shop, _ string) bool { return s.exists(".git/refs/heads/main.lock") }},
	{"committed", func(s *shop, head string) bool { return refIs(s, "refs/heads/main") != head }},
	{"tag locked", func(s *shop, _ string) bool { return s.exists(".git/refs/tags/customer-support@1.0.1.lock") }},
	{"tagged", func(s *shop, _ string) bool { return s.exists(".git/refs/tags/customer-support@1.0.1") }},
	{"ended", func(*shop, string) bool { return false }},
}

func refIs(s *shop, name string) string {
	b, err := os.ReadFile(s.path(".git/" + name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// killedGroups kills the program and all that it started, once a stage is seen.
func killedGroups(f *fault) {
	rounds := 1
	if f.full != "" {
		rounds = 12
	}
	for range rounds {
		for _, st := range stages {
			s := f.shop("shop")
			f.Runs++
			a, hit := s.signalAt(releaseStory.args, func(head string) bool { return st.reached(s, head) }, func(pid int) { syscall.Kill(-pid, syscall.SIGKILL) }) //nolint:errcheck // it may be gone
			if hit {
				f.Hit++
			}
			s.quiet()
			s.never(st.name)
			trail := []string{a.String()}
			s.settle(releaseStory, a.status == 0, &trail)
			if f.Failed() {
				f.Fatalf("killed when it was seen that: %s\n%s", st.name, strings.Join(trail, "\n"))
			}
			s.done()
		}
	}
}

// signalAt runs the program in a process group of its own, and does something
// to it at the moment that a condition is met.
func (s *shop) signalAt(args []string, met func(head string) bool, do func(pid int)) (a answer, done bool) {
	s.Helper()
	head := refIs(s, "refs/heads/main")
	cmd := s.command(s.program, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	if err := cmd.Start(); err != nil {
		s.Fatal(err)
	}
	ended := make(chan answer, 1)
	go func() { ended <- s.wait(cmd, args, &out, &err) }()
	for !met(head) { // as fast as can be: the stages are short
		select {
		case a := <-ended:
			return a, false
		default:
		}
	}
	do(cmd.Process.Pid)
	return <-ended, true
}

// orphanedGits kills the program alone, while its git is stopped in a hook. The
// next run must wait for that git.
func orphanedGits(f *fault) {
	for _, hook := range []string{"pre-commit", "reference-transaction", "post-commit"} {
		s := f.shop("shop")
		f.Runs++
		reached, goOn := s.dir+".reached", s.dir+".go"
		script := fmt.Sprintf("#!/bin/sh\n[ %s != reference-transaction ] || [ \"$1\" = prepared ] || exit 0\necho > %s\nwhile ! [ -e %s ]; do sleep 0.01; done\n", hook, reached, goOn)
		if err := os.MkdirAll(s.path(".git/hooks"), 0o755); err != nil {
			f.Fatal(err)
		}
		if err := os.WriteFile(s.path(".git/hooks/"+hook), []byte(script), 0o755); err != nil {
			f.Fatal(err)
		}
		_, hit := s.signalAt(releaseStory.args, func(string) bool { _, err := os.Stat(reached); return err == nil },
			func(pid int) { syscall.Kill(pid, syscall.SIGKILL) }) //nolint:errcheck // it may be gone
		if !hit {
			f.Fatalf("the hook %s was not run", hook)
		}
		f.Hit++
		next := s.command(s.program, releaseStory.args...)
		var out, err bytes.Buffer
		next.Stdout, next.Stderr = &out, &err
		if err := next.Start(); err != nil {
			f.Fatal(err)
		}
		f.until("the next run waits for the lock", func() bool { return waitsForLock(f, next.Process.Pid) })
		if err := os.WriteFile(goOn, nil, 0o644); err != nil {
			f.Fatal(err)
		}
		a := s.wait(next, releaseStory.args, &out, &err)
		if a.status != 0 && a.status != releaseStory.twice {
			f.Errorf("after %s: %s", hook, a)
		}
		trail := []string{a.String()}
		s.settle(releaseStory, a.status == 0, &trail)
		if f.Failed() {
			f.Fatalf("orphaned in %s: %s", hook, strings.Join(trail, "\n"))
		}
		s.done()
	}
}
