package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/calllog"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// logging is a log of calls beside a database.
func logging(t *testing.T, d storetest.Database) *calllog.Log {
	t.Helper()
	l, err := calllog.Open(t.Context(), calllog.Config{Dir: d.Config.Dir, URL: d.Config.URL, Now: d.Clock.Now, Random: d.Config.Random, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func (r *rig) recorded(ctx context.Context, b registry.Batch) registry.Intake {
	r.Helper()
	in, err := r.shared.Record(ctx, b)
	if err != nil || in.Accepted+in.Duplicates+len(in.Rejected) != len(b.Calls)+len(b.Rejected) {
		r.Fatalf("%+v of %d calls: %v", in, len(b.Calls), err)
	}
	return in
}

// However batches come, whole, again, in part, in another order, at two
// replicas at once, or made up by somebody, each call counts once.
func TestEachCallCountsOnce(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, d storetest.Database) {
		over(t, d, devAndProd())
		var mu sync.Mutex
		observed := make(map[registry.CallID]int)
		replicas := make([]*rig, 2)
		log := logging(t, d)
		for i := range replicas {
			if d.Postgres && i > 0 {
				log = logging(t, d) // as another process; a SQLite log is one process's own
			}
			replicas[i] = replica(t, d, func(c *SharedConfig) {
				c.Calls = log
				c.Observe = func(call registry.Call) {
					mu.Lock()
					defer mu.Unlock()
					observed[call.ID]++
				}
			})
		}
		ctx := recording(t, "*", "*")
		const n = 120
		all := make([]registry.Call, n)
		for i := range all {
			all[i] = replicas[0].called(func(c *registry.Call) {
				c.StartedAt = c.StartedAt.Add(-time.Duration(i) * 7 * time.Hour) // over 35 days: the last cannot be kept
				c.ID = registry.MakeCallID(c.StartedAt, [10]byte{byte(i), 1})
				c.ResponseID = fmt.Sprintf("resp-%d", i)
			})
		}
		tooOld := 0
		for _, c := range all {
			if why := c.Check(replicas[0].clock.Now(), keepCalls); why != nil {
				tooOld++
			}
		}

		// The first part whole, then again.
		first := batch("a", all[:40]...)
		if in := replicas[0].recorded(ctx, first); in.Accepted != 40 {
			t.Errorf("%+v", in)
		}
		for _, r := range replicas {
			if in := r.recorded(ctx, first); in.Duplicates != 40 {
				t.Errorf("again: %+v", in)
			}
		}
		// Overlapping, in another order, with one of them twice.
		mixed := slices.Concat(all[20:60], all[59:60])
		rand.New(rand.NewPCG(1, 2)).Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
		if in := replicas[1].recorded(ctx, batch("b", mixed...)); in.Accepted != 20 || in.Duplicates != 21 {
			t.Errorf("overlapping: %+v", in)
		}
		// An id that is known, with another call behind it.
		forged := all[3]
		forged.Latency, forged.ResponseID = time.Hour, "resp-forged"
		if in := replicas[1].recorded(ctx, batch("a", forged)); in.Duplicates != 1 {
			t.Errorf("forged: %+v", in)
		}
		if found, _, err := log.Find(ctx, all[3].ID.String(), func(string, prompt.ID) bool { return true }); err != nil || found.Call.Latency != time.Second || found.Call.ResponseID != "resp-3" {
			t.Errorf("it was overwritten: %+v, %v", found.Call, err)
		}
		// All of it, at once, from many, each in another order.
		var wg sync.WaitGroup
		accepted := make([]int, 8)
		for i := range accepted {
			calls := slices.Clone(all)
			rand.New(rand.NewPCG(uint64(i), 3)).Shuffle(len(calls), func(i, j int) { calls[i], calls[j] = calls[j], calls[i] })
			wg.Go(func() {
				for part := range slices.Chunk(calls, 50) {
					in, err := replicas[i%2].shared.Record(ctx, batch(fmt.Sprint(i), part...))
					if err != nil {
						t.Error(err)
					}
					accepted[i] += in.Accepted
				}
			})
		}
		wg.Wait()
		sum := 0
		for _, n := range accepted {
			sum += n
		}
		if want := n - tooOld - 60; sum != want {
			t.Errorf("%d calls were accepted at once, want %d", sum, want)
		}
		if len(observed) != n-tooOld {
			t.Errorf("%d calls were observed, want %d", len(observed), n-tooOld)
		}
		for id, times := range observed {
			if times != 1 {
				t.Errorf("%s was observed %d times", id, times)
			}
		}
		var rows int64
		err := log.Rollups(ctx, calllog.RollupQuery{Prompt: "support", From: replicas[0].clock.Now().AddDate(0, 0, -40), To: replicas[0].clock.Now().Add(time.Hour)}, func(r calllog.Row) error {
			rows += r.Calls
			return nil
		})
		if err != nil || rows != int64(n-tooOld) {
			t.Errorf("the rollups count %d calls, want %d: %v", rows, n-tooOld, err)
		}
	})
}

// Calls without an id: the batch is known again by its name, and two calls that
// are alike are two calls.
func TestABatchWithoutIDsCountsOnce(t *testing.T) {
	eachShared(t, devAndProd(), func(t *testing.T, r *rig) {
		log := logging(t, r.config)
		ctx := recording(t, "*", "*")
		replicas := []*rig{replica(t, r.config, func(c *SharedConfig) { c.Calls = log }), replica(t, r.config, func(c *SharedConfig) { c.Calls = log })}
		c := r.called()
		for i, tt := range []struct {
			name                 string
			b                    registry.Batch
			accepted, duplicates int
		}{
			{"two that are alike", batch("key", c, c), 2, 0},
			{"sent again", batch("key", c, c), 0, 2},
			{"under another name", batch("other", c, c), 2, 0},
			{"one more behind them", batch("key", c, c, c), 1, 2},
			{"nothing", batch("key"), 0, 0},
		} {
			if in := replicas[i%2].recorded(ctx, tt.b); in.Accepted != tt.accepted || in.Duplicates != tt.duplicates || in.Rejected == nil {
				t.Errorf("%s: %+v", tt.name, in)
			}
		}
	})
}

func TestFeedbackIsForACallThatTheSenderMayRecord(t *testing.T) {
	eachShared(t, devAndProd(), func(t *testing.T, r *rig) {
		log := logging(t, r.config)
		r = replica(t, r.config, func(c *SharedConfig) { c.Calls = log })
		ctx := recording(t, "dev", "*")
		c := r.called(func(c *registry.Call) {
			c.ID, c.ResponseID = registry.MakeCallID(c.StartedAt, [10]byte{0xab}), "resp/1"
		})
		r.recorded(ctx, batch("a", c))
		for i, ref := range []string{c.ID.String(), "resp/1", strings.ToUpper(c.ID.String())} {
			got, err := r.shared.Rate(ctx, ref, registry.Feedback{Value: float64(1 + i), By: "somebody else"})
			if err != nil || got.Call != c.ID.String() || got.Waiting || got.Replaced != (i > 0) || got.Feedback.By != "app" || got.Feedback.At.IsZero() {
				t.Errorf("%s: %+v, %v", ref, got, err)
			}
		}
		if got, err := r.shared.Rate(ctx, "resp/2", registry.Feedback{Value: 4}); err != nil || !got.Waiting {
			t.Errorf("%+v, %v", got, err)
		}
		if got, err := r.shared.Rate(recording(t, "prod", "*"), "resp/1", registry.Feedback{Value: 4}); err != nil || !got.Waiting || got.Call != "" {
			t.Errorf("a call of another environment: %+v, %v", got, err) // it is not there for them
		}
		for name, tt := range map[string]struct {
			as   context.Context //nolint:containedctx // who asks, of a row
			ref  string
			f    registry.Feedback
			kind error
		}{
			"of nobody":        {t.Context(), "resp/9", registry.Feedback{Value: 4}, registry.ErrForbidden},
			"without a number": {ctx, "resp/1", registry.Feedback{}, prompt.ErrInvalid},
			"for nothing":      {ctx, "", registry.Feedback{Value: 4}, prompt.ErrInvalid},
			"for a NUL":        {ctx, "a\x00", registry.Feedback{Value: 4}, prompt.ErrInvalid},
		} {
			if _, err := r.shared.Rate(tt.as, tt.ref, tt.f); !errors.Is(err, tt.kind) {
				t.Errorf("%s: %v, want %v", name, err, tt.kind)
			}
		}
		found, said, err := log.Find(ctx, "resp/1", func(string, prompt.ID) bool { return true })
		if err != nil || len(said) != 1 || said[0].Value != 3 || found.Call.Satisfaction != registry.Some(3.0) && found.Call.Satisfaction.Known {
			t.Errorf("%+v, %+v, %v", found.Call, said, err)
		}
	})
}

func TestNoCallIsTakenWithoutALog(t *testing.T) {
	r := over(t, storetest.SQLite(t), devAndProd())
	if _, err := r.shared.Record(recording(t, "*", "*"), batch("a", r.called())); !errors.Is(err, registry.ErrUnavailable) {
		t.Error(err)
	}
	if _, err := r.shared.Rate(recording(t, "*", "*"), "x", registry.Feedback{Value: 1}); !errors.Is(err, registry.ErrUnavailable) {
		t.Error(err)
	}
}
