package cli

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

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
