package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func (w *Workspace) sharedPath(name string) string {
	return path.Join(w.Config.Prompts, prompt.SharedPrefix, name+".txt")
}

// includer reads included texts from fsys, and those with a range from the
// release that pins names, or else from the highest one in the range.
func (w *Workspace) includer(ctx context.Context, fsys fs.FS, pins map[string]prompt.Version) prompt.Includer {
	return func(name, constraint string) (string, prompt.Version, error) {
		if constraint == "" {
			text, err := w.sharedText(fsys, name)
			return text, prompt.Version{}, err
		}
		id := prompt.ID(prompt.SharedPrefix + name)
		v, pinned := pins[name+"@"+constraint]
		if !pinned {
			if pins != nil {
				return "", v, fmt.Errorf("include %s@%s was not pinned by this release", name, constraint)
			}
			var err error
			if v, err = w.highest(ctx, id, constraint); err != nil {
				return "", v, err
			}
		}
		tree, err := w.at(ctx, "refs/tags/"+id.Tag(v))
		if err != nil {
			return "", v, err
		}
		text, err := w.sharedText(tree, name)
		return text, v, err
	}
}

// sharedText reads one included text of a tree.
func (w *Workspace) sharedText(fsys fs.FS, name string) (string, error) {
	file := w.sharedPath(name)
	if err := checkPath(fsys, path.Dir(file)); err != nil {
		return "", err
	}
	entries, err := fs.ReadDir(fsys, path.Dir(file))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	i := slices.IndexFunc(entries, func(e fs.DirEntry) bool { return e.Name() == path.Base(file) })
	if i < 0 {
		var known []string
		for _, e := range entries {
			known = append(known, strings.TrimSuffix(e.Name(), ".txt"))
		}
		hint := "write it, or correct the name"
		if best, ok := Closest(path.Base(name), known); ok {
			hint = "did you mean " + best + "?"
		}
		return "", fmt.Errorf("include %s is %w: there is no %s; %s", name, registry.ErrNotFound, file, hint)
	}
	data, _, err := readRegular(fsys, file, entries[i], prompt.MaxTextBytes)
	if err != nil {
		return "", fmt.Errorf("include %s: %s %w", name, file, err)
	}
	return string(data), nil
}

// highest is the highest release of id in the range.
func (w *Workspace) highest(ctx context.Context, id prompt.ID, constraint string) (prompt.Version, error) {
	versions, err := w.Versions(ctx, id)
	if err != nil {
		return prompt.Version{}, err
	}
	for _, v := range slices.Backward(versions) {
		if ok, err := v.In(constraint); err != nil || ok {
			return v, err
		}
	}
	name, _ := id.Shared()
	return prompt.Version{}, fmt.Errorf("include %s has no release in %s: %w; release it with incipit release %s, or include it without a range", name, constraint, registry.ErrNotFound, id)
}
