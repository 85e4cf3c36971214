package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// OpenClone opens the bare clone of rem that Clone made in dir, without a word
// to the remote. It reports fs.ErrNotExist if there is none.
func OpenClone(ctx context.Context, rem Remote, dir string) (*Repo, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if rem.URL.text == "" {
		return nil, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "no repository was named"), remoteFix)
	}
	if _, err := os.Stat(abs); err != nil {
		return nil, err
	}
	r := &Repo{Dir: abs, GitDir: abs, CommonDir: abs, Bare: true, remote: &rem}
	out, err := r.read(ctx, "rev-parse", "--is-bare-repository", "--is-shallow-repository")
	if _, ok := errors.AsType[*CommandError](err); ok || err == nil && !strings.HasPrefix(string(out), "true\n") {
		return nil, registry.WithFix(fmt.Errorf("%s is no bare clone that can be read", abs), "remove it, and it is cloned again")
	}
	r.Shallow = strings.HasSuffix(string(out), "\ntrue\n")
	return r, err
}

// Clone makes a bare clone of rem in dir, or opens the one that is there: its
// branches and tags, and no other ref. It appears in dir when it is complete;
// one that was killed is made again.
func Clone(ctx context.Context, rem Remote, dir string) (*Repo, error) {
	if r, err := OpenClone(ctx, rem, dir); !errors.Is(err, fs.ErrNotExist) {
		return r, err
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return nil, err
	}
	// The lock falls when the last git that we started is gone, so whatever
	// lies there under it belongs to nobody.
	making := &Repo{Dir: parent, CommonDir: parent, Bare: true, remote: &rem}
	err := making.exclusively(ctx, func(r *Repo) error {
		if _, err := os.Stat(dir); err == nil {
			return nil // somebody else was faster
		}
		r.Dir = dir + ".partial"
		if err := os.RemoveAll(r.Dir); err != nil {
			return err
		}
		if err := os.Mkdir(r.Dir, 0o755); err != nil {
			return err
		}
		// Without --no-local git would copy the files of a directory, links
		// and all, instead of its objects.
		_, err := r.talk(ctx, "clone", "--quiet", "--bare", "--no-local", "--template=", "--end-of-options", rem.URL.text, ".")
		if err != nil {
			return errors.Join(rem.explain(err), os.RemoveAll(r.Dir))
		}
		return os.Rename(r.Dir, dir)
	})
	if err != nil {
		return nil, err
	}
	r, err := OpenClone(ctx, rem, dir)
	if err == nil {
		err = r.follow(ctx, rem.Branch)
	}
	return r, err
}

// exclusively runs do with a copy of r that holds the lock, while readers go
// on with r.
func (r *Repo) exclusively(ctx context.Context, do func(*Repo) error) (err error) {
	locked := *r
	lock, err := locked.Acquire(ctx, r.remote.timeout())
	if errors.Is(err, ErrLocked) {
		return registry.Errorf(registry.ErrUnavailable, "%v", err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	return do(&locked)
}

// Fetch makes the branches and tags of a clone those of its remote, moved and
// vanished ones too, and its HEAD the branch that is read. It reports
// registry.ErrUnavailable if the remote cannot be reached.
func (r *Repo) Fetch(ctx context.Context) error {
	return r.exclusively(ctx, func(r *Repo) error {
		if err := r.sweep(); err != nil {
			return err
		}
		branch := r.remote.Branch
		if branch == "" {
			out, err := r.talk(ctx, "ls-remote", "--quiet", "--symref", "--end-of-options", r.remote.URL.text, "HEAD")
			if err != nil {
				return r.remote.explain(err)
			}
			branch = headBranch(string(out))
		}
		_, err := r.talk(ctx, "fetch", "--quiet", "--prune", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules",
			"--end-of-options", r.remote.URL.text, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
		if err != nil {
			return r.remote.explain(err)
		}
		if err := r.follow(ctx, branch); err != nil {
			return err
		}
		// In the foreground and under the lock. It does nothing most of the time.
		_, err = r.run(ctx, nil, "-c", "gc.auto=6700", "gc", "--auto", "--quiet")
		return err
	})
}

// headBranch finds the branch in "ref: refs/heads/main\tHEAD". A remote whose
// HEAD is no branch, or which is empty, names none.
func headBranch(out string) string {
	for line := range strings.SplitSeq(out, "\n") {
		ref, name, ok := strings.Cut(line, "\t")
		branch, isBranch := strings.CutPrefix(ref, "ref: refs/heads/")
		if ok && isBranch && name == "HEAD" {
			return branch
		}
	}
	return ""
}

// follow makes HEAD the branch, and leaves it as it is for "".
func (r *Repo) follow(ctx context.Context, branch string) error {
	if branch == "" {
		return nil
	}
	ref := "refs/heads/" + branch
	if _, err := r.read(ctx, "check-ref-format", ref); err != nil {
		return registry.Errorf(prompt.ErrInvalid, "%q cannot be a branch", prompt.Clip(branch, 80))
	}
	_, err := r.run(ctx, nil, "symbolic-ref", "HEAD", ref)
	return err
}

// sweep removes what a killed git left behind. We hold our lock, so no git of
// ours is alive; one that somebody runs by hand keeps its locks.
func (r *Repo) sweep() error {
	locks := r.LockFiles()
	for _, name := range []string{"config.lock", "shallow.lock", "FETCH_HEAD.lock"} {
		path := filepath.Join(r.GitDir, name)
		if fi, err := os.Lstat(path); err == nil {
			locks = append(locks, LockFile{path, fi.ModTime()})
		}
	}
	partial, _ := filepath.Glob(filepath.Join(r.GitDir, "objects", "pack", "tmp_*"))
	if len(locks) == 0 && len(partial) == 0 {
		return nil
	}
	if pid, live := r.GitProcess(); live {
		if len(locks) == 0 {
			return nil
		}
		return registry.WithFix(registry.Errorf(registry.ErrUnavailable, "git (process %s) is at work in %s and holds %s", pid, r.GitDir, filepath.Base(locks[0].Path)),
			"wait until it is done, or end it; it is tried again")
	}
	for _, l := range locks {
		partial = append(partial, l.Path)
	}
	var errs []error
	for _, p := range partial {
		errs = append(errs, os.Remove(p))
		if r.remote.Notify != nil {
			r.remote.Notify("removed " + p + ", which a killed git left behind")
		}
	}
	return errors.Join(errs...)
}

// explain says of a remote that refuses or does not answer what to try.
func (rem *Remote) explain(err error) error {
	failed, ok := errors.AsType[*CommandError](err)
	if !ok {
		return err
	}
	said := lastWords(failed.Stderr)
	has := func(texts ...string) bool {
		return slices.ContainsFunc(texts, func(t string) bool { return strings.Contains(failed.Stderr, t) })
	}
	fix := "look at the network, and whether the repository is where the URL says; it is tried again"
	switch {
	case has("terminal prompts disabled", "Authentication failed", "returned error: 401", "returned error: 403"):
		fix = "give a token that may read the repository in INCIPIT_GIT_TOKEN"
	case has("Host key verification failed"):
		fix = "add the host's key to the known_hosts of the user who runs the server: ssh-keyscan, after you compared it"
	case has("Permission denied (publickey"):
		fix = "give the user who runs the server an ssh key that may read the repository"
	case has("returned error: 301", "returned error: 302", "returned error: 307", "returned error: 308"):
		fix = "the host redirects to another URL, which is not followed; give that one"
	case has("dubious ownership"):
		fix = "run the server as the user to whom the directory belongs, or give an ssh URL"
	case has("fsck error", "error: object "):
		fix = "the remote sent an object that git considers dangerous or damaged; git fsck --strict in the repository names it"
	}
	return registry.WithFix(registry.Errorf(registry.ErrUnavailable, "git %s with %s: %s", failed.Args[0], rem.URL, said), "%s", fix)
}

// lastWords are the lines of an output that say what was wrong: the first
// fatal one, and what came right before it.
func lastWords(stderr string) string {
	var before []string
	for line := range strings.SplitSeq(stderr, "\n") {
		line = strings.TrimSpace(line)
		if s, ok := strings.CutPrefix(line, "fatal: "); ok {
			before = append(before, s)
			break
		}
		if line != "" && line != "remote:" {
			before = append(before, line)
		}
	}
	if len(before) == 0 {
		return "it gave no reason"
	}
	return prompt.Clip(strings.Join(before[max(0, len(before)-3):], "; "), 600)
}
