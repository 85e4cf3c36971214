package sqlstore_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func version(t testing.TB, s string) prompt.Version {
	t.Helper()
	v, err := prompt.ParseVersion(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// indexed is a release as a sync reads it.
func indexed(t testing.TB, id prompt.ID, v string, text string) sqlstore.IndexedRelease {
	t.Helper()
	d := prompt.Draft{
		Prompt: prompt.Prompt{
			ID: id, Version: v, Model: "m-1", Messages: []prompt.Message{{Role: prompt.System, Content: text}},
			Variables:  map[string]prompt.Variable{"n": {Type: "integer", Default: float64(3)}, "name": {Trusted: true}},
			Parameters: []byte(`{"temperature": 0.20, "max_tokens": 12345678901}`),
		},
		Metadata: prompt.Metadata{Name: "A <name>", Version: v, Maintainer: "ada@example.com", Tags: []string{"x"}},
		Pins:     map[string]prompt.Version{"tone@^1": {Major: 1, Minor: 2}},
	}
	digest, err := d.Prompt.Digest()
	if err != nil {
		t.Fatal(err)
	}
	parsed := version(t, v)
	return sqlstore.IndexedRelease{
		Release: registry.Release{
			Prompt: id, Version: parsed, Tag: id.Tag(parsed), Commit: "c" + v, Digest: digest,
			Author: "Ada <ada@example.com>", At: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC), Notes: "warmer – „tone“",
		},
		TagObject: "t" + v, Draft: d,
	}
}

func TestEnvironmentsKeepTheirOrderAndTheirRules(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *sqlstore.Store) {
		s, ctx := open(), t.Context()
		environments(t, s, "dev", "staging", "production")
		want := registry.Environment{
			Name: "dev", Protected: true, Reason: true, Require: []string{"tests"}, Approvals: 2,
			Freeze: []registry.Freeze{{Days: []string{"fri"}, Start: "16:00", Zone: "Europe/Berlin", Why: "weekend"}},
		}
		if err := s.SetEnvironment(ctx, want, by("environment.set")); err != nil {
			t.Fatal(err)
		}
		got, err := open().Environments(ctx)
		if err != nil || len(got) != 3 || got[1].Name != "staging" || got[2].Name != "production" {
			t.Fatalf("%+v, %v", got, err)
		}
		if diff := cmp.Diff(want, got[0]); diff != "" {
			t.Error(diff)
		}
		if err := s.SetEnvironment(ctx, registry.Environment{Name: "x", Approvals: 99}, by("environment.set")); !errors.Is(err, prompt.ErrInvalid) {
			t.Errorf("99 approvals: %v", err)
		}
		_, err = s.State(ctx, "support", "prod")
		fix, ok := errors.AsType[*registry.FixError](err)
		if !errors.Is(err, registry.ErrNotFound) || !ok || !strings.Contains(fix.Fix, "dev, staging, production") {
			t.Errorf("an unknown one: %v", err)
		}
	})
}

func TestAReleaseIsServedAsItWasIndexed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *sqlstore.Store) {
		s, ctx := open(), t.Context()
		var all []sqlstore.IndexedRelease
		for _, v := range []string{"1.10.0", "1.9.0", "2.0.0-rc.1", "1.0.0"} {
			all = append(all, indexed(t, "billing/refunds", v, "Be kind. "+v))
		}
		added, problems, err := s.AddReleases(ctx, all)
		if err != nil || added != 4 || len(problems) != 0 {
			t.Fatalf("%d added, %v, %v", added, problems, err)
		}
		if added, problems, err := s.AddReleases(ctx, all); err != nil || added != 0 || len(problems) != 0 {
			t.Errorf("again: %d added, %v, %v", added, problems, err)
		}
		other := open()
		r, err := other.Release(ctx, "billing/refunds", version(t, "1.10.0"))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(all[0].Release, r); diff != "" {
			t.Error(diff)
		}
		d, err := other.Released(ctx, r)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(all[0].Draft.Metadata, d.Metadata); diff != "" || d.Pins["tone@^1"].Minor != 2 || d.Prompt.Messages[0].Content != "Be kind. 1.10.0" {
			t.Error(diff, d.Prompt)
		}
		list, err := other.Releases(ctx, "billing/refunds")
		var order []string
		for _, r := range list {
			order = append(order, r.Version.String())
		}
		if err != nil || !slices.Equal(order, []string{"1.0.0", "1.9.0", "1.10.0", "2.0.0-rc.1"}) {
			t.Errorf("%v, %v", order, err)
		}
		st, err := other.Standings(ctx)
		if err != nil || len(st) != 1 || st[0].Version != "2.0.0-rc.1" || st[0].Model != "m-1" || st[0].Maintainer != "ada@example.com" {
			t.Errorf("%+v, %v", st, err)
		}
		objects, err := other.TagObjects(ctx)
		if err != nil || len(objects) != 4 || objects["billing/refunds@1.9.0"] != "t1.9.0" {
			t.Errorf("%v, %v", objects, err)
		}
		_, err = other.Release(ctx, "billing/refunds", version(t, "1.9.1"))
		if fix, ok := errors.AsType[*registry.FixError](err); !errors.Is(err, registry.ErrNotFound) || !ok || !strings.Contains(fix.Fix, "1.9.0") {
			t.Errorf("an unknown release: %v", err)
		}
		if _, err = other.Tracks(ctx, "billing/refund"); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("an unknown prompt: %v", err)
		}
	})
}

func TestAReleaseIsNeverChanged(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *sqlstore.Store) {
		s, ctx := open(), t.Context()
		was := indexed(t, "support", "1.0.0", "Be kind.")
		if _, _, err := s.AddReleases(ctx, []sqlstore.IndexedRelease{was}); err != nil {
			t.Fatal(err)
		}
		commit, object := was, was
		commit.Commit, object.TagObject = "c2", "t2"
		lying := indexed(t, "support", "1.1.0", "Be kind.")
		lying.Digest = "sha256:00"
		for name, r := range map[string]sqlstore.IndexedRelease{
			"another digest": indexed(t, "support", "1.0.0", "Be rude."), "another commit": commit, "another tag": object, "a digest that it has not": lying,
		} {
			added, problems, err := s.AddReleases(ctx, []sqlstore.IndexedRelease{r})
			if err != nil || added != 0 || len(problems) != 1 || problems[0].Tag != r.Tag {
				t.Errorf("%s: %d added, %v, %v", name, added, problems, err)
			}
			if err := s.SetProblems(ctx, problems); err != nil {
				t.Fatal(err)
			}
			if p, err := s.Problem(ctx, "support", r.Version); err != nil || p == nil || p.Code != problems[0].Code {
				t.Errorf("%s: %v, %v", name, p, err)
			}
		}
		now, err := s.Release(ctx, "support", was.Version)
		if diff := cmp.Diff(was.Release, now); err != nil || diff != "" {
			t.Error(diff, err)
		}
		if d, err := s.Released(ctx, now); err != nil || d.Prompt.Messages[0].Content != "Be kind." {
			t.Errorf("%v, %v", d, err)
		}
	})
}

func TestAProblemKeepsTheTimeItWasFirstSeen(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, db storetest.Database) {
		s, ctx := db.Open(t), t.Context()
		moved := sqlstore.Problem{Tag: "support@1.0.0", Code: sqlstore.TagMoved, Detail: "elsewhere"}
		var first time.Time
		for range 2 {
			if err := s.SetProblems(ctx, []sqlstore.Problem{moved, {Tag: "a@1.0.0", Code: sqlstore.TagVanished}}); err != nil {
				t.Fatal(err)
			}
			got, err := s.Problems(ctx)
			if err != nil || len(got) != 2 || got[1].Tag != moved.Tag {
				t.Fatalf("%v, %v", got, err)
			}
			if first.IsZero() {
				first = got[1].Seen
			}
			if !got[1].Seen.Equal(first) {
				t.Errorf("seen %s, and first %s", got[1].Seen, first)
			}
			db.Clock.Advance(time.Hour)
		}
		if err := s.SetProblems(ctx, nil); err != nil {
			t.Fatal(err)
		}
		if p, err := s.Problem(ctx, "support", version(t, "1.0.0")); err != nil || p != nil {
			t.Errorf("%v, %v", p, err)
		}
	})
}

func TestManyReleasesAreIndexedInOneGo(t *testing.T) {
	const n = 2000 // BenchmarkIndex has all of them
	storetest.Each(t, func(t *testing.T, open func() *sqlstore.Store) {
		s, ctx := open(), t.Context()
		all := make([]sqlstore.IndexedRelease, 0, n)
		for i := range n {
			all = append(all, indexed(t, prompt.ID(fmt.Sprintf("p%04d", i/10)), fmt.Sprintf("1.%d.0", i%10), strings.Repeat("Be kind. ", 50)))
		}
		start := time.Now()
		added, problems, err := s.AddReleases(ctx, all)
		if err != nil || added != n || len(problems) != 0 {
			t.Fatalf("%d added, %v, %v", added, problems, err)
		}
		t.Logf("%d releases in %s", n, time.Since(start).Round(time.Millisecond))
		start = time.Now()
		st, err := s.Standings(ctx)
		if err != nil || len(st) != n/10 || st[7].Version != "1.9.0" {
			t.Errorf("%d standings, %v", len(st), err)
		}
		t.Logf("standings in %s", time.Since(start).Round(time.Millisecond))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		start = time.Now()
		open()
		t.Logf("opened and checked in %s", time.Since(start).Round(time.Millisecond))
	})
}

func TestApprovalsCountUntilTheyAreUsedOrTakenBack(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *sqlstore.Store) {
		s, ctx := open(), t.Context()
		environments(t, s, "production")
		approve := func(who, digest string) registry.Approval {
			a, err := s.Approve(ctx, registry.Approval{Prompt: "support", Environment: "production", Version: "1.0.0", Digest: digest, By: who, Reason: "read it"}, by("approve"))
			if err != nil {
				t.Fatal(err)
			}
			return a
		}
		approve("bob@example.com", "sha256:1.0.0")
		back := approve("cleo@example.com", "sha256:1.0.0")
		approve("bob@example.com", "sha256:other")
		if err := s.RevokeApproval(ctx, back.ID, by("approve.revoke")); err != nil {
			t.Fatal(err)
		}
		if err := s.RevokeApproval(ctx, back.ID, by("approve.revoke")); !errors.Is(err, registry.ErrConflict) {
			t.Errorf("taken back twice: %v", err)
		}
		if err := s.RevokeApproval(ctx, "unknown", by("approve.revoke")); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("an unknown one: %v", err)
		}
		st, err := s.State(ctx, "support", "production")
		if err != nil || len(st.Approvals) != 2 || st.Approvals[0].By != "bob@example.com" || st.Approvals[0].Reason != "read it" {
			t.Fatalf("%+v, %v", st.Approvals, err)
		}
		deploy(t, s, "production", "support", "1.0.0") // of the digest sha256:1.0.0
		st, err = s.State(ctx, "support", "production")
		if err != nil || len(st.Approvals) != 1 || st.Approvals[0].Digest != "sha256:other" {
			t.Errorf("after the deployment: %+v, %v", st.Approvals, err)
		}
		if n, err := s.VerifyAudit(ctx); err != nil || n != 6 {
			t.Errorf("audit: %d events, %v", n, err)
		}
	})
}

func TestTheNewestEvidenceOfEachKindCounts(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *sqlstore.Store) {
		s, ctx := open(), t.Context()
		environments(t, s, "dev")
		for _, e := range []registry.Evidence{
			{Prompt: "support", Digest: "d1", Kind: "tests", Passed: true, By: "ci"},
			{Prompt: "support", Digest: "d1", Kind: "review", Passed: true, By: "bob"},
			{Prompt: "support", Digest: "d2", Kind: "tests", Passed: true, By: "ci"},
			{Prompt: "other", Digest: "d1", Kind: "tests", Passed: true, By: "ci"},
			{Prompt: "support", Digest: "d1", Kind: "tests", Passed: false, Note: "2 of 9 failed", By: "ci"},
		} {
			if _, err := s.AddEvidence(ctx, e, by("evidence")); err != nil {
				t.Fatal(err)
			}
		}
		st, err := s.State(ctx, "support", "dev")
		if err != nil || len(st.Evidence) != 3 {
			t.Fatalf("%+v, %v", st.Evidence, err)
		}
		if last := st.Evidence[2]; last.Passed || last.Note != "2 of 9 failed" || last.Kind != "tests" || last.Digest != "d1" || last.ID == "" {
			t.Errorf("%+v", last)
		}
	})
}

func TestKeysAndPeopleChangeWithAnEventAndAVersion(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *sqlstore.Store) {
		s, other, ctx := open(), open(), t.Context()
		grants := []registry.Grant{{Permissions: []registry.Permission{registry.MayDeploy}, Environments: []string{"dev"}, Prompts: []string{"billing/*"}}}
		key := registry.Key{ID: "k1", Kind: "ci", Name: "pipeline", Grants: grants, CreatedBy: "ada@example.com", Hash: []byte{0, 1, 2, 255}}
		v0, err := other.KeysVersion(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.AddKey(ctx, key, by("key.create")); err != nil {
			t.Fatal(err)
		}
		if err := s.AddKey(ctx, key, by("key.create")); !errors.Is(err, registry.ErrConflict) {
			t.Errorf("twice: %v", err)
		}
		got, err := other.Key(ctx, "k1")
		if diff := cmp.Diff(key.Grants, got.Grants); err != nil || diff != "" || string(got.Hash) != string(key.Hash) || got.CreatedAt.IsZero() || !got.RevokedAt.IsZero() {
			t.Errorf("%+v, %v %s", got, err, diff)
		}
		for _, at := range []int64{200, 100} { // what comes late is not newer
			if err := s.KeysUsed(ctx, map[string]time.Time{"k1": time.Unix(at, 0), "unknown": time.Unix(at, 0)}); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := other.Key(ctx, "k1"); err != nil || !got.UsedAt.Equal(time.Unix(200, 0)) {
			t.Errorf("used at %v, %v", got.UsedAt, err)
		}
		if err := s.RevokeKey(ctx, "k1", by("key.revoke")); err != nil {
			t.Fatal(err)
		}
		if err := s.RevokeKey(ctx, "k2", by("key.revoke")); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("an unknown one: %v", err)
		}
		if got, err := other.Key(ctx, "k1"); err != nil || got.RevokedAt.IsZero() {
			t.Errorf("%+v, %v", got, err)
		}
		person := registry.Person{Mail: " Bob@Example.com", Name: "Bob", Grants: grants, CreatedBy: "ada@example.com"}
		if err := s.SetPerson(ctx, person, by("person.set")); err != nil {
			t.Fatal(err)
		}
		if err := s.RevokePerson(ctx, "bob@example.com", by("person.revoke")); err != nil {
			t.Fatal(err)
		}
		if p, err := other.Person(ctx, "BOB@example.com"); err != nil || p.RevokedAt.IsZero() || p.Name != "Bob" {
			t.Errorf("%+v, %v", p, err)
		}
		if all, err := other.People(ctx); err != nil || len(all) != 1 {
			t.Errorf("%v, %v", all, err)
		}
		if keys, err := other.Keys(ctx); err != nil || len(keys) != 1 {
			t.Errorf("%v, %v", keys, err)
		}
		v1, err := other.KeysVersion(ctx)
		if err != nil || v1 != v0+4 {
			t.Errorf("version %d, then %d, %v", v0, v1, err)
		}
		if n, err := other.VerifyAudit(ctx); err != nil || n != 4 {
			t.Errorf("audit: %d events, %v", n, err)
		}
	})
}

func TestTheMirrorsBacklogHoldsEachDeploymentUntilItIsDone(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, db storetest.Database) {
		db.Config.Mirror = true
		s, ctx := db.Open(t), t.Context()
		environments(t, s, "dev")
		deploy(t, s, "dev", "a", "1.0.0")
		deploy(t, s, "dev", "b", "1.0.0")
		backlog, err := s.MirrorBacklog(ctx, 10)
		if err != nil || len(backlog) != 2 || backlog[0].Prompt != "a" || backlog[1].Revision != 2 {
			t.Fatalf("%+v, %v", backlog, err)
		}
		if err := s.MirrorFailed(ctx, []string{backlog[1].ID}, errors.New("rejected\nby a hook")); err != nil {
			t.Fatal(err)
		}
		if err := s.MirrorDone(ctx, []string{backlog[0].ID}); err != nil {
			t.Fatal(err)
		}
		backlog, err = s.MirrorBacklog(ctx, 10)
		if err != nil || len(backlog) != 1 || backlog[0].Attempts != 1 || !strings.Contains(backlog[0].LastError, "by a hook") {
			t.Errorf("%+v, %v", backlog, err)
		}
		if n, err := s.MirrorSize(ctx); err != nil || n != 1 {
			t.Errorf("%d, %v", n, err)
		}
	})
}

func TestReplicasThatIndexAtOnceAgreeOnTheLastRelease(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *sqlstore.Store) {
		stores, ctx := []*sqlstore.Store{open(), open()}, t.Context()
		before, err := stores[0].ReleasesVersion(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var all []sqlstore.IndexedRelease
		for i := range 60 {
			all = append(all, indexed(t, "support", fmt.Sprintf("1.%d.0", i), "Be kind."))
		}
		var wg sync.WaitGroup
		var total atomic.Int64
		for i := range 6 {
			wg.Go(func() {
				added, problems, err := stores[i%2].AddReleases(ctx, append(all[:(i+1)*10:(i+1)*10], all[0])) // one of them twice
				if err != nil || len(problems) > 0 {
					t.Errorf("%v, %v", problems, err)
				}
				total.Add(int64(added))
			})
		}
		wg.Wait()
		st, err := stores[0].Standings(ctx)
		if err != nil || total.Load() != 60 || len(st) != 1 || st[0].Version != "1.59.0" {
			t.Errorf("%d added, %+v, %v", total.Load(), st, err)
		}
		if after, err := stores[1].ReleasesVersion(ctx); err != nil || after <= before {
			t.Errorf("version %d, then %d, %v", before, after, err)
		}
	})
}
