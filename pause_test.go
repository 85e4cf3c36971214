package incipit

import (
	"net/http"
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	date := func(after time.Duration) string { return now.Add(after).Format(http.TimeFormat) }
	for _, c := range []struct {
		after, date string
		want        time.Duration
	}{
		{"", "", 0},
		{"0", "", 0},
		{"7", "", 7 * time.Second},
		{" 7 ", "", 7 * time.Second},
		{"999999999", "", longestWait},
		{"-5", "", 0},
		{"soon", "", 0},
		{date(time.Minute), "", time.Minute},
		{date(-time.Minute), "", 0},
		{date(24 * time.Hour), "", longestWait},
		// Our clock is a day off; the server's own Date says how long it means.
		{date(24*time.Hour + time.Minute), date(24 * time.Hour), time.Minute},
	} {
		if got := retryAfter(http.Header{"Retry-After": {c.after}, "Date": {c.date}}, now); got != c.want {
			t.Errorf("%q with Date %q is %v, want %v", c.after, c.date, got, c.want)
		}
	}
}

// Whatever the luck, a pause stays within its bounds.
func TestPausesStayWithinTheirBounds(t *testing.T) {
	tun := defaultTuning()
	for name, luck := range map[string]func(time.Duration) time.Duration{
		"least": func(time.Duration) time.Duration { return 0 },
		"most":  func(d time.Duration) time.Duration { return d - 1 },
	} {
		tun.clock.jitter = luck
		for tries := range 100 {
			usual := tun.pause(ending{}, tries)
			refused := tun.pause(ending{refused: true}, tries)
			asked := tun.pause(ending{wait: 4 * time.Second}, tries)
			poll := tun.pollPause()
			if usual > 30*time.Second || refused < 15*time.Second || refused > 5*time.Minute || asked < 4*time.Second || asked > 8*time.Second || poll < 11*time.Second || poll > 19*time.Second {
				t.Fatalf("with the %s luck, at try %d: %v, %v, %v, %v", name, tries, usual, refused, asked, poll)
			}
			if name == "most" && tries > 6 && (usual < 29*time.Second || refused < 4*time.Minute) {
				t.Errorf("at try %d the pauses do not grow: %v, %v", tries, usual, refused)
			}
		}
	}
}
