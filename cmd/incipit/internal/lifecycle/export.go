package lifecycle

import (
	"context"
	"slices"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/internal/registry"
)

// Export is the registry in the shape of registry.json.
func (s *Service) Export(ctx context.Context) ([]byte, error) {
	if file, ok := s.store.(source.Store); ok { // as it stands, with what others wrote into it
		reg, err := file.Registry()
		if err != nil {
			return nil, err
		}
		return reg.Bytes(), nil
	}
	reg, err := source.ParseRegistry([]byte("{}\n"), "registry.json")
	if err != nil {
		return nil, err
	}
	reg, err = s.mirrored(ctx, reg)
	if err != nil {
		return nil, err
	}
	return reg.Bytes(), nil
}

// mirrored is the registry with what the store says of each released prompt;
// what else stands in it is kept.
func (s *Service) mirrored(ctx context.Context, reg *source.Registry) (*source.Registry, error) {
	standings, err := s.store.Standings(ctx)
	if err != nil {
		return nil, err
	}
	for _, st := range standings {
		if st.Version == "" {
			continue
		}
		tracks, err := s.store.Tracks(ctx, st.Prompt)
		if err != nil {
			return nil, err
		}
		releases, err := s.Releases(ctx, st.Prompt)
		if err != nil {
			return nil, err
		}
		e, err := reg.Entry(st.Prompt)
		if err != nil {
			return nil, err
		}
		if e == nil {
			e = &source.Entry{}
		}
		if err := s.describe(ctx, e, releases); err != nil {
			return nil, err
		}
		for env, track := range tracks {
			e.Replace(env, withoutRevisions(track))
		}
		if reg, err = reg.Put(st.Prompt, e); err != nil {
			return nil, err
		}
	}
	return reg, nil
}

// withoutRevisions is a track as a file holds it: revisions belong to a
// database.
func withoutRevisions(t registry.Track) registry.Track {
	t = slices.Clone(t)
	for i := range t {
		t[i].Revision = 0
	}
	return t
}
