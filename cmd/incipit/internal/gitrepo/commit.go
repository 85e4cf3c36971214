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
// nothing else: what the user has staged otherwise stays staged. Hooks and
// signing hold. It returns the new commit's id.
func (r *Repo) Commit(ctx context.Context, message string, paths []string) (string, error) {
	if _, err := r.run(ctx, nil, append([]string{"add", "--intent-to-add", "--"}, literal(paths)...)...); err != nil {
		return "", err
	}
	args := []string{"commit", "--quiet", "--no-status", "--cleanup=whitespace", "--file=-", "--only", "--"}
	if _, err := r.run(ctx, []byte(message), append(args, literal(paths)...)...); err != nil {
		return "", err
	}
	id, _, err := r.Head(ctx)
	return id, err
}

// Unstage takes files that were new to git out of the index again.
func (r *Repo) Unstage(ctx context.Context, paths []string) error {
	if len(paths) == 0 {
		return nil
	}
	_, err := r.run(ctx, nil, append([]string{"rm", "--quiet", "--cached", "--ignore-unmatch", "--"}, literal(paths)...)...)
	return err
}

// Refresh makes the index hold what HEAD has at paths.
func (r *Repo) Refresh(ctx context.Context, paths []string) error {
	_, err := r.run(ctx, nil, append([]string{"reset", "--quiet", "--"}, literal(paths)...)...)
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

// MoveHead moves the branch that is checked out from one commit to another,
// if nobody else moved it meanwhile. The files stay as they are.
func (r *Repo) MoveHead(ctx context.Context, from, to, why string) error {
	if err := errors.Join(checkRev(from), checkRev(to)); err != nil {
		return err
	}
	_, err := r.run(ctx, nil, "update-ref", "-m", why, "HEAD", to, from)
	return err
}

// A FileStatus is a file of the work tree that differs from HEAD.
type FileStatus struct {
	Path  string // relative to Dir, with slashes
	Index byte   // git status's letters: ' ', M, A, D, R, ?, U …
	Tree  byte
}

// Status lists what differs from HEAD at paths, untracked files included.
func (r *Repo) Status(ctx context.Context, paths ...string) ([]FileStatus, error) {
	args := []string{"status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames", "--"}
	out, err := r.read(ctx, append(args, literal(paths)...)...)
	if err != nil {
		return nil, err
	}
	var found []FileStatus
	for entry := range strings.SplitSeq(string(out), "\x00") {
		if len(entry) > 3 {
			found = append(found, FileStatus{strings.TrimPrefix(entry[3:], r.Prefix), entry[0], entry[1]})
		}
	}
	return found, nil
}

// Modes returns git's mode of each file below the paths that the index knows,
// relative to Dir.
func (r *Repo) Modes(ctx context.Context, paths ...string) (map[string]string, error) {
	out, err := r.read(ctx, append([]string{"ls-files", "--stage", "-z", "--"}, literal(paths)...)...)
	if err != nil {
		return nil, err
	}
	modes := make(map[string]string)
	for entry := range strings.SplitSeq(string(out), "\x00") {
		if head, name, ok := strings.Cut(entry, "\t"); ok {
			modes[name] = strings.Fields(head)[0]
		}
	}
	return modes, nil
}
