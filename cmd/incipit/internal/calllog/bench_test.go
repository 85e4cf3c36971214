package calllog

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
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
	benchRound   = 60 // batches
)

// A contestant writes batches of rows.
type contestant struct {
	name  string
	write func(b *testing.B, batches [][]row)
}

// BenchmarkAppend holds Append, with eight senders of batches of 500, to
// yardsticks that write the same rows with the same columns, 500 a transaction,
// as fast as the database takes them, and do nothing else. bare has the numbers
// as its primary key and no other index; keyed also has the unique index of the
// ids, without which no call could be known again. For PostgreSQL both copy
// over one connection, and bare8 over eight.
//
// They take turns, 60 batches each, so that what else the machine does hits all
// alike; the median round counts, and the ratio's smallest and largest are told.
//
//	go test -run '^$' -bench BenchmarkAppend -benchtime 600x
func BenchmarkAppend(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) {
		d := storetest.SQLite(b)
		race(b, d, bareInsert(b, d, "bare", false), bareInsert(b, d, "keyed", true))
	})
	b.Run("postgres", func(b *testing.B) {
		d := storetest.Postgres(b)
		race(b, d, bareCopy(b, d, "bare", false, 1), bareCopy(b, d, "keyed", true, 1), bareCopy(b, d, "bare8", false, benchSenders))
	})
}

func race(b *testing.B, d storetest.Database, yardsticks ...contestant) {
	b.Helper()
	l := openLog(b, configOf(d))
	all := append(slices.Clone(yardsticks), contestant{"append", func(b *testing.B, batches [][]row) {
		b.Helper()
		appendAll(b, l, batches)
	}})
	rates := make(map[string][]float64)
	made := newSource(1)
	var seq int64
	for done := 0; done < b.N; done += benchRound {
		batches := batchesOf(b, made, d, min(benchRound, b.N-done), &seq)
		for _, c := range all {
			runtime.GC() // nobody pays for the garbage of others
			b.StartTimer()
			before := b.Elapsed()
			c.write(b, batches)
			took := b.Elapsed() - before
			b.StopTimer()
			rates[c.name] = append(rates[c.name], float64(len(batches)*benchBatch)/took.Seconds())
		}
	}
	b.ReportMetric(0, "ns/op")
	for _, c := range all {
		b.ReportMetric(middle(rates[c.name]), c.name+"-calls/s")
	}
	for _, y := range yardsticks {
		ratios := make([]float64, len(rates["append"]))
		for i, r := range rates["append"] {
			ratios[i] = 100 * r / rates[y.name][i]
		}
		b.ReportMetric(middle(ratios), "%/"+y.name)
		b.ReportMetric(slices.Min(ratios), "%/"+y.name+"-min")
		b.ReportMetric(slices.Max(ratios), "%/"+y.name+"-max")
	}
}

func middle(of []float64) float64 {
	s := slices.Sorted(slices.Values(of))
	return s[len(s)/2]
}

// batchesOf makes batches of calls as they come in: the client sends what a
// second brought, and a call takes about another. What the yardsticks write of
// them is made before the time counts.
func batchesOf(b *testing.B, s *source, d storetest.Database, n int, seq *int64) [][]row {
	b.Helper()
	out := make([][]row, n)
	for i := range out {
		now := d.Clock.Now()
		d.Clock.Advance(20 * time.Millisecond)
		origins := make(map[originFields]*origin)
		for _, e := range entriesOf(s.calls(benchBatch, now, 2*time.Second)) {
			r, err := prepare(e, dayOf(now), origins)
			if err != nil {
				b.Fatal(err)
			}
			*seq++
			r.seq = *seq
			out[i] = append(out[i], r)
		}
	}
	return out
}

// appendAll has senders send batches, each the next one.
func appendAll(b *testing.B, l *Log, batches [][]row) {
	b.Helper()
	inTurn(benchSenders, len(batches), func(_, i int) error {
		calls := make([]*registry.Call, len(batches[i]))
		for j := range calls {
			calls[j] = batches[i][j].call
		}
		fresh, err := l.Append(b.Context(), entriesOf(calls))
		if n := count(fresh); err == nil && n != len(calls) {
			err = fmt.Errorf("%d of %d calls are new", n, len(calls))
		}
		return err
	}, b.Error)
}

// inTurn has senders do n things, each the next one, until one fails.
func inTurn(senders, n int, do func(sender, i int) error, fail func(...any)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := do(s, i); err != nil {
					fail(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// bareTable is call_{day} under another name, without its indexes, or with that
// of the ids.
func bareTable(name string, keyed bool) string {
	text := strings.ReplaceAll(day(0).sql(dayTables), "call_19700101", name)
	table, rest, _ := strings.Cut(text, ";")
	if !keyed {
		return table + ";"
	}
	index, _, _ := strings.Cut(rest, ";")
	return table + ";" + index + ";"
}

func bareInsert(b *testing.B, d storetest.Database, name string, keyed bool) contestant {
	b.Helper()
	f, err := openFile(b.Context(), filepath.Join(d.Config.Dir, name+".db"), sqliteWords(bareTable(name, keyed)))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = f.close() })
	const rowsAtOnce = 100 // the fastest of those tried
	insert, err := f.w.PrepareContext(b.Context(), unnumbered(`INSERT OR FAIL INTO `+name+` (`+callColumns+`) VALUES `+values(rowsAtOnce, inCallColumns)))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = insert.Close() })
	return contestant{name, func(b *testing.B, batches [][]row) {
		b.Helper()
		args := make([]any, 0, rowsAtOnce*inCallColumns)
		for _, batch := range batches {
			t, err := f.w.BeginTx(b.Context(), nil)
			if err != nil {
				b.Fatal(err)
			}
			s := t.StmtContext(b.Context(), insert)
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
	}}
}

func bareCopy(b *testing.B, d storetest.Database, name string, keyed bool, senders int) contestant {
	b.Helper()
	ctx := b.Context()
	conns := make([]*pgx.Conn, senders)
	for i := range conns {
		c, err := pgx.Connect(ctx, d.Config.URL)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = c.Close(context.WithoutCancel(ctx)) })
		conns[i] = c
	}
	if _, err := conns[0].Exec(ctx, postgresWords(bareTable(name, keyed))); err != nil {
		b.Fatal(err)
	}
	columns := strings.Fields(strings.ReplaceAll(callColumns, ",", " "))
	return contestant{name, func(b *testing.B, batches [][]row) {
		b.Helper()
		inTurn(senders, len(batches), func(sender, i int) error {
			return pgx.BeginFunc(ctx, conns[sender], func(t pgx.Tx) error {
				n, err := t.CopyFrom(ctx, pgx.Identifier{name}, columns, pgx.CopyFromSlice(len(batches[i]), func(j int) ([]any, error) {
					return batches[i][j].args(nil), nil
				}))
				if err == nil && n != int64(len(batches[i])) {
					err = fmt.Errorf("%d rows", n)
				}
				return err
			})
		}, b.Error)
	}}
}
