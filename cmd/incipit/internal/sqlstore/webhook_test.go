package sqlstore_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// listening adds a webhook that wants everything, or what edit makes of it.
func listening(t testing.TB, s *sqlstore.Store, edit func(*registry.Webhook)) registry.Webhook {
	t.Helper()
	all := registry.Patterns{"*"}
	w := registry.Webhook{URL: "https://hooks.example.com/a", Format: registry.FormatJSON, Kinds: all, Environments: all, Prompts: all, CreatedBy: "ada@example.com"}
	if edit != nil {
		edit(&w)
	}
	w, err := s.AddWebhook(t.Context(), w, by("webhook.add"))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// told is what was queued for a webhook, the oldest first.
func told(t testing.TB, s *sqlstore.Store, w registry.Webhook) []registry.Delivery {
	t.Helper()
	ds, err := s.Deliveries(t.Context(), w.ID, 1000)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(ds)
	return ds
}

func claim(t testing.TB, s *sqlstore.Store, w registry.Webhook, holder string) *registry.Delivery {
	t.Helper()
	_, d, err := s.ClaimDelivery(t.Context(), w.ID, holder, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func attempted(t testing.TB, s *sqlstore.Store, d registry.Delivery, state registry.DeliveryState, next time.Time, gone bool) {
	t.Helper()
	d.State, d.NextAt, d.Status = state, next, 500
	if err := s.Attempted(t.Context(), d, gone); err != nil {
		t.Fatal(err)
	}
}

func TestADeploymentIsToldToWhoWantsItAndInItsTransaction(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *sqlstore.Store) {
		s, ctx := open(), t.Context()
		environments(t, s, "dev", "production")
		deploy(t, s, "dev", "support", "1.0.0") // before anybody listens
		every := listening(t, s, nil)
		some := listening(t, s, func(w *registry.Webhook) {
			w.Environments, w.Prompts, w.Kinds, w.Format = registry.Patterns{"prod*"}, registry.Patterns{"billing/*"}, registry.Patterns{"deployment.*"}, registry.FormatSlack
		})
		deploy(t, s, "dev", "support", "1.1.0")
		deploy(t, s, "production", "billing/refunds", "2.0.0")
		more := registry.Notice{ID: "production/rollout-1/held", Kind: registry.NoticeHeld, Environment: "production", Prompt: "support", Text: "production: support is held"}
		_, err := s.Change(ctx, "support", "production", registry.Once{}, func(st registry.State) (registry.Change, error) {
			c, err := next("1.0.0", "")(st)
			c.Notices = []registry.Notice{more}
			return c, err
		})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // what is made twice is told once
			if err := s.Notify(ctx, more); err != nil {
				t.Fatal(err)
			}
		}
		var got []string
		ids := make(map[string]bool)
		for _, d := range append(told(t, open(), every), told(t, s, some)...) {
			got = append(got, fmt.Sprintf("%s %s", d.Notice.ID, d.State))
			ids[d.ID] = true
			if strings.Contains(d.ID, ".") || !strings.HasPrefix(d.ID, "msg_") || d.Attempts != 0 || d.QueuedAt.IsZero() || d.Notice.At.IsZero() {
				t.Errorf("%+v", d)
			}
		}
		want := []string{"dev/2 waiting", "production/1 waiting", "production/2 waiting", "production/rollout-1/held waiting", "production/1 waiting"}
		if diff := cmp.Diff(want, got); diff != "" || len(ids) != len(want) {
			t.Errorf("%s, %d ids", diff, len(ids))
		}
		ws, err := s.Webhooks(ctx)
		if err != nil || len(ws) != 2 || ws[0].Waiting != 4 || ws[1].Waiting != 1 || ws[1].Prompts[0] != "billing/*" || ws[1].URL != some.URL {
			t.Errorf("%+v, %v", ws, err)
		}
		// What is refused tells nothing.
		_, err = s.Change(ctx, "support", "dev", registry.Once{}, func(st registry.State) (registry.Change, error) {
			c, err := next("1.2.0", "")(st)
			c.Notices = []registry.Notice{{ID: "x", Kind: "unheard.of", Text: "x"}}
			return c, err
		})
		if now, _ := s.Running(ctx, "dev"); !errors.Is(err, prompt.ErrInvalid) || now.Revision != 2 || len(told(t, s, every)) != 4 {
			t.Errorf("a notice that cannot be told: %v", err)
		}
	})
}

func TestDeliveriesOfAWebhookGoInOrderAndOneHandSendsThem(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, db storetest.Database) {
		s, other := db.Open(t), db.Open(t)
		environments(t, s, "dev")
		w, apart := listening(t, s, nil), listening(t, s, nil)
		for i := range 3 {
			deploy(t, s, "dev", "support", fmt.Sprintf("1.%d.0", i))
		}
		if due, err := other.DueWebhooks(t.Context()); err != nil || len(due) != 2 {
			t.Errorf("%v, %v", due, err)
		}
		first := claim(t, s, w, "a")
		if first == nil || first.Notice.ID != "dev/1" {
			t.Fatalf("%+v", first)
		}
		if d := claim(t, other, w, "b"); d != nil {
			t.Errorf("two send at once: %+v", d)
		}
		if d := claim(t, other, apart, "b"); d == nil {
			t.Error("one webhook keeps another from being told")
		}
		if due, err := other.DueWebhooks(t.Context()); err != nil || len(due) != 0 {
			t.Errorf("%v, %v", due, err)
		}
		attempted(t, s, *first, registry.Waiting, db.Clock.Now().Add(time.Hour), false)
		if d := claim(t, s, w, "a"); d != nil {
			t.Errorf("one that waits does not hold up the next: %+v", d)
		}
		if d := claim(t, other, w, "b"); d != nil { // the right was given back, and nothing is due
			t.Errorf("%+v", d)
		}
		db.Clock.Advance(time.Hour)
		again := claim(t, other, w, "b")
		if again == nil || again.ID != first.ID || again.Attempts != 1 || again.Status != 500 {
			t.Fatalf("%+v", again)
		}
		// The first holder was away; what it says comes too late.
		attempted(t, s, *first, registry.GivenUp, time.Time{}, false)
		if ds := told(t, s, w); ds[0].State != registry.Waiting {
			t.Errorf("%+v", ds[0])
		}
		db.Clock.Advance(2 * time.Minute) // the second one dies: its time ends
		if d := claim(t, s, w, "a"); d == nil || d.ID != first.ID {
			t.Fatalf("%+v", d)
		}
		attempted(t, s, *again, registry.Delivered, time.Time{}, false)
		if d := claim(t, s, w, "a"); d == nil || d.Notice.ID != "dev/2" {
			t.Errorf("%+v", d)
		}
		if err := s.ReleaseWebhook(t.Context(), w.ID, "a"); err != nil {
			t.Fatal(err)
		}
		if d := claim(t, other, w, "b"); d == nil || d.Notice.ID != "dev/2" {
			t.Errorf("%+v", d)
		}
	})
}

func TestAWebhookThatIsGoneIsToldNothingUntilAPing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *sqlstore.Store) {
		s, ctx := open(), t.Context()
		environments(t, s, "dev")
		w := listening(t, s, nil)
		deploy(t, s, "dev", "support", "1.0.0")
		deploy(t, s, "dev", "support", "1.1.0")
		attempted(t, s, *claim(t, s, w, "a"), registry.GivenUp, time.Time{}, true)
		deploy(t, s, "dev", "support", "1.2.0")
		ds := told(t, s, w)
		if len(ds) != 2 || ds[0].State != registry.GivenUp || ds[1].State != registry.GivenUp || ds[1].EndedAt.IsZero() || claim(t, s, w, "a") != nil {
			t.Errorf("%+v", ds)
		}
		if ws, err := s.Webhooks(ctx); err != nil || ws[0].PausedAt.IsZero() {
			t.Errorf("%+v, %v", ws, err)
		}
		p, err := s.PingWebhook(ctx, w.ID, by("webhook.ping"))
		if err != nil || p.Notice.Kind != registry.NoticePing || p.State != registry.Waiting {
			t.Fatalf("%+v, %v", p, err)
		}
		if d := claim(t, s, w, "a"); d == nil || d.ID != p.ID {
			t.Errorf("%+v", d)
		}
		again, err := s.Redeliver(ctx, ds[1].ID, by("webhook.redeliver"))
		if err != nil || again.ID != ds[1].ID || again.Attempts != 0 || again.State != registry.Waiting {
			t.Errorf("%+v, %v", again, err)
		}
		if d := claim(t, s, w, "a"); d == nil || d.ID != again.ID {
			t.Errorf("what is sent again does not come before what waits: %+v", d)
		}
		if err := s.RemoveWebhook(ctx, w.ID, by("webhook.remove")); err != nil {
			t.Fatal(err)
		}
		for name, err := range map[string]error{
			"removed again": s.RemoveWebhook(ctx, w.ID, by("webhook.remove")), "no delivery": second(s.Redeliver(ctx, p.ID, by("x"))),
			"no ping": second(s.PingWebhook(ctx, w.ID, by("x"))), "not listed": second(s.Deliveries(ctx, w.ID, 10)),
		} {
			if !errors.Is(err, registry.ErrNotFound) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n, err := s.VerifyAudit(ctx); err != nil || n != 8 {
			t.Errorf("%d events, %v", n, err)
		}
	})
}

func second[T any](_ T, err error) error { return err }

func TestWhatEndedIsForgotten(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, db storetest.Database) {
		s, ctx := db.Open(t), t.Context()
		w := listening(t, s, nil)
		notices := make([]registry.Notice, 1005)
		for i := range notices {
			notices[i] = registry.Notice{ID: fmt.Sprint("n", i), Kind: registry.NoticeEnded, Text: "x"}
		}
		if err := s.Notify(ctx, notices...); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			attempted(t, s, *claim(t, s, w, "a"), registry.Delivered, time.Time{}, false)
		}
		if n, err := s.ForgetDeliveries(ctx); err != nil || n != 3 {
			t.Errorf("of the oldest %d, %v", n, err)
		}
		for range 2 {
			attempted(t, s, *claim(t, s, w, "a"), registry.GivenUp, time.Time{}, false)
		}
		attempted(t, s, *claim(t, s, w, "a"), registry.Delivered, time.Time{}, false)
		for _, step := range []struct {
			later time.Duration
			want  int64
		}{{0, 2}, {6 * 24 * time.Hour, 0}, {25 * time.Hour, 1}, {0, 0}} {
			db.Clock.Advance(step.later)
			if n, err := s.ForgetDeliveries(ctx); err != nil || n != step.want {
				t.Errorf("after %s more: %d, %v", step.later, n, err)
			}
		}
		if ws, err := s.Webhooks(ctx); err != nil || ws[0].Waiting != 999 {
			t.Errorf("%+v, %v", ws, err)
		}
	})
}

func TestWebhooksAreInABackup(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, db storetest.Database) {
		s, ctx := db.Open(t), t.Context()
		environments(t, s, "dev")
		w := listening(t, s, nil)
		deploy(t, s, "dev", "support", "1.0.0")
		file := filepath.Join(t.TempDir(), "b")
		if _, err := sqlstore.Backup(ctx, s, file); err != nil {
			t.Fatal(err)
		}
		to := storetest.SQLite(t)
		if _, err := sqlstore.Restore(ctx, file, to.Config); err != nil {
			t.Fatal(err)
		}
		restored := to.Open(t)
		deploy(t, restored, "dev", "support", "1.1.0")
		deploy(t, s, "dev", "support", "1.1.0")
		before, after := told(t, s, w), told(t, restored, w)
		if len(after) != 2 || after[0].ID != before[0].ID || after[1].ID == before[1].ID || after[1].Notice.ID != before[1].Notice.ID {
			t.Errorf("a revision that is given twice must be told twice:\n%+v\n%+v", before, after)
		}
	})
}

func TestADamagedWebhookKeepsNobodyFromDeploying(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *sqlstore.Store) {
		s, ctx := open(), t.Context()
		environments(t, s, "dev")
		bad, good := listening(t, s, nil), listening(t, s, nil)
		if err := s.Exec(ctx, `UPDATE webhook SET url = 'https://evil.example.com' WHERE id = '`+bad.ID+`'`); err != nil {
			t.Fatal(err)
		}
		deploy(t, s, "dev", "support", "1.0.0")
		if len(told(t, s, good)) != 1 {
			t.Error("the other one is told nothing")
		}
		if _, err := s.Webhooks(ctx); err == nil || !strings.Contains(err.Error(), bad.ID) {
			t.Errorf("%v", err)
		}
	})
}

func TestNumbersAreGivenInTheOrderOfCommits(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *sqlstore.Store) {
		s := open()
		environments(t, s, "a", "b", "c", "d")
		hooks := []registry.Webhook{listening(t, s, nil), listening(t, s, nil), listening(t, s, nil)}
		var wg sync.WaitGroup
		for _, env := range []string{"a", "b", "c", "d"} {
			wg.Go(func() {
				for i := range 20 {
					deploy(t, s, env, "support", fmt.Sprintf("1.%d.0", i))
				}
			})
		}
		wg.Wait()
		var first []string
		for _, w := range hooks {
			var order []string
			at := make(map[string]int64)
			for _, d := range told(t, s, w) {
				order = append(order, d.Notice.ID)
				var revision int64
				if _, err := fmt.Sscan(d.Notice.Detail["revision"], &revision); err != nil || revision != at[d.Notice.Environment]+1 {
					t.Errorf("%s after revision %d, %v", d.Notice.ID, at[d.Notice.Environment], err)
				}
				at[d.Notice.Environment] = revision
			}
			if first == nil {
				first = order
			}
			if len(order) != 80 || !slices.Equal(first, order) {
				t.Errorf("%d deliveries; webhooks are told in another order", len(order))
			}
		}
	})
}
