package provider

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxAfter bounds what a header can ask for. It is far beyond what anybody
// waits: who asks for more is not waited for.
const maxAfter = 24 * time.Hour

// RetryAfter reads how long a provider asks to wait: retry-after-ms in
// milliseconds, else Retry-After in seconds or as a date (RFC 9110 §10.2.3).
// It is from 0, which is also what nobody can read, to 24 h.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	if ms, ok := nonNegative(h.Get("Retry-After-Ms")); ok {
		return clamp(ms, time.Millisecond)
	}
	text := h.Get("Retry-After")
	if seconds, ok := nonNegative(text); ok {
		return clamp(seconds, time.Second)
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(0, at.Sub(now)), maxAfter)
	}
	return 0
}

// nonNegative reads a decimal number, such as OpenAI's 0.5.
func nonNegative(text string) (float64, bool) {
	f, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	return f, (err == nil || math.IsInf(f, 1)) && f >= 0
}

func clamp(n float64, unit time.Duration) time.Duration {
	if n >= float64(maxAfter)/float64(unit) {
		return maxAfter
	}
	return time.Duration(n * float64(unit))
}
