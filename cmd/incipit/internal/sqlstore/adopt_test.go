package sqlstore_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func TestAnEmptyDatabaseAdoptsAnotherRegistryOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *sqlstore.Store) {
		stores, ctx := []*sqlstore.Store{open(), open()}, t.Context()
		at := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
		tracks := map[prompt.ID]map[string]registry.Track{
			"support": {"dev": {
				{Seq: 4, Action: registry.Deploy, Version: version(t, "1.0.0"), At: at, By: "bob@example.com"},
				{Seq: 5, Action: registry.Deploy, Version: version(t, "1.1.0"), At: at.Add(time.Hour), By: "ada@example.com", Reason: "warmer"},
			}},
			"billing/refunds": {"production": {{Seq: 1, Action: registry.Deploy, Version: version(t, "2.0.0"), At: at}}},
		}
		envs := []registry.Environment{{Name: "production", Protected: true}, {Name: "dev"}}
		var wg sync.WaitGroup
		var mu sync.Mutex
		times := 0
		for i := range 8 {
			wg.Go(func() {
				records, adopted, err := stores[i%2].Adopt(ctx, envs, tracks, by("import"))
				if err != nil || adopted && records != 3 {
					t.Errorf("%d records, %v", records, err)
				}
				mu.Lock()
				defer mu.Unlock()
				if adopted {
					times++
				}
			})
		}
		wg.Wait()
		st, err := stores[0].State(ctx, "support", "dev")
		if err != nil || times != 1 || len(st.Track) != 2 || st.Track[1].Seq != 2 || st.Track[1].Revision != 2 || st.Track[1].Reason != "warmer" || !st.Track[0].At.Equal(at) {
			t.Errorf("adopted %d times: %+v, %v", times, st, err)
		}
		got, err := stores[0].Environments(ctx)
		if err != nil || len(got) != 2 || got[0].Name != "production" || !got[0].Protected {
			t.Errorf("%+v, %v", got, err)
		}
		if n, err := stores[0].VerifyAudit(ctx); err != nil || n != 1 {
			t.Errorf("audit: %d events, %v", n, err)
		}
	})
}

func TestSeveralPlacesChangeTogetherOrNotAtAll(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *sqlstore.Store) {
		s, ctx := open(), t.Context()
		environments(t, s, "a", "b")
		both := func(first, second string) []registry.Place {
			return []registry.Place{{Prompt: "support", Environment: first}, {Prompt: "support", Environment: second}}
		}
		decide := func(states []registry.State) ([]registry.Change, error) {
			var out []registry.Change
			for _, st := range states {
				c, err := next("1.0.0", "")(st)
				if err != nil {
					return nil, err
				}
				out = append(out, c)
			}
			return out, nil
		}
		var wg sync.WaitGroup
		for i := range 12 { // in both orders: they do not wait for each other forever
			wg.Go(func() {
				places := both("a", "b")
				if i%2 == 1 {
					places = both("b", "a")
				}
				once := registry.Once{Caller: "c", Key: fmt.Sprint(i / 2), Hash: "h"} // each twice
				if _, err := s.ChangeAll(ctx, places, once, decide); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		_, err := s.ChangeAll(ctx, both("a", "b"), registry.Once{}, func(states []registry.State) ([]registry.Change, error) {
			out, err := decide(states)
			out[1].Deployment.Seq = 99
			return out, err
		})
		if !errors.Is(err, registry.ErrConflict) {
			t.Errorf("half of it cannot be: %v", err)
		}
		_, revisions, err := s.Revisions(ctx)
		if err != nil || revisions["a"] != 6 || revisions["b"] != 6 {
			t.Errorf("%v, %v", revisions, err)
		}
		if n, err := s.VerifyAudit(ctx); err != nil || n != 2+12 {
			t.Errorf("audit: %d events, %v", n, err)
		}
	})
}
