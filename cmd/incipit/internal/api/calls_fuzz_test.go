package api

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// oracle reads a call with encoding/json, by the fields of registry.WireCall.
func oracle(data []byte) (registry.Call, bool) {
	var w registry.WireCall
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if d.Decode(&w) != nil || w.StartedAt.IsZero() {
		return registry.Call{}, false
	}
	var bad *registry.Rejection
	keep := func(r *registry.Rejection) {
		if r != nil {
			bad = r
		}
	}
	ms := func(v float64) time.Duration { d, r := registry.Milliseconds("", v); keep(r); return d }
	c := registry.Call{
		Prompt: w.Prompt, Version: w.Version, Environment: w.Environment, Arm: w.Arm, Rollout: w.Rollout, Subject: w.Subject,
		StartedAt: w.StartedAt.UTC().Truncate(time.Microsecond), Latency: ms(w.LatencyMS), Outcome: w.Outcome, ErrorClass: w.ErrorClass,
		FinishReason: w.FinishReason, Model: w.Model, ResponseID: w.ResponseID, Tags: w.Tags, Input: w.Input, Output: w.Output,
	}
	if w.ID != "" {
		id, err := registry.ParseCallID(w.ID)
		if c.ID = id; err != nil {
			return c, false
		}
	}
	if w.Share != nil {
		v, r := registry.Percent("", *w.Share)
		c.Share = registry.Some(v)
		keep(r)
	}
	if w.FirstTokenMS != nil {
		c.FirstToken = registry.Some(ms(*w.FirstTokenMS))
	}
	if w.CostUSD != nil {
		v, r := registry.Dollars("", *w.CostUSD)
		c.Cost = registry.Some(v)
		keep(r)
	}
	if w.Satisfaction != nil {
		c.Satisfaction = registry.Some(*w.Satisfaction)
	}
	for _, n := range []struct {
		from *int64
		to   *registry.Opt[int64]
	}{{w.InputTokens, &c.InputTokens}, {w.OutputTokens, &c.OutputTokens}, {w.CachedTokens, &c.CachedTokens}} {
		if n.from != nil {
			*n.to = registry.Some(*n.from)
		}
	}
	if len(c.Tags) == 0 {
		c.Tags = nil
	}
	return c, bad == nil
}

// FuzzReadCalls holds the reader against encoding/json: what both take is the
// same, and what is one value at all is no other number of calls.
func FuzzReadCalls(f *testing.F) {
	f.Add([]byte(plainCall), false)
	f.Add([]byte(`[`+plainCall+`,{"latency_ms":NaN},null]`), false)
	f.Add([]byte(`{"calls":[{"tags":{"a":"\u0041"},"input":"\ud83d\ude00\n"}]}`), false)
	f.Add([]byte(plainCall+"\n"+plainCall+"\r\n{"), true)
	full, err := json.Marshal(new(fullCall()).Wire())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(full, false)
	f.Fuzz(func(t *testing.T, body []byte, lines bool) {
		b, err := ReadCalls(body, lines)
		if len(b.Calls) != len(b.Index) || len(b.Calls)+len(b.Rejected) > MaxCalls || err != nil && len(b.Calls)+len(b.Rejected) > 0 {
			t.Fatalf("%d calls, %d indexes, %d refused, %v", len(b.Calls), len(b.Index), len(b.Rejected), err)
		}
		used := make(map[int]bool)
		for _, i := range b.Index {
			used[i] = true
		}
		for _, r := range b.Rejected {
			used[r.Index] = true
			if r.Code == "" || len(r.Reason) > 1000 {
				t.Fatalf("refused with %+v", r)
			}
		}
		for i := range len(b.Calls) + len(b.Rejected) {
			if !used[i] {
				t.Fatalf("nobody knows what became of call %d", i)
			}
		}
		if lines || err != nil || len(b.Calls) != 1 || len(b.Rejected) > 0 || !bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{")) || bytes.Contains(body, []byte("calls")) {
			return
		}
		if want, ok := oracle(body); ok {
			if diff := cmp.Diff(want, b.Calls[0]); diff != "" {
				t.Fatal(diff)
			}
		}
	})
}

func fullCall() registry.Call {
	return registry.Call{
		ID: registry.MakeCallID(time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC), [10]byte{1, 2, 3}), Prompt: "customer-support", Version: "1.4.2", Environment: "production",
		Arm: "candidate", Rollout: "r-0123456789abcdef", Share: registry.Some(registry.Share(5000)), Subject: "user-12",
		StartedAt: time.Date(2026, 1, 5, 9, 0, 0, 123456000, time.UTC), Latency: 812345 * time.Microsecond, FirstToken: registry.Some(231 * time.Millisecond),
		InputTokens: registry.Some[int64](412), OutputTokens: registry.Some[int64](128), CachedTokens: registry.Some[int64](0), Cost: registry.Some[registry.NanoUSD](1_234_500),
		Outcome: registry.OK, FinishReason: "stop", Model: "model-a-2026", ResponseID: "resp_0123456789abcdef", Tags: map[string]string{"tier": "gold"},
	}
}

func TestACallIsReadAsItWasWritten(t *testing.T) {
	text := func(n uint32) string {
		return [...]string{"", "a", "é😀\u2028", `"\`, "\x7f<>&", "tab\tline\nfeed\x00"}[n%6]
	}
	law := func(id [10]byte, ms, us uint32, nano uint64, share, tokens, stars uint32, texts [9]uint32, known uint16, tags map[string]string) bool {
		c := registry.Call{
			Prompt: "p" + prompt.ID(text(texts[0])), Version: "v" + text(texts[1]), Environment: "e" + text(texts[2]), Arm: text(texts[3]), Rollout: text(texts[4]),
			Subject: text(texts[5]), Outcome: registry.OK, Model: text(texts[6]), Input: text(texts[7]), Output: text(texts[8]),
			StartedAt: time.UnixMicro(1_700_000_000_000_000 + int64(us)).UTC(),
			Latency:   time.Duration(nano%uint64(registry.MaxLatency/time.Microsecond)) * time.Microsecond,
		}
		if known&1 > 0 {
			c.ID = registry.MakeCallID(time.UnixMilli(int64(ms)), id)
		}
		opt(known&2 > 0, &c.Share, registry.Share(share%(registry.Scale+1)))
		opt(known&4 > 0, &c.FirstToken, time.Duration(ms)*time.Microsecond)
		opt(known&8 > 0, &c.InputTokens, int64(tokens%(registry.MaxTokens+1)))
		opt(known&16 > 0, &c.OutputTokens, 0)
		opt(known&32 > 0, &c.CachedTokens, registry.MaxTokens)
		opt(known&64 > 0, &c.Cost, registry.NanoUSD(nano%uint64(registry.MaxCost+1)))
		opt(known&128 > 0, &c.Satisfaction, 1+4*float64(stars)/math.MaxUint32)
		for k, v := range tags {
			if c.Tags == nil {
				c.Tags = make(map[string]string)
			}
			c.Tags[strings.ToValidUTF8(k, "?")] = strings.ToValidUTF8(v, "?")
		}
		raw, err := json.Marshal(c.Wire())
		if err != nil {
			t.Fatal(err)
		}
		b, err := ReadCalls(raw, false)
		if err != nil || len(b.Calls) != 1 {
			t.Fatalf("%s: %v, %v", raw, b.Rejected, err)
		}
		if diff := cmp.Diff(c, b.Calls[0]); diff != "" {
			t.Errorf("%s: %s", raw, diff)
		}
		return true
	}
	if err := quick.Check(law, &quick.Config{MaxCount: 2000}); err != nil {
		t.Error(err)
	}
}

func opt[T any](known bool, to *registry.Opt[T], v T) {
	if known {
		*to = registry.Some(v)
	}
}

// The yardstick reads the same bytes with encoding/json, which is not strict.
func BenchmarkReadCalls(b *testing.B) {
	const n = 500
	calls := make([]registry.WireCall, n)
	for i := range calls {
		c := fullCall()
		c.ID = registry.MakeCallID(c.StartedAt, [10]byte{byte(i), byte(i >> 8)})
		calls[i] = c.Wire()
	}
	body, err := json.Marshal(calls)
	if err != nil {
		b.Fatal(err)
	}
	perCall := func(b *testing.B) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/call")
		b.ReportMetric(float64(len(body))/n, "B/call")
	}
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if batch, err := ReadCalls(body, false); err != nil || len(batch.Calls) != n {
				b.Fatal(batch.Rejected, err)
			}
		}
		perCall(b)
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var out []registry.WireCall
			if err := json.Unmarshal(body, &out); err != nil || len(out) != n {
				b.Fatal(err)
			}
		}
		perCall(b)
	})
}
