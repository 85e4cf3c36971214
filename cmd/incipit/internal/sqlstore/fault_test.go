package sqlstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func TestASecondServerIsRefusedAndToldWhoIsFirst(t *testing.T) {
	dir := t.TempDir()
	first, err := sqlstore.LockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = sqlstore.LockDir(dir)
	if !errors.Is(err, registry.ErrConflict) || !strings.Contains(err.Error(), "process "+strconv.Itoa(os.Getpid())) {
		t.Errorf("%v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := sqlstore.LockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

func TestSomebodyElseMayWriteToTheFileOfAServer(t *testing.T) {
	db := storetest.SQLite(t)
	held, err := sqlstore.LockDir(db.Config.Dir)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	server, glass := db.Open(t), db.Open(t)
	environments(t, server, "dev")
	var wg sync.WaitGroup
	for i, s := range []*sqlstore.Store{server, glass, server, glass} {
		wg.Go(func() {
			for n := range 25 {
				if _, err := s.Change(t.Context(), "support", "dev", registry.Once{}, next("1.0.0", fmt.Sprint(i, n))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if now, err := server.Running(t.Context(), "dev"); err != nil || now.Revision != 100 || now.Prompts["support"].Seq != 100 {
		t.Errorf("%+v, %v", now, err)
	}
}

// refused holds an error to what a person needs: its kind, the cause in words,
// and what to do.
func refused(t *testing.T, err error, cause, todo string) {
	t.Helper()
	fix, ok := errors.AsType[*registry.FixError](err)
	if !errors.Is(err, registry.ErrUnavailable) || !ok || !strings.Contains(err.Error(), cause) || !strings.Contains(fix.Fix, todo) {
		t.Errorf("%v (%+v), which should say %q and %q", err, fix, cause, todo)
	}
}

func TestAFullDatabaseRefusesChangesAndServesOn(t *testing.T) {
	db := storetest.SQLite(t)
	s, ctx := db.Open(t), t.Context()
	environments(t, s, "dev")
	deploy(t, s, "dev", "support", "1.0.0")
	if err := s.Exec(ctx, `PRAGMA max_page_count = 1`); err != nil { // as many as there are
		t.Fatal(err)
	}
	var err error
	recorded := 1
	for range 1000 {
		if _, err = s.Change(ctx, "support", "dev", registry.Once{}, next("1.0.0", strings.Repeat("x", 500))); err != nil {
			break
		}
		recorded++
	}
	refused(t, err, "has no space left", "make space")
	if now, err := s.Running(ctx, "dev"); err != nil || int(now.Revision) != recorded {
		t.Errorf("%+v, %v", now.Revision, err)
	}
	if err := s.Exec(ctx, `PRAGMA max_page_count = 1000000`); err != nil {
		t.Fatal(err)
	}
	deploy(t, s, "dev", "support", "1.0.0")
	if _, err := s.VerifyAudit(ctx); err != nil {
		t.Error(err)
	}
}

func TestADatabaseThatCannotBeWrittenSaysSo(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, db storetest.Database) {
		s, ctx := db.Open(t), t.Context()
		environments(t, s, "dev")
		if err := s.Probe(ctx); err != nil {
			t.Fatal(err)
		}
		if db.Postgres {
			if err := s.Exec(ctx, `DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || ' SET default_transaction_read_only = on'; END $$`); err != nil {
				t.Fatal(err)
			}
			s = db.Open(t)
		} else if err := s.Exec(ctx, `PRAGMA query_only = 1`); err != nil {
			t.Fatal(err)
		}
		refused(t, s.Probe(ctx), "cannot be written", "make the volume and the database writable")
		if _, err := s.Running(ctx, "dev"); err != nil {
			t.Errorf("reading: %v", err)
		}
	})
}

func TestAFileThatWasReplacedIsNoticedBeforeAnythingIsAcknowledged(t *testing.T) {
	db := storetest.SQLite(t)
	s, ctx := db.Open(t), t.Context()
	environments(t, s, "dev")
	path := filepath.Join(db.Config.Dir, "incipit.db")
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	refused(t, s.Probe(ctx), "was moved, deleted or replaced", "put the file back")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := s.Change(ctx, "support", "dev", registry.Once{}, next("1.0.0", ""))
	refused(t, err, "was moved, deleted or replaced", "put the file back")
	_, err = s.Running(ctx, "dev")
	refused(t, err, "was moved, deleted or replaced", "put the file back")
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	deploy(t, s, "dev", "support", "1.0.0")
}

func TestAFileThatIsNoDatabaseIsRefusedWithTheCommandToRestore(t *testing.T) {
	db := storetest.SQLite(t)
	if err := os.WriteFile(filepath.Join(db.Config.Dir, "incipit.db"), bytes.Repeat([]byte("not a database. "), 512), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := sqlstore.Open(t.Context(), db.Config)
	refused(t, err, "is damaged", "incipit restore FILE --data "+db.Config.Dir)
}

// everything is all that a server serves from a store.
func everything(t testing.TB, s *sqlstore.Store) (any, error) {
	t.Helper()
	ctx := t.Context()
	var out []any
	envs, err := s.Environments(ctx)
	out = append(out, envs)
	for _, e := range envs {
		now, err1 := s.Running(ctx, e.Name)
		since, err2 := s.Since(ctx, e.Name, 0, 10_000)
		st, err3 := s.State(ctx, "support", e.Name)
		out, err = append(out, now, since, st), errors.Join(err, err1, err2, err3)
	}
	releases, err4 := s.Releases(ctx, "support")
	keys, err5 := s.Keys(ctx)
	_, err6 := s.VerifyAudit(ctx)
	out, err = append(out, releases, keys), errors.Join(err, err4, err5, err6)
	for _, r := range releases {
		d, err7 := s.Released(ctx, r)
		out, err = append(out, d), errors.Join(err, err7)
	}
	return out, err
}

// fill makes a registry with some of everything.
func fill(t testing.TB, s *sqlstore.Store) {
	t.Helper()
	ctx := t.Context()
	environments(t, s, "dev", "production")
	var releases []sqlstore.IndexedRelease
	for i := range 20 {
		releases = append(releases, indexed(t, "support", fmt.Sprintf("1.%d.0", i), strings.Repeat("Be kind. ", 60)))
	}
	if _, _, err := s.AddReleases(ctx, releases); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		deploy(t, s, "dev", "support", fmt.Sprintf("1.%d.0", i))
		deploy(t, s, "production", prompt.ID(fmt.Sprint("p", i)), "1.0.0")
	}
	if _, err := s.Change(ctx, "support", "production", registry.Once{Caller: "ci", Key: "k", Hash: "h"}, next("1.0.0", "")); err != nil {
		t.Fatal(err)
	}
	grants := []registry.Grant{{Permissions: []registry.Permission{registry.MayDeploy}, Environments: []string{"dev"}, Prompts: []string{"*"}}}
	if err := s.AddKey(ctx, registry.Key{ID: "k1", Kind: "ci", Grants: grants, Hash: []byte{0, 1, 255}}, by("key.create")); err != nil {
		t.Fatal(err)
	}
	if err := s.SetPerson(ctx, registry.Person{Mail: "bob@example.com", Grants: grants}, by("person.set")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Approve(ctx, registry.Approval{Prompt: "support", Environment: "dev", Digest: "d", By: "bob@example.com"}, by("approve")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.AddEvidence(ctx, registry.Evidence{Prompt: "support", Digest: "d", Kind: "tests", Statement: []byte(`{"payload":"e30="}`)}, by("evidence")); err != nil {
		t.Fatal(err)
	}
	if err := s.SetProblems(ctx, []sqlstore.Problem{{Tag: "support@1.0.0", Code: sqlstore.TagMoved, Detail: "x"}}); err != nil {
		t.Fatal(err)
	}
}

func TestAByteThatFlippedIsNeverServed(t *testing.T) {
	db := storetest.SQLite(t)
	s := db.Open(t)
	fill(t, s)
	want, err := everything(t, s)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(db.Config.Dir, "incipit.db")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const flips = 64
	var atOpen, atRead, harmless int
	for i := range flips {
		bad := bytes.Clone(good)
		at := (i*len(good)/flips + i*37) % len(good)
		bad[at] ^= 1 << (i % 8)
		broken := db
		broken.Config.Dir = filepath.Join(db.Config.Dir, fmt.Sprint("flip", i))
		if err := os.Mkdir(broken.Config.Dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(broken.Config.Dir, "incipit.db"), bad, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := sqlstore.Open(t.Context(), broken.Config)
		if err != nil {
			atOpen++
			if !errors.Is(err, registry.ErrUnavailable) {
				t.Logf("byte %d: %v", at, err)
			}
			continue
		}
		got, err := everything(t, s)
		switch {
		case err != nil:
			atRead++
		case !cmp.Equal(want, got):
			t.Errorf("byte %d flipped, and this is served:\n%s", at, cmp.Diff(want, got))
		default:
			harmless++
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d flips in %d bytes: %d refused at the start, %d where they were read, %d in bytes that say nothing; 0 served", flips, len(good), atOpen, atRead, harmless)
}
