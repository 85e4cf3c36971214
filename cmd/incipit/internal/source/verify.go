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
	for _, t := range tags {
		id, version, ok := parseTag(t.Name)
		if !ok {
			continue // a tag of something else
		}
		v.Checked++
		if err := v.release(ctx, id, version); err != nil {
			return none, err
		}
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

func (v *verifier) release(ctx context.Context, id prompt.ID, version prompt.Version) error {
	name := id.Tag(version)
	v.found[name] = ""
	r, err := v.w.ReleaseOf(ctx, id, version)
	switch {
	case errors.Is(err, gitrepo.ErrLightweight):
		v.report(name, "tag-lightweight", "the tag has no message: it was not made by a release, or was replaced", refetch+name)
		return nil
	case errors.Is(err, ErrForged):
		v.report(name, "tag-forged", err.Error(), refetch+name)
		return nil
	case err != nil:
		return err
	}
	d, digest, err := v.w.readAt(ctx, id, r.Commit)
	if err != nil {
		v.report(name, "tag-moved", fmt.Sprintf("the tag's commit %.12s does not hold this release: %v", r.Commit, err), refetch+name)
		return nil
	}
	if _, shared := id.Shared(); !shared && d.Metadata.Version != version.String() {
		v.report(name, "tag-moved", fmt.Sprintf("the tag's commit %.12s holds version %s", r.Commit, prompt.Visible(d.Metadata.Version)), refetch+name)
		return nil
	}
	if digest != r.Digest {
		v.report(name, "tag-moved", fmt.Sprintf("the files of commit %.12s have the digest %s, but the tag says %s", r.Commit, short(digest), short(r.Digest)), refetch+name)
		return nil
	}
	v.found[name] = digest
	if previous, err := prompt.ParseVersion(d.Metadata.PreviousVersion); err == nil {
		v.witness(id.Tag(previous), "the release "+name, d.Metadata.PreviousDigest)
	}
	return nil
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
			if version, err := prompt.ParseVersion(in.Version); err == nil {
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
