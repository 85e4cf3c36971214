package incipit

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// An ending is why a connection or a poll is over, and what the server asked
// for. The zero one is a poll that went well.
type ending struct {
	err     error
	silent  bool          // not one byte came: something between may hold the stream back
	dead    bool          // nothing came any more
	refused bool          // the key is refused
	ours    bool          // by the registry itself, and not by something before it
	wait    time.Duration // what Retry-After or a goaway asked for

	hopeless bool // the same would be refused again
}

// longestWait bounds what a server can ask for: it may err.
const longestWait = 10 * time.Minute

// pause is how long to wait after an ending, the tries-th in a row. jitter is
// uniform in [0, d): clients that lost one server together come back apart.
func (t tuning) pause(e ending, tries int) time.Duration {
	jitter := t.clock.jitter
	switch {
	case e.wait > 0:
		wait := min(e.wait, longestWait)
		return wait + jitter(max(wait, time.Second))
	case e.refused:
		longest := min(t.backoffCap<<min(tries, 16), t.refusedCap)
		return longest/2 + jitter(longest/2)
	default:
		return jitter(min(t.backoff<<min(tries, 16), t.backoffCap))
	}
}

// pollPause is how long to wait between two polls.
func (t tuning) pollPause() time.Duration {
	return t.pollEvery*3/4 + t.clock.jitter(t.pollEvery/2)
}

// retryAfter reads the header: seconds, or a time, which is held against the
// answer's own Date, so that our clock does not count.
func retryAfter(h http.Header, now time.Time) time.Duration {
	s := strings.TrimSpace(h.Get("Retry-After"))
	if s == "" {
		return 0
	}
	if n, err := strconv.ParseUint(s, 10, 32); err == nil {
		return min(time.Duration(n)*time.Second, longestWait)
	}
	at, err := http.ParseTime(s)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return min(max(at.Sub(now), 0), longestWait)
}
