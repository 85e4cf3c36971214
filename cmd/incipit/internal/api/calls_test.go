package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

const plainCall = `{"prompt":"support","version":"1.0.0","environment":"prod","started_at":"2026-01-05T09:00:00Z","latency_ms":12.5,"outcome":"ok"}`

func TestABatchIsAListAnEnvelopeOneCallOrLines(t *testing.T) {
	want := registry.Call{
		Prompt: "support", Version: "1.0.0", Environment: "prod", Outcome: registry.OK,
		StartedAt: time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC), Latency: 12500 * time.Microsecond,
	}
	for _, tt := range []struct {
		name, body string
		lines      bool
		calls      int
	}{
		{"no call at all", `[]`, false, 0},
		{"an empty envelope", ` {"calls": [ ] } `, false, 0},
		{"a list", `[` + plainCall + `, ` + plainCall + `]`, false, 2},
		{"an envelope", `{"calls":[` + plainCall + `]}` + "\n", false, 1},
		{"one call", plainCall, false, 1},
		{"lines, the last without an end", plainCall + "\r\n\n  \n" + plainCall, true, 2},
		{"no line", "", true, 0},
	} {
		b, err := ReadCalls([]byte(tt.body), tt.lines)
		if err != nil || len(b.Calls) != tt.calls || len(b.Rejected) > 0 {
			t.Errorf("%s: %+v, %v", tt.name, b, err)
			continue
		}
		for i, c := range b.Calls {
			if diff := cmp.Diff(want, c); diff != "" || b.Index[i] != i {
				t.Errorf("%s: call %d: %s", tt.name, b.Index[i], diff)
			}
		}
	}
}

func TestABodyThatIsBrokenAsAWholeIsAnError(t *testing.T) {
	for name, body := range map[string]string{
		"nothing": ``, "a number": `3`, "not closed": `[` + plainCall, "a comma too many": `[` + plainCall + `,]`,
		"text behind it": plainCall + plainCall, "a comma missing": `[` + plainCall + plainCall + `]`,
		"a text not closed": `[{"prompt":"x]`, "a key without quotes": `[{prompt:1}]`, "no colon": `[{"prompt" 1}]`,
		"too deep": `[{"x":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}]`, "no value": `[{"prompt":}]`,
		"something beside calls": `{"calls":[],"more":1}`, "calls twice": `{"calls":[],"calls":[]}`, "brackets that do not match": `[{"x":[1}]]`,
	} {
		b, err := ReadCalls([]byte(body), false)
		if !errors.Is(err, prompt.ErrInvalid) || errors.Is(err, ErrTooMany) || len(b.Calls)+len(b.Rejected) > 0 {
			t.Errorf("%s: %+v, %v", name, b, err)
		}
	}
}

func TestMoreCallsThanABatchMayHaveAreAnErrorOfTheirOwn(t *testing.T) {
	most := plainCall + strings.Repeat(","+plainCall, MaxCalls-1)
	if b, err := ReadCalls([]byte(`[`+most+`]`), false); err != nil || len(b.Calls) != MaxCalls {
		t.Errorf("%d calls: %d, %v", MaxCalls, len(b.Calls), err)
	}
	for name, err := range map[string]error{
		"a call":                  second(ReadCalls([]byte(`[`+most+`,`+plainCall+`]`), false)),
		"what is none":            second(ReadCalls([]byte(`[`+most+`,1]`), false)),
		"a line":                  second(ReadCalls([]byte(strings.Repeat(plainCall+"\n", MaxCalls+1)), true)),
		"a million empty objects": second(ReadCalls([]byte(`[{}`+strings.Repeat(",{}", 1_000_000)+`]`), false)),
	} {
		if !errors.Is(err, ErrTooMany) || !errors.Is(err, prompt.ErrInvalid) {
			t.Errorf("%s more: %v", name, err)
		}
	}
}

func second[A any](_ A, err error) error { return err }

// A call that is refused is refused with one reason, and the others stay.
func TestACallThatCannotBeReadIsRefusedAlone(t *testing.T) {
	with := func(more string) string { return strings.TrimSuffix(plainCall, "}") + "," + more + "}" }
	without := func(field string) string {
		var m map[string]any
		if err := json.Unmarshal([]byte(plainCall), &m); err != nil {
			t.Fatal(err)
		}
		delete(m, field)
		raw, _ := json.Marshal(m)
		return string(raw)
	}
	instead := func(old, replacement string) string { return strings.Replace(plainCall, old, replacement, 1) }
	tests := []struct {
		name, call, code, reason string
	}{
		{"a number in its place", `3`, registry.RejectMalformed, "it is a number; a call must be an object"},
		{"null in its place", `null`, registry.RejectMalformed, "it is null; a call must be an object"},
		{"a list in its place", `[[]]`, registry.RejectMalformed, "it is an array; a call must be an object"},
		{"a key twice", with(`"version":"2.0.0"`), registry.RejectField, "version stands there twice"},
		{"a key twice, once null", with(`"arm":null,"arm":"stable"`), registry.RejectField, "arm stands there twice"},
		{"a key twice, once with an escape", with(`"\u0076ersion":"2.0.0"`), registry.RejectField, "version stands there twice"},
		{"a key in another case", with(`"Model":"m"`), registry.RejectField, `a call has no field "Model"; write model`},
		{"a key with a dash", with(`"response-id":"m"`), registry.RejectField, `a call has no field "response-id"; write response_id`},
		{"a key that is not known", with(`"extra":{"a":[1,{"b":null}],"c":"\u00e9"}`), registry.RejectField, `a call has no field "extra"`},
		{"a key that nobody sees", with("\"a\u202eb\":1"), registry.RejectField, "a call has no field \"a⟨U+202E⟩b\""},
		{"a text for a number", with(`"share":"5"`), registry.RejectMalformed, "share is a text; it must be a number"},
		{"a number for a text", with(`"model":5`), registry.RejectMalformed, "model is a number; it must be a text"},
		{"an object for a text", with(`"model":{"name":"x"}`), registry.RejectMalformed, "model is an object; it must be a text"},
		{"true for a number", with(`"share":true`), registry.RejectMalformed, "share is true; it must be a number"},
		{"a list of tags", with(`"tags":["a"]`), registry.RejectMalformed, "tags is an array; it must be an object of texts"},
		{"a number in tags", with(`"tags":{"a":1}`), registry.RejectMalformed, "tags.a is a number; it must be a text"},
		{"a tag twice", with(`"tags":{"a":"x","\u0061":"y"}`), registry.RejectField, "tags.a stands there twice"},
		{"no prompt", without("prompt"), registry.RejectMissing, "prompt is missing"},
		{"no version", without("version"), registry.RejectMissing, "version is missing"},
		{"no environment", without("environment"), registry.RejectMissing, "environment is missing"},
		{"no start", without("started_at"), registry.RejectMissing, "started_at is missing"},
		{"no latency", without("latency_ms"), registry.RejectMissing, "latency_ms is missing"},
		{"no outcome", without("outcome"), registry.RejectMissing, "outcome is missing"},
		{"null where something must be", instead("12.5", "null"), registry.RejectMissing, "latency_ms is missing"},
		{"NaN, as Python writes it", instead("12.5", "NaN"), registry.RejectRange, "latency_ms is NaN; it must be from 0 to 86400000"},
		{"Infinity", instead("12.5", "Infinity"), registry.RejectRange, "latency_ms is Infinity; it must be from 0 to 86400000"},
		{"-Infinity", with(`"cost_usd":-Infinity`), registry.RejectRange, "cost_usd is -Infinity; it must be from 0 to 1000000"},
		{"a negative latency", instead("12.5", "-3"), registry.RejectRange, "latency_ms is -3; it must be from 0 to 86400000"},
		{"1e308", instead("12.5", "1e308"), registry.RejectRange, "latency_ms is 1e+308; it must be from 0 to 86400000"},
		{"more than a float64 holds", instead("12.5", "1e999"), registry.RejectRange, "latency_ms is Infinity; it must be from 0 to 86400000"},
		{"half a token", with(`"input_tokens":5.5`), registry.RejectRange, "input_tokens is 5.5; it must be a whole number"},
		{"too many tokens", with(`"output_tokens":1e9,"cached_tokens":1000000001`), registry.RejectRange, "cached_tokens is 1000000001; it must be from 0 to 1000000000"},
		{"a share of four decimals", with(`"share":0.0001`), registry.RejectRange, "share is 0.0001; it may have three decimals"},
		{"six stars", with(`"satisfaction":6`), registry.RejectRange, "satisfaction is 6; it must be from 1 to 5"},
		{"a leading zero", instead("12.5", "012"), registry.RejectMalformed, "latency_ms is no JSON; it must be a number"},
		{"a plus", instead("12.5", "+12"), registry.RejectMalformed, "latency_ms is no JSON; it must be a number"},
		{"a point without digits", instead("12.5", "12."), registry.RejectMalformed, "latency_ms is no JSON; it must be a number"},
		{"a word of Python", with(`"arm":None`), registry.RejectMalformed, "arm is no JSON; it must be a text"},
		{"bytes that are not UTF-8", with("\"model\":\"a\xffb\""), registry.RejectMalformed, "model is not valid UTF-8"},
		{"a line break in a text", instead("support", "sup\nport"), registry.RejectMalformed, "prompt holds a control character that is not escaped"},
		{"half of a surrogate pair", with(`"model":"\ud800"`), registry.RejectMalformed, `model has an escape \u without its four digits, or half of a surrogate pair`},
		{"the halves turned round", with(`"model":"\ude00\ud83d"`), registry.RejectMalformed, `model has an escape \u without its four digits, or half of a surrogate pair`},
		{"an escape without its digits", with(`"model":"\u12"`), registry.RejectMalformed, `model has an escape \u without its four digits, or half of a surrogate pair`},
		{"an escape that JSON does not know", with(`"model":"\x41"`), registry.RejectMalformed, "model has an escape that JSON does not know"},
		{"a time without a zone", instead("09:00:00Z", "09:00:00"), registry.RejectRange, `started_at is "2026-01-05T09:00:00"; it must be a time such as 2026-01-05T09:00:00.25Z`},
		{"a number as a time", instead(`"2026-01-05T09:00:00Z"`, "1767603600"), registry.RejectMalformed, "started_at is a number; it must be a text"},
		{"an id that is no UUIDv7", with(`"id":"x-1"`), registry.RejectRange, `id is "x-1"; a call's id must be a UUIDv7, such as 01920000-0000-7000-8000-000000000000`},
	}
	for _, tt := range tests {
		want := []registry.Rejection{{Index: 1, Code: tt.code, Reason: tt.reason}}
		b, err := ReadCalls([]byte(`[`+plainCall+`,`+tt.call+`,`+plainCall+`]`), false)
		if diff := cmp.Diff(want, b.Rejected); err != nil || diff != "" || !reflect.DeepEqual(b.Index, []int{0, 2}) || len(b.Calls) != 2 {
			t.Errorf("%s: %v, %v, %s", tt.name, err, b.Index, diff)
		}
		if strings.Contains(tt.call, "\n") {
			continue
		}
		b, err = ReadCalls([]byte(plainCall+"\n"+tt.call+"\n"+plainCall), true)
		if diff := cmp.Diff(want, b.Rejected); err != nil || diff != "" || !reflect.DeepEqual(b.Index, []int{0, 2}) {
			t.Errorf("%s, as a line: %v, %v, %s", tt.name, err, b.Index, diff)
		}
	}
}

func TestABrokenLineBreaksNoOther(t *testing.T) {
	b, err := ReadCalls([]byte(plainCall+"\n{\"prompt\":\n"+plainCall+" x\n"+plainCall), true)
	want := []registry.Rejection{
		{Index: 1, Code: registry.RejectMalformed, Reason: "the line is no JSON at column 11: a value should stand here"},
		{Index: 2, Code: registry.RejectMalformed, Reason: fmt.Sprintf("the line is no JSON at column %d: there is text behind the end", len(plainCall)+2)},
	}
	if diff := cmp.Diff(want, b.Rejected); err != nil || diff != "" || !reflect.DeepEqual(b.Index, []int{0, 3}) {
		t.Errorf("%v, %v, %s", err, b.Index, diff)
	}
}

func TestWholeNumbersAndNullsAreTakenAsTheyAreMeant(t *testing.T) {
	body := strings.TrimSuffix(plainCall, "}") + `,"input_tokens":5.0,"output_tokens":1e3,"cached_tokens":-0,"cost_usd":0.0000000015,"share":7.000000000000001,
		"id":"","arm":null,"ttft_ms":null,"tags":null,"model":"\"\\\/\b\f\n\r\té😀\uD83D\ude00"}`
	b, err := ReadCalls([]byte(body), false)
	if err != nil || len(b.Calls) != 1 {
		t.Fatal(b.Rejected, err)
	}
	c := b.Calls[0]
	if c.InputTokens != registry.Some[int64](5) || c.OutputTokens != registry.Some[int64](1000) || c.CachedTokens != registry.Some[int64](0) ||
		c.Cost != registry.Some[registry.NanoUSD](2) || c.Share != registry.Some[registry.Share](7000) ||
		c.Arm != "" || c.FirstToken.Known || c.Tags != nil || !c.ID.IsZero() || c.Model != "\"\\/\b\f\n\r\té😀😀" {
		t.Errorf("%+v", c)
	}
}

// An id that is missing is made of the body's digest: the body as it was sent.
func TestABatchIsNamedByItsBytesIfACallHasNoID(t *testing.T) {
	withID := strings.TrimSuffix(plainCall, "}") + `,"id":"01920000-0000-7000-8000-000000000000"}`
	read := func(body string) string {
		b, err := ReadCalls([]byte(body), false)
		if err != nil {
			t.Fatal(err)
		}
		return b.Once
	}
	first, again, other := read(plainCall), read(plainCall), read(plainCall+" ")
	if read(withID) != "" || first == "" || first != again || first == other {
		t.Errorf("%q, %q, %q, %q", read(withID), first, again, other)
	}
}
