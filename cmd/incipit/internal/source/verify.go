package source

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/gitrepo"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A Problem is a release that is not what it was.
type Problem struct {
	Release string `json:"release"` // customer-support@1.3.2
	Code    string `json:"code"`    // tag-missing, tag-moved, tag-forged, tag-lightweight
	Message string `json:"message"`
	Fix     string `json:"fix,omitempty"`
}

// A Verification is what Verify saw.
type Verification struct {
	Checked  int       `json:"checked"` // release tags
	Problems []Problem `json:"problems"`
	Pending  []string  `json:"pending,omitempty"` // bumped and merged or not, but not published yet
}

// Verify holds every release's tag, commit and files against each other, and
// against what others recorded of it: the release that followed it, which
// carries its digest, and the registry.
func (w *Workspace) Verify(ctx context.Context) (Verification, error) {
	var none Verification
	repo, err := w.Git(ctx)
	if err != nil {
		return none, err
	}
	if repo.Shallow {
		return none, registry.WithFix(errors.New("this clone is shallow: it cannot tell a deleted tag from one that was not fetched"), "git fetch --unshallow --tags")
	}
	tags, err := repo.Tags(ctx, "")
	if err != nil {
		return none, err
	}
	v := &verifier{w: w, found: make(map[string]string), pending: make(map[string]bool), witnesses: make(map[string][]witness)}
	if err := v.readRegistry(); err != nil {
		return none, err
	}
	if err := v.readHistory(ctx, repo); err != nil {
		return none, err
	}
	for _, seen := range each(tags, func(t gitrepo.TagRef) inspection { return w.inspect(ctx, t.Name) }) {
		if seen.err != nil {
			return none, seen.err
		}
		v.add(seen)
	}
	v.holdAgainstWitnesses()
	return v.Verification, nil
}

// A witness is a place that recorded a release's digest.
type witness struct {
	where, digest string // digest is "" if only the version was recorded
}

type verifier struct {
	Verification
	w         *Workspace
	found     map[string]string // release → the digest of its files
	pending   map[string]bool
	witnesses map[string][]witness
}

func (v *verifier) report(release, code, msg, fix string) {
	v.Problems = append(v.Problems, Problem{release, code, msg, fix})
}

const refetch = "fetch the tag from where it was released: git fetch --force origin tag "

// An inspection is what one tag and its commit say of themselves.
type inspection struct {
	tag            string // "" for a tag of something else
	digest         string // "" if there is a problem
	code, problem  string
	previous       string // the release that this one vouches for
	previousDigest string
	err            error
}

// inspect reads a release and holds tag, commit and files against each other.
func (w *Workspace) inspect(ctx context.Context, name string) inspection {
	id, version, ok := parseTag(name)
	if !ok {
		return inspection{}
	}
	in := inspection{tag: name}
	r, err := w.ReleaseOf(ctx, id, version)
	switch {
	case errors.Is(err, gitrepo.ErrLightweight):
		in.code, in.problem = "tag-lightweight", "the tag has no message: it was not made by a release, or was replaced"
		return in
	case errors.Is(err, ErrForged):
		in.code, in.problem = "tag-forged", err.Error()
		return in
	case err != nil:
		in.err = err
		return in
	}
	d, digest, err := w.readAt(ctx, id, r.Commit)
	_, shared := id.Shared()
	switch {
	case err != nil:
		in.code, in.problem = "tag-moved", fmt.Sprintf("the tag's commit %.12s does not hold this release: %v", r.Commit, err)
	case !shared && d.Metadata.Version != version.String():
		in.code, in.problem = "tag-moved", fmt.Sprintf("the tag's commit %.12s holds version %s", r.Commit, prompt.Visible(d.Metadata.Version))
	case digest != r.Digest:
		in.code, in.problem = "tag-moved", fmt.Sprintf("the files of commit %.12s have the digest %s, but the tag says %s", r.Commit, short(digest), short(r.Digest))
	default:
		in.digest = digest
		// Without a digest the version was written by hand, before there were tags.
		if previous, err := prompt.ParseVersion(d.Metadata.PreviousVersion); err == nil && d.Metadata.PreviousDigest != "" {
			in.previous, in.previousDigest = id.Tag(previous), d.Metadata.PreviousDigest
		}
	}
	return in
}

func (v *verifier) add(in inspection) {
	if in.tag == "" {
		return
	}
	v.Checked++
	v.found[in.tag] = in.digest
	if in.problem != "" {
		v.report(in.tag, in.code, in.problem, refetch+in.tag)
	}
	if in.previous != "" {
		v.witness(in.previous, "the release "+in.tag, in.previousDigest)
	}
}

func (v *verifier) witness(release, where, digest string) {
	v.witnesses[release] = append(v.witnesses[release], witness{where, digest})
}

// readRegistry takes what registry.json recorded.
func (v *verifier) readRegistry() error {
	reg, err := v.w.Registry()
	if err != nil {
		return err
	}
	for _, id := range reg.IDs() {
		e, err := reg.Entry(id)
		if err != nil {
			return err
		}
		for env, in := range e.Deployments {
			if in == nil {
				continue
			}
			// What another program wrote there, without a digest, proves nothing.
			if version, err := prompt.ParseVersion(in.Version); err == nil && in.Digest != "" {
				v.witness(id.Tag(version), env+" in the registry", in.Digest)
			}
		}
		if version, err := prompt.ParseVersion(e.CurrentVersion); err == nil && e.Digest != "" {
			v.witness(id.Tag(version), "the registry", e.Digest)
			v.pending[id.Tag(version)] = e.Unpublished == e.CurrentVersion
		}
	}
	return nil
}

// readHistory takes what the commits of releases say: they outlive their tags.
func (v *verifier) readHistory(ctx context.Context, repo *gitrepo.Repo) error {
	messages, err := repo.Messages(ctx, "HEAD", "^"+trailerDigest+": sha256:")
	if err != nil {
		return err
	}
	for id, message := range messages {
		t := parseTrailers(message)
		if t[trailerBump] != "" {
			continue // publish tags it, or a later bump
		}
		if release, version, ok := parseTag(t[trailerPrompt] + "@" + t[trailerVersion]); ok {
			v.witness(release.Tag(version), fmt.Sprintf("commit %.12s", id), t[trailerDigest])
		}
	}
	return nil
}

// holdAgainstWitnesses compares what was found with what was recorded. A
// version that was bumped and is in no environment may have no tag yet.
func (v *verifier) holdAgainstWitnesses() {
	for _, name := range slices.Sorted(maps.Keys(v.witnesses)) {
		ws := v.witnesses[name]
		digest, exists := v.found[name]
		if !exists {
			if v.pending[name] && len(ws) == 1 {
				v.Pending = append(v.Pending, name)
			} else {
				v.report(name, "tag-missing", fmt.Sprintf("there is no such tag, but %s names the release", ws[0].where), "fetch it: git fetch origin tag "+name+"; if the version is merged and was never tagged: incipit publish")
			}
			continue
		}
		for _, w := range ws {
			if digest != "" && w.digest != "" && digest != w.digest {
				v.report(name, "tag-forged", fmt.Sprintf("the tag and its files say %s, but %s recorded %s", short(digest), w.where, short(w.digest)), refetch+name)
				break
			}
		}
	}
}
