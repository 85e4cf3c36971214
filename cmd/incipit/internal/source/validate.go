package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/gitrepo"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/strictjson"
)

// Validate checks the prompts of the work tree, or all of them and the
// included texts if none is named. Every finding of every prompt is returned,
// in the order of their places, with the number of prompts that were checked.
func (w *Workspace) Validate(ctx context.Context, only ...prompt.ID) (checked int, findings []prompt.Finding, err error) {
	dirs, found, err := scan(w.Files(), w.Config.Prompts)
	if err != nil {
		return 0, nil, err
	}
	if len(only) > 0 {
		found = nil
		all := dirs
		dirs = nil
		for _, id := range only {
			i := slices.IndexFunc(all, func(d promptDir) bool { return d.id == id })
			if i < 0 {
				d, err := w.open(w.Files(), id)
				if err != nil {
					return 0, nil, err
				}
				dirs = append(dirs, d)
				continue
			}
			dirs = append(dirs, all[i])
		}
	}
	tagged, err := w.taggedNames(ctx)
	if err != nil {
		return 0, nil, err
	}
	files := w.Files()
	found = append(found, slices.Concat(each(dirs, func(d promptDir) []prompt.Finding {
		return w.validateOne(ctx, files, d, tagged)
	})...)...)
	if len(only) == 0 {
		shared, n := w.validateShared(ctx)
		found = append(found, shared...)
		found = append(found, w.validateRegistry()...)
		checked += n
	}
	prompt.SortFindings(found)
	return checked + len(dirs), found, ctx.Err()
}

// each calls do for every item, on all processors, and returns the answers in
// the items' order.
func each[I, O any](items []I, do func(I) O) []O {
	var (
		wg   sync.WaitGroup
		next atomic.Int64
		out  = make([]O, len(items))
	)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(items)); i = next.Add(1) - 1 {
				out[i] = do(items[i])
			}
		})
	}
	wg.Wait()
	return out
}

func (w *Workspace) validateOne(ctx context.Context, files fs.FS, d promptDir, tagged map[string]bool) []prompt.Finding {
	draft, f, findings := w.parse(ctx, files, d, false)
	if previous, err := prompt.ParseVersion(draft.Metadata.PreviousVersion); err == nil && tagged != nil && !tagged[d.id.Tag(previous)] {
		line, col := strictjson.Position(f.Metadata, strictjson.Locate(f.Metadata, "previous_version"))
		dead := prompt.Finding{
			Path: path.Join(d.dir, prompt.MetadataFile), Line: line, Col: col, Code: "previous-version", Severity: prompt.SeverityError,
			Message: fmt.Sprintf("previous_version is %s, but there is no tag %s", previous, d.id.Tag(previous)),
			Fix:     "git fetch --tags; if it was never released here, set previous_version to null",
		}
		if !anyTag(tagged, d.id) { // versioned before there were tags
			dead.Fix = "git fetch --tags; if there were no tags before, the first release starts the chain anew"
		}
		findings = append(findings, dead)
	}
	return findings
}

// anyTag reports whether a release of id has a tag.
func anyTag(tagged map[string]bool, id prompt.ID) bool {
	for name := range tagged {
		if strings.HasPrefix(name, string(id)+"@") {
			return true
		}
	}
	return false
}

// taggedNames are all tags, and nil where Git cannot tell: outside a
// repository and in a shallow clone.
func (w *Workspace) taggedNames(ctx context.Context) (map[string]bool, error) {
	repo, err := w.Git(ctx)
	if errors.Is(err, gitrepo.ErrNoRepository) {
		return nil, nil
	}
	if err != nil || repo.Shallow {
		return nil, err
	}
	tags, err := repo.Tags(ctx, "")
	names := make(map[string]bool, len(tags))
	for _, t := range tags {
		names[t.Name] = true
	}
	return names, err
}

// validateShared checks the included texts, which may be in no prompt yet.
func (w *Workspace) validateShared(ctx context.Context) (findings []prompt.Finding, checked int) {
	root := path.Join(w.Config.Prompts, prompt.SharedPrefix)
	files := w.Files()
	if fi, err := fs.Lstat(files, root); err != nil || !fi.IsDir() {
		return nil, 0
	}
	walk := func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		checked++
		report := func(code, msg string) {
			findings = append(findings, prompt.Finding{Path: name, Code: code, Severity: prompt.SeverityError, Message: msg})
		}
		short, isText := strings.CutSuffix(strings.TrimPrefix(name, root+"/"), ".txt")
		id, err := prompt.ParseID(prompt.SharedPrefix + short)
		switch {
		case !isText:
			report("include-name", "included texts are files that end in .txt")
			return nil
		case err != nil:
			report("include-name", err.Error())
			return nil
		}
		data, code, err := readRegular(files, name, e, prompt.MaxTextBytes)
		if err != nil {
			report(code, err.Error())
			return nil
		}
		_, more := prompt.ParseShared(id, name, data, w.includer(ctx, files, nil))
		findings = append(findings, more...)
		return nil
	}
	if err := fs.WalkDir(files, root, walk); err != nil {
		findings = append(findings, prompt.Finding{Path: root, Code: "unreadable", Severity: prompt.SeverityError, Message: err.Error()})
	}
	return findings, checked
}

func (w *Workspace) validateRegistry() []prompt.Finding {
	reg, err := w.Registry()
	if err == nil {
		for _, id := range reg.IDs() {
			if _, entryErr := reg.Entry(id); entryErr != nil {
				err = entryErr
			}
		}
	}
	if err == nil {
		return nil
	}
	return []prompt.Finding{{Path: w.RegistryPath(), Code: "registry", Severity: prompt.SeverityError, Message: err.Error()}}
}
