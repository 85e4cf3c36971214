package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// ErrBusy means that the repository is in the middle of something else.
var ErrBusy = errors.New("the repository is busy")

// Ready reports ErrBusy, with the way out, while a merge or a rebase is under
// way, since git refuses to commit a part of it.
func (r *Repo) Ready() error {
	if r.Bare {
		return fmt.Errorf("%s is a bare repository, without files to work on; clone it and work in the clone", r.GitDir)
	}
	for _, s := range []struct{ file, what, fix string }{
		{"MERGE_HEAD", "a merge", "git merge --continue or --abort"},
		{"rebase-merge", "a rebase", "git rebase --continue or --abort"},
		{"rebase-apply", "a rebase", "git rebase --continue or --abort"},
		{"CHERRY_PICK_HEAD", "a cherry-pick", "git cherry-pick --continue or --abort"},
		{"REVERT_HEAD", "a revert", "git revert --continue or --abort"},
	} {
		if _, err := os.Lstat(filepath.Join(r.GitDir, s.file)); err == nil {
			return fmt.Errorf("%w with %s; finish it with %s", ErrBusy, s.what, s.fix)
		}
	}
	return nil
}

// Commit commits the files of the work tree at paths, relative to Dir, and
// nothing else: what the user has staged otherwise stays staged. Those of the
// paths that git does not know yet are named in untracked too. Hooks and
// signing hold.
func (r *Repo) Commit(ctx context.Context, message string, paths, untracked []string) error {
	if len(untracked) > 0 {
		if _, err := r.run(ctx, nil, append([]string{"add", "--intent-to-add", "--"}, literal(untracked)...)...); err != nil {
			return err
		}
	}
	args := []string{"commit", "--quiet", "--no-status", "--cleanup=whitespace", "--file=-", "--only", "--"}
	_, err := r.run(ctx, []byte(message), append(args, literal(paths)...)...)
	return err
}

// ResetIndex makes the index hold what rev has at paths. "" is what is checked
// out, or nothing before the first commit.
func (r *Repo) ResetIndex(ctx context.Context, rev string, paths []string) error {
	args := []string{"reset", "--quiet"}
	if rev != "" {
		if err := checkRev(rev); err != nil {
			return err
		}
		args = append(args, rev)
	}
	args = append(args, "--")
	_, err := r.run(ctx, nil, append(args, literal(paths)...)...)
	var failed *CommandError
	if errors.As(err, &failed) && failed.Code == 1 {
		return nil // git reset says by 1 that files differ from the index
	}
	return err
}

// CreateTag makes the annotated tag name on commit. It reports fs.ErrExist if
// the name is taken.
func (r *Repo) CreateTag(ctx context.Context, name, commit, message string) error {
	if err := errors.Join(checkRev(name), checkRev(commit)); err != nil {
		return err
	}
	_, err := r.run(ctx, []byte(message), "tag", "--annotate", "--cleanup=whitespace", "--file=-", "--end-of-options", name, commit)
	var failed *CommandError
	if errors.As(err, &failed) && strings.Contains(failed.Stderr, "already exists") {
		return fmt.Errorf("tag %s: %w", name, os.ErrExist)
	}
	return err
}

// DeleteTag removes the tag name, if object is still what it points to.
func (r *Repo) DeleteTag(ctx context.Context, name, object string) error {
	if err := errors.Join(checkRev(name), checkRev(object)); err != nil {
		return err
	}
	_, err := r.run(ctx, nil, "update-ref", "-d", "refs/tags/"+name, object)
	return err
}

// MoveHead moves the branch that is checked out from one commit to another, or
// to before its first one if to is "", if nobody else moved it meanwhile. The
// files stay as they are.
func (r *Repo) MoveHead(ctx context.Context, from, to, why string) error {
	if err := checkRev(from); err != nil {
		return err
	}
	args := []string{"update-ref", "-m", why, "HEAD", to, from}
	if to == "" {
		args = []string{"update-ref", "-m", why, "-d", "HEAD", from}
	} else if err := checkRev(to); err != nil {
		return err
	}
	_, err := r.run(ctx, nil, args...)
	return err
}
