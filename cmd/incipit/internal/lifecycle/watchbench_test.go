package lifecycle

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/calllog"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/registry"
)

// BenchmarkWatch is what a call costs the watch, of 1,000 places where one
// release serves everybody: to take it in, to read it from SQLite besides, and to
// keep all that is known.
//
//	go test -run '^$' -bench BenchmarkWatch ./cmd/incipit/internal/lifecycle
func BenchmarkWatch(b *testing.B) {
	const places, calls = 1000, 50_000
	now := time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC)
	call := func(n int) registry.Call {
		at := placeNumber(n * 7 % places)
		c := registry.Call{
			ID: registry.MakeCallID(now, [10]byte{byte(n), byte(n >> 8), byte(n >> 16)}), Prompt: at.Prompt, Version: "1.0.0", Environment: at.Environment, Arm: registry.StableArm,
			StartedAt: now, Latency: time.Duration(400+n%800) * time.Millisecond, Outcome: registry.OK, OutputTokens: registry.Some(int64(300)),
		}
		if n%150 == 0 {
			c.Outcome, c.ErrorClass = registry.Failed, registry.ProviderError
		}
		return c
	}
	b.Run("take", func(b *testing.B) {
		w := steadyWatch(b, places)
		seen := make([]calllog.Seen, calls)
		for i := range seen {
			c := call(i)
			seen[i] = calllog.Seen{
				Call: c.ID, Prompt: c.Prompt, Environment: c.Environment, Version: c.Version, Arm: c.Arm, Subject: calllog.SubjectHash{1, byte(i)},
				StartedAt: c.StartedAt, Latency: c.Latency, Outcome: c.Outcome, OutputTokens: c.OutputTokens,
			}
		}
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			c := &seen[i%calls]
			c.Seq = int64(places + i)
			w.steadies.take(registry.Place{Prompt: c.Prompt, Environment: c.Environment}, c)
		}
	})
	b.Run("read and take", func(b *testing.B) {
		w := steadyWatch(b, places)
		w.log = filled(b, now, calls, call)
		end, err := w.log.Latest(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		var last time.Duration
		for b.Loop() {
			w.cursor = 0
			w.steadies.back(0)
			begun := time.Now()
			if err := w.follow(b.Context(), end); err != nil || w.cursor != end {
				b.Fatal(err, w.cursor)
			}
			last += time.Since(begun)
		}
		b.ReportMetric(float64(last.Nanoseconds())/float64(b.N)/calls, "ns/call")
	})
	b.Run("keep", func(b *testing.B) {
		w := steadyWatch(b, places)
		r := replica(b, storetest.SQLite(b), nil)
		if err := r.shared.SetEnvironment(by(b, "admin"), registry.Environment{Name: "production"}); err != nil {
			b.Fatal(err)
		}
		rows := make([]sqlstore.IndexedRelease, places)
		for i := range rows {
			rows[i] = releases()[0].indexed(b)
			rows[i].Prompt, rows[i].Tag, rows[i].TagObject = placeNumber(i).Prompt, fmt.Sprint("tag-", i), fmt.Sprint("tag-", i)
		}
		if n, problems, err := r.db.AddReleases(b.Context(), rows); err != nil || n != places {
			b.Fatal(n, problems, err)
		}
		w.db = r.db
		for b.Loop() {
			for _, t := range w.steadies.of {
				t.dirty = true
			}
			if err := w.keepSteady(b.Context()); err != nil || w.steadies.watched != places {
				b.Fatal(err, w.steadies.watched)
			}
		}
	})
}

// filled is a log in SQLite with so many calls.
func filled(b *testing.B, now time.Time, calls int, call func(n int) registry.Call) *calllog.Log {
	b.Helper()
	d := storetest.SQLite(b)
	log, err := calllog.Open(b.Context(), calllog.Config{Dir: d.Config.Dir, Now: func() time.Time { return now }, Random: d.Config.Random, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := log.Close(); err != nil {
			b.Error(err)
		}
	})
	const batch = 500
	for from := 0; from < calls; from += batch {
		entries := make([]calllog.Entry, batch)
		for i := range entries {
			c := call(from + i)
			entries[i] = calllog.Entry{Call: &c, Subject: calllog.SubjectHash{1, byte(i)}}
		}
		if _, err := log.Append(b.Context(), entries); err != nil {
			b.Fatal(err)
		}
	}
	return log
}
