package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/gitrepo"
	"github.com/incipit-dev/incipit/internal/registry"
)

// Mend waits for a change that is under way, and completes or takes back one
// that was interrupted. Whoever is about to change something decides after it.
func (w *Workspace) Mend(ctx context.Context) error {
	if c, err := w.underWay(); c == nil && err == nil {
		return nil
	}
	return w.exclusively(ctx, func(*gitrepo.Repo) error { return nil })
}

// recover completes or takes back the change that the journal tells of. It is
// called under the lock, which the children of a killed process keep: none of
// them is alive here.
func (w *Workspace) recover(ctx context.Context, repo *gitrepo.Repo) error {
	c, err := readJournal(repo)
	if c == nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	if err := w.removeLocks(repo, c.Started.Add(-time.Second)); err != nil {
		return err
	}
	commit, err := w.settle(ctx, repo, *c, "", true)
	if err != nil {
		return fmt.Errorf("an interrupted change can be neither completed nor taken back (%s): %w", c.What, err)
	}
	// A git of ours may have been killed by itself on the way here.
	if err := w.removeLocks(repo, c.Started.Add(-time.Second)); err != nil {
		return err
	}
	w.completed = commit != ""
	if w.completed {
		w.notify("completed an interrupted change: " + c.What)
	} else {
		w.notify("took back an interrupted change: " + c.What)
	}
	return w.removeJournal(repo)
}

// settle brings a change that stopped anywhere to one of its two ends, and is
// itself safe to stop and do again. The change is whole if its commit is there
// and its tags are, or can be made now if retry is set; settle returns the
// commit. Else it is taken back, and settle returns "". made is the commit
// where the caller knows it.
func (w *Workspace) settle(ctx context.Context, repo *gitrepo.Repo, c change, made string, retry bool) (commit string, err error) {
	paths := c.allPaths()
	if len(paths) == 0 { // tags alone, on a commit that was there before
		if w.complete(ctx, repo, c, c.Head, retry) != nil {
			return "", nil //nolint:nilerr // publish makes the missing ones
		}
		return c.Head, nil
	}
	head, _, err := repo.Head(ctx)
	if err != nil {
		return "", err
	}
	if commit = made; commit == "" {
		if commit, err = w.commitOf(ctx, c, head); err != nil {
			return "", err
		}
	}
	if commit != "" && w.unaltered(ctx, commit, c) == nil {
		if err := repo.ResetIndex(ctx, "HEAD", paths); err != nil {
			return "", err
		}
		if err = w.complete(ctx, repo, c, commit, retry); err == nil {
			return commit, nil
		}
	}
	if commit != "" && commit != head {
		return "", registry.WithFix(errors.Join(fmt.Errorf("commit %.12s is a part of it, and others were made on top", commit), err),
			"git revert %.12s, then delete %s", commit, journalPath(repo))
	}
	return "", w.takeBack(ctx, repo, c, head, commit)
}

// complete makes the tags of a change that are not there.
func (w *Workspace) complete(ctx context.Context, repo *gitrepo.Repo, c change, commit string, retry bool) error {
	o, err := w.reader(ctx)
	if err != nil {
		return err
	}
	for _, t := range c.Tags {
		was, err := o.Tag(t.Name)
		switch {
		case err == nil && was.Target == commit:
		case errors.Is(err, fs.ErrNotExist) && retry:
			err = repo.CreateTag(ctx, t.Name, commit, t.Message)
		case err == nil:
			err = fmt.Errorf("tag %s: %w", t.Name, fs.ErrExist)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// commitOf finds the commit that c made, among head and what it came from, or
// returns "".
func (w *Workspace) commitOf(ctx context.Context, c change, head string) (string, error) {
	if head == c.Head {
		return "", nil
	}
	o, err := w.reader(ctx)
	if err != nil {
		return "", err
	}
	const far = 1000 // that many commits later nobody is helped
	for id, n := head, 0; id != "" && n < far; n++ {
		got, err := o.Commit(id)
		if err != nil {
			return "", err
		}
		parent := ""
		if len(got.Parents) > 0 {
			parent = got.Parents[0]
		}
		if parent == c.Head {
			// Hooks may have replaced the message, or changed the files.
			subject, _, _ := strings.Cut(strings.TrimSpace(c.Message), "\n")
			if len(got.Parents) < 2 && (strings.Contains(got.Message, subject) || w.unaltered(ctx, id, c) == nil) {
				return id, nil
			}
			break
		}
		id = parent
	}
	return "", nil
}

// takeBack undoes what was done of a change: commit, which is head, if it came
// that far, and the files.
func (w *Workspace) takeBack(ctx context.Context, repo *gitrepo.Repo, c change, head, commit string) error {
	if commit != "" {
		// The commit goes last: if we die before, it still tells what to do.
		if c.Head != "" {
			if err := repo.ResetIndex(ctx, c.Head, c.allPaths()); err != nil {
				return err
			}
		}
		if err := w.removeTags(ctx, repo, c, commit); err != nil {
			return err
		}
		if err := repo.MoveHead(ctx, commit, c.Head, "incipit: take back "+c.What); err != nil {
			return fmt.Errorf("commit %.12s could not be taken back: %w", commit, err)
		}
		head = c.Head
	}
	var (
		made      fs.FS // what was committed and is taken back, nil if nothing
		overtaken fs.FS // what others committed instead, nil if nothing
		err       error
	)
	if commit != "" {
		if made, err = w.at(ctx, commit); err != nil {
			return err
		}
	}
	if head != c.Head && head != "" {
		if overtaken, err = w.at(ctx, head); err != nil {
			return err
		}
	}
	untracked := slices.Clone(c.Untracked)
	for _, f := range c.Files {
		if err := w.restore(ctx, f, c.Head, made, overtaken); err != nil {
			return err
		}
		if f.isNew() && !slices.Contains(untracked, f.Path) {
			untracked = append(untracked, f.Path)
		}
	}
	if len(untracked) == 0 {
		return nil
	}
	return repo.ResetIndex(ctx, "", untracked)
}

// removeTags removes those tags of a change that it made.
func (w *Workspace) removeTags(ctx context.Context, repo *gitrepo.Repo, c change, commit string) error {
	o, err := w.reader(ctx)
	if err != nil {
		return err
	}
	for _, t := range c.Tags {
		if was, err := o.Tag(t.Name); err != nil || was.Target != commit {
			continue
		}
		obj, err := o.Get("refs/tags/" + t.Name)
		if err != nil {
			return err
		}
		if err := repo.DeleteTag(ctx, t.Name, obj.ID); err != nil {
			return err
		}
	}
	return nil
}

// restore puts a file back, unless somebody else has written or committed it
// since. A hook that changed it for the commit is not somebody else.
func (w *Workspace) restore(ctx context.Context, f fileChange, head string, made, overtaken fs.FS) error {
	w.root.Remove(f.Path + tempSuffix) //nolint:errcheck // usually there is none
	now, err := w.readFile(f.Path, maxRegistryBytes)
	if err != nil {
		return nil //nolint:nilerr // not written yet
	}
	if ours := f.wrote(now); !ours && made != nil {
		hooked, err := fs.ReadFile(made, f.Path)
		if err != nil || !bytes.Equal(now, hooked) {
			return nil //nolint:nilerr // not ours any more
		}
	} else if !ours {
		return nil
	}
	if overtaken != nil {
		if committed, err := fs.ReadFile(overtaken, f.Path); err == nil && f.wrote(committed) {
			return nil
		}
	}
	if f.isNew() {
		return w.root.Remove(f.Path)
	}
	before, err := w.before(ctx, f, head)
	if err != nil {
		return err
	}
	return w.writeFile(f.Path, before)
}

// committed is the content of a file that has data in the work tree, without
// what a change has written there that the journal still tells of: until its
// commit is made, the change may be taken back.
func (w *Workspace) committed(name string, data []byte) ([]byte, error) {
	c, err := w.underWay()
	if c == nil || err != nil {
		return data, nil //nolint:nilerr // the next change reports a journal that cannot be read
	}
	i := slices.IndexFunc(c.Files, func(f fileChange) bool { return f.Path == name && f.wrote(data) })
	if i < 0 {
		return data, nil
	}
	ctx := context.Background()
	o, err := w.reader(ctx)
	if err != nil {
		return nil, err
	}
	head, err := o.Head()
	if err != nil {
		return nil, err
	}
	if head != c.Head {
		tree, err := w.at(ctx, head)
		if err != nil {
			return nil, err
		}
		if now, err := fs.ReadFile(tree, name); err == nil && c.Files[i].wrote(now) {
			return data, nil
		}
	}
	return w.before(ctx, c.Files[i], c.Head)
}

// underWay is the change that the journal tells of, nil if there is none. No
// process is started to find out.
func (w *Workspace) underWay() (*change, error) {
	gitDir, ok := gitrepo.GitDir(w.Dir)
	if !ok {
		return nil, nil
	}
	return readJournal(&gitrepo.Repo{GitDir: gitDir})
}

// before is what a file held before the change that was planned on head. It
// reports fs.ErrNotExist if there was no file.
func (w *Workspace) before(ctx context.Context, f fileChange, head string) ([]byte, error) {
	if f.isNew() {
		return nil, fs.ErrNotExist
	}
	if !f.AtHead {
		return f.Before, nil
	}
	tree, err := w.at(ctx, head)
	if err != nil {
		return nil, err
	}
	return fs.ReadFile(tree, f.Path)
}
