package sqlstore_test

import (
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// hold runs writers that never give up on a request, each with a key of its
// own, while disturb goes on, and holds the result to what they were told.
func hold(t *testing.T, s *sqlstore.Store, writers, each int, disturb func(finished func() int)) {
	t.Helper()
	ctx := t.Context()
	environments(t, s, "dev")
	var done, failed atomic.Int64
	var told sync.Map // what was acknowledged
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := range each {
				once := registry.Once{Caller: fmt.Sprint("w", w), Key: fmt.Sprint(n), Hash: "h"}
				if w%2 == 0 {
					once = registry.Once{} // nothing but the audit log tells whether it was recorded
				}
				for {
					digest := fmt.Sprint("sha256:", w, "/", n)
					_, err := s.Change(ctx, prompt.ID(fmt.Sprint("p", w)), "dev", once, next("1.0.0", digest))
					if err == nil {
						told.Store(digest, true)
						break
					}
					failed.Add(1)
					if !errors.Is(err, registry.ErrUnavailable) {
						t.Errorf("not a clean failure: %v", err)
						return
					}
					if once.Key == "" {
						break // may not be sent again
					}
				}
				done.Add(1)
			}
		})
	}
	stop := make(chan struct{})
	var disturber sync.WaitGroup
	disturber.Go(func() { disturb(func() int { return int(done.Load()) }); close(stop) })
	wg.Wait()
	<-stop
	disturber.Wait()
	records, err := s.Since(ctx, "dev", 0, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]int)
	for i, r := range records {
		if r.Revision != int64(i)+1 {
			t.Fatalf("record %d has revision %d", i, r.Revision)
		}
		seen[r.Digest]++
	}
	lost, doubled := 0, 0
	for w := range writers {
		for n := range each {
			digest := fmt.Sprint("sha256:", w, "/", n)
			_, acknowledged := told.Load(digest)
			if acknowledged && seen[digest] == 0 || !acknowledged && w%2 == 1 {
				lost++
			}
			if seen[digest] > 1 {
				doubled++
			}
		}
	}
	events, err := s.VerifyAudit(ctx)
	if err != nil || events != int64(len(records))+1 {
		t.Errorf("%d events for %d records, %v", events, len(records), err)
	}
	if lost > 0 || doubled > 0 || len(records)+int(failed.Load()) < writers*each {
		t.Errorf("%d lost, %d doubled, %d recorded of %d, %d failures", lost, doubled, len(records), writers*each, failed.Load())
	}
	t.Logf("%d writes, %d failures told, 0 lost, 0 doubled", writers*each, failed.Load())
}

func TestConnectionsThatAreCutLoseNothingAndDoubleNothing(t *testing.T) {
	db := storetest.Postgres(t)
	s := db.Open(t)
	admin, err := sql.Open("pgx", db.Config.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	const writers, each = 8, 30
	cut := 0
	hold(t, s, writers, each, func(finished func() int) {
		for finished() < writers*each {
			var n int
			err := admin.QueryRowContext(t.Context(), `
				SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity
				WHERE datname = current_database() AND application_name = 'incipit' AND pid <> pg_backend_pid()`).Scan(&n)
			if err != nil {
				t.Error(err)
				return
			}
			cut += n
			if _, err := admin.ExecContext(t.Context(), `SELECT pg_sleep(0.05)`); err != nil {
				t.Error(err)
				return
			}
		}
	})
	t.Logf("%d connections cut", cut)
	if cut == 0 {
		t.Error("none was cut")
	}
}

func TestADatabaseThatRestartsLosesNothingAndDoublesNothing(t *testing.T) {
	server := storetest.NewServer(t)
	clock := new(storetest.Clock)
	s, err := sqlstore.Open(t.Context(), sqlstore.Config{URL: server.URL, Now: clock.Now, Random: storetest.Random("restart")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const restarts = 3 // make faults has 20 of them, under a server
	hold(t, s, 4, 60, func(finished func() int) {
		for i := range restarts {
			for finished() < (i+1)*4*60/(restarts+1) {
				if err := s.Ping(t.Context()); err != nil { // also keeps us from spinning
					continue
				}
			}
			if err := server.Restart(); err != nil {
				t.Error(err)
				return
			}
		}
	})
	server.Stop()
	refused(t, s.Ping(t.Context()), "the database postgres on 127.0.0.1", "look whether the database runs")
}

func TestTooFewConnectionsAreWaitedFor(t *testing.T) {
	db := storetest.Postgres(t)
	db.Config.MaxConns = 2
	hold(t, db.Open(t), 32, 3, func(func() int) {})
}
