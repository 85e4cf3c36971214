package gitrepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// A Signature is who did something, and when.
type Signature struct {
	Name, Mail string
	At         time.Time
}

func (s Signature) String() string {
	if s.Mail == "" {
		return s.Name
	}
	return s.Name + " <" + s.Mail + ">"
}

// parseSignature reads "Name <mail> seconds zone".
func parseSignature(s string) Signature {
	name, rest, _ := strings.Cut(s, " <")
	mail, when, _ := strings.Cut(rest, "> ")
	seconds, _, _ := strings.Cut(when, " ")
	n, _ := strconv.ParseInt(seconds, 10, 64)
	return Signature{name, mail, time.Unix(n, 0).UTC()}
}

// Head is the commit that is checked out and its branch. Before the first
// commit the id is "", on a detached HEAD the branch is "".
func (r *Repo) Head(ctx context.Context) (id, branch string, err error) {
	out, err := r.read(ctx, "rev-parse", "--verify", "--quiet", "HEAD")
	var failed *CommandError
	if err != nil && !errors.As(err, &failed) {
		return "", "", err
	}
	id = strings.TrimSpace(string(out))
	out, err = r.read(ctx, "symbolic-ref", "--quiet", "--short", "HEAD")
	if err != nil && !errors.As(err, &failed) {
		return "", "", err
	}
	return id, strings.TrimSpace(string(out)), nil
}

// DefaultBranch is the branch that the remote origin has checked out, as the
// clone remembers it, or "".
func (r *Repo) DefaultBranch(ctx context.Context) (string, error) {
	out, err := r.read(ctx, "symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD")
	if _, ok := errors.AsType[*CommandError](err); ok {
		return "", nil
	}
	return strings.TrimPrefix(strings.TrimSpace(string(out)), "origin/"), err
}

// Identity is who git would name as the author of a commit made now.
func (r *Repo) Identity(ctx context.Context) (Signature, error) {
	out, err := r.read(ctx, "var", "GIT_AUTHOR_IDENT")
	if err == nil {
		_, err = r.read(ctx, "var", "GIT_COMMITTER_IDENT")
	}
	if err != nil {
		return Signature{}, fmt.Errorf("git does not know who you are; run git config user.name \"Your Name\" and git config user.email you@example.com: %w", err)
	}
	return parseSignature(strings.TrimSpace(string(out))), nil
}

// A TagRef is a ref below refs/tags.
type TagRef struct {
	Name   string // without refs/tags/
	Object string // the id of the tag object, or of the commit of a lightweight tag
}

// Tags lists the tags that match a pattern such as customer-support@*, or all
// of them if pattern is "".
func (r *Repo) Tags(ctx context.Context, pattern string) ([]TagRef, error) {
	args := []string{"for-each-ref", "--format=%(objectname) %(refname:strip=2)", "refs/tags/" + pattern}
	out, err := r.read(ctx, args...)
	if err != nil {
		return nil, err
	}
	tags := make([]TagRef, 0, bytes.Count(out, []byte("\n")))
	for line := range strings.SplitSeq(strings.TrimSuffix(string(out), "\n"), "\n") {
		if id, name, ok := strings.Cut(line, " "); ok {
			tags = append(tags, TagRef{name, id})
		}
	}
	return tags, nil
}

// ContainingTags answers for each commit which tag of the pattern first held
// it: "customer-support@1.2.0", or "" for a commit that no tag holds.
func (r *Repo) ContainingTags(ctx context.Context, pattern string, commits []string) (map[string]string, error) {
	if len(commits) == 0 {
		return nil, nil
	}
	out, err := r.run(ctx, []byte(strings.Join(commits, "\n")+"\n"), "name-rev", "--refs=refs/tags/"+pattern, "--annotate-stdin")
	if err != nil {
		return nil, err
	}
	found := make(map[string]string, len(commits))
	for line := range strings.SplitSeq(string(out), "\n") {
		id, rest, ok := strings.Cut(line, " (")
		if !ok {
			continue
		}
		name := strings.TrimSuffix(strings.TrimPrefix(rest, "tags/"), ")")
		if i := strings.IndexAny(name, "~^"); i >= 0 {
			name = name[:i]
		}
		found[id] = name
	}
	return found, nil
}

// History lists the commits reachable from rev that changed one of the paths,
// the newest first. With firstParent it follows the branch itself and takes a
// merge for one change of it.
func (r *Repo) History(ctx context.Context, rev string, firstParent bool, paths ...string) ([]string, error) {
	if err := checkRev(rev); err != nil {
		return nil, err
	}
	args := []string{"log", "--format=%H", "--topo-order"}
	if firstParent {
		args = append(args, "--first-parent", "-m")
	} else {
		args = append(args, "--full-history")
	}
	args = append(args, "--end-of-options", rev, "--")
	out, err := r.read(ctx, append(args, literal(paths)...)...)
	return strings.Fields(string(out)), err
}

// Messages returns the messages, by commit, of what rev is made of and pattern,
// a basic regular expression, matches in. Before the first commit there are
// none.
func (r *Repo) Messages(ctx context.Context, rev, pattern string) (map[string]string, error) {
	if err := checkRev(rev); err != nil {
		return nil, err
	}
	out, err := r.read(ctx, "log", "--format=%H%n%B%x00", "--grep="+pattern, "--end-of-options", rev, "--")
	if head, _, headErr := r.Head(ctx); err != nil && headErr == nil && head == "" {
		return nil, nil
	}
	found := make(map[string]string)
	for record := range strings.SplitSeq(string(out), "\x00") {
		if id, message, ok := strings.Cut(strings.TrimPrefix(record, "\n"), "\n"); ok {
			found[id] = message
		}
	}
	return found, err
}

// Reachable reports whether commit is an ancestor of rev, or rev itself.
func (r *Repo) Reachable(ctx context.Context, commit, rev string) (bool, error) {
	if err := errors.Join(checkRev(commit), checkRev(rev)); err != nil {
		return false, err
	}
	_, err := r.read(ctx, "merge-base", "--is-ancestor", commit, rev)
	var failed *CommandError
	if errors.As(err, &failed) && failed.Code == 1 {
		return false, nil
	}
	return err == nil, err
}

// literal keeps git from reading a path as a pattern.
func literal(paths []string) []string {
	out := make([]string, len(paths))
	for i, p := range paths {
		out[i] = ":(literal)" + p
	}
	return out
}

// A BlameLine is a line of a file and the commit it came with.
type BlameLine struct {
	Commit string // all zeros for a line that is not committed
	Author string
	At     time.Time
	Text   string
}

// Blame attributes the lines of path at rev, or in the work tree if rev is "".
func (r *Repo) Blame(ctx context.Context, rev, path string) ([]BlameLine, error) {
	args := []string{"blame", "--line-porcelain"}
	if rev != "" {
		if err := checkRev(rev); err != nil {
			return nil, err
		}
		args = append(args, rev)
	}
	out, err := r.read(ctx, append(args, "--", path)...)
	if err != nil {
		return nil, err
	}
	var (
		lines []BlameLine
		now   BlameLine
	)
	for line := range strings.SplitSeq(string(out), "\n") {
		key, value, _ := strings.Cut(line, " ")
		switch {
		case strings.HasPrefix(line, "\t"):
			now.Text = line[1:]
			lines = append(lines, now)
			now = BlameLine{}
		case now.Commit == "" && len(key) >= 40:
			now.Commit = key
		case key == "author":
			now.Author = prompt.Visible(value)
		case key == "author-time":
			n, _ := strconv.ParseInt(value, 10, 64)
			now.At = time.Unix(n, 0).UTC()
		}
	}
	return lines, nil
}
