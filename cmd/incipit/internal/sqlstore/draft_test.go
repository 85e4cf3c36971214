package sqlstore_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

const writer = "ada@example.com"

func written(text string) registry.Draft {
	return registry.Draft{
		Prompt: "support", Owner: writer, Base: registry.DraftBase{Commit: "c0ffee", Version: "1.0.0"},
		Files:     registry.Texts{prompt.SystemFile: text, prompt.MetadataFile: "{"},
		BaseFiles: registry.Texts{prompt.SystemFile: "before", prompt.MetadataFile: "{"},
	}
}

func saved(t testing.TB, s *sqlstore.Store, d registry.Draft) registry.Draft {
	t.Helper()
	out, err := s.SaveDraft(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestADraftIsSavedOverWhatWasSeenAlone(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, d storetest.Database) {
		s, ctx := d.Open(t), t.Context()
		if _, err := s.Draft(ctx, "support", writer); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("before the first: %v", err)
		}
		first := saved(t, s, written("before")) // as it started: its files are those of its base
		got, err := s.Draft(ctx, "support", writer)
		if diff := cmp.Diff(first, got); err != nil || diff != "" || got.Number != 1 || got.UpdatedAt.IsZero() {
			t.Errorf("%v\n%s", err, diff)
		}
		again := written("before")
		if twice := saved(t, s, again); twice.Number != 1 {
			t.Errorf("a save that was sent twice counts %d", twice.Number)
		}
		again.Number = 1
		again.Files = registry.Texts{}
		if second := saved(t, s, again); second.Number != 2 {
			t.Errorf("got %d", second.Number)
		}
		if got, err = s.Draft(ctx, "support", writer); err != nil || got.Files == nil || len(got.Files) != 0 {
			t.Errorf("an empty one: %+v, %v", got, err)
		}
		for number, what := range map[int64]string{0: "a new one", 1: "an old one", 7: "one that never was"} {
			late := written("late")
			late.Number = number
			if _, err := s.SaveDraft(ctx, late); !errors.Is(err, registry.ErrConflict) {
				t.Errorf("%s: %v", what, err)
			}
		}
		other := written("theirs")
		other.Owner = "bob@example.com"
		saved(t, s, other)
		all, err := s.Drafts(ctx, "support", "")
		if err != nil || len(all) != 2 {
			t.Errorf("got %+v, %v", all, err)
		}
		if mine, err := s.Drafts(ctx, "", writer); err != nil || len(mine) != 1 || mine[0].Owner != writer {
			t.Errorf("got %+v, %v", mine, err)
		}
	})
}

func TestADiscardedDraftIsForgottenAndItsNumberIsNot(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, d storetest.Database) {
		s, ctx := d.Open(t), t.Context()
		saved(t, s, written("one"))
		if err := s.DiscardDraft(ctx, "support", writer, 3, by("draft.discard")); !errors.Is(err, registry.ErrConflict) {
			t.Errorf("another number: %v", err)
		}
		if err := s.DiscardDraft(ctx, "support", writer, 1, by("draft.discard")); err != nil {
			t.Fatal(err)
		}
		if err := s.DiscardDraft(ctx, "support", writer, 1, by("draft.discard")); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("again: %v", err)
		}
		if all, err := s.Drafts(ctx, "", ""); err != nil || len(all) > 0 {
			t.Errorf("got %+v, %v", all, err)
		}
		stale := written("from a window that was left open")
		stale.Number = 1
		if _, err := s.SaveDraft(ctx, stale); !errors.Is(err, registry.ErrConflict) || !strings.Contains(err.Error(), "discarded") {
			t.Errorf("got %v", err)
		}
		if anew := saved(t, s, written("two")); anew.Number != 3 {
			t.Errorf("the next has the number %d, which the old window could know", anew.Number)
		}
		if _, err := s.SaveDraft(ctx, stale); !errors.Is(err, registry.ErrConflict) {
			t.Errorf("got %v", err)
		}
	})
}

func TestOfSavesAtOnceOneWins(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, d storetest.Database) {
		s := d.Open(t)
		first := saved(t, s, written("one"))
		var wg sync.WaitGroup
		var won atomic.Int64
		for i := range 8 {
			wg.Go(func() {
				next := first
				next.Files = registry.Texts{prompt.SystemFile: fmt.Sprint(i)}
				_, err := s.SaveDraft(t.Context(), next)
				switch {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, registry.ErrConflict):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		got, err := s.Draft(t.Context(), "support", writer)
		if err != nil || won.Load() != 1 || got.Number != 2 {
			t.Errorf("%d won, number %d: %v", won.Load(), got.Number, err)
		}
	})
}

func TestAProposalIsNotedOnce(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, d storetest.Database) {
		s, ctx := d.Open(t), t.Context()
		saved(t, s, written("one"))
		p := registry.Proposal{Branch: "incipit/support/1.0.1-ab", Commit: "c1", Version: "1.0.1", Into: "main"}
		once := registry.Once{Caller: writer, Key: "k", Hash: "h"}
		if raw, err := s.Answered(ctx, once); raw != nil || err != nil {
			t.Errorf("before: %s, %v", raw, err)
		}
		if _, err := s.DraftProposed(ctx, "support", writer, 2, p, once, by("propose")); !errors.Is(err, registry.ErrConflict) {
			t.Errorf("another number: %v", err)
		}
		for range 2 { // the second time the answer is the first one's, whatever is said
			got, err := s.DraftProposed(ctx, "support", writer, 1, p, once, by("propose"))
			if err != nil || got.Commit != "c1" {
				t.Errorf("got %+v, %v", got, err)
			}
			p.Commit = "c2"
		}
		if raw, err := s.Answered(ctx, once); !strings.Contains(string(raw), `"c1"`) || err != nil {
			t.Errorf("after: %s, %v", raw, err)
		}
		if got, err := s.DraftProposed(ctx, "support", writer, 1, p, registry.Once{}, by("propose")); err != nil || got.Commit != "c1" {
			t.Errorf("without a key: %+v, %v", got, err)
		}
		events, err := s.Events(ctx, 0, 10)
		if err != nil || len(events) != 1 {
			t.Errorf("%d events, %v", len(events), err)
		}
		got, err := s.Draft(ctx, "support", writer)
		if err != nil || got.Proposed == nil || got.Proposed.Commit != "c1" || got.Number != 1 {
			t.Errorf("got %+v, %v", got, err)
		}
		next := written("two")
		next.Number = 1
		if saved(t, s, next).Proposed != nil {
			t.Error("what was written since passes for proposed")
		}
	})
}

func TestDraftsAreBounded(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, d storetest.Database) {
		s := d.Open(t)
		for i := range 200 {
			one := written("x")
			one.Prompt = prompt.ID(fmt.Sprintf("p%d", i))
			saved(t, s, one)
		}
		if _, err := s.SaveDraft(t.Context(), written("x")); !errors.Is(err, registry.ErrConflict) {
			t.Errorf("the 201st: %v", err)
		}
		bad := written("x")
		bad.Files = registry.Texts{"passwd": "x"}
		if _, err := s.SaveDraft(t.Context(), bad); !errors.Is(err, prompt.ErrInvalid) {
			t.Errorf("another file: %v", err)
		}
	})
}

func TestChangesOfDraftsAreCountedAndTellNothingOfThem(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, d storetest.Database) {
		s, ctx := d.Open(t), t.Context()
		tells := func(after, last int64, want ...registry.DraftChange) {
			t.Helper()
			seq, err := s.LastDraftChange(ctx)
			if err != nil || seq != last {
				t.Errorf("the last is %d, want %d: %v", seq, last, err)
			}
			got, err := s.DraftChanges(ctx, after, 10)
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("after %d: %v\n%s", after, err, diff)
			}
		}
		tells(0, 0)
		first := saved(t, s, written("one"))
		saved(t, s, written("one")) // the same again, which changes nothing
		other := written("theirs")
		other.Owner = "bob@example.com"
		saved(t, s, other)
		tells(0, 2, registry.DraftChange{Seq: 1, Prompt: "support", Owner: writer}, registry.DraftChange{Seq: 2, Prompt: "support", Owner: other.Owner})
		first.Files = registry.Texts{}
		saved(t, s, first)
		tells(0, 3, registry.DraftChange{Seq: 2, Prompt: "support", Owner: other.Owner}, registry.DraftChange{Seq: 3, Prompt: "support", Owner: writer})
		first.Number = 7
		if _, err := s.SaveDraft(ctx, first); !errors.Is(err, registry.ErrConflict) {
			t.Error(err)
		}
		tells(3, 3)
		if err := s.DiscardDraft(ctx, "support", writer, 2, by("draft.discard")); err != nil {
			t.Fatal(err)
		}
		tells(3, 4, registry.DraftChange{Seq: 4, Prompt: "support", Owner: writer})
		if got, err := s.DraftChanges(ctx, 0, 1); err != nil || len(got) != 1 || got[0].Seq != 2 {
			t.Errorf("at most one: %+v, %v", got, err)
		}
	})
}

// Of drafts that are saved at once each change has a number of its own, and none
// is committed behind one that was told.
func TestChangesOfDraftsAreCommittedInTheirOrder(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, d storetest.Database) {
		s := d.Open(t)
		const writers, saves = 4, 10
		var wg sync.WaitGroup
		for i := range writers {
			wg.Go(func() {
				draft := written("x")
				draft.Owner = fmt.Sprintf("w%d@example.com", i)
				for n := range saves {
					var err error
					draft.Files = registry.Texts{prompt.SystemFile: fmt.Sprint(n)}
					if draft, err = s.SaveDraft(t.Context(), draft); err != nil {
						t.Error(err)
					}
				}
			})
		}
		done := make(chan struct{})
		go func() { wg.Wait(); close(done) }() // ends with the writers
		seen, told := int64(0), make(map[string]int64)
		for ended := false; !ended; {
			select {
			case <-done:
				ended = true // and one more look
			default:
			}
			changes, err := s.DraftChanges(t.Context(), seen, 100)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range changes {
				seen, told[c.Owner] = c.Seq, c.Seq
			}
		}
		all, err := s.DraftChanges(t.Context(), 0, 100)
		if err != nil || len(all) != writers || seen != writers*saves {
			t.Fatalf("%+v, up to %d: %v", all, seen, err)
		}
		for _, c := range all {
			if told[c.Owner] != c.Seq {
				t.Errorf("of %s one was told up to %d, and the last is %d", c.Owner, told[c.Owner], c.Seq)
			}
		}
	})
}
