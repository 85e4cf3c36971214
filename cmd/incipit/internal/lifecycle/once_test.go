package lifecycle

import (
	"context"
	"encoding/json"
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

func jsonOf(t interface{ Fatal(...any) }, v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestARequestThatComesAgainIsAnsweredAsBefore(t *testing.T) {
	eachShared(t, []registry.Environment{{Name: "dev"}, {Name: "production", Protected: true}}, func(t *testing.T, r *rig) {
		other := replica(t, r.config, nil)
		first := r.done(deploying("dev", "1.0.0", once("k1", "h1"), because("first")))
		r.done(deploying("dev", "1.1.0"))
		r.done(ask(registry.Rollback, "dev", ""))
		r.done(ask(registry.Retire, "dev", ""))
		for _, replica := range []*rig{r, other} { // also at another replica, and though nothing runs any more
			again := replica.done(deploying("dev", "1.0.0", once("k1", "h1"), because("first")))
			if jsonOf(t, again) != jsonOf(t, first) {
				t.Errorf("told %s, and first %s", jsonOf(t, again), jsonOf(t, first))
			}
		}
		r.check("dev", "nothing")

		// The key is the caller's own, and for one request.
		r.refused(prompt.ErrInvalid, "used for another request", deploying("dev", "1.1.0", once("k1", "h2")))
		other.refused(prompt.ErrInvalid, "used for another request", deploying("production", "1.1.0", once("k1", "h2"), confirm("production")))
		mine := deploying("dev", "1.0.0", once("k1", "h9"))
		mine.Once.Caller = "somebody else"
		r.done(mine)

		// What was refused was not answered: with the reason gone it is made.
		r.refused(registry.ErrUnconfirmed, "protected", deploying("production", "1.0.0", once("k2", "h")))
		r.done(deploying("production", "1.0.0", once("k2", "h"), confirm("production")))
		// That nothing had to be done is an answer, too.
		already := r.done(deploying("production", "1.0.0", once("k3", "h")))
		r.done(deploying("production", "1.1.0", confirm("production")))
		if again := other.done(deploying("production", "1.0.0", once("k3", "h"))); again.Already == "" || jsonOf(t, again) != jsonOf(t, already) {
			t.Errorf("told %s, and first %s", jsonOf(t, again), jsonOf(t, already))
		}

		// Kept for seven days, and not for longer.
		r.clock.Advance(registry.KeptFor - time.Minute)
		if again := r.done(deploying("production", "1.0.0", once("k3", "h"))); jsonOf(t, again) != jsonOf(t, already) {
			t.Error("forgotten too early")
		}
		r.check("production", "1.1.0")
		r.clock.Advance(time.Minute)
		if late := r.done(deploying("production", "1.0.0", once("k3", "h"), confirm("production"))); late.Already != "" {
			t.Errorf("after seven days it is a new request: %s", jsonOf(t, late))
		}
		r.check("production", "1.0.0")
		r.audited()
	})
}

func TestOneOfManyEqualRequestsIsCarriedOut(t *testing.T) {
	eachShared(t, []registry.Environment{{Name: "dev"}}, func(t *testing.T, r *rig) {
		replicas := []*rig{r, replica(t, r.config, nil)}
		var wg sync.WaitGroup
		answers := make([]string, 24)
		for i := range answers {
			wg.Go(func() {
				receipt, err := replicas[i%2].Do(by(t, "ci"), deploying("dev", "1.0.0", once("k", "h")))
				if err != nil {
					t.Error(err)
					return
				}
				answers[i] = jsonOf(t, receipt)
			})
		}
		wg.Wait()
		for _, a := range answers {
			if a != answers[0] {
				t.Errorf("told %s, and %s", a, answers[0])
			}
		}
		if records, err := r.db.Since(t.Context(), "dev", 0, 100); err != nil || len(records) != 1 {
			t.Errorf("%d records, %v", len(records), err)
		}
		r.audited()
	})
}

// Two that decided on the same revision cannot both be right.
func TestOneOfManyThatSawTheSameRevisionWins(t *testing.T) {
	eachShared(t, []registry.Environment{{Name: "dev"}}, func(t *testing.T, r *rig) {
		replicas := []*rig{r, replica(t, r.config, nil)}
		var wg sync.WaitGroup
		var mu sync.Mutex
		won, lost := 0, 0
		for i := range 16 {
			wg.Go(func() {
				_, err := replicas[i%2].Do(by(t, "ci"), deploying("dev", fmt.Sprintf("1.%d.0", i%4), at(0)))
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					won++
				case errors.Is(err, registry.ErrConflict):
					lost++
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won != 1 || lost != 15 {
			t.Errorf("%d won, %d lost", won, lost)
		}
		r.audited()
	})
}

// A change holds a connection while it reads releases: if all connections are
// held by changes, each must still come to its reads.
func TestMoreChangesThanConnectionsComeToAnEnd(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, d storetest.Database) {
		const conns = 4
		d.Config.MaxConns = conns
		envs := []registry.Environment{{Name: "a"}, {Name: "b"}, {Name: "c"}, {Name: "d"}, {Name: "e"}, {Name: "f"}, {Name: "g"}, {Name: "h"}, {Name: "i"}}
		r := over(t, d, envs) // an environment for each: none waits for the lock of another
		// All changes are in their decision at once, as far as there are connections.
		r.shared.Service = New(Config{
			Store: r.db, Catalog: meeting{r.db, &sync.Mutex{}, new(int), make(chan struct{}), conns / 2}, Now: d.Clock.Now, Bucketing: registry.DefaultBucketing,
			Author: func(context.Context) (string, error) { return "ci", nil },
		})
		var wg sync.WaitGroup
		for _, e := range envs {
			wg.Go(func() {
				if _, err := r.shared.Do(by(t, "ci"), deploying(e.Name, "1.0.0")); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, e := range envs {
			r.check(e.Name, "1.0.0")
		}
		r.audited()
	})
}

// A meeting is a catalog whose first readers wait until n of them have come, or,
// where only one change is made at a time, until nobody else can come.
type meeting struct {
	*sqlstore.Store
	mu   *sync.Mutex
	came *int
	full chan struct{}
	n    int
}

func (m meeting) Release(ctx context.Context, id prompt.ID, v prompt.Version) (registry.Release, error) {
	m.mu.Lock()
	if *m.came++; *m.came == m.n {
		close(m.full)
	}
	m.mu.Unlock()
	alone := time.NewTimer(200 * time.Millisecond)
	defer alone.Stop()
	select {
	case <-m.full:
	case <-alone.C: // SQLite has one that writes
	}
	return m.Store.Release(ctx, id, v)
}
