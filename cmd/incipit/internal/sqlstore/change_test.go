package sqlstore_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// by is an event of somebody.
func by(action string) registry.Event {
	return registry.Event{Actor: "ada@example.com", Source: "cli", Action: action}
}

func environments(t testing.TB, s *sqlstore.Store, names ...string) {
	t.Helper()
	for _, n := range names {
		if err := s.SetEnvironment(t.Context(), registry.Environment{Name: n}, by("environment.set")); err != nil {
			t.Fatal(err)
		}
	}
}

// next decides to deploy a version whatever ran before.
func next(v string, digest string) func(registry.State) (registry.Change, error) {
	return func(st registry.State) (registry.Change, error) {
		version, err := prompt.ParseVersion(v)
		if err != nil {
			return registry.Change{}, err
		}
		d := registry.Deployment{Seq: st.Track.Seq() + 1, Action: registry.Deploy, Version: version, Digest: digest, By: "ada@example.com", Reason: "because"}
		return registry.Change{Deployment: &d, Event: by("deploy"), Answer: map[string]int{"seq": d.Seq}}, nil
	}
}

func deploy(t testing.TB, s *sqlstore.Store, env string, id prompt.ID, version string) {
	t.Helper()
	if _, err := s.Change(t.Context(), id, env, registry.Once{}, next(version, "sha256:"+version)); err != nil {
		t.Fatal(err)
	}
}

func TestAChangeIsRecordedWithAllThatBelongsToIt(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *sqlstore.Store) {
		s, ctx := open(), t.Context()
		environments(t, s, "dev", "production")
		deploy(t, s, "dev", "support", "1.0.0")
		deploy(t, s, "dev", "billing/refunds", "2.0.0")
		deploy(t, s, "dev", "support", "1.1.0")
		deploy(t, s, "production", "support", "1.0.0")

		other := open() // another replica sees the same
		now, err := other.Running(ctx, "dev")
		if err != nil {
			t.Fatal(err)
		}
		if now.Revision != 3 || now.Generation != 1 || len(now.Prompts) != 2 || now.Prompts["support"].Version.String() != "1.1.0" || now.Prompts["support"].Seq != 2 {
			t.Errorf("running: %+v", now)
		}
		since, err := other.Since(ctx, "dev", 1, 10)
		if err != nil || len(since) != 2 || since[0].Revision != 2 || since[1].Revision != 3 || since[1].Prompt != "support" {
			t.Errorf("since 1: %+v, %v", since, err)
		}
		gen, revisions, err := other.Revisions(ctx)
		if err != nil || gen != 1 || !cmp.Equal(revisions, map[string]int64{"dev": 3, "production": 1}) {
			t.Errorf("revisions: %d %v, %v", gen, revisions, err)
		}
		st, err := other.State(ctx, "support", "dev")
		if err != nil || len(st.Track) != 2 || st.Revision != 3 || st.Track[1].Reason != "because" || st.Track[1].At.IsZero() {
			t.Errorf("state: %+v, %v", st, err)
		}
		standings, err := other.Standings(ctx)
		if err != nil || len(standings) != 2 || standings[0].Prompt != "billing/refunds" || len(standings[1].Running) != 2 {
			t.Errorf("standings: %+v, %v", standings, err)
		}
		if n, err := other.VerifyAudit(ctx); err != nil || n != 6 {
			t.Errorf("audit: %d events, %v", n, err)
		}
	})
}

func TestAChangeThatCannotBeRecordedLeavesNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *sqlstore.Store) {
		s, ctx := open(), t.Context()
		environments(t, s, "dev")
		refused := errors.New("a rule")
		for name, decide := range map[string]func(registry.State) (registry.Change, error){
			"a decision to refuse": func(registry.State) (registry.Change, error) { return registry.Change{}, refused },
			"a number that does not follow": func(registry.State) (registry.Change, error) {
				return registry.Change{Deployment: &registry.Deployment{Seq: 7, Action: registry.Deploy}, Event: by("deploy")}, nil
			},
			"an event that cannot be recorded": func(st registry.State) (registry.Change, error) {
				c, err := next("1.0.0", "")(st)
				c.Event.Reason = "\x00"
				return c, err
			},
			"an answer that is no JSON": func(st registry.State) (registry.Change, error) {
				c, err := next("1.0.0", "")(st)
				c.Answer = make(chan int)
				return c, err
			},
		} {
			_, err := s.Change(ctx, "support", "dev", registry.Once{Caller: "ada", Key: name, Hash: "h"}, decide)
			if err == nil {
				t.Errorf("%s: recorded", name)
			}
			if name == "a decision to refuse" && !errors.Is(err, refused) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := s.Change(ctx, "support", "nowhere", registry.Once{}, next("1.0.0", "")); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("unknown environment: %v", err)
		}
		now, err := s.Running(ctx, "dev")
		if err != nil || now.Revision != 0 || len(now.Prompts) != 0 {
			t.Errorf("running: %+v, %v", now, err)
		}
		if n, err := s.VerifyAudit(ctx); err != nil || n != 1 {
			t.Errorf("audit: %d events, %v", n, err)
		}
	})
}

func TestThirtyTwoWritersLoseNothingAndDoubleNothing(t *testing.T) {
	const writers, each = 32, 6
	storetest.Each(t, func(t *testing.T, open func() *sqlstore.Store) {
		stores := []*sqlstore.Store{open(), open()} // two replicas
		ctx := t.Context()
		environments(t, stores[0], "dev", "production")
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				for n := range each {
					env := []string{"dev", "production"}[n%2]
					id := prompt.ID(fmt.Sprintf("p%d", w%3))
					_, err := stores[w%2].Change(ctx, id, env, registry.Once{Caller: "c", Key: fmt.Sprint(w, "/", n), Hash: "h"}, next("1.0.0", fmt.Sprint(w, n)))
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		for _, env := range []string{"dev", "production"} {
			records, err := stores[1].Since(ctx, env, 0, 10_000)
			if err != nil || len(records) != writers*each/2 {
				t.Fatalf("%s: %d records, %v", env, len(records), err)
			}
			seq, digests := make(map[prompt.ID]int), make(map[string]bool)
			for i, r := range records {
				seq[r.Prompt]++
				if r.Revision != int64(i)+1 || r.Seq != seq[r.Prompt] || digests[r.Digest] {
					t.Fatalf("%s: record %d is revision %d, deployment %d of %s", env, i, r.Revision, r.Seq, r.Prompt)
				}
				digests[r.Digest] = true
			}
		}
		if n, err := stores[0].VerifyAudit(ctx); err != nil || n != 2+writers*each {
			t.Errorf("audit: %d events, %v", n, err)
		}
	})
}

func TestARepeatedRequestIsAnsweredAgainAndCountsOnce(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, db storetest.Database) {
		s, ctx := db.Open(t), t.Context()
		environments(t, s, "dev", "production")
		once := registry.Once{Caller: "ci", Key: "k1", Hash: "h1"}
		var wg sync.WaitGroup
		var mu sync.Mutex
		first := 0
		for i := range 16 {
			env := []string{"dev", "production"}[i%2] // the key is the caller's, whatever it asks for
			wg.Go(func() {
				got, err := s.Change(ctx, "support", env, once, next("1.0.0", ""))
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				var answer map[string]int
				switch {
				case got.Replayed == nil:
					first++
				case json.Unmarshal(got.Replayed, &answer) != nil || answer["seq"] != 1:
					t.Errorf("replayed %s", got.Replayed)
				}
			})
		}
		wg.Wait()
		if first != 1 {
			t.Errorf("%d of 16 requests were carried out", first)
		}
		once.Hash = "h2"
		if _, err := s.Change(ctx, "support", "dev", once, next("1.0.0", "")); !errors.Is(err, prompt.ErrInvalid) {
			t.Errorf("another request under the same key: %v", err)
		}
		db.Clock.Advance(registry.KeptFor)
		if n, err := s.DeleteExpired(ctx); err != nil || n != 1 {
			t.Errorf("%d answers were forgotten, %v", n, err)
		}
		if got, err := s.Change(ctx, "support", "dev", once, next("1.0.0", "")); err != nil || got.Replayed != nil {
			t.Errorf("after a week: %+v, %v", got, err)
		}
		if n, err := s.VerifyAudit(ctx); err != nil || n != 4 {
			t.Errorf("audit: %d events, %v", n, err)
		}
	})
}
