package registry

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

func TestACallThatCannotBeIsRefusedWithItsReason(t *testing.T) {
	now := time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)
	const keep = 30 * 24 * time.Hour
	good := func() Call {
		return Call{Prompt: "support", Version: "1.0.0", Environment: "prod", StartedAt: now, Latency: time.Second, Outcome: OK}
	}
	tags := func(n int) map[string]string {
		m := make(map[string]string)
		for i := range n {
			m[fmt.Sprintf("k%d", i)] = "v"
		}
		return m
	}
	long := func(n int) string { return strings.Repeat("x", n) }
	micro := time.Microsecond
	tests := []struct {
		name   string
		edit   func(*Call)
		code   string // "": it is taken
		reason string
	}{
		{"what is required is enough", func(*Call) {}, "", ""},
		{"no prompt", func(c *Call) { c.Prompt = "" }, RejectMissing, "prompt is missing"},
		{"no version", func(c *Call) { c.Version = "" }, RejectMissing, "version is missing"},
		{"no environment", func(c *Call) { c.Environment = "" }, RejectMissing, "environment is missing"},
		{"no start", func(c *Call) { c.StartedAt = time.Time{} }, RejectMissing, "started_at is missing"},
		{"no outcome", func(c *Call) { c.Outcome = "" }, RejectMissing, "outcome is missing"},

		{"10 minutes ahead", func(c *Call) { c.StartedAt = now.Add(10 * time.Minute) }, "", ""},
		{
			"a microsecond more", func(c *Call) { c.StartedAt = now.Add(10*time.Minute + micro) }, RejectRange,
			"started_at is 2026-01-05T09:10:00Z; it must not be more than 10 minutes after the server's clock, which says 2026-01-05T09:00:00Z",
		},
		{
			"a year ahead", func(c *Call) { c.StartedAt = now.AddDate(1, 0, 0) }, RejectRange,
			"started_at is 2027-01-05T09:00:00Z; it must not be more than 10 minutes after the server's clock, which says 2026-01-05T09:00:00Z",
		},
		{"30 days ago", func(c *Call) { c.StartedAt = now.Add(-keep) }, "", ""},
		{
			"and a microsecond", func(c *Call) { c.StartedAt = now.Add(-keep - micro) }, RejectRange,
			"started_at is 2025-12-06T08:59:59Z; calls are kept for 30 days, so it must not be before 2025-12-06T09:00:00Z",
		},
		{
			"the year 1", func(c *Call) { c.StartedAt = time.Time{}.Add(micro) }, RejectRange,
			"started_at is 0001-01-01T00:00:00Z; calls are kept for 30 days, so it must not be before 2025-12-06T09:00:00Z",
		},
		{"an id of today", func(c *Call) { c.ID = MakeCallID(now, [10]byte{}) }, "", ""},
		{
			"an id of the year 10889", func(c *Call) { c.ID = MakeCallID(time.UnixMilli(1<<48-1), [10]byte{}) }, RejectRange,
			"the time in id is 10889-08-02T05:31:50Z; it must not be more than 10 minutes after the server's clock, which says 2026-01-05T09:00:00Z",
		},
		{
			"an id of 1970", func(c *Call) { c.ID = MakeCallID(time.UnixMilli(0), [10]byte{1}) }, RejectRange,
			"the time in id is 1970-01-01T00:00:00Z; calls are kept for 30 days, so it must not be before 2025-12-06T09:00:00Z",
		},

		{"a latency of 0", func(c *Call) { c.Latency = 0 }, "", ""},
		{"a latency below 0", func(c *Call) { c.Latency = -micro }, RejectRange, "latency_ms is -0.001; it must be from 0 to 86400000"},
		{"a latency of a day", func(c *Call) { c.Latency = MaxLatency }, "", ""},
		{"a latency of more", func(c *Call) { c.Latency = MaxLatency + micro }, RejectRange, "latency_ms is 86400000.001; it must be from 0 to 86400000"},
		{"a first token before the start", func(c *Call) { c.FirstToken = Some(-micro) }, RejectRange, "ttft_ms is -0.001; it must be from 0 to 86400000"},
		{"a first token at once", func(c *Call) { c.FirstToken = Some[time.Duration](0) }, "", ""},
		{"no token", func(c *Call) { c.InputTokens = Some[int64](0) }, "", ""},
		{"fewer than none", func(c *Call) { c.InputTokens = Some[int64](-1) }, RejectRange, "input_tokens is -1; it must be from 0 to 1000000000"},
		{"a billion", func(c *Call) { c.OutputTokens = Some[int64](MaxTokens) }, "", ""},
		{"and one", func(c *Call) { c.OutputTokens = Some[int64](MaxTokens + 1) }, RejectRange, "output_tokens is 1000000001; it must be from 0 to 1000000000"},
		{"as many as an int64 holds", func(c *Call) { c.CachedTokens = Some[int64](math.MaxInt64) }, RejectRange, "cached_tokens is 9.223372036854776e+18; it must be from 0 to 1000000000"},
		{"for nothing", func(c *Call) { c.Cost = Some[NanoUSD](0) }, "", ""},
		{"somebody is paid", func(c *Call) { c.Cost = Some[NanoUSD](-1) }, RejectRange, "cost_usd is -0.000000001; it must be from 0 to 1000000"},
		{"a million dollars", func(c *Call) { c.Cost = Some(MaxCost) }, "", ""},
		{"and a billionth", func(c *Call) { c.Cost = Some(MaxCost + 1) }, RejectRange, "cost_usd is 1000000.000000001; it must be from 0 to 1000000"},
		{"everybody", func(c *Call) { c.Share = Some[Share](Scale) }, "", ""},
		{"more than everybody", func(c *Call) { c.Share = Some[Share](Scale + 1) }, RejectRange, "share is 100.001; it must be from 0 to 100"},
		{"one star", func(c *Call) { c.Satisfaction = Some(1.0) }, "", ""},
		{"a little less", func(c *Call) { c.Satisfaction = Some(0.999) }, RejectRange, "satisfaction is 0.999; it must be from 1 to 5"},
		{"five stars", func(c *Call) { c.Satisfaction = Some(5.0) }, "", ""},
		{"a little more", func(c *Call) { c.Satisfaction = Some(5.001) }, RejectRange, "satisfaction is 5.001; it must be from 1 to 5"},
		{"stars that are no number", func(c *Call) { c.Satisfaction = Some(math.NaN()) }, RejectRange, "satisfaction is NaN; it must be from 1 to 5"},
		{"stars without end", func(c *Call) { c.Satisfaction = Some(math.Inf(-1)) }, RejectRange, "satisfaction is -Infinity; it must be from 1 to 5"},
		{"1e308 stars", func(c *Call) { c.Satisfaction = Some(1e308) }, RejectRange, "satisfaction is 1e+308; it must be from 1 to 5"},

		{"another outcome", func(c *Call) { c.Outcome = "OK" }, RejectRange, `outcome is "OK"; it must be ok, error or cancelled`},
		{"an error without a class", func(c *Call) { c.Outcome = Failed }, "", ""},
		{"an error with a class", func(c *Call) { c.Outcome, c.ErrorClass = Failed, TimeoutError }, "", ""},
		{"another class", func(c *Call) { c.Outcome, c.ErrorClass = Failed, "user" }, RejectRange, `error_class is "user"; it must be provider, prompt or timeout`},
		{"a class without an error", func(c *Call) { c.ErrorClass = PromptError }, RejectRange, "error_class is prompt, and outcome is ok; only an error has a class"},

		{"a long model", func(c *Call) { c.Model = long(128) }, "", ""},
		{"a longer one", func(c *Call) { c.Model = long(129) }, RejectRange, "model has 129 bytes; it must have at most 128"},
		{"a long response id", func(c *Call) { c.ResponseID = long(257) }, RejectRange, "response_id has 257 bytes; it must have at most 256"},
		{"a long subject", func(c *Call) { c.Subject = long(1025) }, RejectRange, "subject has 1025 bytes; it must have at most 1024"},
		{"the salt of a long prompt id", func(c *Call) { c.Rollout = long(300) }, "", ""},
		{"a subject with a NUL", func(c *Call) { c.Subject = "a\x00b" }, RejectRange, "subject holds the control character U+0000"},
		{"a subject on two lines", func(c *Call) { c.Subject = "a\nb" }, RejectRange, "subject holds the control character U+000A"},
		{"a control character of two bytes", func(c *Call) { c.Model = "é\u0085" }, RejectRange, "model holds the control character U+0085"},
		{"letters of all kinds", func(c *Call) { c.Subject = "Zoë 😀 用户" }, "", ""},
		{"half a letter", func(c *Call) { c.FinishReason = "é"[:1] }, RejectRange, "finish_reason is not valid UTF-8"},
		{"content with lines", func(c *Call) { c.Input, c.Output = "a\r\n\tb", long(MaxContent) }, "", ""},
		{"content with an escape", func(c *Call) { c.Output = "\x1b[31m" }, "", ""},
		{"more content", func(c *Call) { c.Input = long(MaxContent + 1) }, RejectRange, "input has 65537 bytes; it must have at most 65536"},

		{"32 tags", func(c *Call) { c.Tags = tags(32) }, "", ""},
		{"33 tags", func(c *Call) { c.Tags = tags(33) }, RejectRange, "tags has 33 entries; it must have at most 32"},
		{"a tag without a name", func(c *Call) { c.Tags = map[string]string{"": "x"} }, RejectRange, `tags has the key ""; a key must have 1 to 64 of a-z, A-Z, 0-9 and . _ : / -`},
		{"a tag with a space", func(c *Call) { c.Tags = map[string]string{"a b": "x"} }, RejectRange, `tags has the key "a b"; a key must have 1 to 64 of a-z, A-Z, 0-9 and . _ : / -`},
		{"a tag in another script", func(c *Call) { c.Tags = map[string]string{"ключ": "x"} }, RejectRange, `tags has the key "ключ"; a key must have 1 to 64 of a-z, A-Z, 0-9 and . _ : / -`},
		{"a tag of every character", func(c *Call) { c.Tags = map[string]string{"aZ0._:/-": "é"} }, "", ""},
		{"a long value", func(c *Call) { c.Tags = map[string]string{"a": long(256), "b": ""} }, "", ""},
		{"10 KB in a tag", func(c *Call) { c.Tags = map[string]string{"a": "", "b": long(10 << 10), "c": long(257)} }, RejectRange, "tags.b has 10240 bytes; it must have at most 256"},
		{"a value on two lines", func(c *Call) { c.Tags = map[string]string{"a": "x\ny"} }, RejectRange, "tags.a holds the control character U+000A"},
	}
	for _, tt := range tests {
		c := good()
		tt.edit(&c)
		var code, reason string
		if r := c.Check(now, keep); r != nil {
			code, reason = r.Code, r.Reason
		}
		if code != tt.code || reason != tt.reason {
			t.Errorf("%s: %s %q, want %s %q", tt.name, code, reason, tt.code, tt.reason)
		}
	}
}

func TestNumbersOfTheWireHaveUnitsAndBounds(t *testing.T) {
	tests := []struct {
		name string
		got  func() (any, *Rejection)
		want any // a text is the reason
	}{
		{"a microsecond", func() (any, *Rejection) { return of(Milliseconds("x", 0.001)) }, time.Microsecond},
		{"less is rounded", func() (any, *Rejection) { return of(Milliseconds("x", 0.0004)) }, time.Duration(0)},
		{"a day", func() (any, *Rejection) { return of(Milliseconds("x", 86_400_000)) }, MaxLatency},
		{"more than a day", func() (any, *Rejection) { return of(Milliseconds("x", 86_400_000.5)) }, "x is 86400000.5; it must be from 0 to 86400000"},
		{"no time", func() (any, *Rejection) { return of(Milliseconds("x", math.NaN())) }, "x is NaN; it must be from 0 to 86400000"},
		{"a billionth", func() (any, *Rejection) { return of(Dollars("x", 1e-9)) }, NanoUSD(1)},
		{"a million", func() (any, *Rejection) { return of(Dollars("x", 1e6)) }, MaxCost},
		{"1e308 dollars", func() (any, *Rejection) { return of(Dollars("x", 1e308)) }, "x is 1e+308; it must be from 0 to 1000000"},
		{"a thousandth of a percent", func() (any, *Rejection) { return of(Percent("x", 0.001)) }, Share(1)},
		{"half of it", func() (any, *Rejection) { return of(Percent("x", 0.0005)) }, "x is 0.0005; it may have three decimals"},
		{"what a program computed", func() (any, *Rejection) { return of(Percent("x", 33.300000000000004)) }, Share(33_300)},
		{"below nobody", func() (any, *Rejection) { return of(Percent("x", -0.001)) }, "x is -0.001; it must be from 0 to 100"},
		{"five tokens", func() (any, *Rejection) { return of(Tokens("x", 5)) }, int64(5)},
		{"five and a half", func() (any, *Rejection) { return of(Tokens("x", 5.5)) }, "x is 5.5; it must be a whole number"},
		{"too many", func() (any, *Rejection) { return of(Tokens("x", math.Inf(1))) }, "x is Infinity; it must be from 0 to 1000000000"},
	}
	for _, tt := range tests {
		got, r := tt.got()
		if r != nil {
			got = r.Reason
		}
		if got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func of[T any](v T, r *Rejection) (any, *Rejection) { return v, r }

func TestFeedbackThatCannotBeIsRefused(t *testing.T) {
	for _, tt := range []struct {
		name string
		f    Feedback
		want string // "": it is taken
	}{
		{"one star", Feedback{Value: 1}, ""},
		{"five stars, and why", Feedback{Value: 5, Comment: "warm,\nand right"}, ""},
		{"none", Feedback{}, "score is 0; it must be from 1 to 5"},
		{"six", Feedback{Value: 6}, "score is 6; it must be from 1 to 5"},
		{"no number", Feedback{Value: math.NaN()}, "score is NaN; it must be from 1 to 5"},
		{"another number", Feedback{Name: "relevance", Value: -0.8}, ""},
		{"another without end", Feedback{Name: "relevance", Value: math.Inf(1)}, "value is Infinity; it must be from -1000000000 to 1000000000"},
		{"another that is none", Feedback{Name: "relevance", Value: math.NaN()}, "value is NaN; it must be from -1000000000 to 1000000000"},
		{"1e308", Feedback{Name: "relevance", Value: 1e308}, "value is 1e+308; it must be from -1000000000 to 1000000000"},
		{"the name of the scores", Feedback{Name: "satisfaction", Value: 4}, "name is satisfaction, which is what a score or a thumb says: send one of them, or another name"},
		{"a name with a space", Feedback{Name: "a b", Value: 1}, `name is "a b"; it must have 1 to 64 of a-z, A-Z, 0-9 and . _ : / -`},
		{"a long name", Feedback{Name: strings.Repeat("x", 65)}, `name is "` + strings.Repeat("x", 40) + `…"; it must have 1 to 64 of a-z, A-Z, 0-9 and . _ : / -`},
		{"a comment of 4 KiB", Feedback{Value: 1, Comment: strings.Repeat("x", 4096)}, ""},
		{"a longer one", Feedback{Value: 1, Comment: strings.Repeat("x", 4097)}, "comment has 4097 bytes; it must have at most 4096"},
		{"a comment that moves the cursor", Feedback{Value: 1, Comment: "\x1b[2J"}, "comment holds the control character U+001B"},
	} {
		err := tt.f.Check()
		if got := said(err); got != tt.want || err != nil && !errors.Is(err, prompt.ErrInvalid) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	for ref, want := range map[string]string{
		"resp_1": "", strings.Repeat("x", 256): "", "": "the id of a call or of a response is missing",
		"a\nb": "the id of a call or of a response holds the control character U+000A",
	} {
		if got := said(CheckRef(ref)); got != want {
			t.Errorf("%q: %q, want %q", ref, got, want)
		}
	}
}

func said(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
