package calllog

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/registry"
)

const (
	benchBatch   = 500
	benchSenders = 8
)

// BenchmarkAppend holds Append to yardsticks that write the same rows, with the
// same columns, 500 a transaction, as fast as the database takes them, and do
// nothing else: bare has the numbers as its primary key and no index besides;
// keyed also has the unique index of the ids, without which no call could be
// known again. For PostgreSQL, bare and keyed copy over one connection, and bare8
// over as many as there are senders.
//
//	go test -run '^$' -bench BenchmarkAppend -benchtime 600x
func BenchmarkAppend(b *testing.B) {
	type yardstick struct {
		name  string
		keyed bool
		conns int
	}
	for _, db := range []struct {
		name       string
		fresh      func(testing.TB) storetest.Database
		yardsticks []yardstick
		bare       func(*testing.B, storetest.Database, [][]row, yardstick)
	}{
		{"sqlite", storetest.SQLite, []yardstick{{"bare", false, 1}, {"keyed", true, 1}}, func(b *testing.B, d storetest.Database, all [][]row, y yardstick) {
			b.Helper()
			bareInsert(b, d, all, y.keyed)
		}},
		{"postgres", storetest.Postgres, []yardstick{{"bare", false, 1}, {"keyed", true, 1}, {"bare8", false, benchSenders}}, func(b *testing.B, d storetest.Database, all [][]row, y yardstick) {
			b.Helper()
			bareCopy(b, d, all, y.keyed, y.conns)
		}},
	} {
		rates := make(map[string]float64)
		for _, y := range db.yardsticks {
			b.Run(db.name+"/"+y.name, func(b *testing.B) {
				d := db.fresh(b)
				all := preparedRows(b, batchesOf(b, d))
				rates[y.name] = measure(b, func() { db.bare(b, d, all, y) })
			})
		}
		b.Run(db.name+"/append", func(b *testing.B) {
			d := db.fresh(b)
			l := openLog(b, configOf(d))
			batches := batchesOf(b, d)
			rate := measure(b, func() { appendAll(b, l, batches) })
			for name, of := range rates {
				b.ReportMetric(100*rate/of, "%/"+name)
			}
		})
	}
}

// batchesOf makes b.N batches, of calls as they come in: of the last seconds.
func batchesOf(b *testing.B, d storetest.Database) [][]*registry.Call {
	b.Helper()
	s := newSource(uint64(b.N))
	batches := make([][]*registry.Call, b.N)
	for i := range batches {
		now := d.Clock.Now()
		d.Clock.Advance(20 * time.Millisecond)
		batches[i] = s.calls(benchBatch, now, 5*time.Second)
	}
	return batches
}

// measure runs what writes b.N batches, and reports calls per second.
func measure(b *testing.B, run func()) float64 {
	b.Helper()
	b.ReportAllocs()
	runtime.GC() // what was prepared is not its garbage
	b.ResetTimer()
	run()
	b.StopTimer()
	rate := float64(b.N*benchBatch) / b.Elapsed().Seconds()
	b.ReportMetric(rate, "calls/s")
	b.ReportMetric(0, "ns/op")
	return rate
}

// appendAll has senders send batches, each the next one.
func appendAll(b *testing.B, l *Log, batches [][]*registry.Call) {
	b.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range benchSenders {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(batches) {
					return
				}
				fresh, err := l.Append(b.Context(), entriesOf(batches[i]))
				if err != nil || count(fresh) != benchBatch {
					b.Errorf("%d new, %v", count(fresh), err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// bareTable is call_{day} without its indexes, or with that of the ids.
func bareTable(keyed bool) string {
	text := dayOf(time.Unix(0, 0)).sql(dayTables)
	table, rest, _ := strings.Cut(text, ";")
	if !keyed {
		return table + ";"
	}
	index, _, _ := strings.Cut(rest, ";")
	return table + ";" + index + ";"
}

// preparedRows are what the yardsticks write, made before the time counts.
func preparedRows(b *testing.B, batches [][]*registry.Call) [][]row {
	b.Helper()
	out := make([][]row, len(batches))
	seq := int64(0)
	for i, calls := range batches {
		for _, e := range entriesOf(calls) {
			r, err := prepare(e, 0, make(map[originFields]*origin))
			if err != nil {
				b.Fatal(err)
			}
			seq++
			r.seq = seq
			out[i] = append(out[i], r)
		}
	}
	return out
}

func bareInsert(b *testing.B, d storetest.Database, all [][]row, keyed bool) {
	b.Helper()
	f, err := openFile(b.Context(), filepath.Join(d.Config.Dir, "bare.db"), sqliteWords(bareTable(keyed)))
	if err != nil {
		b.Fatal(err)
	}
	defer f.close() //nolint:errcheck // a benchmark
	const rowsAtOnce = 50
	insert, err := f.w.PrepareContext(b.Context(), unnumbered(`INSERT INTO call_19700101 (`+callColumns+`) VALUES `+values(rowsAtOnce, inCallColumns)))
	if err != nil {
		b.Fatal(err)
	}
	defer insert.Close()
	b.ResetTimer()
	for _, batch := range all {
		t, err := f.w.BeginTx(b.Context(), nil)
		if err != nil {
			b.Fatal(err)
		}
		s := t.StmtContext(b.Context(), insert)
		args := make([]any, 0, rowsAtOnce*inCallColumns)
		for i := 0; i < len(batch); i += rowsAtOnce {
			args = args[:0]
			for j := range rowsAtOnce {
				args = batch[i+j].args(args)
			}
			if _, err := s.ExecContext(b.Context(), args...); err != nil {
				b.Fatal(err)
			}
		}
		if err := t.Commit(); err != nil {
			b.Fatal(err)
		}
	}
}

func bareCopy(b *testing.B, d storetest.Database, all [][]row, keyed bool, senders int) {
	b.Helper()
	ctx := b.Context()
	conns := make([]*pgx.Conn, senders)
	for i := range conns {
		c, err := pgx.Connect(ctx, d.Config.URL)
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close(context.WithoutCancel(ctx)) //nolint:errcheck // a benchmark
		conns[i] = c
	}
	if _, err := conns[0].Exec(ctx, postgresWords(bareTable(keyed))); err != nil {
		b.Fatal(err)
	}
	columns := strings.Fields(strings.ReplaceAll(callColumns, ",", " "))
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for _, c := range conns {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(all) {
					return
				}
				err := pgx.BeginFunc(ctx, c, func(t pgx.Tx) error {
					n, err := t.CopyFrom(ctx, pgx.Identifier{"call_19700101"}, columns, pgx.CopyFromSlice(benchBatch, func(j int) ([]any, error) {
						return all[i][j].args(nil), nil
					}))
					if err == nil && n != benchBatch {
						err = fmt.Errorf("%d rows", n)
					}
					return err
				})
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}
