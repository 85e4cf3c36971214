package source

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/gitrepo"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A Publication is what Publish did about one version, or would do.
type Publication struct {
	Prompt  prompt.ID      `json:"prompt"`
	Version prompt.Version `json:"version"`
	Tag     string         `json:"tag"`
	Commit  string         `json:"commit"`
	Digest  string         `json:"digest,omitempty"`
	Problem string         `json:"problem,omitempty"` // why it was not tagged
}

// Publish tags every version that the checked-out commit has merged and that
// has no tag yet. The tag goes to the commit that brought the version to this
// branch: the merge, the squashed commit, or the bump itself. Doing it again
// does nothing.
//
// On a branch other than the remote's own it refuses, unless anyBranch is set:
// what is tagged there may never be merged as it is.
func (w *Workspace) Publish(ctx context.Context, dryRun, anyBranch bool) ([]Publication, error) {
	repo, err := w.Git(ctx)
	if err != nil {
		return nil, err
	}
	if repo.Shallow {
		return nil, registry.WithFix(errors.New("this clone is shallow: the commits to tag may be missing"), "git fetch --unshallow --tags")
	}
	_, branch, err := repo.Head(ctx)
	if err != nil {
		return nil, err
	}
	main, err := repo.DefaultBranch(ctx)
	if err != nil {
		return nil, err
	}
	if !anyBranch && branch != "" && main != "" && branch != main {
		return nil, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "this is the branch %s, and publish tags what is merged into %s", branch, main),
			"git switch %s, or give --any-branch", main)
	}
	if dryRun {
		return w.publish(ctx, repo, dryRun)
	}
	var out []Publication
	err = w.exclusively(ctx, func(repo *gitrepo.Repo) error {
		out, err = w.publish(ctx, repo, dryRun)
		return err
	})
	return out, err
}

func (w *Workspace) publish(ctx context.Context, repo *gitrepo.Repo, dryRun bool) ([]Publication, error) {
	head, _, err := repo.Head(ctx)
	if err != nil || head == "" {
		return nil, err
	}
	tree, err := w.at(ctx, head)
	if err != nil {
		return nil, err
	}
	dirs, _, err := scan(tree, w.Config.Prompts)
	if err != nil {
		return nil, err
	}
	tags, err := repo.Tags(ctx, "")
	if err != nil {
		return nil, err
	}
	tagged := make(map[string]bool, len(tags))
	for _, t := range tags {
		tagged[t.Name] = true
	}
	var out []Publication
	for _, d := range dirs {
		pending, err := w.pending(ctx, repo, tree, d, head, tagged)
		if err != nil {
			return out, err
		}
		for _, p := range pending {
			if p.Problem == "" {
				if err := w.tagMerged(ctx, repo, &p, dryRun); err != nil {
					return append(out, p), err
				}
			}
			out = append(out, p)
		}
	}
	return out, nil
}

// pending lists the untagged versions of a prompt, the oldest first: the one
// that stands at head, and the ones it names as its predecessors.
func (w *Workspace) pending(ctx context.Context, repo *gitrepo.Repo, tree fs.FS, d promptDir, head string, tagged map[string]bool) ([]Publication, error) {
	file := path.Join(d.dir, prompt.MetadataFile)
	now, ok := versionsIn(tree, file)
	if !ok || now.Version.IsZero() || tagged[d.id.Tag(now.Version)] {
		return nil, nil
	}
	commits, err := w.introductions(ctx, repo, head, file)
	if err != nil {
		return nil, err
	}
	var out []Publication
	for v := now; !v.Version.IsZero() && !tagged[d.id.Tag(v.Version)] && len(out) < 1000; {
		p := Publication{Prompt: d.id, Version: v.Version, Tag: d.id.Tag(v.Version)}
		in, found := commits[v.Version]
		if !found {
			// A predecessor from before this history: nothing here was merged.
			break
		}
		p.Commit = in.commit
		out = append(out, p)
		v = metadataVersions{Version: in.previous, Previous: commits[in.previous].previous}
	}
	slices.Reverse(out)
	return out, nil
}

type metadataVersions struct {
	Version, Previous prompt.Version
	Bump              string // what else a bump writes: equal in all commits that keep it
}

// versionsIn reads the two versions that a tree's metadata names.
func versionsIn(tree fs.FS, file string) (v metadataVersions, ok bool) {
	data, err := fs.ReadFile(tree, file)
	if err != nil {
		return v, false
	}
	var m struct {
		Version  string `json:"version"`
		Previous string `json:"previous_version"`
		Updated  string `json:"updated"`
		Notes    string `json:"change_notes"`
	}
	if json.Unmarshal(data, &m) != nil {
		return v, false
	}
	v.Bump = m.Updated + "\n" + m.Notes
	if v.Version, err = prompt.ParseVersion(m.Version); err != nil {
		return v, false
	}
	v.Previous, _ = prompt.ParseVersion(m.Previous)
	return v, true
}

type introduction struct {
	commit   string
	previous prompt.Version
	bump     string
}

// introductions finds the commit that brought each version of a metadata file:
// on the branch itself if it ever stood there, else where it was merged from.
// If a version was bumped to again before it was published, the last bump holds
// all of it.
func (w *Workspace) introductions(ctx context.Context, repo *gitrepo.Repo, head, file string) (map[prompt.Version]introduction, error) {
	found := make(map[prompt.Version]introduction)
	for _, firstParent := range []bool{true, false} {
		commits, err := repo.History(ctx, head, firstParent, file)
		if err != nil {
			return nil, err
		}
		onBranch := make(map[prompt.Version]introduction)
		for _, c := range commits { // the newest first: the oldest of a bump stays
			tree, err := w.at(ctx, c)
			if err != nil {
				return nil, err
			}
			v, ok := versionsIn(tree, file)
			if in, seen := onBranch[v.Version]; ok && (!seen || in.bump == v.Bump) {
				onBranch[v.Version] = introduction{c, v.Previous, v.Bump}
			}
		}
		for v, in := range onBranch {
			if _, ok := found[v]; !ok {
				found[v] = in
			}
		}
	}
	return found, nil
}

// tagMerged checks what was merged like a release, and tags it.
func (w *Workspace) tagMerged(ctx context.Context, repo *gitrepo.Repo, p *Publication, dryRun bool) error {
	tree, err := w.at(ctx, p.Commit)
	if err != nil {
		return err
	}
	d, findings, err := w.draft(ctx, tree, p.Prompt, true)
	if err != nil {
		return err
	}
	if prompt.Failed(findings) {
		p.Problem = "not valid: " + findings[0].String()
		return nil
	}
	tag, err := w.firstTag(ctx, p, d)
	if err != nil {
		p.Problem = err.Error()
		return nil //nolint:nilerr // told in the publication; the other prompts go on
	}
	if dryRun {
		return nil
	}
	_, err = w.make(ctx, repo, change{What: "publish " + p.Tag, Head: p.Commit, Tags: []tagChange{tag}})
	return err
}

// firstTag is the tag that makes a version a release, if the rules allow it.
func (w *Workspace) firstTag(ctx context.Context, p *Publication, d prompt.Draft) (none tagChange, err error) {
	if p.Digest, err = d.Prompt.Digest(); err != nil {
		return none, err
	}
	plan := &ReleasePlan{Prompt: p.Prompt, Digest: p.Digest}
	if plan.versions, err = w.Versions(ctx, p.Prompt); err != nil {
		return none, err
	}
	base, err := w.compareWithBase(ctx, plan, d)
	if err != nil {
		return none, err
	}
	if err := plan.choose(ReleaseRequest{Prompt: p.Prompt, Version: p.Version.String()}, d.Metadata, base); err != nil {
		return none, err
	}
	if _, err := w.previous(ctx, plan); err != nil {
		return none, err
	}
	notes := d.Metadata.ChangeNotes
	if notes == "" {
		notes = fmt.Sprintf("release %s", p.Version)
	}
	return tagChange{p.Tag, releaseMessage(plan, notes, d.Metadata)}, nil
}
