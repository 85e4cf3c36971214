package lifecycle

import (
	"context"
	"maps"
	"slices"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// History is what was done to a prompt, the oldest first, in the environments
// in which the caller may read it; with env in that one alone.
func (s *Shared) History(ctx context.Context, id prompt.ID, env string) (map[string]registry.Track, error) {
	tracks, err := s.Service.History(ctx, id, env)
	c, _ := registry.CallerOf(ctx)
	maps.DeleteFunc(tracks, func(env string, _ registry.Track) bool { return c.May(registry.MayRead, env, id) != nil })
	return tracks, err
}

// EnvironmentsOf lists the environments in which the caller may read a prompt,
// in their order.
func (s *Shared) EnvironmentsOf(ctx context.Context, id prompt.ID) ([]registry.Environment, error) {
	all, err := s.Environments(ctx)
	c, _ := registry.CallerOf(ctx)
	return slices.DeleteFunc(all, func(e registry.Environment) bool { return c.May(registry.MayRead, e.Name, id) != nil }), err
}

// A LoggedRelease is a release, and how it differs from the one before it.
type LoggedRelease struct {
	registry.Release
	Before   prompt.Version  // zero for the first
	Bump     prompt.Bump     // from Before to the version; none for the first
	Required prompt.Bump     // the least that the changes ask for
	Changes  []prompt.Change // the gravest first
	Tokens   int             // an estimate
	Metadata prompt.Metadata
}

// Log lists releases of a prompt, the newest version first: at most limit of
// them, of all or of those that are lower than before. more says that there are
// older ones. It reports ErrNotFound for a prompt that has none.
func (s *Shared) Log(ctx context.Context, id prompt.ID, before prompt.Version, limit int) (out []LoggedRelease, more bool, err error) {
	all, err := s.Releases(ctx, id)
	if err == nil && len(all) == 0 {
		_, err = s.Service.History(ctx, id, "") // which says what may be meant
	}
	if err != nil {
		return nil, false, err
	}
	if !before.IsZero() {
		all = slices.DeleteFunc(all, func(r registry.Release) bool { return r.Version.Compare(before) >= 0 })
	}
	drafts := make(map[prompt.Version]prompt.Draft)
	for i := len(all) - 1; i >= 0 && len(out) < limit; i-- {
		one, err := s.logged(ctx, all[:i+1], drafts)
		if err != nil {
			return nil, false, err
		}
		out = append(out, one)
	}
	return out, len(all) > len(out), nil
}

// logged is the last of some releases. drafts keeps what was read.
func (s *Shared) logged(ctx context.Context, upTo []registry.Release, drafts map[prompt.Version]prompt.Draft) (LoggedRelease, error) {
	out := LoggedRelease{Release: upTo[len(upTo)-1]}
	d, err := s.draftOf(ctx, out.Release, drafts)
	if err != nil {
		return out, err
	}
	out.Metadata, out.Tokens = d.Metadata, d.Prompt.EstimateTokens()
	earlier := upTo[:len(upTo)-1]
	if len(earlier) == 0 {
		return out, nil
	}
	was := earlier[len(earlier)-1]
	if i := slices.IndexFunc(earlier, func(r registry.Release) bool { return r.Version.String() == d.Metadata.PreviousVersion }); i >= 0 {
		was = earlier[i]
	}
	old, err := s.draftOf(ctx, was, drafts)
	if err != nil {
		return out, err
	}
	out.Before, out.Bump = was.Version, was.Version.BumpTo(out.Version)
	out.Changes = prompt.Compare(old.Prompt, d.Prompt)
	out.Required = prompt.RequiredBump(out.Changes)
	return out, nil
}

func (s *Shared) draftOf(ctx context.Context, r registry.Release, drafts map[prompt.Version]prompt.Draft) (prompt.Draft, error) {
	if d, ok := drafts[r.Version]; ok {
		return d, nil
	}
	d, err := s.Released(ctx, r)
	if err == nil {
		drafts[r.Version] = d
	}
	return d, err
}
