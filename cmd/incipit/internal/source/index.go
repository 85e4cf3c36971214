package source

import (
	"cmp"
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

// An Indexed is a release with its prompt, includes expanded. Its digest was
// held against its files.
type Indexed struct {
	registry.Release
	Object string // the tag object's id: what known holds the next time
	Draft  prompt.Draft
}

// The codes of what can be wrong with a tag.
const (
	TagMoved       = "tag-moved"       // it names something else than when it was indexed
	TagVanished    = "tag-vanished"    // it was indexed, and is gone
	TagForged      = "tag-forged"      // it does not say what its files say, or what a release's tag says
	TagLightweight = "tag-lightweight" // it has no message
	TagInvalid     = "tag-invalid"     // its commit holds no prompt that could be served
)

// A TagProblem is a release tag that is not indexed, or no longer what was
// indexed.
type TagProblem struct {
	Tag    string `json:"tag"`
	Object string `json:"object,omitempty"` // what it names now; "" if it is gone
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Fix    string `json:"fix"`
}

// An IndexResult is what Index found.
type IndexResult struct {
	Tags     int          // release tags there are; others do not count
	Releases []Indexed    // the new ones, by prompt and version
	Problems []TagProblem // by tag
}

// indexBatch is how many releases are read before they are handed on: 500 of
// them are a few megabytes.
const indexBatch = 500

// Index reads the releases whose tags are not known yet. known maps tags to the
// objects they named when they were indexed: one that names another now, or is
// gone, is a problem and is not read. No bad tag keeps another from being read;
// an error means that Git itself cannot be read.
func (w *Workspace) Index(ctx context.Context, known map[string]string) (IndexResult, error) {
	var all []Indexed
	res, err := w.IndexEach(ctx, known, func(batch []Indexed) error {
		all = append(all, batch...)
		return nil
	})
	res.Releases = all
	return res, err
}

// IndexEach is Index with the new releases handed to put in batches, as they
// are read. An error of put ends it.
func (w *Workspace) IndexEach(ctx context.Context, known map[string]string, put func([]Indexed) error) (IndexResult, error) {
	var res IndexResult
	repo, err := w.Git(ctx)
	if err != nil {
		return res, err
	}
	tags, err := repo.Tags(ctx, "")
	if err != nil {
		return res, err
	}
	fresh := res.holdAgainst(known, tags)
	slices.SortFunc(fresh, func(a, b releaseTag) int {
		return cmp.Or(strings.Compare(string(a.id), string(b.id)), a.version.Compare(b.version))
	})
	done := 0
	for batch := range slices.Chunk(fresh, indexBatch) {
		var found []Indexed
		for _, a := range each(batch, func(t releaseTag) indexAnswer { return w.indexOne(ctx, t) }) {
			switch {
			case ctx.Err() != nil:
				return res, context.Cause(ctx)
			case a.err != nil:
				return res, a.err
			case a.problem != nil:
				res.Problems = append(res.Problems, *a.problem)
			default:
				found = append(found, a.release)
			}
		}
		if len(found) > 0 {
			if err := put(found); err != nil {
				return res, err
			}
		}
		if done += len(batch); len(fresh) > indexBatch {
			w.notify(fmt.Sprintf("indexed %d of %d releases", done, len(fresh)))
		}
	}
	slices.SortFunc(res.Problems, func(a, b TagProblem) int { return strings.Compare(a.Tag, b.Tag) })
	return res, nil
}

// A releaseTag is a tag whose name is that of a release.
type releaseTag struct {
	gitrepo.TagRef
	id      prompt.ID
	version prompt.Version
}

// holdAgainst reports what became of the known tags, and returns the others.
func (res *IndexResult) holdAgainst(known map[string]string, tags []gitrepo.TagRef) (fresh []releaseTag) {
	there := make(map[string]bool, len(tags))
	for _, t := range tags {
		id, v, ok := parseTag(t.Name)
		if !ok {
			continue
		}
		res.Tags++
		there[t.Name] = true
		was, indexed := known[t.Name]
		switch {
		case !indexed:
			fresh = append(fresh, releaseTag{t, id, v})
		case was != t.Object:
			res.Problems = append(res.Problems, TagProblem{
				Tag: t.Name, Object: t.Object, Code: TagMoved,
				Detail: fmt.Sprintf("it named %.12s when it was indexed, and names %.12s now; what was indexed is served on", was, t.Object),
				Fix:    fmt.Sprintf("put it back: git push --force origin %.12s:refs/tags/%s; release what is new as a new version", was, t.Name),
			})
		}
	}
	for name, was := range known {
		if !there[name] {
			res.Problems = append(res.Problems, TagProblem{
				Tag: name, Code: TagVanished,
				Detail: fmt.Sprintf("it was indexed as %.12s and is gone; what was indexed is served on", was),
				Fix:    "push it again from a clone that still has it: git push origin refs/tags/" + name,
			})
		}
	}
	return fresh
}

type indexAnswer struct {
	release Indexed
	problem *TagProblem
	err     error // Git cannot be read
}

// indexOne reads a release by the object that its tag named when the tags were
// listed, and holds tag, commit and files against each other.
func (w *Workspace) indexOne(ctx context.Context, t releaseTag) indexAnswer {
	bad := func(code, detail, fix string) indexAnswer {
		return indexAnswer{problem: &TagProblem{t.Name, t.Object, code, prompt.Clip(detail, 400), fix}}
	}
	const again = "if it is a release of yours, delete the tag and release the prompt again with incipit release"
	o, err := w.reader(ctx)
	if err != nil {
		return indexAnswer{err: err}
	}
	obj, err := o.Get(t.Object)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return bad(TagInvalid, err.Error(), "git fsck in the repository says what it lacks")
	case err != nil:
		return indexAnswer{err: err}
	case obj.Type != "tag":
		return bad(TagLightweight, "it has no message: it was not made by a release, or was replaced", again)
	}
	r, err := releaseOf(t.id, t.version, gitrepo.ParseTag(obj.Data))
	if err != nil {
		return bad(TagForged, err.Error(), again)
	}
	tree, err := w.at(ctx, r.Commit)
	if err != nil {
		return indexAnswer{err: err}
	}
	d, digest, err := w.readFrom(ctx, tree, t.id, r.Commit)
	if err == nil {
		err = w.servable(tree, d.Prompt)
	}
	_, shared := t.id.Shared()
	switch {
	case err != nil:
		return bad(TagInvalid, err.Error(), again)
	case !shared && d.Metadata.Version != t.version.String():
		return bad(TagForged, fmt.Sprintf("its commit %.12s holds version %s", r.Commit, prompt.Visible(orNone(d.Metadata.Version))), again)
	case digest != r.Digest:
		return bad(TagForged, fmt.Sprintf("its files have the digest %s, but it says %s", short(digest), short(r.Digest)), again)
	}
	return indexAnswer{release: Indexed{r, t.Object, d}}
}

// servable reports what keeps a prompt from being served although it can be
// read: a directory that holds something other than files, variables that are
// not declared, or characters that no language needs.
func (w *Workspace) servable(tree fs.FS, p prompt.Prompt) error {
	for _, m := range p.Messages {
		for _, issue := range prompt.CheckText([]byte(m.Content)) {
			if !issue.Allowable {
				return fmt.Errorf("the %s message: %s", m.Role, issue.Message)
			}
		}
	}
	if _, shared := p.ID.Shared(); shared {
		return nil // whoever includes it declares its variables
	}
	entries, err := fs.ReadDir(tree, path.Join(w.Config.Prompts, string(p.ID)))
	if err != nil {
		return err
	}
	for _, e := range entries {
		switch {
		case e.Type()&fs.ModeSymlink != 0:
			return fmt.Errorf("%s is a symbolic link; a prompt's files must be plain files", prompt.Clip(e.Name(), 80))
		case e.Type()&fs.ModeIrregular != 0:
			return fmt.Errorf("%s is a submodule, which is no part of a release", prompt.Clip(e.Name(), 80))
		}
	}
	_, err = prompt.Compile(p)
	return err
}
