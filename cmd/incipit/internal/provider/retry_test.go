package provider

import (
	"bytes"
	"context"
	"errors"
	"math"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

func TestRetryAfterIsRead(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		after, ms string
		want      time.Duration
	}{
		"nothing":                    {"", "", 0},
		"seconds":                    {"7", "", 7 * time.Second},
		"a part of a second":         {"0.25", "", 250 * time.Millisecond},
		"a date":                     {"Sun, 29 Nov 2026 12:01:00 GMT", "", time.Minute},
		"a date that has passed":     {"Sun, 29 Nov 2026 11:00:00 GMT", "", 0},
		"milliseconds":               {"", "1500", 1500 * time.Millisecond},
		"milliseconds before others": {"7", "10", 10 * time.Millisecond},
		"words":                      {"soon", "later", 0},
		"less than nothing":          {"-1", "-1", 0},
		"no number":                  {"NaN", "NaN", 0},
		"for ever":                   {"Inf", "", maxAfter},
		"more than a float":          {"1e999", "", maxAfter},
		"a century":                  {"3153600000", "", maxAfter},
		"a date in a century":        {"Sun, 29 Nov 2126 12:01:00 GMT", "", maxAfter},
	} {
		h := http.Header{}
		h.Set("Retry-After", tt.after)
		h.Set("Retry-After-Ms", tt.ms)
		if got := RetryAfter(h, now); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"", "7", "0.25", "-1", "1e400", "NaN", "Sun, 29 Nov 2026 12:01:00 GMT", "0x10", "١"} {
		f.Add(s, s)
	}
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, after, ms string) {
		h := http.Header{"Retry-After": {after}, "Retry-After-Ms": {ms}}
		if d := RetryAfter(h, now); d < 0 || d > maxAfter {
			t.Errorf("%q, %q: %s", after, ms, d)
		}
	})
}

// A failing is a call that fails so often before it answers.
func failing(n *int, fail int, e *Error) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		*n++
		if *n <= fail {
			return "", e
		}
		return "ok", nil
	}
}

func TestACallIsTriedAgainWhereThatMayHelp(t *testing.T) {
	again := &Error{Kind: Limited, Provider: "p", Text: "slow down", Again: true}
	patient := &Error{Kind: Limited, Provider: "p", Text: "slow down", Again: true, After: 20 * time.Second}
	never := &Error{Kind: Limited, Provider: "p", Text: "slow down", Again: true, After: 10 * time.Minute}
	for name, tt := range map[string]struct {
		r     Retry
		fail  int
		err   *Error
		calls int
		took  time.Duration
		text  string
	}{
		"an answer at once":                       {Retry{}, 0, again, 1, 0, ""},
		"an answer at the third time":             {Retry{}, 2, again, 3, 500*time.Millisecond + time.Second, ""},
		"no answer at all":                        {Retry{Attempts: 3}, math.MaxInt, again, 3, 1500 * time.Millisecond, "slow down, 3 times"},
		"one attempt alone":                       {Retry{Attempts: 1}, math.MaxInt, again, 1, 0, "slow down"},
		"what will not change":                    {Retry{}, math.MaxInt, &Error{Kind: Denied, Provider: "p", Text: "no"}, 1, 0, "no"},
		"a provider that asks for patience":       {Retry{}, 1, patient, 2, 20 * time.Second, ""},
		"one that asks for more than there is":    {Retry{Within: time.Minute}, math.MaxInt, never, 1, 0, "slow down"},
		"too many requests for ever":              {Retry{Attempts: 1000, Within: time.Minute}, math.MaxInt, patient, 4, time.Minute, "slow down, 4 times"},
		"pauses grow up to a bound":               {Retry{Attempts: 9, Base: time.Second, Max: 4 * time.Second}, 8, again, 9, (500 + 1000 + 6*2000) * time.Millisecond, ""},
		"a randomness that is used up is a half":  {Retry{Random: &bytes.Buffer{}}, 1, again, 2, 500 * time.Millisecond, ""},
		"a randomness of zeros makes no pause":    {Retry{Random: bytes.NewReader(make([]byte, 8))}, 1, again, 2, 0, ""},
		"a randomness of ones makes nearly whole": {Retry{Random: bytes.NewReader(bytes.Repeat([]byte{255}, 8)), Base: time.Hour, Max: time.Second}, 1, again, 2, time.Second - 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, n := time.Now(), 0
				got, err := retry(t.Context(), tt.r, time.Now, failing(&n, tt.fail, tt.err))
				if took := time.Since(began); n != tt.calls || took != tt.took {
					t.Errorf("%d calls in %s, want %d in %s", n, took, tt.calls, tt.took)
				}
				if e, ok := errors.AsType[*Error](err); tt.text == "" && (err != nil || got != "ok") || tt.text != "" && (!ok || e.Text != tt.text || e.Kind != tt.err.Kind) {
					t.Errorf("%q, %v", got, err)
				}
			})
		})
	}
}

func TestARetryEndsWithItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began, n := time.Now(), 0
		_, err := retry(ctx, Retry{}, time.Now, failing(&n, math.MaxInt, &Error{Again: true, After: 10 * time.Second}))
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 3*time.Second || n != 1 {
			t.Errorf("%v after %s and %d calls", err, time.Since(began), n)
		}
	})
}
