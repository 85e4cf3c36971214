package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// ErrMoved means that the remote's branch is not where it was seen: fetch, and
// try again.
var ErrMoved = errors.New("the branch was moved meanwhile")

// A FileCommit is a commit that differs from its parent in one file.
type FileCommit struct {
	Branch  string
	Parent  string // a commit's id; "" before the first
	Path    string // from the top of the repository
	Data    []byte
	Message string
	By      Signature // author and committer
}

// PushFile makes a commit in a bare clone, without a work tree, and moves the
// remote's branch to it if it still is where the parent says. It reports
// ErrMoved if it is not, registry.ErrForbidden if the remote refuses, with its
// reason, and registry.ErrUnavailable if it cannot be reached.
func (r *Repo) PushFile(ctx context.Context, c FileCommit) (commit string, err error) {
	if err := checkRev(c.Path); err != nil {
		return "", err
	}
	err = r.exclusively(ctx, func(r *Repo) error {
		if err := r.sweep(); err != nil {
			return err
		}
		if commit, err = r.commitTree(ctx, c.Parent, []FileData{{c.Path, c.Data}}, c.Message, c.By, c.By); err != nil {
			return err
		}
		return r.pushCommit(ctx, commit, c.Branch, c.Parent, "incipit: mirror")
	})
	if err != nil {
		return "", err
	}
	return commit, nil
}

// pushCommit makes a commit the head of a branch of the remote, where that is
// still at a commit; "" is no branch. The lease makes it a compare-and-set:
// without it, a branch that was taken back to an older commit would be brought
// forward again.
func (r *Repo) pushCommit(ctx context.Context, commit, branch, from, why string) error {
	ref := "refs/heads/" + branch
	out, err := r.talk(ctx, "push", "--quiet", "--porcelain", "--no-verify", "--no-recurse-submodules", "--force-with-lease="+ref+":"+from,
		"--end-of-options", r.remote.URL.text, commit+":"+ref)
	if err != nil {
		return r.remote.explainPush(err, string(out), branch)
	}
	// What the next fetch would find. If somebody moved it meanwhile, that will
	// put it right, too.
	_, err = r.run(ctx, nil, "update-ref", "-m", why, ref, commit, orZero(from, commit))
	if _, ok := errors.AsType[*CommandError](err); ok {
		return nil
	}
	return err
}

// orZero is the id that stands for nothing, where there is none.
func orZero(id, like string) string {
	if id == "" {
		return strings.Repeat("0", len(like))
	}
	return id
}

// explainPush tells a branch that moved from a remote that refuses. A line of
// the output is "!", tab, "from:to", tab, "[remote rejected] (the reason)".
func (rem *Remote) explainPush(err error, out, branch string) error {
	failed, ok := errors.AsType[*CommandError](err)
	if !ok {
		return err
	}
	summary := ""
	for line := range strings.SplitSeq(out, "\n") {
		if f := strings.SplitN(line, "\t", 3); len(f) == 3 && f[0] == "!" {
			summary = f[2]
		}
	}
	if summary == "" {
		return rem.explain(err)
	}
	for _, moved := range []string{"stale info", "fetch first", "non-fast-forward", "cannot lock ref", "failed to update ref", "incorrect old value", "reference already exists"} {
		if strings.Contains(summary, moved) {
			return fmt.Errorf("%w: %s of %s: %s", ErrMoved, branch, rem.URL, prompt.Clip(summary, 200))
		}
	}
	reason := prompt.Clip(summary, 200)
	var said []string
	for line := range strings.SplitSeq(failed.Stderr, "\n") {
		if s, ok := strings.CutPrefix(strings.TrimSpace(line), "remote: "); ok && strings.TrimSpace(s) != "" {
			said = append(said, strings.TrimSpace(s))
		}
	}
	if len(said) > 0 {
		reason += ": " + prompt.Clip(strings.Join(said, "; "), 400)
	}
	fix := "let the server's account push to " + branch + ", or name another branch"
	if strings.Contains(summary, "currently checked out") {
		fix = "give the server a bare repository: nobody may push to a branch that is checked out"
	}
	return registry.WithFix(registry.Errorf(registry.ErrForbidden, "%s refuses a push to %s: %s", rem.URL, branch, reason), "%s", fix)
}

// ParseIdentity reads "Name <mail>", and reports whether git would keep both
// as they are.
func ParseIdentity(s string) (Signature, bool) {
	name, mail, ok := strings.Cut(strings.TrimSuffix(s, ">"), " <")
	crud := func(s string) bool {
		return s == "" || len(s) > 200 || strings.ContainsAny(s, "<>\n\r\x00") || prompt.Visible(s) != s || strings.Trim(s, " .,:;\"\\'") != s
	}
	if !ok || !strings.HasSuffix(s, ">") || crud(name) || crud(mail) || strings.Contains(mail, " ") {
		return Signature{}, false
	}
	return Signature{Name: name, Mail: mail}, true
}
