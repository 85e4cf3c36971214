package notify

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"

	"github.com/incipit-dev/incipit/internal/registry"
)

func TestATextMentionsNobodyAndLinksNowhere(t *testing.T) {
	for in, want := range map[string]string{
		"a & b < c > d":                     "a &amp; b &lt; c &gt; d",
		"<!channel> <@U123> <https://x|y>":  "&lt;!channel&gt; &lt;@\u200bU123&gt; &lt;https:\u200b//x|y&gt;",
		"@channel and @here, é@all":         "@\u200bchannel and @\u200bhere, é@\u200ball",
		"by ada@example.com":                "by ada@example.com",
		"[see](https://evil.example.com)":   "[see]\u200b(https:\u200b//evil.example.com)",
		"www.evil.example.com":              "www\u200b.evil.example.com",
		"&lt;!channel&gt;":                  "&amp;lt;!channel&amp;gt;",
		"a\u200b@channel, hidden \u202eabc": "a⟨U+200B⟩@\u200bchannel, hidden ⟨U+202E⟩abc",
	} {
		if got := Plain(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
	body, err := Body(registry.FormatSlack, "msg_1", registry.Notice{Text: "production: <!here> \"x\""})
	if want := `{"text":"production: \u0026lt;!here\u0026gt; \"x\"","mrkdwn":false,"link_names":false,"unfurl_links":false,"unfurl_media":false}`; err != nil || string(body) != want {
		t.Errorf("%s, %v", body, err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.StringOf(rapid.SampledFrom([]rune("<>&!@#|*_`:/.w[]() achnelr\u200b\u202eé\n"))).Draw(rt, "text")
		got := Plain(text)
		plain := strings.NewReplacer("&amp;", "", "&lt;", "", "&gt;", "").Replace(got)
		if strings.ContainsAny(plain, "<>&") || strings.Contains(got, "://") || strings.Contains(got, "](") || strings.Contains(" "+got, " @c") {
			rt.Errorf("%q", got)
		}
		b, err := Body(registry.FormatSlack, "", registry.Notice{Text: text})
		if err != nil || !json.Valid(b) {
			rt.Errorf("%s, %v", b, err)
		}
	})
}

func TestPausesGrowWithinTheirBoundsUntilADayIsOver(t *testing.T) {
	queued := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	broken := Result{Status: 500, Err: errors.New("500")}
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(0, 100).Draw(rt, "attempts")
		now := queued.Add(time.Duration(rapid.Int64Range(0, int64(25*time.Hour)).Draw(rt, "passed")))
		r := broken
		r.RetryAfter = time.Duration(rapid.Int64Range(0, int64(48*time.Hour)).Draw(rt, "patience"))
		random := strings.NewReader(string(rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(rt, "random")))
		state, next := Next(r, n, queued, now, random)
		over := !now.Before(queued.Add(24 * time.Hour))
		if over != (state == registry.GivenUp) || over != next.IsZero() {
			rt.Fatalf("%s after %s: %s", state, now.Sub(queued), next)
		}
		if over {
			return
		}
		pause, end := next.Sub(now), next.Equal(queued.Add(24*time.Hour))
		if !end && (pause < time.Second || pause < r.RetryAfter || pause > max(time.Hour, r.RetryAfter)) || next.After(queued.Add(24*time.Hour)) {
			rt.Fatalf("after %d attempts %s", n, pause)
		}
	})
	if state, _ := Next(Result{Status: 200}, 3, queued, queued, nil); state != registry.Delivered {
		t.Error(state)
	}
	if state, _ := Next(Result{Status: 410, Err: errors.New("410"), Gone: true}, 0, queued, queued, nil); state != registry.GivenUp {
		t.Error(state)
	}
	// Attempts of one day, at the least: a receiver that comes back is found soon.
	attempts := 0
	for now := queued; ; attempts++ {
		state, next := Next(broken, attempts, queued, now, iotest.ErrReader(errors.New("no randomness")))
		if state == registry.GivenUp {
			break
		}
		now = next
	}
	if attempts < 30 || attempts > 100 {
		t.Errorf("%d attempts", attempts)
	}
}
