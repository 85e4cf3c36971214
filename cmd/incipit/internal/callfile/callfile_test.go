package callfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func written(tb interface{ Fatal(...any) }, f Format, pages ...[]registry.WireCall) []byte {
	var buf bytes.Buffer
	w, err := New(&buf, f)
	if err != nil {
		tb.Fatal(err)
	}
	for _, calls := range pages {
		if err := w.Write(calls); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return buf.Bytes()
}

func readLines(data []byte) (calls []registry.WireCall, err error) {
	for line := range bytes.Lines(data) {
		var c registry.WireCall
		if err := json.Unmarshal(line, &c); err != nil {
			return nil, err
		}
		calls = append(calls, c)
	}
	return calls, nil
}

func readColumns(data []byte) (calls []registry.WireCall, err error) {
	rows, err := parquet.Read[row](bytes.NewReader(data), int64(len(data)))
	for _, r := range rows {
		calls = append(calls, registry.WireCall{
			ID: r.ID, Prompt: prompt.ID(r.Prompt), Version: r.Version, Environment: r.Environment,
			Arm: r.Arm, Rollout: r.Rollout, Share: r.Share, Subject: r.Subject,
			StartedAt: r.StartedAt, LatencyMS: r.LatencyMS, FirstTokenMS: r.FirstTokenMS,
			InputTokens: r.InputTokens, OutputTokens: r.OutputTokens, CachedTokens: r.CachedTokens, CostUSD: r.CostUSD,
			Outcome: registry.Outcome(r.Outcome), ErrorClass: registry.ErrorClass(r.ErrorClass), FinishReason: r.FinishReason,
			Model: r.Model, ResponseID: r.ResponseID, Satisfaction: r.Satisfaction, Tags: r.Tags, Input: r.Input, Output: r.Output,
		})
	}
	return calls, err
}

// anyCall draws every field of a call, there or not.
func anyCall() *rapid.Generator[registry.WireCall] {
	number := rapid.Ptr(rapid.Float64Range(0, 1e6), true)
	whole := rapid.Ptr(rapid.Int64Range(0, 1e9), true)
	return rapid.Custom(func(t *rapid.T) registry.WireCall {
		text := func(name string) string { return rapid.StringN(0, 20, 80).Draw(t, name) }
		return registry.WireCall{
			ID: text("id"), Prompt: prompt.ID(text("prompt")), Version: text("version"), Environment: text("environment"),
			Arm: text("arm"), Rollout: text("rollout"), Share: number.Draw(t, "share"), Subject: text("subject"),
			StartedAt: time.UnixMicro(rapid.Int64Range(0, 4e15).Draw(t, "started")).UTC(), LatencyMS: rapid.Float64Range(0, 1e9).Draw(t, "latency"),
			FirstTokenMS: number.Draw(t, "ttft"), InputTokens: whole.Draw(t, "in"), OutputTokens: whole.Draw(t, "out"), CachedTokens: whole.Draw(t, "cached"),
			CostUSD: number.Draw(t, "cost"), Outcome: registry.Outcome(text("outcome")), ErrorClass: registry.ErrorClass(text("class")),
			FinishReason: text("finish"), Model: text("model"), ResponseID: text("response"), Satisfaction: number.Draw(t, "satisfaction"),
			Tags: rapid.MapOfN(rapid.StringN(1, 10, 40), rapid.StringN(0, 10, 40), 0, 4).Draw(t, "tags"), Input: text("input"), Output: text("content"),
		}
	})
}

func TestEveryFieldComesBackFromAFile(t *testing.T) {
	read := map[Format]func([]byte) ([]registry.WireCall, error){NDJSON: readLines, Parquet: readColumns}
	for _, f := range Formats() {
		t.Run(string(f), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				calls := rapid.SliceOfN(anyCall(), 0, 10).Draw(t, "calls")
				cut := rapid.IntRange(0, len(calls)).Draw(t, "cut")
				back, err := read[f](written(t, f, calls[:cut], calls[cut:]))
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(calls, back, cmpopts.EquateEmpty()); d != "" {
					t.Fatal(d)
				}
			})
		})
	}
}

func TestParquetHasAColumnForEachFieldOfACall(t *testing.T) {
	var fields []string
	for _, f := range reflect.VisibleFields(reflect.TypeFor[registry.WireCall]()) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		fields = append(fields, name)
	}
	data := written(t, Parquet)
	file, err := parquet.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	var columns []string
	for _, f := range file.Schema().Fields() {
		columns = append(columns, f.Name())
	}
	if d := cmp.Diff(fields, columns); d != "" {
		t.Error(d)
	}
	for name, want := range map[string]string{
		"prompt": "STRING", "started_at": "TIMESTAMP(isAdjustedToUTC=true,unit=MICROS)", "latency_ms": "DOUBLE",
		"input_tokens": "INT(64,true)", "cost_usd": "DOUBLE", "tags": "MAP",
	} {
		i := slices.IndexFunc(file.Schema().Fields(), func(f parquet.Field) bool { return f.Name() == name })
		if got := file.Schema().Fields()[i].Type().String(); got != want {
			t.Errorf("the column %s is %s, not %s", name, got, want)
		}
	}
}

func TestAnUnknownFormatIsRefused(t *testing.T) {
	w, err := New(io.Discard, "csv")
	if !errors.Is(err, prompt.ErrInvalid) || w != nil {
		t.Errorf("%v, %v", w, err)
	}
	if fix, ok := errors.AsType[*registry.FixError](err); !ok || fix.Fix != "formats are ndjson and parquet" {
		t.Errorf("the advice is %v", fix)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("the disk is full") }

func TestAWriterTellsThatTheDiskIsFull(t *testing.T) {
	for _, f := range Formats() {
		w, err := New(full{}, f)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.Write(someCalls(10)), w.Close()); err == nil {
			t.Errorf("%s: nothing was written, and nobody told", f)
		}
	}
}

// What is not written yet is a row group: as long as those are bounded, memory
// is.
func TestMemoryDoesNotGrowWithTheFile(t *testing.T) {
	var buf bytes.Buffer
	const full, content = 1 << 20, 32 << 10
	w := newColumns(&buf, full)
	r := rand.New(rand.NewPCG(1, 2))
	calls := someCalls(16)
	for i := range calls {
		calls[i].Input, calls[i].Output = noise(r, content), noise(r, content)
	}
	const pages = 12 // of 1 MiB
	for range pages {
		if err := w.Write(calls); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if size := buf.Len(); size > pages*full*102/100 { // noise does not compress, and nothing is there twice
		t.Errorf("%d bytes of content made a file of %d", pages*full, size)
	}
	file, err := parquet.OpenFile(bytes.NewReader(buf.Bytes()), int64(buf.Len()))
	if err != nil {
		t.Fatal(err)
	}
	for i, g := range file.RowGroups() {
		if most := int64(full/(2*content) + chunk); g.NumRows() > most {
			t.Errorf("row group %d has %d calls", i, g.NumRows())
		}
	}
	if n := len(file.RowGroups()); n < pages/2 {
		t.Errorf("there are %d row groups", n)
	}
}

func noise(r *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('a' + r.IntN(26))
	}
	return string(b)
}

// someCalls are calls as a service makes them: two releases, a canary, one
// model, ids that do not compress.
func someCalls(n int) []registry.WireCall {
	r := rand.New(rand.NewPCG(3, 4))
	at := time.Date(2026, 1, 31, 9, 0, 0, 0, time.UTC)
	calls := make([]registry.WireCall, n)
	for i := range calls {
		at = at.Add(time.Duration(r.IntN(20_000)) * time.Microsecond)
		var random [10]byte
		for i := range random {
			random[i] = byte(r.Uint32())
		}
		latency := float64(200_000+r.IntN(4_000_000)) / 1000
		calls[i] = registry.WireCall{
			ID: registry.NewCallID(at, random), Prompt: "customer-support", Version: "1.3.2", Environment: "production", Arm: "stable",
			Rollout: "5f2c9a1be07d", Share: new(95.0), StartedAt: at, LatencyMS: latency, FirstTokenMS: new(latency / 4),
			InputTokens: new(int64(800 + r.IntN(400))), OutputTokens: new(int64(50 + r.IntN(400))), CachedTokens: new(int64(512)),
			CostUSD: new(float64(r.IntN(4_000_000)) / 1e9), Outcome: registry.OK, FinishReason: "stop", Model: "large-1",
			ResponseID: fmt.Sprintf("resp_%016x%016x", r.Uint64(), r.Uint64()),
		}
		if r.IntN(20) == 0 {
			calls[i].Arm, calls[i].Version, calls[i].Share = "candidate", "1.4.0", new(5.0)
		}
	}
	return calls
}

func BenchmarkWrite(b *testing.B) {
	calls := someCalls(50_000)
	for _, f := range Formats() {
		b.Run(string(f), func(b *testing.B) {
			size := 0
			for b.Loop() {
				size = 0
				w, err := New(counter{&size}, f)
				if err != nil {
					b.Fatal(err)
				}
				for page := range slices.Chunk(calls, 10_000) {
					if err := w.Write(page); err != nil {
						b.Fatal(err)
					}
				}
				if err := w.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(size)/float64(len(calls)), "B/call")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(calls)), "ns/call")
		})
	}
}

type counter struct{ n *int }

func (c counter) Write(p []byte) (int, error) { *c.n += len(p); return len(p), nil }
