package gitrepo

import (
	"context"
	"encoding/pem"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func TestRemotesAreHTTPSOrSSHOrADirectory(t *testing.T) {
	for _, s := range []string{
		"https://github.com/team/prompts.git", "https://git.example.com:8443/team/prompts", "https://[2001:db8::1]/p.git",
		"ssh://git@example.com/team/prompts.git", "ssh://example.com:2222/~ada/prompts", "git@github.com:team/prompts.git", "example.com:prompts.git",
		t.TempDir(), filepath.Join(t.TempDir(), "away-for-now"),
	} {
		u, err := ParseRemote(s)
		if err != nil || u.String() != s {
			t.Errorf("%s became %q, %v", s, u, err)
		}
	}
}

func TestOtherRemotesAreRefused(t *testing.T) {
	canary := filepath.Join(t.TempDir(), "canary")
	for _, s := range []string{
		"", "ext::sh -c id", "ext::sh% -c% touch% " + canary, "fd::3", "fd::17/foo", "file:///etc", "file://" + t.TempDir(), "http://example.com/p.git",
		"git://example.com/p.git", "ftp://example.com/p.git", "HTTPS+EXT://x/y", "javascript:alert(1)", "transport::address", "::x", "a::b",
		"--upload-pack=touch " + canary, "-oProxyCommand=id", "-oProxyCommand=id:x", "--exec=sh", "-u", "-",
		"ssh://-oProxyCommand=id/x", "ssh://git@-oProxyCommand=id/x", "ssh://-oProxyCommand=id@example.com/x", "ssh://git@example.com/-x", "ssh://example.com",
		"git@-oProxyCommand=id:x", "-oProxyCommand=id@example.com:x", "git@example.com:-x", "git@example.com:", "git@example.com:/-x", "@example.com:x",
		"https://-x/y", "https:///y", "https://example.com", "https://example.com/", "https://example.com:/x", "https://example.com/a?private_token=hunter2", "https://example.com/a#hunter2",
		"https://example.com/a%0aHost:x", "https://example.com/a%00b", "https://example.com/a b", "https://example.com/\\x", "https://exa\u202emple.com/a", "https://example.com/a\nb",
		"relative/path", "./prompts", "../prompts", "prompts", "/dev/null", "C:\\prompts", strings.Repeat("https://example.com/", 60),
		"https://user:hunter2@example.com/a", "https://hunter2@example.com/a", "ssh://git:hunter2@example.com/a", "git:hunter2@example.com:a",
	} {
		u, err := ParseRemote(s)
		if !errors.Is(err, prompt.ErrInvalid) || u != (RemoteURL{}) {
			t.Errorf("%q passed as %q: %v", s, u, err)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the message shows the secret: %v", err)
		}
		if _, ok := errors.AsType[*registry.FixError](err); !ok {
			t.Errorf("%q: nothing says what to try: %v", s, err)
		}
	}
	if _, err := os.Stat(canary); err == nil {
		t.Error("something ran")
	}
	if _, err := OpenClone(t.Context(), Remote{}, t.TempDir()); !errors.Is(err, prompt.ErrInvalid) {
		t.Errorf("the zero URL: %v", err)
	}
}

func FuzzParseRemote(f *testing.F) {
	f.Add("https://a@b:c/d")
	f.Add("git@host:path")
	f.Fuzz(func(t *testing.T, s string) {
		u, err := ParseRemote(s)
		if err == nil && u.scheme != "file" && (strings.HasPrefix(u.text, "-") || strings.Contains(u.text, ":/-") || strings.ContainsAny(u.text, "\n\x00 ;|$`'")) {
			t.Errorf("%q passed", s)
		}
	})
}

// recorder puts a git first in PATH that writes down its arguments and the
// environment, says what it was given, and fails.
func recorder(t *testing.T) (args, env func() string) {
	t.Helper()
	dir := t.TempDir()
	script := "#!/bin/sh\nprintf '%s\\n' \"$@\" >>" + dir + "/args\nenv >>" + dir + "/env\nenv | grep GIT_CONFIG_VALUE >&2\nexit 128\n"
	if err := os.WriteFile(filepath.Join(dir, "git"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	read := func(name string) func() string {
		return func() string {
			b, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
	}
	return read("args"), read("env")
}

func mustParse(t *testing.T, s string) RemoteURL {
	t.Helper()
	u, err := ParseRemote(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestATokenIsSeenInNoArgumentAndNoError(t *testing.T) {
	const token = "ghp_verysecret0123456789"
	t.Setenv("INCIPIT_GIT_TOKEN", token)
	args, env := recorder(t)
	rem := Remote{URL: mustParse(t, "https://example.com/team/prompts.git"), Token: func() (string, error) { return token, nil }}
	_, err := Clone(t.Context(), rem, filepath.Join(t.TempDir(), "clone.git"))
	if !errors.Is(err, registry.ErrUnavailable) {
		t.Fatal(err)
	}
	if _, secrets, _ := rem.settings(); len(secrets) != 2 {
		t.Fatal("there is no secret to look for")
	} else {
		for _, s := range secrets {
			if strings.Contains(args(), s) || strings.Contains(err.Error(), s) {
				t.Errorf("%q stands in the arguments or in %q", s, err)
			}
			if s != token && !strings.Contains(env(), s) {
				t.Error("git was not given the token")
			}
		}
	}
	if strings.Contains(env(), "INCIPIT_GIT_TOKEN") {
		t.Error("git inherits our variables")
	}
	if !strings.Contains(args(), "--end-of-options\nhttps://example.com/team/prompts.git\n") {
		t.Errorf("the URL does not stand behind --end-of-options:\n%s", args())
	}
	if !strings.Contains(env(), "http.https://example.com/.extraHeader") {
		t.Error("the token is not bound to the host")
	}
}

func TestATokenThatIsNoneIsRefused(t *testing.T) {
	for _, token := range []string{"a b", "a\nHost: x", "a\r"} {
		rem := Remote{URL: mustParse(t, "https://example.com/p.git"), Token: func() (string, error) { return token, nil }}
		if _, _, err := rem.settings(); err == nil || strings.Contains(err.Error(), token) {
			t.Errorf("%q: %v", token, err)
		}
	}
}

func TestTheMachineDoesNotConfigureAClone(t *testing.T) {
	t.Setenv("GIT_SSH_COMMAND", "")
	os.Unsetenv("GIT_SSH_COMMAND") //nolint:errcheck // Setenv brings it back
	for k, v := range map[string]string{
		"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.hooksPath", "GIT_CONFIG_VALUE_0": "/x", "GIT_DIR": "/x", "GIT_TRACE": "1", "GIT_ASKPASS": "/x",
		"SSH_ASKPASS": "/x", "GIT_PROXY_COMMAND": "/x", "GIT_EXTERNAL_DIFF": "/x", "GIT_ALTERNATE_OBJECT_DIRECTORIES": "/x", "GIT_CONFIG_PARAMETERS": "'a.b=c'",
		"GIT_SSL_NO_VERIFY": "1", "GIT_SSL_CAINFO": "/ca.pem", "INCIPIT_X": "1",
	} {
		t.Setenv(k, v)
	}
	r := &Repo{GitDir: "/clone", remote: &Remote{}}
	env := make(map[string]string)
	for _, kv := range r.environmentApart() {
		k, v, _ := strings.Cut(kv, "=")
		env[k] = v
	}
	for k, want := range map[string]string{
		"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "", "GIT_DIR": "/clone", "GIT_PROTOCOL_FROM_USER": "0",
		"GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oStrictHostKeyChecking=yes -oControlMaster=no", "GIT_SSL_CAINFO": "/ca.pem",
	} {
		if got, ok := env[k]; !ok || got != want {
			t.Errorf("%s is %q, want %q", k, got, want)
		}
	}
	for _, k := range []string{
		"GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_0", "GIT_CONFIG_PARAMETERS", "GIT_TRACE", "SSH_ASKPASS", "GIT_PROXY_COMMAND", "GIT_EXTERNAL_DIFF",
		"GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_SSL_NO_VERIFY", "INCIPIT_X",
	} {
		if v, ok := env[k]; ok {
			t.Errorf("%s=%s is handed on", k, v)
		}
	}
	t.Setenv("GIT_SSH_COMMAND", "ssh -i /key")
	for _, kv := range r.environmentApart() {
		if strings.HasPrefix(kv, "GIT_SSH_COMMAND=") && kv != "GIT_SSH_COMMAND=ssh -i /key" {
			t.Errorf("the operator's command became %s", kv)
		}
	}
}

// gitIn runs git as the people at the other end do.
func gitIn(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=Ada", "-c", "user.email=ada@example.com"}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// upstream is a repository with a work tree, a commit and a tag.
func upstream(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	gitIn(t, dir, "init", "--quiet", "--initial-branch=main")
	write(t, filepath.Join(dir, "a.txt"), "one\n")
	gitIn(t, dir, "add", "a.txt")
	gitIn(t, dir, "commit", "--quiet", "-m", "one")
	gitIn(t, dir, "tag", "-a", "-m", "x", "a@1.0.0")
	return dir
}

func write(t *testing.T, name, data string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(data), 0o755); err != nil {
		t.Fatal(err)
	}
}

func cloned(t *testing.T, url string) *Repo {
	t.Helper()
	r, err := Clone(t.Context(), Remote{URL: mustParse(t, url)}, filepath.Join(t.TempDir(), "data", "clone.git"))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func refs(t *testing.T, dir string) string {
	t.Helper()
	return gitIn(t, dir, "for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/tags")
}

func TestFetchFollowsBranchesAndTagsWhereverTheyGo(t *testing.T) {
	up := upstream(t)
	r := cloned(t, up)
	if got, want := refs(t, r.Dir), refs(t, up); got != want {
		t.Fatalf("after the clone:\n%s\nwant\n%s", got, want)
	}
	for _, step := range []struct {
		name string
		do   func()
	}{
		{"a commit and a tag more", func() {
			gitIn(t, up, "commit", "--quiet", "--allow-empty", "-m", "two")
			gitIn(t, up, "tag", "-a", "-m", "x", "a@1.1.0")
		}},
		{"a moved tag", func() { gitIn(t, up, "tag", "-f", "-a", "-m", "y", "a@1.0.0", "HEAD") }},
		{"a vanished tag", func() { gitIn(t, up, "tag", "-d", "a@1.1.0") }},
		{"a branch taken back", func() { gitIn(t, up, "reset", "--quiet", "--hard", "HEAD~1") }},
		{"a directory where a tag was", func() {
			gitIn(t, up, "tag", "-d", "a@1.0.0")
			gitIn(t, up, "tag", "-a", "-m", "x", "a@1.0.0/b@1.0.0")
		}},
		{"another default branch", func() { gitIn(t, up, "checkout", "--quiet", "-b", "trunk") }},
		{"a vanished branch", func() { gitIn(t, up, "branch", "-D", "main") }},
		{"a ref that is neither", func() { gitIn(t, up, "update-ref", "refs/pull/1/head", "HEAD") }},
	} {
		step.do()
		if err := r.Fetch(t.Context()); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if got, want := refs(t, r.Dir), refs(t, up); got != want {
			t.Errorf("after %s:\n%s\nwant\n%s", step.name, got, want)
		}
		if got, want := gitIn(t, r.Dir, "symbolic-ref", "HEAD"), gitIn(t, up, "symbolic-ref", "HEAD"); got != want {
			t.Errorf("after %s: HEAD is %s, want %s", step.name, got, want)
		}
	}
	if out := gitIn(t, r.Dir, "for-each-ref", "refs/pull"); out != "" {
		t.Errorf("more than branches and tags was fetched: %s", out)
	}
}

func TestABranchThatWasNamedIsRead(t *testing.T) {
	up := upstream(t)
	gitIn(t, up, "branch", "release")
	rem := Remote{URL: mustParse(t, up), Branch: "release"}
	r, err := Clone(t.Context(), rem, filepath.Join(t.TempDir(), "clone.git"))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, branch, err := r.Head(t.Context()); branch != "release" || err != nil {
			t.Errorf("got %s, %v", branch, err)
		}
		if err := r.Fetch(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	rem.Branch = "a..b"
	r.remote = &rem
	if err := r.Fetch(t.Context()); !errors.Is(err, prompt.ErrInvalid) {
		t.Errorf("a branch that is none: %v", err)
	}
}

func TestNothingThatARemoteHoldsRuns(t *testing.T) {
	up := upstream(t)
	canary := filepath.Join(t.TempDir(), "canary")
	run := "#!/bin/sh\ntouch " + canary + "\n"
	for _, hook := range []string{"post-checkout", "pre-receive", "update", "post-merge", "reference-transaction", "post-index-change", "fsmonitor-watchman", "pre-auto-gc"} {
		write(t, filepath.Join(up, "hooks", hook), run)
		if hook != "reference-transaction" { // that one is the other end's own business, and runs when the test commits
			write(t, filepath.Join(up, ".git", "hooks", hook), run)
		}
	}
	write(t, filepath.Join(up, "run.sh"), run)
	write(t, filepath.Join(up, ".gitattributes"), "* filter=x diff=x\n")
	gitIn(t, up, "-c", "core.hooksPath=/dev/null", "add", ".")
	gitIn(t, up, "-c", "core.hooksPath=/dev/null", "commit", "--quiet", "-m", "hostile")
	for _, kv := range []string{"core.fsmonitor", "core.sshCommand", "filter.x.smudge", "diff.x.textconv", "core.pager", "uploadpack.packObjectsHook", "core.gitProxy"} {
		gitIn(t, up, "config", kv, up+"/run.sh")
	}
	// And what the person who runs the server has for their own work.
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CONFIG_HOME", home)
	write(t, filepath.Join(home, ".gitconfig"), "[url \"ext::"+up+"/run.sh\"]\n\tinsteadOf = "+up+"\n[core]\n\thooksPath = "+up+"/hooks\n[protocol]\n\tallow = always\n")
	r := cloned(t, up)
	if err := r.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	o := r.Objects(t.Context())
	if _, err := o.Commit("HEAD"); err != nil {
		t.Error(err)
	}
	if err := o.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(canary); err == nil {
		t.Error("it ran")
	}
	if _, err := os.Stat(filepath.Join(r.Dir, "hooks")); err == nil {
		t.Error("the clone has hooks")
	}
}

func TestAnObjectThatGitConsidersDangerousIsNotFetched(t *testing.T) {
	up := upstream(t)
	r := cloned(t, up)
	write(t, filepath.Join(up, ".gitmodules"), "[submodule \"a\"]\n\tpath = a\n\turl = --upload-pack=id\n")
	gitIn(t, up, "add", ".gitmodules")
	gitIn(t, up, "commit", "--quiet", "-m", "hostile")
	before := refs(t, r.Dir)
	if err := r.Fetch(t.Context()); !errors.Is(err, registry.ErrUnavailable) || !strings.Contains(err.Error(), "gitmodules") {
		t.Errorf("got %v", err)
	}
	if refs(t, r.Dir) != before {
		t.Error("the clone has changed")
	}
}

func TestAHalfMadeCloneIsMadeAgain(t *testing.T) {
	up := upstream(t)
	dir := filepath.Join(t.TempDir(), "clone.git")
	gitIn(t, filepath.Dir(dir), "init", "--quiet", "--bare", dir+".partial")
	write(t, filepath.Join(dir+".partial", "objects", "pack", "tmp_pack_x"), "half")
	write(t, filepath.Join(dir+".partial", "HEAD.lock"), "")
	rem := Remote{URL: mustParse(t, up)}
	if _, err := OpenClone(t.Context(), rem, dir); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("it is taken for a clone: %v", err)
	}
	r, err := Clone(t.Context(), rem, dir)
	if err != nil {
		t.Fatal(err)
	}
	if refs(t, r.Dir) != refs(t, up) {
		t.Error("refs are missing")
	}
	if _, err := os.Stat(dir + ".partial"); err == nil {
		t.Error("the half one is still there")
	}
}

func TestACloneThatFailsLeavesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "clone.git")
	_, err := Clone(t.Context(), Remote{URL: mustParse(t, t.TempDir())}, dir)
	if !errors.Is(err, registry.ErrUnavailable) {
		t.Fatal(err)
	}
	for _, name := range []string{dir, dir + ".partial"} {
		if _, err := os.Stat(name); err == nil {
			t.Errorf("%s is there", filepath.Base(name))
		}
	}
}

func TestWhatIsNoCloneIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"), "mine")
	gitIn(t, filepath.Dir(dir), "init", "--quiet") // a repository further up must not be taken for it
	rem := Remote{URL: mustParse(t, upstream(t))}
	if _, err := Clone(t.Context(), rem, dir); err == nil {
		t.Fatal("it was opened")
	}
	if _, err := os.Stat(filepath.Join(dir, "file")); err != nil {
		t.Error("the file is gone")
	}
}

func TestLocksOfAKilledFetchAreRemoved(t *testing.T) {
	up := upstream(t)
	r := cloned(t, up)
	left := []string{"HEAD.lock", "packed-refs.lock", "config.lock", "shallow.lock", "refs/heads/main.lock", "refs/tags/a@1.0.0.lock", "objects/pack/tmp_pack_abc"}
	for _, name := range left {
		write(t, filepath.Join(r.Dir, name), "")
	}
	gitIn(t, up, "commit", "--quiet", "--allow-empty", "-m", "two")
	gitIn(t, up, "tag", "-f", "-a", "-m", "y", "a@1.0.0")
	var told []string
	r.remote.Notify = func(s string) { told = append(told, s) }
	if err := r.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(told) != len(left) {
		t.Errorf("told of %q", told)
	}
	if refs(t, r.Dir) != refs(t, up) {
		t.Error("the fetch is not complete")
	}
	for _, name := range left {
		if _, err := os.Stat(filepath.Join(r.Dir, name)); err == nil {
			t.Errorf("%s is still there", name)
		}
	}
}

func TestALockThatAGitHoldsIsNotRemoved(t *testing.T) {
	r := cloned(t, upstream(t))
	lock := filepath.Join(r.Dir, "packed-refs.lock")
	write(t, lock, "")
	held := exec.Command("git", "hash-object", "--stdin") // waits for its input
	held.Dir = r.Dir
	in, err := held.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := held.Start(); err != nil {
		t.Fatal(err)
	}
	if err := r.Fetch(t.Context()); !errors.Is(err, registry.ErrUnavailable) || !strings.Contains(err.Error(), "packed-refs.lock") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(lock); err != nil {
		t.Error("the lock is gone")
	}
	if err := errors.Join(in.Close(), held.Wait()); err != nil {
		t.Fatal(err)
	}
	if err := r.Fetch(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestARemoteThatIsGoneIsUnavailable(t *testing.T) {
	up := upstream(t)
	r := cloned(t, up)
	if err := os.Rename(up, up+"-away"); err != nil {
		t.Fatal(err)
	}
	if err := r.Fetch(t.Context()); !errors.Is(err, registry.ErrUnavailable) || !strings.Contains(err.Error(), up) {
		t.Errorf("got %v", err)
	}
	if _, err := OpenClone(t.Context(), *r.remote, r.Dir); err != nil {
		t.Errorf("the clone cannot be read without it: %v", err)
	}
	refused, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := refused.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = Clone(t.Context(), Remote{URL: mustParse(t, "https://"+refused.Addr().String()+"/p.git")}, filepath.Join(t.TempDir(), "c"))
	if !errors.Is(err, registry.ErrUnavailable) {
		t.Errorf("nobody listens: %v", err)
	}
}

func TestARemoteThatNeverAnswersIsGivenUp(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // connections stay in its queue
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	url := mustParse(t, "https://"+silent.Addr().String()+"/p.git")
	_, err = Clone(t.Context(), Remote{URL: url, Timeout: time.Second}, filepath.Join(t.TempDir(), "c"))
	if !errors.Is(err, registry.ErrUnavailable) || !strings.Contains(err.Error(), "after 1s") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(300*time.Millisecond, cancel)
	if _, err = Clone(ctx, Remote{URL: url}, filepath.Join(t.TempDir(), "c")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// ssh plays the ssh program of an operator: it runs the command here.
func ssh(t *testing.T, script string) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "fake-ssh")
	write(t, name, "#!/bin/sh\n[ \"$1\" = -G ] && exit 1\nshift\n"+script+"\n")
	t.Setenv("GIT_SSH_COMMAND", name)
	t.Setenv("GIT_SSH_VARIANT", "simple")
}

func TestACloneThatIsInterruptedIsMadeByTheNext(t *testing.T) {
	up := upstream(t)
	rem := Remote{URL: mustParse(t, "ssh://git@example.com"+up)}
	dir := filepath.Join(t.TempDir(), "clone.git")
	half := filepath.Join(t.TempDir(), "half")
	ssh(t, "touch "+half+"; exec sleep 60") // the other end has taken the call, and says nothing
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := Clone(ctx, rem, dir)
		done <- err
	}()
	await(t, half)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	ssh(t, `exec sh -c "$*"`)
	r, err := Clone(t.Context(), rem, dir)
	if err != nil {
		t.Fatal(err)
	}
	if refs(t, r.Dir) != refs(t, up) {
		t.Error("refs are missing")
	}
	if err := r.Fetch(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestATokenGoesToItsHostAndNotWhereThatRedirects(t *testing.T) {
	var stolen atomic.Int32
	thief := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stolen.Add(1) }))
	defer thief.Close()
	var status, asked atomic.Int32
	var header atomic.Value
	host := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		header.Store(r.Header.Get("Authorization"))
		if status.Load() == http.StatusFound {
			http.Redirect(w, r, thief.URL+r.URL.Path+"?"+r.URL.RawQuery, http.StatusFound)
			return
		}
		w.WriteHeader(int(status.Load()))
	}))
	defer host.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: host.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GIT_SSL_CAINFO", ca)
	rem := Remote{URL: mustParse(t, host.URL+"/p.git"), Token: func() (string, error) { return "t0ken", nil }}
	for code, fix := range map[int32]string{http.StatusFound: "redirects", http.StatusForbidden: "INCIPIT_GIT_TOKEN", http.StatusUnauthorized: "INCIPIT_GIT_TOKEN", http.StatusNotFound: "network"} {
		status.Store(code)
		_, err := Clone(t.Context(), rem, filepath.Join(t.TempDir(), "c"))
		hint, ok := errors.AsType[*registry.FixError](err)
		if !errors.Is(err, registry.ErrUnavailable) || !ok || !strings.Contains(hint.Fix, fix) {
			t.Errorf("%d: %v, fix %+v", code, err, hint)
		}
	}
	if asked.Load() == 0 || header.Load() != "Basic eC1hY2Nlc3MtdG9rZW46dDBrZW4=" { // x-access-token:t0ken
		t.Errorf("%d requests came, with %q", asked.Load(), header.Load())
	}
	if stolen.Load() != 0 {
		t.Errorf("%d requests went on to where it redirected", stolen.Load())
	}
}

func TestIdentitiesThatGitWouldChangeAreRefused(t *testing.T) {
	if got, ok := ParseIdentity("Incipit <incipit@example.com>"); !ok || got.String() != "Incipit <incipit@example.com>" {
		t.Errorf("got %v, %t", got, ok)
	}
	for _, s := range []string{"", "x", "<a@b>", "x <>", "x <a@b", "x <a b>", "x\n <a@b>", "x <a@b>>", "x\x00 <a>", "x\u202e <a@b>", ". <a@b>"} {
		if _, ok := ParseIdentity(s); ok {
			t.Errorf("%q passed", s)
		}
	}
}
