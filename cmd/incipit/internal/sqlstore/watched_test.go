package sqlstore_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/registry"
)

func TestARolloutIsTakenFurtherByOneAlone(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *sqlstore.Store) {
		ctx, s := t.Context(), open()
		environments(t, s, "production")
		deploy(t, s, "production", "support", "1.0.0")
		at := registry.Place{Prompt: "support", Environment: "production"}
		w := registry.Watched{Place: at, Opened: 1, Rules: registry.Environment{}.GuardOf("support"), State: []byte(`{"share":"5"}`), Begun: 7, Cursor: 7}
		begin := registry.Decision{Place: at, Opened: 1, Kind: registry.DecisionBegin, By: registry.GuardName, Text: "begun"}
		if err := s.SaveRollout(ctx, w, []registry.Decision{begin}, registry.Event{}); err != nil {
			t.Fatal(err)
		}
		if _, err := sqlstore.Backup(ctx, s, filepath.Join(t.TempDir(), "b")); err != nil {
			t.Errorf("with a rollout that has just begun: %v", err)
		}
		if err := s.SaveRollout(ctx, w, nil, registry.Event{}); !errors.Is(err, registry.ErrConflict) {
			t.Errorf("begun twice: %v", err)
		}
		all, err := s.OpenRollouts(ctx)
		if err != nil || len(all) != 1 {
			t.Fatalf("%v, %v", all, err)
		}
		was := all[0]
		if diff := cmp.Diff(w.Rules, was.Rules); diff != "" || was.Version != 1 || was.Begun != 7 || string(was.State) != string(w.State) || len(was.Detector) > 0 {
			t.Errorf("%+v\n%s", was, diff)
		}
		next := was
		next.Detector, next.Cursor, next.Ended = []byte{1, 0, 2}, 9, true
		hold := registry.Decision{Place: at, Opened: 1, Kind: registry.DecisionHold, By: registry.GuardName, Cursor: 9, Evidence: []byte(`{"a":1}`)}
		if err := s.SaveRollout(ctx, next, []registry.Decision{hold}, registry.Event{Action: "test"}); err != nil {
			t.Fatal(err)
		}
		if err := s.SaveRollout(ctx, next, []registry.Decision{hold}, registry.Event{}); !errors.Is(err, registry.ErrConflict) {
			t.Errorf("on a version that is gone: %v", err)
		}
		if all, err := s.OpenRollouts(ctx); err != nil || len(all) != 0 {
			t.Errorf("after its end: %v, %v", all, err)
		}
		ended, err := s.Rollouts(ctx, at, 5)
		if err != nil || len(ended) != 1 || ended[0].Cursor != 9 || string(ended[0].Detector) != "\x01\x00\x02" || !ended[0].Ended || ended[0].Version != 2 {
			t.Errorf("%+v, %v", ended, err)
		}
		log, err := s.Decisions(ctx, at, 1)
		if err != nil || len(log) != 2 || log[0].Seq != 1 || log[1].Seq != 2 || string(log[1].Evidence) != `{"a":1}` {
			t.Errorf("%+v, %v: what a refused write decided must not be there", log, err)
		}
		for _, statement := range []string{`UPDATE decision SET message = 'other'`, `DELETE FROM decision`} {
			if err := s.Exec(ctx, statement); err == nil {
				t.Errorf("%s was done", statement)
			}
		}
	})
}

func TestALeaseIsOnes(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *sqlstore.Store) {
		ctx, s := t.Context(), open()
		take := func(who string, seen sqlstore.Lease) bool {
			ok, err := s.TakeLease(ctx, "guard", who, seen)
			if err != nil {
				t.Fatal(err)
			}
			return ok
		}
		keep := func(who string) bool {
			ok, err := s.KeepLease(ctx, "guard", who)
			if err != nil {
				t.Fatal(err)
			}
			return ok
		}
		if !take("a", sqlstore.Lease{}) || take("b", sqlstore.Lease{}) || !keep("a") || keep("b") {
			t.Error("two have it, or nobody")
		}
		seen, err := s.Lease(ctx, "guard")
		if err != nil || seen.Holder != "a" {
			t.Fatalf("%+v, %v", seen, err)
		}
		if !keep("a") || take("b", seen) {
			t.Error("it is taken from one who lives")
		}
		if seen, err = s.Lease(ctx, "guard"); err != nil {
			t.Fatal(err)
		}
		if !take("b", seen) || keep("a") || !keep("b") {
			t.Error("it is not taken from one who is silent")
		}
		if err := s.FreeLease(ctx, "guard", "b"); err != nil {
			t.Fatal(err)
		}
		if seen, err = s.Lease(ctx, "guard"); err != nil || seen.Holder != "" || keep("b") || !take("a", seen) {
			t.Errorf("freed: %+v, %v", seen, err)
		}
	})
}
