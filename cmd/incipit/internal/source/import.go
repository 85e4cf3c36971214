package source

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/gitrepo"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// An ImportedVersion is a version of a prompt that comes from elsewhere, the
// bytes of its files at hand.
type ImportedVersion struct {
	Prompt  prompt.ID
	Version string // exactly this one; "" is 1.0.0, then the least that the change allows
	Message string // what changed, and on further lines where it comes from
	From    string // for people: orders.prompty:1

	Files  []NewFile // of the prompt's directory, by their names there; the metadata among them
	Suite  []byte    // nil if there is none
	Extras []NewFile // that the suite names, by paths from its directory
}

// An Imported is what Import did about one version, or would do.
type Imported struct {
	Prompt  prompt.ID       `json:"prompt"`
	Version prompt.Version  `json:"version"`
	Tag     string          `json:"tag"`
	From    string          `json:"from"`
	Bump    prompt.Bump     `json:"bump"`
	Changes []prompt.Change `json:"changes"`
	Digest  string          `json:"digest"`
	Commit  string          `json:"commit,omitempty"`
	Same    bool            `json:"same,omitempty"` // as the version before it, or released already: nothing is to be done

	plan   *ReleasePlan
	before string // the digest of the release before it
	files  []NewFile
	in     ImportedVersion
	draft  prompt.Draft
}

// Import releases the versions, one commit and tag each, in their order. All of
// them are planned first: if one is not valid, or may not follow the one before
// it, nothing is written. With dryRun nothing is written at all.
//
// A prompt that is there already must be one that was imported so: its releases
// are the first of the versions. The import goes on behind them, so that one
// that was interrupted is finished by running it again.
func (w *Workspace) Import(ctx context.Context, versions []ImportedVersion, dryRun bool) ([]Imported, error) {
	if dryRun {
		repo, err := w.Git(ctx)
		if err != nil {
			return nil, err
		}
		return w.planImport(ctx, repo, versions)
	}
	var out []Imported
	err := w.exclusively(ctx, func(repo *gitrepo.Repo) error {
		var err error
		if out, err = w.planImport(ctx, repo, versions); err != nil {
			return err
		}
		for i := range out {
			if out[i].Same {
				continue
			}
			if err := context.Cause(ctx); err != nil {
				return registry.WithFix(fmt.Errorf("%d of %d versions are done: %w", i, len(out), err), "run the same command again; it goes on from there")
			}
			if err := w.importOne(ctx, repo, &out[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// planImport decides what becomes of each version.
func (w *Workspace) planImport(ctx context.Context, repo *gitrepo.Repo, versions []ImportedVersion) ([]Imported, error) {
	if err := repo.Ready(); err != nil {
		return nil, err
	}
	if _, err := repo.Identity(ctx); err != nil {
		return nil, err
	}
	lines := make(map[prompt.ID]*lineage)
	out := make([]Imported, 0, len(versions))
	for _, v := range versions {
		line := lines[v.Prompt]
		if line == nil {
			var err error
			if line, err = w.lineage(ctx, repo, v.Prompt); err != nil {
				return nil, err
			}
			lines[v.Prompt] = line
		}
		one, err := w.planVersion(line, v)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	for id, line := range lines {
		if line.ahead < len(line.there) {
			return nil, alreadyThere(id)
		}
	}
	return out, nil
}

// A lineage is the releases of a prompt, those that are planned included.
type lineage struct {
	there    []registry.Release // as they are in Git, the oldest first
	ahead    int                // how many of those the versions went past
	versions []prompt.Version
	prompts  map[prompt.Version]prompt.Prompt
	digests  map[prompt.Version]string
}

// lineage reads what is released of a prompt, and refuses one that is there in
// part: a draft, or files that are not committed.
func (w *Workspace) lineage(ctx context.Context, repo *gitrepo.Repo, id prompt.ID) (*lineage, error) {
	line := &lineage{prompts: make(map[prompt.Version]prompt.Prompt), digests: make(map[prompt.Version]string)}
	versions, err := w.Versions(ctx, id)
	if err != nil {
		return nil, err
	}
	for _, v := range versions {
		r, err := w.ReleaseOf(ctx, id, v)
		if err != nil {
			return nil, err
		}
		d, err := w.Released(ctx, r)
		if err != nil {
			return nil, err
		}
		line.there = append(line.there, r)
		line.add(v, d.Prompt, r.Digest)
	}
	status := &ReleasePlan{Prompt: id}
	suite := suitePath(id)
	if err := w.gatherPaths(ctx, repo, status, path.Join(w.Config.Prompts, string(id)), suite, w.RegistryPath()); err != nil {
		return nil, err
	}
	if len(status.Files) > 0 {
		return nil, registry.WithFix(registry.Errorf(registry.ErrConflict, "%s has changes that are not committed", status.Files[0]), "commit them or take them back, or choose another id with --id")
	}
	if len(line.there) > 0 {
		last := line.there[len(line.there)-1]
		return line, w.contains(ctx, repo, ReleaseRequest{Prompt: id}, last.Version, prompt.Metadata{})
	}
	if err := w.Absent(id); err != nil {
		return nil, registry.WithFix(err, "choose another id with --id")
	}
	if _, err := w.root.Lstat(suite); err == nil {
		return nil, registry.WithFix(registry.Errorf(registry.ErrConflict, "%s exists already", suite), "choose another id with --id")
	}
	return line, nil
}

func suitePath(id prompt.ID) string { return "tests/" + string(id) + ".yaml" }

func alreadyThere(id prompt.ID) error {
	return registry.WithFix(registry.Errorf(registry.ErrConflict, "%s exists already, and its releases are not the first of what is imported", id),
		"choose another id with --id; or edit %s and release it", id)
}

func (l *lineage) add(v prompt.Version, p prompt.Prompt, digest string) {
	l.versions = append(l.versions, v)
	slices.SortFunc(l.versions, prompt.Version.Compare)
	l.prompts[v], l.digests[v] = p, digest
}

// highest is the highest release that ok holds for.
func (l *lineage) highest(ok func(prompt.Version) bool) (v prompt.Version) {
	for _, k := range l.versions {
		if ok(k) {
			v = k
		}
	}
	return v
}

// planVersion validates a version and finds its number.
func (w *Workspace) planVersion(line *lineage, v ImportedVersion) (Imported, error) {
	one := Imported{Prompt: v.Prompt, From: v.From, in: v}
	draft, findings := w.parseImported(v)
	if prompt.Failed(findings) {
		return one, notImported(v, findings)
	}
	if issues := prompt.CheckText([]byte(v.Message)); len(issues) > 0 || strings.TrimSpace(v.Message) == "" {
		return one, registry.Errorf(prompt.ErrInvalid, "%s: its message is empty, or holds a character that nobody sees", v.From)
	}
	digest, err := draft.Prompt.Digest()
	if err != nil {
		return one, fmt.Errorf("%s: %w", v.From, err)
	}
	one.draft, one.Digest = draft, digest
	if same, err := line.passed(&one); same || err != nil {
		return one, err
	}
	base := line.highest(func(k prompt.Version) bool { return k.Pre == "" })
	p := &ReleasePlan{Prompt: v.Prompt, Digest: digest, versions: slices.Clone(line.versions)}
	req := ReleaseRequest{Prompt: v.Prompt, Version: v.Version}
	if !base.IsZero() {
		p.Changes = prompt.Compare(line.prompts[base], draft.Prompt)
		p.Required = prompt.RequiredBump(p.Changes)
	}
	switch {
	case req.Version != "":
	case base.IsZero():
		req.Version = "1.0.0"
	default:
		req.Bump = max(p.Required, prompt.Patch)
	}
	if err := p.choose(req, draft.Metadata, base); err != nil {
		err = fmt.Errorf("%s: %w", v.From, err)
		if v.Version != "" {
			err = registry.WithFix(err, "give --renumber, which counts anew from 1.0.0")
		}
		return one, err
	}
	if before := line.highest(func(k prompt.Version) bool { return k.Compare(p.To) < 0 }); !before.IsZero() {
		p.From, one.before = before.String(), line.digests[before]
	}
	p.Tag = v.Prompt.Tag(p.To)
	p.Message = releaseMessage(p, v.Message, draft.Metadata)
	line.add(p.To, draft.Prompt, digest)
	one.plan, one.Version, one.Tag, one.Bump, one.Changes = p, p.To, p.Tag, p.Bump, p.Changes
	one.files = w.importFiles(v)
	return one, nil
}

// passed reports whether the version is there already, or asks the same of the
// model as the one before it.
func (l *lineage) passed(one *Imported) (bool, error) {
	if l.ahead < len(l.there) {
		r := l.there[l.ahead]
		if l.ahead > 0 && l.there[l.ahead-1].Digest == one.Digest {
			r = l.there[l.ahead-1]
		} else if r.Digest != one.Digest {
			return false, alreadyThere(one.Prompt)
		} else {
			l.ahead++
		}
		one.Same, one.Version, one.Tag, one.Commit = true, r.Version, r.Tag, r.Commit
		return true, nil
	}
	last := l.highest(func(prompt.Version) bool { return true })
	if one.Same = !last.IsZero() && l.digests[last] == one.Digest; one.Same {
		one.Version, one.Tag = last, one.Prompt.Tag(last)
	}
	return one.Same, nil
}

// parseImported reads the version's files as those of a prompt. It includes
// nothing: what other tools include was written out.
func (w *Workspace) parseImported(v ImportedVersion) (prompt.Draft, []prompt.Finding) {
	f := prompt.Files{Dir: path.Join(w.Config.Prompts, string(v.Prompt))}
	for _, file := range v.Files {
		limit := prompt.MaxTextBytes
		if file.Path == prompt.MetadataFile {
			limit = prompt.MaxMetadataBytes / 2 // a release writes into it, too
		}
		if len(file.Data) > limit { // as it would be once it is a file
			return prompt.Draft{}, []prompt.Finding{{
				Path: path.Join(f.Dir, file.Path), Code: "too-large", Severity: prompt.SeverityError, Message: fmt.Sprintf("is larger than %d bytes", limit), Fix: "make it smaller",
			}}
		}
		switch file.Path {
		case prompt.SystemFile:
			f.System = file.Data
		case prompt.UserFile:
			f.User = file.Data
		case prompt.ExamplesFile:
			f.Examples = file.Data
		case prompt.MetadataFile:
			f.Metadata = file.Data
		}
	}
	return prompt.Parse(v.Prompt, f, func(name, _ string) (string, prompt.Version, error) {
		return "", prompt.Version{}, fmt.Errorf("include %s: %w", name, fs.ErrNotExist)
	})
}

// notImported says what is wrong with a version, as its source has it.
func notImported(v ImportedVersion, findings []prompt.Finding) error {
	const most = 20
	var b strings.Builder
	fix := ""
	for i, f := range findings {
		if i == most {
			fmt.Fprintf(&b, "\n  and %d more", len(findings)-most)
			break
		}
		fmt.Fprintf(&b, "\n  %s:%d: %s: %s", path.Base(f.Path), max(f.Line, 1), f.Code, f.Message)
		if fix == "" && f.Code != "secret" { // how to allow one belongs to files that are there
			fix = f.Fix
		}
	}
	if fix == "" {
		fix = "mend it"
	}
	return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%s is not valid as a prompt here, and nothing was imported:%s", v.From, b.String()),
		"%s; in the file that is imported", fix)
}
