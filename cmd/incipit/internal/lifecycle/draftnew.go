package lifecycle

import (
	"context"
	"errors"
	"path"
	"slices"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/scaffold"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// TakesDrafts reports whether prompts can be written and proposed here at all.
func (s *Shared) TakesDrafts() bool { return s.config.Remote != nil }

// NewPrompt finds out whether the caller may begin a prompt under a name. It
// reports ErrInvalid for what is no id of a prompt that one can write, and
// ErrForbidden where they may not.
//
// taken says that there is such a prompt, to a caller who may read it. To
// anybody else it says nothing: they may write a draft, and learn of a prompt
// that is there as they learn of one that is merged meanwhile.
func (s *Shared) NewPrompt(ctx context.Context, name string) (id prompt.ID, taken bool, err error) {
	if id, err = prompt.ParseID(name); err != nil {
		return "", false, err
	}
	who, _ := registry.CallerOf(ctx)
	if !who.MayAny(registry.MayPropose, registry.Every, id) {
		return id, false, who.May(registry.MayPropose, registry.Every, id)
	}
	if _, err := s.drafting(ctx, id); err != nil || !who.MayAny(registry.MayRead, registry.Every, id) {
		return id, false, err
	}
	if all, err := s.Releases(ctx, id); err == nil && len(all) > 0 {
		return id, true, nil
	} else if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return id, false, err
	}
	err = s.reading(ctx, id, nil, func(_ context.Context, w *source.Workspace) error {
		texts, err := w.Now().Texts(id)
		if errors.Is(err, prompt.ErrInvalid) { // it is there, and no text
			taken, err = true, nil
		}
		taken = taken || len(texts) > 0
		return err
	})
	return id, taken, err
}

// startingText is what a new prompt starts from: the texts that incipit new
// writes, in the caller's name.
func (s *Shared) startingText(ctx context.Context, dir string, id prompt.ID) (registry.Texts, error) {
	who, _ := registry.CallerOf(ctx)
	author, err := s.authorOf(ctx, who)
	if err != nil {
		return nil, err
	}
	files, err := scaffold.Prompt(dir, string(id), scaffold.Input{Now: s.config.Now(), Author: author})
	if err != nil {
		return nil, err
	}
	out := make(registry.Texts, len(files))
	for _, f := range files {
		if in, name := path.Split(f.Path); path.Clean(in) == path.Join(dir, string(id)) && slices.Contains(registry.TextNames(), name) {
			out[name] = string(f.Data)
		}
	}
	return out, nil
}
