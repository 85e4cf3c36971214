package sqlstore_test

import (
	"errors"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/registry"
)

func TestRulesAreReplacedByWhoeverSawThem(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *sqlstore.Store) {
		s, ctx := open(), t.Context()
		old := registry.Environment{Name: "qa"}
		if err := s.ReplaceEnvironment(ctx, "seen", old, by("environment")); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("one that there is not: %v", err)
		}
		if err := s.ReplaceEnvironment(ctx, "", old, by("environment")); err != nil {
			t.Fatal(err)
		}
		if err := s.ReplaceEnvironment(ctx, "", registry.Environment{Name: "qa", Protected: true}, by("environment")); !errors.Is(err, registry.ErrConflict) {
			t.Errorf("one that there is already: %v", err)
		}
		// Of many who saw the same rules, one wins; the others are told.
		var g errgroup.Group
		results := make([]error, 6)
		for i := range results {
			g.Go(func() error {
				results[i] = s.ReplaceEnvironment(ctx, old.Seen(), registry.Environment{Name: "qa", Approvals: i + 1}, by("environment"))
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
		won := -1
		for i, err := range results {
			switch {
			case err == nil && won < 0:
				won = i
			case !errors.Is(err, registry.ErrConflict):
				t.Errorf("%d: %v, and %d had won", i, err, won)
			}
		}
		envs, err := s.Environments(ctx)
		if err != nil || len(envs) != 1 || envs[0].Approvals != won+1 {
			t.Errorf("%+v, %v; %d had won", envs, err, won)
		}
		if err := s.ReplaceEnvironment(ctx, old.Seen(), registry.Environment{Name: "qa", Approvals: won + 1}, by("environment")); err != nil {
			t.Errorf("the same form again: %v", err)
		}
	})
}
