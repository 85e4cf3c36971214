package notify

import (
	"encoding/binary"
	"io"
	"math"
	"time"

	"github.com/incipit-dev/incipit/internal/registry"
)

// The bounds of a pause before the next attempt.
const (
	minPause = time.Second
	maxPause = time.Hour
)

// Next says what becomes of a delivery after an attempt at now came to r: its
// state, and when it is tried again. Attempts is how many there were before.
//
// Pauses double from 1 s to 1 h and are drawn anew each time, so that many who
// wait for one receiver do not come back at once. A receiver that asks for more
// patience gets it, as long as the delivery is tried at all.
func Next(r Result, attempts int, queued, now time.Time, random io.Reader) (registry.DeliveryState, time.Time) {
	end := queued.Add(registry.DeliverWithin)
	switch {
	case r.Err == nil:
		return registry.Delivered, time.Time{}
	case r.Gone || !now.Before(end):
		return registry.GivenUp, time.Time{}
	}
	most := min(maxPause, 2*minPause<<min(attempts, 20))
	pause := minPause + time.Duration(float64(most-minPause)*fraction(random))
	next := now.Add(max(pause, r.RetryAfter))
	if next.After(end) {
		next = end // the last one
	}
	return registry.Waiting, next
}

// fraction is a random number from [0, 1). Without randomness it is a half.
func fraction(random io.Reader) float64 {
	var b [8]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return 0.5
	}
	return float64(binary.LittleEndian.Uint64(b[:])>>11) / math.Exp2(53)
}
