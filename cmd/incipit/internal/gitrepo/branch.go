package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A FileData is a file of a commit. Without Data the commit lacks it.
type FileData struct {
	Path string // from the top of the repository
	Data []byte // nil: the file is removed
}

// A BranchCommit is a commit that begins a branch of its own.
type BranchCommit struct {
	Branch    string // which must not be there
	Parent    string // a commit's id; "" before the first
	Files     []FileData
	Message   string
	Author    Signature
	Committer Signature
}

// PushBranch makes a commit in a bare clone, without a work tree, and a branch
// of the remote that consists of it and its parents. It reports ErrMoved if
// there is such a branch, registry.ErrForbidden if the remote refuses, with its
// reason, and registry.ErrUnavailable if it cannot be reached.
func (r *Repo) PushBranch(ctx context.Context, c BranchCommit) (commit string, err error) {
	ref := "refs/heads/" + c.Branch
	if _, err := r.read(ctx, "check-ref-format", ref); err != nil {
		return "", registry.Errorf(prompt.ErrInvalid, "%q cannot be a branch", prompt.Clip(c.Branch, 80))
	}
	for _, f := range c.Files {
		if err := checkRev(f.Path); err != nil {
			return "", err
		}
	}
	err = r.exclusively(ctx, func(r *Repo) error {
		if err := r.sweep(); err != nil {
			return err
		}
		if commit, err = r.commitTree(ctx, c.Parent, c.Files, c.Message, c.Author, c.Committer); err != nil {
			return err
		}
		return r.pushCommit(ctx, commit, c.Branch, "", "incipit: propose") // the branch must not be there yet
	})
	if err != nil {
		return "", err
	}
	return commit, nil
}

// Branches lists the branches below a directory of names, as name → commit.
func (r *Repo) Branches(ctx context.Context, below string) (map[string]string, error) {
	out, err := r.read(ctx, "for-each-ref", "--format=%(objectname) %(refname:strip=2)", "refs/heads/"+strings.TrimSuffix(below, "/")+"/")
	found := make(map[string]string)
	for line := range strings.SplitSeq(strings.TrimSuffix(string(out), "\n"), "\n") {
		if id, name, ok := strings.Cut(line, " "); ok {
			found[name] = id
		}
	}
	return found, err
}

// commitTree makes a commit whose tree is the parent's with other files in it.
// The lock must be held: the index is one that all commits made here share.
func (r *Repo) commitTree(ctx context.Context, parent string, files []FileData, message string, author, committer Signature) (string, error) {
	index := filepath.Join(r.StateDir(), "index")
	forget := func() error {
		for _, name := range []string{index, index + ".lock"} {
			if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
		return nil
	}
	if err := forget(); err != nil {
		return "", err
	}
	when := func(s Signature) string { return fmt.Sprintf("%d +0000", s.At.Unix()) }
	step := func(stdin []byte, args ...string) (string, error) {
		cmd, err := r.command(ctx, args...)
		if err != nil {
			return "", err
		}
		cmd.Env = append(cmd.Env, "GIT_INDEX_FILE="+index,
			"GIT_AUTHOR_NAME="+author.Name, "GIT_AUTHOR_EMAIL="+author.Mail, "GIT_AUTHOR_DATE="+when(author),
			"GIT_COMMITTER_NAME="+committer.Name, "GIT_COMMITTER_EMAIL="+committer.Mail, "GIT_COMMITTER_DATE="+when(committer))
		stderr := &tail{limit: 16 << 10}
		cmd.Stderr = stderr
		out, err := wait(ctx, cmd, stdin, args, stderr)
		return strings.TrimSpace(string(out)), err
	}
	commit := []string{"commit-tree"}
	if parent != "" {
		if _, err := step(nil, "read-tree", "--end-of-options", parent); err != nil {
			return "", err
		}
		commit = append(commit, "-p", parent)
	}
	var list strings.Builder // what update-index reads: mode, id, path
	for _, f := range files {
		if f.Data == nil {
			fmt.Fprintf(&list, "0 %s\t%s\x00", orZero("", parent), f.Path)
			continue
		}
		blob, err := step(f.Data, "hash-object", "-w", "--stdin", "--no-filters")
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&list, "100644 %s\t%s\x00", blob, f.Path)
	}
	if _, err := step([]byte(list.String()), "update-index", "-z", "--index-info"); err != nil {
		return "", err
	}
	tree, err := step(nil, "write-tree")
	if err != nil {
		return "", err
	}
	id, err := step([]byte(message), append(commit, "-F", "-", tree)...)
	return id, errors.Join(err, forget())
}
