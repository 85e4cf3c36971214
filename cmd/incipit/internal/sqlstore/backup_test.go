package sqlstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func TestABackupOfEitherDatabaseIsRestoredIntoEither(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, from storetest.Database) {
		ctx := t.Context()
		s := from.Open(t)
		fill(t, s)
		want, err := everything(t, s)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "registry.incipit")
		made, err := sqlstore.Backup(ctx, s, file)
		if err != nil {
			t.Fatal(err)
		}
		if made.Rows["release"] != 20 || made.Rows["deployment"] != 21 || made.Generation != 1 || made.Revisions["dev"] != 10 || made.AuditEvents != 27 {
			t.Errorf("%+v", made)
		}
		deploy(t, s, "dev", "support", "1.19.0") // after the backup: it will be gone
		checked, err := sqlstore.VerifyBackup(ctx, file, from.Config)
		if diff := cmp.Diff(made, checked); err != nil || diff != "" {
			t.Errorf("%s, %v", diff, err)
		}
		left, err := filepath.Glob(filepath.Join(filepath.Dir(file), ".*"))
		if err != nil || len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
		storetest.EachDatabase(t, func(t *testing.T, to storetest.Database) {
			m, err := sqlstore.Restore(ctx, file, to.Config)
			if err != nil {
				t.Fatal(err)
			}
			if m.Generation != 2 || m.AuditEvents != made.AuditEvents+1 || m.Instance != made.Instance {
				t.Errorf("%+v", m)
			}
			restored := to.Open(t)
			got, err := everything(t, restored)
			same := cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Generation" }, cmp.Ignore())
			if diff := cmp.Diff(want, got, same); err != nil || diff != "" {
				t.Errorf("%v\n%s", err, diff)
			}
			deploy(t, restored, "dev", "support", "1.2.0")
			if p, err := restored.Person(ctx, "bob@example.com"); err != nil || len(p.Grants) != 1 {
				t.Errorf("%+v, %v", p, err)
			}
			once := registry.Once{Caller: "ci", Key: "k", Hash: "h"}
			if got, err := restored.Change(ctx, "support", "production", once, next("1.0.0", "")); err != nil || got.Replayed == nil {
				t.Errorf("the answers are lost: %+v, %v", got, err)
			}
		})
	})
}

func TestARestoreOverADatabaseInUseKeepsTheOldOne(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, db storetest.Database) {
		ctx := t.Context()
		s := db.Open(t)
		environments(t, s, "dev")
		deploy(t, s, "dev", "support", "1.0.0")
		file := filepath.Join(t.TempDir(), "b")
		if _, err := sqlstore.Backup(ctx, s, file); err != nil {
			t.Fatal(err)
		}
		deploy(t, s, "dev", "support", "1.1.0")
		if !db.Postgres {
			if _, err := sqlstore.Restore(ctx, file, db.Config); !errors.Is(err, registry.ErrConflict) {
				t.Fatalf("while it is in use: %v", err)
			}
			deploy(t, s, "dev", "support", "1.2.0") // goes on
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			held, err := sqlstore.LockDir(db.Config.Dir)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := sqlstore.Restore(ctx, file, db.Config); !errors.Is(err, registry.ErrConflict) {
				t.Fatalf("while a server has it: %v", err)
			}
			if err := held.Close(); err != nil {
				t.Fatal(err)
			}
		}
		for generation := int64(2); generation < 4; generation++ { // twice the same backup is two generations
			m, err := sqlstore.Restore(ctx, file, db.Config)
			if err != nil || m.Generation != generation || m.Revisions["dev"] != 1 || m.Kept == "" {
				t.Fatalf("%+v, %v", m, err)
			}
			if generation == 2 && m.Replaced["dev"] < 2 {
				t.Errorf("replaced %v", m.Replaced)
			}
			if _, err := os.Stat(m.Kept); err != nil {
				t.Error(err)
			}
		}
		events, err := db.Open(t).Events(ctx, 0, 100)
		if last := events[len(events)-1]; err != nil || last.Action != "restore" || last.Detail["generation"] != "3" {
			t.Errorf("%+v, %v", last, err)
		}
	})
}

func TestADamagedDatabaseCanBeRestoredOver(t *testing.T) {
	db := storetest.SQLite(t)
	s, ctx := db.Open(t), t.Context()
	fill(t, s)
	file := filepath.Join(t.TempDir(), "b")
	if _, err := sqlstore.Backup(ctx, s, file); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(db.Config.Dir, "incipit.db"), bytes.Repeat([]byte("garbage"), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := sqlstore.Restore(ctx, file, db.Config)
	if err != nil || m.Generation < 10 || m.Kept == "" {
		t.Fatalf("%+v, %v", m, err)
	}
	if _, err := everything(t, db.Open(t)); err != nil {
		t.Error(err)
	}
}

func TestABackupThatIsNotAsItWasWrittenIsRefused(t *testing.T) {
	db := storetest.SQLite(t)
	s, ctx := db.Open(t), t.Context()
	fill(t, s)
	dir := t.TempDir()
	file := filepath.Join(dir, "b")
	if _, err := sqlstore.Backup(ctx, s, file); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	target := storetest.SQLite(t)
	before := target.Open(t)
	environments(t, before, "untouched")
	if err := before.Close(); err != nil {
		t.Fatal(err)
	}
	bad := map[string][]byte{
		"empty":           {},
		"a foreign file":  bytes.Repeat([]byte("hello "), 5000),
		"a bare database": good[:len(good)-90],
		"two backups":     append(bytes.Clone(good), good...),
		"one byte more":   append(bytes.Clone(good), 0),
	}
	for i := range 50 {
		flipped := bytes.Clone(good)
		at := i * (len(good) - 1) / 49 // the first and the last byte, too
		flipped[at] ^= 1 << (i % 8)
		bad[fmt.Sprint("bit flipped in byte ", at)] = flipped
	}
	for i := range 20 {
		bad[fmt.Sprint("cut off at ", i)] = good[:i*len(good)/20]
	}
	for name, data := range bad {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := sqlstore.Restore(ctx, file, target.Config); !errors.Is(err, prompt.ErrInvalid) || !strings.Contains(err.Error(), "nothing was restored") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if envs, err := target.Open(t).Environments(ctx); err != nil || len(envs) != 1 || envs[0].Name != "untouched" {
		t.Errorf("%v, %v", envs, err)
	}
	t.Logf("%d damaged backups refused", len(bad))
}

func TestABackupFromANewerSchemaIsRefused(t *testing.T) {
	db := storetest.SQLite(t)
	newer := db
	newer.Config = db.Config.WithMigrations(later(t, map[string]string{"9999_note.sql": `ALTER TABLE prompt ADD COLUMN note TEXT NOT NULL DEFAULT '';`}))
	file := filepath.Join(t.TempDir(), "b")
	if _, err := sqlstore.Backup(t.Context(), newer.Open(t), file); err != nil {
		t.Fatal(err)
	}
	storetest.EachDatabase(t, func(t *testing.T, to storetest.Database) {
		_, err := sqlstore.Restore(t.Context(), file, to.Config)
		if !errors.Is(err, prompt.ErrInvalid) || !strings.Contains(err.Error(), "has schema 9999") {
			t.Errorf("%v", err)
		}
	})
}

func TestABackupIsOfOneMomentWhileOthersWrite(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *sqlstore.Store) {
		s, ctx := open(), t.Context()
		environments(t, s, "dev")
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				for range 40 {
					deploy(t, s, "dev", prompt.ID(fmt.Sprint("p", w)), "1.0.0")
				}
			})
		}
		for i := range 3 {
			m, err := sqlstore.Backup(ctx, s, filepath.Join(t.TempDir(), fmt.Sprint(i)))
			if err != nil || m.Rows["deployment"] != m.Revisions["dev"] || m.AuditEvents != m.Revisions["dev"]+1 {
				t.Errorf("%+v, %v", m, err)
			}
		}
		wg.Wait()
	})
}

func TestEveryTableIsCopied(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, db storetest.Database) {
		got, err := db.Open(t).TableNames(t.Context(), db.Postgres)
		if err != nil {
			t.Fatal(err)
		}
		known := append(sqlstore.Tables(), "goose_db_version")
		for _, name := range got {
			if !strings.HasPrefix(name, "sqlite_") && !slices.Contains(known, name) {
				t.Errorf("table %s is not copied", name)
			}
		}
		if len(got) < len(known) {
			t.Errorf("there are %v", got)
		}
	})
}
