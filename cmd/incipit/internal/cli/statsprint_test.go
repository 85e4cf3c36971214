package cli

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

func TestFiguresAreWrittenWithTheirUnits(t *testing.T) {
	for want, got := range map[string]string{
		"-":          ms(nil) + strings.TrimPrefix(usd(nil), "-") + strings.TrimPrefix(percent(nil), "-") + strings.TrimPrefix(tokens(nil), "-") + strings.TrimPrefix(rating(nil), "-"),
		"0.0 ms":     ms(new(0.0)),
		"0.5 ms":     ms(new(0.5)),
		"812 ms":     ms(new(812.4)),
		"1.90 s":     ms(new(1896.0)),
		"86,400 s":   ms(new(86_400_000.0)),
		"0 %":        percent(new(0.0)),
		"33.33 %":    percent(new(1.0 / 3)),
		"100 %":      percent(new(1.0)),
		"$0.00":      usd(new(0.0)),
		"$0.00243":   usd(new(0.00243)),
		"$0.500":     usd(new(0.5)),
		"$2.00":      usd(new(1.999)),
		"$1,234.50":  usd(new(1234.5)),
		"0":          thousands(0),
		"999":        thousands(999),
		"1,000":      thousands(1000),
		"-1,234,567": thousands(-1_234_567),
		"59 minutes": age(59*time.Minute + 59*time.Second),
		"24 hours":   age(24*time.Hour + time.Minute),
		"30 days":    age(30*24*time.Hour + time.Minute),
		"1 minute":   age(time.Minute),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestThousandsKeepTheDigits(t *testing.T) {
	law := func(n int64) bool {
		s := thousands(n)
		for part := range strings.SplitSeq(strings.TrimPrefix(s, "-"), ",") {
			if len(part) > 3 || len(part) == 0 {
				return false
			}
		}
		return strings.ReplaceAll(s, ",", "") == strconv.FormatInt(n, 10)
	}
	if err := quick.Check(law, nil); err != nil {
		t.Error(err)
	}
}

func TestAMomentIsATimeOrAnAge(t *testing.T) {
	now := time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"":                          {},
		"2026-11-20T12:00:00Z":      time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC),
		"2026-11-20T12:00:00+02:00": time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC),
		"2026-11-20T12:00:00.5Z":    time.Date(2026, 11, 20, 12, 0, 0, 5e8, time.UTC),
		"2026-11-20 12:00":          time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC),
		"2026-11-20 12:00 UTC":      time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC),
		"2026-11-20 12:00:30 UTC":   time.Date(2026, 11, 20, 12, 0, 30, 0, time.UTC),
		"2026-11-20":                time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC),
		"2h":                        now.Add(-2 * time.Hour),
		"3d":                        now.Add(-72 * time.Hour),
	} {
		if got, err := parseWhen(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q is %s, want %s: %v", text, got, want, err)
		}
	}
	for _, text := range []string{"yesterday", "-2h", "2026-11-20 12:00 CET", "2026-13-01", "0", "1e9h", "\x1b[31m"} {
		if got, err := parseWhen(text, now); !errors.Is(err, prompt.ErrInvalid) || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%q is %s: %v", text, got, err)
		}
	}
}
