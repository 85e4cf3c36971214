package sqlstore_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// both runs a benchmark on both databases.
func both(b *testing.B, f func(b *testing.B, s *sqlstore.Store)) {
	b.Helper()
	b.Run("sqlite", func(b *testing.B) { f(b, storetest.SQLite(b).Open(b)) })
	b.Run("postgres", func(b *testing.B) { f(b, storetest.Postgres(b).Open(b)) })
}

func manyReleases(b *testing.B, n int) []sqlstore.IndexedRelease {
	b.Helper()
	all := make([]sqlstore.IndexedRelease, 0, n)
	for i := range n {
		all = append(all, indexed(b, prompt.ID(fmt.Sprintf("p%04d", i/10)), fmt.Sprintf("1.%d.0", i%10), strings.Repeat("Be kind. ", 230)))
	}
	return all
}

// BenchmarkChange is one deployment on disk, with its audit event and answer.
func BenchmarkChange(b *testing.B) {
	both(b, func(b *testing.B, s *sqlstore.Store) {
		environments(b, s, "dev")
		i := 0
		for b.Loop() {
			i++ // many prompts: the history of one would grow with b.N
			once := registry.Once{Caller: "c", Key: fmt.Sprint(i), Hash: "h"}
			if _, err := s.Change(b.Context(), prompt.ID(fmt.Sprint("p", i%1000)), "dev", once, next("1.0.0", "")); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkReleased finds one of 10,000 releases, reads its prompt of 2 KB and
// checks its digest.
func BenchmarkReleased(b *testing.B) {
	all := manyReleases(b, 10_000)
	both(b, func(b *testing.B, s *sqlstore.Store) {
		if _, _, err := s.AddReleases(b.Context(), all); err != nil {
			b.Fatal(err)
		}
		i := 0
		for b.Loop() {
			i++
			want := all[i*7919%len(all)]
			r, err := s.Release(b.Context(), want.Prompt, want.Version)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := s.Released(b.Context(), r); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkRevisions is what each replica asks for several times a second.
func BenchmarkRevisions(b *testing.B) {
	both(b, func(b *testing.B, s *sqlstore.Store) {
		environments(b, s, "dev", "staging", "production")
		for b.Loop() {
			if _, _, err := s.Revisions(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkIndex adds 1,000 prompts × 10 releases of 2 KB; each round is a new
// database.
func BenchmarkIndex(b *testing.B) {
	all := manyReleases(b, 10_000)
	index := func(open func(testing.TB) storetest.Database) func(b *testing.B) {
		return func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				s := open(b).Open(b)
				b.StartTimer()
				if added, _, err := s.AddReleases(b.Context(), all); err != nil || added != len(all) {
					b.Fatal(added, err)
				}
			}
		}
	}
	b.Run("sqlite", index(storetest.SQLite))
	b.Run("postgres", index(storetest.Postgres))
}
