// Package gitrepo runs the git binary, and is the only package that does.
//
// No shell is ever involved. Every argument is checked and stands behind
// --end-of-options, the environment is clean, and reads neither take locks nor
// follow replace refs. Commits and tags are made by git commit and git tag, so
// that the hooks, the signing and the identity of the person who runs them
// hold, with core.fsync set so that what was answered survives a crash.
package gitrepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// ErrNoRepository means that a directory lies in no Git repository.
var ErrNoRepository = errors.New("not in a Git repository")

// MinVersion is the oldest git that has all that is used here: core.fsync.
const MinVersion = "2.36"

// A Repo is a repository and the directory in it that commands run in.
type Repo struct {
	Dir       string // absolute
	Top       string // of the work tree; "" in a bare repository
	Prefix    string // from Top to Dir, with a slash at its end; "" at the top
	GitDir    string // of this work tree
	CommonDir string // shared by all work trees
	Bare      bool
	Shallow   bool

	lock *Lock // handed to children, so that it outlives us while they live

	// remote is set for a server's own bare clone. Nothing of the machine's
	// configuration counts there, and no hook runs.
	remote *Remote
}

// Open finds the repository that dir lies in. It reports ErrNoRepository if
// there is none.
func Open(ctx context.Context, dir string) (*Repo, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	r := &Repo{Dir: abs}
	// In a bare repository the last two questions fail, after the first four
	// are answered.
	out, err := r.read(ctx, "rev-parse", "--is-bare-repository", "--is-shallow-repository",
		"--absolute-git-dir", "--git-common-dir", "--show-prefix", "--show-toplevel")
	lines := strings.Split(string(out), "\n")
	var failed *CommandError
	switch {
	case errors.As(err, &failed) && len(lines) >= 5:
	case errors.As(err, &failed) && strings.Contains(failed.Stderr, "not a git repository"):
		return nil, fmt.Errorf("%s is %w", abs, ErrNoRepository)
	case errors.As(err, &failed) && strings.Contains(failed.Stderr, "dubious ownership"):
		return nil, fmt.Errorf("%s belongs to another user, so git refuses to read it; if you trust it: git config --global --add safe.directory %s", abs, abs)
	case err != nil:
		return nil, err
	}
	r.Bare, r.Shallow, r.GitDir = lines[0] == "true", lines[1] == "true", lines[2]
	r.CommonDir = lines[3]
	if !filepath.IsAbs(r.CommonDir) {
		r.CommonDir = filepath.Join(abs, r.CommonDir)
	}
	if !r.Bare && len(lines) >= 6 {
		r.Prefix, r.Top = lines[4], filepath.FromSlash(lines[5])
	}
	return r, nil
}

// At is the repository that dir lies in, not discovered yet: it can read
// objects and do without a process of its own for that.
func At(dir string) *Repo { return &Repo{Dir: dir} }

// GitDir is the git directory of the work tree that dir lies in, found without
// git: false if there is none.
func GitDir(dir string) (string, bool) {
	for {
		name := filepath.Join(dir, ".git")
		if fi, err := os.Stat(name); err == nil && fi.IsDir() {
			return name, true
		}
		if link, err := os.ReadFile(name); err == nil { // a linked work tree
			to, ok := strings.CutPrefix(strings.TrimSpace(string(link)), "gitdir: ")
			if !filepath.IsAbs(to) {
				to = filepath.Join(dir, to)
			}
			return to, ok
		}
		if dir == filepath.Dir(dir) {
			return "", false
		}
		dir = filepath.Dir(dir)
	}
}

// HalfMade reports whether a git init was killed here.
func (r *Repo) HalfMade() bool {
	_, err := os.Lstat(filepath.Join(r.CommonDir, "config.lock"))
	_, live := r.GitProcess()
	return err == nil && !live
}

// Init makes a repository in dir, on the branch main. It finishes one that a
// killed git init left half made.
func Init(ctx context.Context, dir string) (*Repo, error) {
	git := filepath.Join(dir, ".git")
	r := &Repo{Dir: dir, Top: dir, GitDir: git, CommonDir: git}
	if _, live := r.GitProcess(); !live {
		for _, name := range []string{"config.lock", "HEAD.lock"} {
			if err := os.Remove(filepath.Join(git, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
				return nil, err
			}
		}
	}
	if _, err := r.run(ctx, nil, "init", "--quiet", "--initial-branch=main"); err != nil {
		return nil, err
	}
	return Open(ctx, dir)
}

// Version is what git --version prints, without its first words.
func Version(ctx context.Context) (string, error) {
	out, err := (&Repo{Dir: "."}).read(ctx, "version")
	return strings.TrimPrefix(strings.TrimSpace(string(out)), "git version "), err
}

// A CommandError is a git command that did not succeed.
type CommandError struct {
	Args   []string
	Code   int
	Stderr string // trimmed, made safe to print
}

func (e *CommandError) Error() string {
	if e.Stderr == "" {
		return fmt.Sprintf("git %s exited with status %d", e.Args[0], e.Code)
	}
	return fmt.Sprintf("git %s: %s", e.Args[0], e.Stderr)
}

// read runs a command that changes nothing.
func (r *Repo) read(ctx context.Context, args ...string) ([]byte, error) {
	return r.run(ctx, nil, append([]string{"--no-optional-locks"}, args...)...)
}

// run runs git with args in Dir and returns its standard output.
func (r *Repo) run(ctx context.Context, stdin []byte, args ...string) ([]byte, error) {
	cmd, err := r.command(ctx, args...)
	if err != nil {
		return nil, err
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	return wait(ctx, cmd, stdin, args, &stderr)
}

// wait runs a command to its end and returns its standard output.
func wait(ctx context.Context, cmd *exec.Cmd, stdin []byte, args []string, stderr fmt.Stringer) ([]byte, error) {
	var stdout bytes.Buffer
	cmd.Stdin, cmd.Stdout = bytes.NewReader(stdin), &stdout
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return nil, explainStart(err)
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.As(err, &exit):
		args = slices.DeleteFunc(slices.Clone(args), func(a string) bool { return a == "--no-optional-locks" })
		return stdout.Bytes(), &CommandError{args, exit.ExitCode(), prompt.Visible(strings.TrimSpace(stderr.String()))}
	}
	return stdout.Bytes(), err
}

// explainStart says why git could not be started.
func explainStart(err error) error {
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("git is not installed, or not in PATH; Incipit needs git %s or newer", MinVersion)
	}
	return fmt.Errorf("git: %w", err)
}

func (r *Repo) command(ctx context.Context, args ...string) (*exec.Cmd, error) {
	for _, a := range args {
		if strings.ContainsRune(a, 0) {
			return nil, fmt.Errorf("%q is %w as an argument of git", prompt.Visible(a), prompt.ErrInvalid)
		}
	}
	// fsmonitor would leave a daemon behind that holds our lock, and gc too.
	fixed := []string{
		"-c", "core.fsmonitor=false", "-c", "gc.auto=0", "-c", "maintenance.auto=false",
		"-c", "core.fsync=committed,reference", "-c", "core.quotePath=false",
	}
	env := environment
	if r.remote != nil {
		fixed, env = append(fixed, apart()...), r.environmentApart
	}
	cmd := exec.CommandContext(ctx, "git", append(fixed, args...)...) //nolint:gosec // args are checked, and no shell reads them
	cmd.Dir = r.Dir
	cmd.Env = env()
	if r.lock != nil {
		cmd.ExtraFiles = []*os.File{r.lock.file.File}
	}
	return cmd, nil
}

// environment is ours without the variables by which git can be told to work
// on other files or to run other programs, as a hook's environment does.
func environment() []string {
	keep := []string{
		"GIT_AUTHOR_", "GIT_COMMITTER_", "GIT_CONFIG_", "GIT_SSH", "GIT_ASKPASS", "GIT_CEILING_DIRECTORIES",
		"GIT_TRACE", "GIT_EXEC_PATH", "GIT_TEMPLATE_DIR",
	}
	env := slices.DeleteFunc(os.Environ(), func(kv string) bool {
		return strings.HasPrefix(kv, "GIT_") && !slices.ContainsFunc(keep, func(p string) bool { return strings.HasPrefix(kv, p) })
	})
	return append(env, "GIT_TERMINAL_PROMPT=0", "GIT_NO_REPLACE_OBJECTS=1", "GIT_PAGER=cat", "LC_ALL=C")
}

// checkRev refuses what git could take for an option or for more than a
// revision or a path.
func checkRev(s string) error {
	if s == "" || s[0] == '-' || strings.ContainsAny(s, "\x00\n\r") {
		return fmt.Errorf("%q is %w as a revision or a path", prompt.Clip(s, 80), prompt.ErrInvalid)
	}
	return nil
}
