package incipit

import (
	"crypto/rand"
	mathrand "math/rand/v2"
	"time"
)

// A clock is where the package takes time and randomness from. This file is
// the one place that asks the machine for either.
type clock struct {
	now    func() time.Time     // the wall clock: for what is written down, never for how long something took
	since  func() time.Duration // since the clock was made; monotonic, so that setting the wall clock changes nothing
	random func() [10]byte
	jitter func(time.Duration) time.Duration // uniform in [0, d)
}

func machineClock() clock {
	start := time.Now()
	return clock{
		now:   time.Now,
		since: func() time.Duration { return time.Since(start) },
		random: func() (b [10]byte) {
			_, _ = rand.Read(b[:]) // it never fails: see crypto/rand
			return b
		},
		jitter: func(d time.Duration) time.Duration {
			if d <= 0 {
				return 0
			}
			return mathrand.N(d)
		},
	}
}
