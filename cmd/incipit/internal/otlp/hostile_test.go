package otlp

import (
	"bytes"
	"errors"
	"runtime"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/incipit-dev/incipit/internal/prompt"
)

const wholeBody = 4 << 20 // what the server lets through

// within puts a message into a field of others, the innermost first.
func within(inner []byte, fields ...protowire.Number) []byte {
	for _, n := range fields {
		inner = protowire.AppendBytes(protowire.AppendTag(nil, n, protowire.BytesType), inner)
	}
	return inner
}

// hostile are requests of at most 4 MiB that take much more to hold or to read.
func hostile() map[string]struct {
	body []byte
	kind Encoding
} {
	type attack = struct {
		body []byte
		kind Encoding
	}
	deep := within(nil, 1) // a string value; each level of arrays around it costs bytes for lengths
	for len(deep) < wholeBody/64 {
		deep = within(deep, 1, 5)
	}
	groups := bytes.Repeat([]byte{0x0b}, wholeBody)
	fill := func(s string, before, after string) attack {
		n := (wholeBody - len(before) - len(after)) / len(s)
		return attack{[]byte(before + strings.TrimSuffix(strings.Repeat(s, n), ",") + after), JSON}
	}
	spans, spansEnd := `{"resourceSpans":[{"scopeSpans":[{"spans":[`, `]}]}]}`
	return map[string]attack{
		"empty spans":             {within(bytes.Repeat([]byte{0x12, 0}, wholeBody/2-16), 2, 1), Protobuf},
		"empty scopes":            {within(bytes.Repeat([]byte{0x12, 0}, wholeBody/2-16), 1), Protobuf},
		"empty resources":         {bytes.Repeat([]byte{0x0a, 0}, wholeBody/2), Protobuf},
		"empty events":            {within(bytes.Repeat([]byte{0x5a, 0}, wholeBody/2-16), 2, 2, 1), Protobuf},
		"empty links":             {within(bytes.Repeat([]byte{0x6a, 0}, wholeBody/2-16), 2, 2, 1), Protobuf},
		"empty attributes":        {within(bytes.Repeat([]byte{0x4a, 0}, wholeBody/2-16), 2, 2, 1), Protobuf},
		"empty values of a list":  {within(bytes.Repeat([]byte{0x0a, 0}, wholeBody/2-32), 5, 2, 9, 2, 2, 1), Protobuf},
		"empty entities":          {within(bytes.Repeat([]byte{0x1a, 0}, wholeBody/2-16), 1, 1), Protobuf},
		"arrays of arrays":        {within(deep, 2, 9, 2, 2, 1), Protobuf},
		"groups of groups":        {groups, Protobuf},
		"empty spans in JSON":     fill("{},", spans, spansEnd),
		"empty values in JSON":    fill("{},", spans+`{"attributes":[{"key":"a","value":{"arrayValue":{"values":[`, `]}}}]}`+spansEnd),
		"arrays of arrays, JSON":  fill(`{"arrayValue":{"values":[`, spans+`{"attributes":[{"key":"a","value":`, ""),
		"unknown nests in JSON":   fill("[", `{"other":`, ""),
		"objects in a quoted key": fill(`{"\"{[":`, "", ""),
	}
}

func TestAHostileBodyIsRefusedInLittleMemory(t *testing.T) {
	for name, tt := range hostile() {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, _, err := Read(tt.body, tt.kind)
			runtime.ReadMemStats(&after)
			if !errors.Is(err, prompt.ErrInvalid) {
				t.Fatalf("%v", err)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
				t.Errorf("%d bytes allocated for a body of %d", used, len(tt.body))
			}
			t.Logf("%d bytes: %v", len(tt.body), err)
		})
	}
}

// What is let through has a bound as well: the worst that fits below the limits.
func TestTheWorstThatIsLetThroughHasABound(t *testing.T) {
	spans, spansEnd := `{"resourceSpans":[{"scopeSpans":[{"spans":[`, `]}]}]}`
	for name, tt := range map[string]struct {
		body []byte
		kind Encoding
	}{
		"spans":  {within(bytes.Repeat([]byte{0x12, 0}, maxSpans), 2, 1), Protobuf},
		"links":  {within(bytes.Repeat([]byte{0x6a, 0}, maxParts-3), 2, 2, 1), Protobuf},
		"values": {within(bytes.Repeat([]byte{0x0a, 0}, maxParts-6), 5, 2, 9, 2, 2, 1), Protobuf},
		"usage details": {request(t, Protobuf, map[string]any{
			"langfuse.prompt.name": "greeting", usageDetails: `{"":0` + strings.Repeat(`,"":0`, wholeBody/10) + "}", costDetails: strings.Repeat(`{"":`, wholeBody/10),
		}), Protobuf},
		"spans in JSON": {[]byte(spans + strings.TrimSuffix(strings.Repeat("{},", maxParts-3), ",") + spansEnd), JSON},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, _, err := Read(tt.body, tt.kind)
			runtime.ReadMemStats(&after)
			if err != nil {
				t.Fatal(err)
			}
			used := after.TotalAlloc - before.TotalAlloc
			if used > 128<<20 {
				t.Errorf("%d MiB allocated", used>>20)
			}
			t.Logf("%d KiB: %.1f MiB allocated", len(tt.body)>>10, float64(used)/(1<<20))
		})
	}
}

// FuzzRead holds what Read says to the number of spans there are.
func FuzzRead(f *testing.F) {
	for _, kind := range []Encoding{Protobuf, JSON} {
		json := kind == JSON
		f.Add(request(f, kind, map[string]any{"gen_ai.prompt.name": "greeting", "gen_ai.prompt.version": "1.0.0", "gen_ai.usage.input_tokens": "7", "gen_ai.usage.cost": 0.5}), json)
		f.Add(request(f, kind, map[string]any{"langfuse.observation.prompt.name": "greeting", costDetails: `{"total":1}`, completionStart: `"2026-08-07T10:00:01Z"`}), json)
		f.Add(request(f, kind, map[string]any{"traceloop.prompt.key": "a/b", "gen_ai.response.finish_reasons": []any{"stop"}, "incipit.tag.x": true}), json)
		f.Add(request(f, kind, map[string]any{"gen_ai.prompt.name": "NO"}, event("exception", 1, map[string]any{"exception.type": "Timeout"})), json)
	}
	f.Add([]byte(`{"":[],"resourceSpans":[{}]}`), true)
	f.Add([]byte{0x0a, 0x02, 0x12, 0x00}, false)
	f.Fuzz(func(t *testing.T, body []byte, json bool) {
		kind := Protobuf
		if json {
			kind = JSON
		}
		b, ignored, err := Read(body, kind)
		if err != nil {
			if !errors.Is(err, prompt.ErrInvalid) || len(err.Error()) > 200 {
				t.Errorf("%v", err)
			}
			return
		}
		traces, err := decode(body, kind)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(b.Calls) + len(b.Rejected) + ignored; n != traces.SpanCount() {
			t.Errorf("told of %d spans, there are %d", n, traces.SpanCount())
		}
		if len(b.Calls) != len(b.Index) {
			t.Fatalf("%d calls, %d indexes", len(b.Calls), len(b.Index))
		}
		for i, c := range b.Calls {
			if _, err := prompt.ParseID(string(c.Prompt)); err != nil || c.ID.IsZero() || c.StartedAt.IsZero() {
				t.Errorf("%+v", c)
			}
			if c.Cost.Known && (c.Cost.Value < 0 || c.Cost.Value > 1e15) || c.InputTokens.Known && c.InputTokens.Value < 0 {
				t.Errorf("%+v", c)
			}
			if i > 0 && b.Index[i] <= b.Index[i-1] {
				t.Errorf("%v", b.Index)
			}
		}
	})
}

// The two ways to look at a request agree: what is written is never too much
// for the scan only because of its encoding.
func TestAWholeBatchOfACollectorIsLetThrough(t *testing.T) {
	traces := ptrace.NewTraces()
	spans := traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for i := range 8192 { // the batch processor's default
		sp := spans.AppendEmpty()
		sp.SetTraceID(pcommon.TraceID{1, byte(i >> 8), byte(i)})
		sp.SetSpanID(pcommon.SpanID{1, byte(i >> 8), byte(i)})
		sp.SetStartTimestamp(pcommon.NewTimestampFromTime(began))
		sp.SetEndTimestamp(pcommon.NewTimestampFromTime(began))
		for _, name := range []string{"gen_ai.prompt.name", "gen_ai.request.model", "gen_ai.provider.name", "server.address", "user.id"} {
			sp.Attributes().PutStr(name, "greeting")
		}
		sp.Attributes().PutInt("gen_ai.usage.input_tokens", int64(i))
	}
	both(t, func(t *testing.T, kind Encoding) {
		b, _, err := Read(encode(t, traces, kind), kind)
		if err != nil || len(b.Calls) != 8192 {
			t.Errorf("%d calls, %v", len(b.Calls), err)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	traces := ptrace.NewTraces()
	spans := traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	for i := range 100 {
		sp := spans.AppendEmpty()
		sp.SetTraceID(pcommon.TraceID{1})
		sp.SetSpanID(pcommon.SpanID{byte(i + 1)})
		sp.SetStartTimestamp(pcommon.NewTimestampFromTime(began))
		sp.SetEndTimestamp(pcommon.NewTimestampFromTime(began))
		for name, value := range map[string]string{
			"gen_ai.operation.name": "chat", "gen_ai.provider.name": "a-provider", "gen_ai.request.model": "a-model", "gen_ai.response.model": "a-model",
			"gen_ai.response.id": "resp-1", "gen_ai.prompt.name": "greeting", "gen_ai.prompt.version": "1.0.0", "deployment.environment.name": "production", "user.id": "user-1",
		} {
			sp.Attributes().PutStr(name, value)
		}
		sp.Attributes().PutInt("gen_ai.usage.input_tokens", 120)
		sp.Attributes().PutInt("gen_ai.usage.output_tokens", 30)
		sp.Attributes().PutEmptySlice("gen_ai.response.finish_reasons").AppendEmpty().SetStr("stop")
	}
	for name, kind := range map[string]Encoding{"protobuf": Protobuf, "JSON": JSON} {
		body := encode(b, traces, kind)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if batch, _, err := Read(body, kind); err != nil || len(batch.Calls) != 100 {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/decode alone", func(b *testing.B) {
			for b.Loop() {
				if _, err := decode(body, kind); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/scan alone", func(b *testing.B) {
			for b.Loop() {
				if err := scan(body, kind); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
