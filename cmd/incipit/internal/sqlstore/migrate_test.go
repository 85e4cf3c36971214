package sqlstore_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/registry"
)

func TestEightThatStartAtOnceMigrateOnce(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, db storetest.Database) {
		if db.Postgres { // make it empty again
			if err := db.Open(t).Exec(t.Context(), `DROP SCHEMA public CASCADE; CREATE SCHEMA public`); err != nil {
				t.Fatal(err)
			}
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		var instances []string
		for range 8 {
			wg.Go(func() {
				s, err := sqlstore.Open(t.Context(), db.Config)
				if err != nil {
					t.Error(err)
					return
				}
				defer s.Close()
				id, err := s.Instance(t.Context())
				if err != nil || id == "" {
					t.Errorf("instance %q, %v", id, err)
				}
				mu.Lock()
				defer mu.Unlock()
				instances = append(instances, id)
			})
		}
		wg.Wait()
		if slices.Sort(instances); len(slices.Compact(instances)) != 1 {
			t.Errorf("they see %v", instances)
		}
		// The version table refuses the second row of a migration that ran twice.
		if err := db.Open(t).Exec(t.Context(), `CREATE UNIQUE INDEX applied_once ON goose_db_version (version_id)`); err != nil {
			t.Error(err)
		}
	})
}

// next release's migrations: ours and those given.
func later(t *testing.T, more map[string]string) fs.FS {
	t.Helper()
	ours, err := sqlstore.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	names, err := fs.Glob(ours, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	out := make(fstest.MapFS)
	for _, n := range names {
		data, err := fs.ReadFile(ours, n)
		if err != nil {
			t.Fatal(err)
		}
		out[n] = &fstest.MapFile{Data: data}
	}
	for n, text := range more {
		out[n] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + text)}
	}
	return out
}

func TestTheReleaseBeforeWorksBesideTheNewOne(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, db storetest.Database) {
		ctx := t.Context()
		old := db.Open(t)
		environments(t, old, "dev")
		deploy(t, old, "dev", "support", "1.0.0")

		newer := db
		newer.Config = db.Config.WithMigrations(later(t, map[string]string{"9999_note.sql": `ALTER TABLE prompt ADD COLUMN note TEXT NOT NULL DEFAULT '';`}))
		next := newer.Open(t)
		deploy(t, next, "dev", "support", "1.1.0")
		deploy(t, old, "dev", "support", "1.2.0") // the one that was running goes on
		deploy(t, db.Open(t), "dev", "other", "1.0.0")
		if now, err := next.Running(ctx, "dev"); err != nil || now.Revision != 4 || now.Prompts["support"].Seq != 3 {
			t.Errorf("%+v, %v", now, err)
		}
		if n, err := next.VerifyAudit(ctx); err != nil || n != 5 {
			t.Errorf("audit: %d events, %v", n, err)
		}
		_, err := sqlstore.Backup(ctx, db.Open(t), filepath.Join(t.TempDir(), "b"))
		if !errors.Is(err, registry.ErrUnavailable) {
			t.Errorf("a backup that would leave out what it does not know: %v", err)
		}
	})
}

func TestASchemaThatIsTooNewIsRefusedWithTheWayBack(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, db storetest.Database) {
		ctx := t.Context()
		s := db.Open(t)
		environments(t, s, "dev")
		deploy(t, s, "dev", "support", "1.0.0")
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		newer := db
		newer.Config = db.Config.WithMigrations(later(t, map[string]string{
			"9999_rename.sql": `ALTER TABLE prompt RENAME COLUMN model TO llm; UPDATE meta SET number = 9999 WHERE name = 'compatible_from';`,
		}))
		if err := newer.Open(t).Close(); err != nil {
			t.Fatal(err)
		}
		_, err := sqlstore.Open(ctx, db.Config)
		fix, ok := errors.AsType[*registry.FixError](err)
		if !errors.Is(err, registry.ErrUnavailable) || !ok || !strings.Contains(fix.Fix, "incipit restore") {
			t.Fatalf("%v", err)
		}
		if db.Postgres {
			return
		}
		// The copy from before the migration brings the old program back.
		copies, err := filepath.Glob(filepath.Join(db.Config.Dir, "incipit.db.before-schema-*"))
		if err != nil || len(copies) != 1 {
			t.Fatalf("%v, %v", copies, err)
		}
		m, err := sqlstore.Restore(ctx, copies[0], db.Config)
		if err != nil || m.Generation != 2 || m.Revisions["dev"] != 1 {
			t.Fatalf("%+v, %v", m, err)
		}
		deploy(t, db.Open(t), "dev", "support", "1.1.0")
	})
}

func TestAMigrationThatFailsLeavesTheDatabaseAsItWas(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, db storetest.Database) {
		s := db.Open(t)
		environments(t, s, "dev")
		broken := db.Config.WithMigrations(later(t, map[string]string{"9999_half.sql": "CREATE TABLE half (id BIGINT);\nINSERT INTO nowhere VALUES (1);"}))
		if _, err := sqlstore.Open(t.Context(), broken); err == nil || !strings.Contains(err.Error(), " to 9999") {
			t.Fatalf("%v", err)
		}
		deploy(t, db.Open(t), "dev", "support", "1.0.0")
		if err := s.Exec(t.Context(), `CREATE TABLE half (id BIGINT)`); err != nil {
			t.Errorf("half of it is there: %v", err)
		}
	})
}
