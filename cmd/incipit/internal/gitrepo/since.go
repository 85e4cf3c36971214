package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// ErrNoMergeBase means that two commits have no history in common, as far as
// this clone knows.
var ErrNoMergeBase = errors.New("no common history")

// MergeBase is the commit from which HEAD and rev went apart.
func (r *Repo) MergeBase(ctx context.Context, rev string) (string, error) {
	known, err := r.Known(ctx, rev)
	if err != nil {
		return "", err
	}
	if !known {
		return "", fmt.Errorf("there is no commit %q in this clone", prompt.Clip(rev, 80))
	}
	out, err := r.read(ctx, "merge-base", "HEAD", rev)
	if failed, ok := errors.AsType[*CommandError](err); ok && failed.Code == 1 {
		return "", fmt.Errorf("HEAD and %s have %w", prompt.Clip(rev, 80), ErrNoMergeBase)
	}
	return strings.TrimSpace(string(out)), err
}

// EmptyTree is the id of a tree without files, which git knows in every
// repository.
func (r *Repo) EmptyTree(ctx context.Context) (string, error) {
	out, err := r.read(ctx, "hash-object", "-t", "tree", "--stdin")
	return strings.TrimSpace(string(out)), err
}

// Known reports whether rev names a commit of this clone.
func (r *Repo) Known(ctx context.Context, rev string) (bool, error) {
	if err := checkRev(rev); err != nil {
		return false, err
	}
	_, err := r.read(ctx, "rev-parse", "--verify", "--quiet", "--end-of-options", rev+"^{commit}")
	if failed, ok := errors.AsType[*CommandError](err); ok && failed.Code == 1 {
		return false, nil
	}
	return err == nil, err
}

// Since lists the files below Dir that differ between a commit and the work
// tree, files that git does not know included, or the index if that is asked
// for. Names are relative to Dir.
func (r *Repo) Since(ctx context.Context, commit string, index *Index) ([]string, error) {
	if err := checkRev(commit); err != nil {
		return nil, err
	}
	args := []string{"diff", "--name-only", "-z", "--no-renames", "--no-ext-diff", "--relative"}
	if index != nil {
		out, err := r.withIndex(ctx, *index, append(args, "--cached", "--end-of-options", commit, "--")...)
		return names(out), err
	}
	out, err := r.read(ctx, append(args, "--end-of-options", commit, "--")...)
	if err != nil {
		return nil, err
	}
	found := names(out)
	out, err = r.read(ctx, "ls-files", "--others", "--exclude-standard", "-z")
	return append(found, names(out)...), err
}

func names(out []byte) []string {
	return strings.FieldsFunc(string(out), func(c rune) bool { return c == 0 })
}

// An Index is what a commit is about to be made of. File is the index that git
// names to its hooks, absolute; "" is the repository's own.
type Index struct{ File string }

// WriteIndex makes a tree of what is staged and returns its id. What is staged
// stays as it is.
func (r *Repo) WriteIndex(ctx context.Context, index Index) (string, error) {
	out, err := r.withIndex(ctx, index, "write-tree")
	if _, ok := errors.AsType[*CommandError](err); ok {
		return "", fmt.Errorf("what is staged is no whole tree; a merge may be unfinished: %w", err)
	}
	return strings.TrimSpace(string(out)), err
}

func (r *Repo) withIndex(ctx context.Context, index Index, args ...string) ([]byte, error) {
	cmd, err := r.command(ctx, args...)
	if err != nil {
		return nil, err
	}
	if index.File != "" {
		cmd.Env = append(cmd.Env, "GIT_INDEX_FILE="+index.File)
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	return wait(ctx, cmd, nil, args, &stderr)
}
