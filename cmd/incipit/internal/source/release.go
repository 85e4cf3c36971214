package source

import (
	"context"
	"fmt"
	"io/fs"
	"slices"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/gitrepo"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// Release makes the release that PlanRelease describes: one commit and one
// tag, whole or not at all. If another release came first it reports
// ErrConflict, with the next free version.
//
// A request without a tag is for a branch: Publish tags the version where the
// branch was merged.
func (w *Workspace) Release(ctx context.Context, req ReleaseRequest) (plan *ReleasePlan, r registry.Release, err error) {
	before, err := w.Versions(ctx, req.Prompt)
	if err != nil {
		return nil, r, err
	}
	err = w.exclusively(ctx, func(repo *gitrepo.Repo) error {
		after, err := w.Versions(ctx, req.Prompt)
		if err != nil {
			return err
		}
		if !slices.Equal(before, after) && len(after) > 0 && !w.completed {
			last := after[len(after)-1]
			return registry.WithFix(registry.Errorf(registry.ErrConflict, "%s was released meanwhile", req.Prompt.Tag(last)),
				"look at incipit diff %s; the next free version is %s", req.Prompt, last.Core().Next(max(req.Bump, prompt.Patch)))
		}
		if plan, err = w.planRelease(ctx, req, after); err != nil {
			return err
		}
		c := change{
			What: fmt.Sprintf("release %s %s", req.Prompt, plan.To), Head: plan.head, Message: plan.Message,
			Files: plan.writes, Paths: plan.committed(), Untracked: plan.untracked, Prompt: plan.Prompt, Digest: plan.Digest,
		}
		if !req.NoTag {
			c.Tags = []tagChange{{plan.Tag, plan.Message}}
		} else {
			c.What = fmt.Sprintf("bump %s to %s", req.Prompt, plan.To)
		}
		commit, err := w.make(ctx, repo, c)
		if err != nil {
			return err
		}
		r = registry.Release{Prompt: req.Prompt, Version: plan.To, Tag: plan.Tag, Commit: commit, Digest: plan.Digest, At: w.now().UTC()}
		return nil
	})
	return plan, r, err
}

// committed are the plan's files that exist, or that git knows: one that was
// never committed and is gone again is nothing to commit.
func (p *ReleasePlan) committed() []string {
	return slices.DeleteFunc(slices.Clone(p.Files), func(name string) bool {
		return slices.ContainsFunc(p.writes, func(f fileChange) bool { return f.Path == name })
	})
}

// LastReleased is the highest release, and fs.ErrNotExist if there is none.
func (w *Workspace) LastReleased(ctx context.Context, id prompt.ID) (registry.Release, error) {
	versions, err := w.Versions(ctx, id)
	if err != nil {
		return registry.Release{}, err
	}
	if len(versions) == 0 {
		return registry.Release{}, fmt.Errorf("%s has no release yet: %w", id, fs.ErrNotExist)
	}
	return w.ReleaseOf(ctx, id, versions[len(versions)-1])
}
