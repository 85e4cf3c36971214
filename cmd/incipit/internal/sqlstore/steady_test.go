package sqlstore_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// Many are kept at once or none, and an alarm with them; who did not see what is
// there writes nothing.
func TestWhatIsSteadyIsKeptAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *sqlstore.Store) {
		ctx, s := t.Context(), open()
		environments(t, s, "production")
		const many = 210 // two batches
		all := make([]registry.Steady, many)
		for i := range all {
			id := prompt.ID(fmt.Sprint("prompt-", i))
			deploy(t, s, "production", id, "1.0.0")
			all[i] = registry.Steady{
				Place: registry.Place{Prompt: id, Environment: "production"}, Deployment: 1, State: []byte{1, 0, byte(i)}, Cursor: int64(i),
				Since: time.Date(2026, 1, 5, 0, 0, i, 0, time.UTC),
			}
		}
		if err := s.SaveSteady(ctx, all, nil); err != nil {
			t.Fatal(err)
		}
		at := all[7].Place
		changed := registry.Decision{Place: at, Opened: 1, Kind: registry.DecisionChanged, By: registry.GuardName, Text: "changed: errors"}
		if err := s.SaveSteady(ctx, all, []registry.Decision{changed}); !errors.Is(err, registry.ErrConflict) {
			t.Errorf("kept twice as the first: %v", err)
		}
		next := make([]registry.Steady, many)
		for i := range next {
			next[i] = all[i]
			next[i].Version++
		}
		next[many-1].Version = 5
		if err := s.SaveSteady(ctx, next, []registry.Decision{changed}); !errors.Is(err, registry.ErrConflict) {
			t.Errorf("one of them is of a version that is not there: %v", err)
		}
		if log, err := s.Decisions(ctx, at, 1); err != nil || len(log) != 0 {
			t.Errorf("what a refused write decided is there: %v, %v", log, err)
		}
		one := next[7]
		one.State, one.Cursor, one.Deployment, one.Alarmed, one.Quiet = []byte{2}, 900, 2, true, 3*time.Hour
		if err := s.SaveSteady(ctx, []registry.Steady{one}, []registry.Decision{changed}); err != nil {
			t.Fatal(err)
		}
		got, ok, err := s.Steady(ctx, at)
		one.Version = 2
		if diff := cmp.Diff(one, got, cmpopts.IgnoreFields(registry.Steady{}, "At")); err != nil || !ok || diff != "" || got.At.IsZero() {
			t.Errorf("%v, %v\n%s", ok, err, diff)
		}
		if log, err := s.Decisions(ctx, at, 1); err != nil || len(log) != 1 {
			t.Errorf("%v, %v", log, err)
		}
		if first, err := s.AllSteady(ctx, 3); err != nil || len(first) != 3 || first[0].Place != at {
			t.Errorf("%+v, %v: the one that was kept last is not the first", first, err)
		}
		if list, err := s.AllSteady(ctx, 10*many); err != nil || len(list) != many {
			t.Errorf("%d of %d, %v", len(list), many, err)
		}
		if _, ok, err := s.Steady(ctx, registry.Place{Prompt: "nobody", Environment: "production"}); ok || err != nil {
			t.Errorf("%v, %v", ok, err)
		}
		if err := s.Exec(ctx, `UPDATE steady SET cursor = 901 WHERE prompt = 'prompt-7'`); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Steady(ctx, at); err == nil {
			t.Error("a row that is not what was written is served")
		}
	})
}
