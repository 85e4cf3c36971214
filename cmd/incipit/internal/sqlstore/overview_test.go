package sqlstore_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func TestTheMarkMovesWithWhatIsReleasedAndWhatRuns(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *sqlstore.Store) {
		ctx, s := t.Context(), open()
		mark := func() sqlstore.Mark {
			t.Helper()
			m, err := s.Mark(ctx)
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
		empty := mark()
		environments(t, s, "dev", "production")
		if got := mark(); got != empty || got.Generation == 0 {
			t.Errorf("an environment moved the mark from %+v to %+v", empty, got)
		}
		if _, problems, err := s.AddReleases(ctx, []sqlstore.IndexedRelease{indexed(t, "support", "1.0.0", "Be kind and brief, always and to everybody.")}); err != nil || len(problems) > 0 {
			t.Fatal(err, problems)
		}
		released := mark()
		if released.Catalog() == empty.Catalog() || released.Running != empty.Running {
			t.Errorf("a release moved the mark from %+v to %+v", empty, released)
		}
		deploy(t, s, "production", "support", "1.0.0")
		if got := mark(); got.Catalog() != released.Catalog() || got.Running == released.Running {
			t.Errorf("a deployment moved the mark from %+v to %+v", released, got)
		}
	})
}

func TestWhatIsReadOfManyRowsAtOnceIsWhatWasKept(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *sqlstore.Store) {
		ctx, s := t.Context(), open()
		environments(t, s, "production")
		all := []sqlstore.IndexedRelease{
			indexed(t, "support", "1.0.0", "Be kind and brief, always and to everybody."), indexed(t, "support", "1.1.0", "Be brief and kind, always and to everybody."),
		}
		if _, problems, err := s.AddReleases(ctx, all); err != nil || len(problems) > 0 {
			t.Fatal(err, problems)
		}
		deploy(t, s, "production", "support", "1.0.0")
		deploy(t, s, "production", "draft", "1.0.0")
		versions, err := s.Versions(ctx)
		if err != nil || len(versions) != 1 || len(versions["support"]) != 2 {
			t.Errorf("versions are %v, %v", versions, err)
		}
		at := registry.Place{Prompt: "support", Environment: "production"}
		if err := s.SaveSteady(ctx, []registry.Steady{{Place: at, Deployment: 1, State: []byte{1}, Alarmed: true, Since: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)}}, nil); err != nil {
			t.Fatal(err)
		}
		watched, err := s.WatchedReleases(ctx)
		if d := cmp.Diff(map[registry.Place]registry.WatchedRelease{at: {Deployment: 1, Alarmed: true}}, watched); d != "" || err != nil {
			t.Error(d, err)
		}
		open1 := registry.Watched{Place: at, Opened: 1, State: []byte(`{"phase":"watching"}`)}
		ended := registry.Watched{Place: registry.Place{Prompt: "draft", Environment: "production"}, Opened: 1, State: []byte(`{}`), Ended: true}
		for _, w := range []registry.Watched{open1, ended} {
			if err := s.SaveRollout(ctx, w, nil, registry.Event{}); err != nil {
				t.Fatal(err)
			}
		}
		followed, err := s.Followed(ctx)
		if f := followed[at]; err != nil || len(followed) != 1 || f.Opened != 1 || string(f.State) != `{"phase":"watching"}` {
			t.Errorf("followed are %v, %v", followed, err)
		}
		searched, err := s.Searched(ctx)
		if err != nil || len(searched) != 2 {
			t.Fatal(searched, err)
		}
		for _, p := range searched {
			want := map[prompt.ID]int{"support": 2, "draft": 0}[p.ID]
			if len(p.Releases) != want || (p.Text == "") != (want == 0) || want > 0 && p.Newest != "1.1.0" {
				t.Errorf("of %s there is %+v", p.ID, p)
			}
		}
	})
}
