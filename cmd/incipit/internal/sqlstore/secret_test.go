package sqlstore_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/registry"
)

func TestASecretIsTheSameForAllReplicas(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, d storetest.Database) {
		const replicas = 4
		var got [replicas][]byte
		var wg sync.WaitGroup
		for i := range replicas {
			c := d.Config
			c.Random = storetest.Random(string(rune('a' + i)))
			s, err := sqlstore.Open(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			wg.Go(func() {
				var err error
				if got[i], err = s.Secret(t.Context(), "subjects"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for i := range got {
			if len(got[i]) != 32 || !bytes.Equal(got[i], got[0]) {
				t.Errorf("replica %d has %x, and replica 0 %x", i, got[i], got[0])
			}
		}
		other, err := d.Open(t).Secret(t.Context(), "other")
		if err != nil || bytes.Equal(other, got[0]) {
			t.Errorf("another name has %x, %v", other, err)
		}
	})
}

func TestASecretComesBackWithABackup(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, d storetest.Database) {
		s, ctx := d.Open(t), t.Context()
		before, err := s.Secret(ctx, "subjects")
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "backup")
		if _, err := sqlstore.Backup(ctx, s, file); err != nil {
			t.Fatal(err)
		}
		c := d.Config
		c.URL, c.Dir, c.Random = "", t.TempDir(), storetest.Random("another one")
		fresh, err := sqlstore.Open(ctx, c)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := fresh.Secret(ctx, "subjects"); err != nil || bytes.Equal(b, before) {
			t.Fatalf("two databases have one secret, %v", err)
		}
		if err := fresh.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := sqlstore.Restore(ctx, file, c); err != nil {
			t.Fatal(err)
		}
		if fresh, err = sqlstore.Open(ctx, c); err != nil {
			t.Fatal(err)
		}
		defer fresh.Close()
		if after, err := fresh.Secret(ctx, "subjects"); err != nil || !bytes.Equal(after, before) {
			t.Errorf("%x after the restore, %x before: %v", after, before, err)
		}
	})
}

func TestDigestsAreThoseOfReleases(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *sqlstore.Store) {
		s, ctx := open(), t.Context()
		one, two := indexed(t, "support", "1.0.0", "You are patient and polite."), indexed(t, "support", "1.1.0", "You are patient and brief.")
		if _, _, err := s.AddReleases(ctx, []sqlstore.IndexedRelease{one, two}); err != nil {
			t.Fatal(err)
		}
		got, err := s.Digests(ctx, "support")
		if err != nil || len(got) != 2 || got["1.0.0"] != one.Digest || got["1.1.0"] != two.Digest {
			t.Errorf("%v, %v", got, err)
		}
		if got, err := s.Digests(ctx, "nobody"); err != nil || len(got) > 0 {
			t.Errorf("%v, %v", got, err)
		}
		if ids, err := s.ReleasedPrompts(ctx); err != nil || len(ids) != 1 || ids[0] != "support" {
			t.Errorf("%v, %v", ids, err)
		}
	})
}

func TestADamagedSecretIsNotUsed(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, d storetest.Database) {
		s, ctx := d.Open(t), t.Context()
		if _, err := s.Secret(ctx, "subjects"); err != nil {
			t.Fatal(err)
		}
		if err := s.Exec(ctx, `UPDATE meta SET text = 'abc' WHERE name = 'secret.subjects'`); err != nil {
			t.Fatal(err)
		}
		if b, err := s.Secret(ctx, "subjects"); !errors.Is(err, registry.ErrUnavailable) {
			t.Errorf("%x, %v", b, err)
		}
	})
}
