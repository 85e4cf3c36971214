package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/gitrepo"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// Versions lists the versions of a prompt that have a tag, in their order.
func (w *Workspace) Versions(ctx context.Context, id prompt.ID) ([]prompt.Version, error) {
	repo, err := w.Git(ctx)
	if err != nil {
		return nil, err
	}
	tags, err := repo.Tags(ctx, string(id)+"@*")
	var out []prompt.Version
	for _, t := range tags {
		if tagged, v, ok := parseTag(t.Name); ok && tagged == id {
			out = append(out, v)
		}
	}
	slices.SortFunc(out, prompt.Version.Compare)
	return out, err
}

// parseTag splits customer-support@1.3.2.
func parseTag(name string) (prompt.ID, prompt.Version, bool) {
	s, version, ok := strings.Cut(name, "@")
	if !ok {
		return "", prompt.Version{}, false
	}
	id, err1 := prompt.ParseID(s)
	v, err2 := prompt.ParseVersion(version)
	return id, v, err1 == nil && err2 == nil
}

// ErrForged means that a tag does not say, or no longer says, what a release's
// tag says.
var ErrForged = errors.New("is not the tag of this release")

// Forged reports whether err says of a tag that it is none that a release makes.
func Forged(err error) bool {
	return errors.Is(err, ErrForged) || errors.Is(err, gitrepo.ErrLightweight)
}

// ReleaseOf reads the release that the tag of id and v makes.
func (w *Workspace) ReleaseOf(ctx context.Context, id prompt.ID, v prompt.Version) (registry.Release, error) {
	o, err := w.reader(ctx)
	if err != nil {
		return registry.Release{}, err
	}
	name := id.Tag(v)
	t, err := o.Tag(name)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := w.Git(ctx); err != nil {
			return registry.Release{}, err
		}
		return registry.Release{}, w.unknownRelease(ctx, id, v)
	}
	if err != nil {
		return registry.Release{}, err
	}
	return releaseOf(id, v, t)
}

// releaseOf reads a release out of its tag.
func releaseOf(id prompt.ID, v prompt.Version, t gitrepo.TagObject) (registry.Release, error) {
	subject, _, _ := strings.Cut(t.Message, "\n")
	trailers := parseTrailers(t.Message)
	r := registry.Release{
		Prompt: id, Version: v, Tag: id.Tag(v), Commit: t.Target, Digest: prompt.Visible(trailers[trailerDigest]),
		Author: prompt.Visible(t.Tagger.String()), At: t.Tagger.At, Notes: prompt.Visible(withoutForm(subject)),
	}
	if t.Type != "commit" {
		return r, fmt.Errorf("tag %s %w: it names a %s and not a commit", r.Tag, ErrForged, prompt.Clip(orNone(t.Type), 20))
	}
	if t.Name != r.Tag || trailers[trailerPrompt] != string(id) || trailers[trailerVersion] != v.String() || r.Digest == "" {
		return r, fmt.Errorf("tag %s %w: its message names %s %s", r.Tag, ErrForged,
			prompt.Visible(orNone(trailers[trailerPrompt])), prompt.Visible(orNone(trailers[trailerVersion])))
	}
	return r, nil
}

func orNone(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

func (w *Workspace) unknownRelease(ctx context.Context, id prompt.ID, v prompt.Version) error {
	versions, err := w.Versions(ctx, id)
	if err != nil {
		return err
	}
	if repo, err := w.Git(ctx); err == nil && repo.Shallow {
		return registry.WithFix(registry.Errorf(registry.ErrNotFound, "release %s is not here: this clone is shallow, and its tag may not have been fetched", id.Tag(v)), "git fetch --unshallow --tags")
	}
	if len(versions) == 0 {
		known, _, err := scan(w.Files(), w.Config.Prompts)
		if err != nil {
			return err
		}
		if !slices.Contains(ids(known), string(id)) {
			return UnknownPrompt(id, ids(known))
		}
	}
	names := make([]string, 0, len(versions))
	for _, k := range slices.Backward(versions) {
		names = append(names, k.String())
	}
	return registry.WithFix(fmt.Errorf("release %s is %w", id.Tag(v), registry.ErrNotFound), "%s", suggest(v.String(), names, "releases of "+string(id)+" are "))
}

// Releases reads all releases of a prompt, the newest version last.
func (w *Workspace) Releases(ctx context.Context, id prompt.ID) ([]registry.Release, error) {
	versions, err := w.Versions(ctx, id)
	if err != nil {
		return nil, err
	}
	out := make([]registry.Release, 0, len(versions))
	for _, v := range versions {
		r, err := w.ReleaseOf(ctx, id, v)
		if err != nil && !Forged(err) {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// Released reads the prompt of a release and holds its digest against the one
// that was released: bytes that were changed since are an error.
func (w *Workspace) Released(ctx context.Context, r registry.Release) (prompt.Draft, error) {
	d, digest, err := w.readAt(ctx, r.Prompt, r.Commit)
	if err != nil {
		return d, err
	}
	if digest != r.Digest {
		return d, registry.WithFix(
			fmt.Errorf("%s %w: its files have the digest %s, but %s was released", r.Tag, ErrForged, short(digest), short(r.Digest)),
			"incipit verify tells what happened; fetch the tag again from where it was released")
	}
	return d, nil
}

// readAt reads a prompt from a commit, with its includes as they were pinned.
func (w *Workspace) readAt(ctx context.Context, id prompt.ID, commit string) (prompt.Draft, string, error) {
	tree, err := w.at(ctx, commit)
	if err != nil {
		return prompt.Draft{}, "", err
	}
	return w.readFrom(ctx, tree, id, commit)
}

// readFrom is readAt, where the commit's tree is at hand.
func (w *Workspace) readFrom(ctx context.Context, tree fs.FS, id prompt.ID, commit string) (prompt.Draft, string, error) {
	d, findings, err := w.draft(ctx, tree, id, true)
	if err != nil {
		return d, "", err
	}
	for _, f := range findings {
		switch f.Code {
		case "include", "missing-file", "json", "link", "too-large", "not-a-file", "unreadable":
			return d, "", fmt.Errorf("%s at %.12s: %s: %s", id, commit, f.Path, f.Message)
		}
	}
	digest, err := d.Prompt.Digest()
	return d, digest, err
}

func short(digest string) string {
	if len(digest) > 19 {
		return digest[:19] + "…"
	}
	return digest
}
