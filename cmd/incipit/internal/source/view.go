package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/gitrepo"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A View is the prompts and their tests as they are in one place: the work
// tree, the index, or a commit.
type View struct {
	Files fs.FS
	Name  string // the work tree, the index, or the commit's id

	w *Workspace
}

// Now is what the work tree holds.
func (w *Workspace) Now() View { return View{w.Files(), "the work tree", w} }

// Staged is what the next commit would hold.
func (w *Workspace) Staged(ctx context.Context, index gitrepo.Index) (View, error) {
	repo, err := w.Git(ctx)
	if err != nil {
		return View{}, err
	}
	tree, err := repo.WriteIndex(ctx, index)
	if err != nil {
		return View{}, err
	}
	files, err := w.at(ctx, tree)
	return View{files, "the index", w}, err
}

// At is what a commit holds.
func (w *Workspace) At(ctx context.Context, commit string) (View, error) {
	files, err := w.at(ctx, commit)
	return View{files, commit, w}, err
}

// IDs lists the prompts of the view.
func (v View) IDs() ([]prompt.ID, error) {
	found, _, err := scan(v.Files, v.w.Config.Prompts)
	out := make([]prompt.ID, len(found))
	for i, d := range found {
		out[i] = d.id
	}
	return out, err
}

// Tests is how the view's own configuration has prompts tested.
func (v View) Tests() (Tests, error) {
	data, err := fs.ReadFile(v.Files, ConfigFile)
	if errors.Is(err, fs.ErrNotExist) {
		return DefaultConfig().Tests, nil
	}
	if err != nil {
		return Tests{}, err
	}
	c, err := ParseConfig(data)
	return c.Tests, err
}

// Has reports whether the view holds the prompt.
func (v View) Has(id prompt.ID) bool {
	entries, err := fs.ReadDir(v.Files, path.Join(v.w.Config.Prompts, string(id)))
	return err == nil && slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		return e.Name() == prompt.MetadataFile || e.Name() == prompt.SystemFile
	})
}

// Tested lists the prompts of the view that have a suite.
func (v View) Tested() ([]prompt.ID, error) {
	beside, _, err := scan(v.Files, v.w.Config.Prompts)
	if err != nil {
		return nil, err
	}
	tests := v.w.Config.Tests
	suites := make(map[prompt.ID]bool)
	err = fs.WalkDir(v.Files, tests.Directory, func(name string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case e.IsDir() && name == tests.Cassettes:
			return fs.SkipDir
		}
		if id, isYAML := strings.CutSuffix(strings.TrimPrefix(name, tests.Directory+"/"), ".yaml"); isYAML {
			suites[prompt.ID(id)] = true
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var out []prompt.ID
	for _, d := range beside {
		has := suites[d.id] || slices.ContainsFunc(d.entries, func(e fs.DirEntry) bool { return e.Name() == besideSuite })
		if has {
			out = append(out, d.id)
		}
	}
	return out, nil
}

// Draft reads a prompt, with everything that is wrong with it.
func (v View) Draft(ctx context.Context, id prompt.ID) (prompt.Draft, []prompt.Finding, error) {
	return v.w.draft(ctx, v.Files, id, false)
}

// Validate checks one prompt as Workspace.Validate does.
func (v View) Validate(ctx context.Context, id prompt.ID) ([]prompt.Finding, error) {
	d, err := v.w.open(v.Files, id)
	if err != nil {
		return nil, err
	}
	tagged, err := v.w.taggedNames(ctx)
	if err != nil {
		return nil, err
	}
	return v.w.validateOne(ctx, v.Files, d, tagged), ctx.Err()
}

// MergeBase is the commit that a branch is judged against: where HEAD went
// apart from rev. Without a rev it is the branch that the remote has checked
// out, else main or master. Where nothing was before, it is the empty tree: for
// HEAD before the first commit, and for the id of zeros that CI systems give as
// what stood on a branch before it was first pushed.
func (w *Workspace) MergeBase(ctx context.Context, rev string) (string, error) {
	repo, err := w.Git(ctx)
	if err != nil {
		return "", err
	}
	if repo.Bare {
		return "", repo.Ready()
	}
	// A merge or a rebase that waits is no hindrance: nothing is written here,
	// and the hook runs for the commit that ends it.
	if rev == "" {
		if rev, err = mainBranch(ctx, repo); err != nil {
			return "", err
		}
	}
	if none, err := noneBefore(ctx, repo, rev); err != nil {
		return "", err
	} else if none {
		return repo.EmptyTree(ctx)
	}
	base, err := repo.MergeBase(ctx, rev)
	if err != nil && (repo.Shallow || errors.Is(err, gitrepo.ErrNoMergeBase)) {
		return "", registry.WithFix(err, "this needs the history of both sides: fetch-depth: 0 in the checkout of a workflow, or git fetch --unshallow")
	}
	if err != nil {
		return "", registry.WithFix(err, "git fetch origin, or name another commit with --base")
	}
	return base, nil
}

// noneBefore reports whether rev stands for no commit at all.
func noneBefore(ctx context.Context, repo *gitrepo.Repo, rev string) (bool, error) {
	if len(rev) >= 40 && strings.Trim(rev, "0") == "" {
		return true, nil
	}
	if rev != "HEAD" {
		return false, nil
	}
	id, _, err := repo.Head(ctx)
	return id == "", err
}

// mainBranch is what a pull request would go to, as far as the clone tells.
func mainBranch(ctx context.Context, repo *gitrepo.Repo) (string, error) {
	name, err := repo.DefaultBranch(ctx)
	if err != nil {
		return "", err
	}
	candidates := []string{"origin/main", "origin/master", "main", "master"}
	if name != "" {
		candidates = append([]string{"origin/" + name}, candidates...)
	}
	for _, rev := range candidates {
		if known, err := repo.Known(ctx, rev); known || err != nil {
			return rev, err
		}
	}
	return "", registry.WithFix(fmt.Errorf("there is no branch to compare with: none of %s is here", strings.Join(candidates, ", ")),
		"name the commit with --base")
}

// Touched lists the files of the workspace that differ between a commit and the
// work tree, or the index if that is given, in the order of their names.
func (w *Workspace) Touched(ctx context.Context, commit string, index *gitrepo.Index) ([]string, error) {
	repo, err := w.Git(ctx)
	if err != nil {
		return nil, err
	}
	files, err := repo.Since(ctx, commit, index)
	slices.Sort(files)
	return slices.Compact(files), err
}

// Head is the commit that is checked out, "" before the first.
func (w *Workspace) Head(ctx context.Context) (string, error) {
	repo, err := w.Git(ctx)
	if err != nil {
		return "", err
	}
	id, _, err := repo.Head(ctx)
	return id, err
}
