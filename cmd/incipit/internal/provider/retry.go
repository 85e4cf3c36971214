package provider

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// Retry says how often, and for how long, a call is tried that may be answered
// later. The zero value is sensible but for Random.
type Retry struct {
	Attempts int           // at most, the first one included; 5 if 0
	Within   time.Duration // for all attempts and the pauses between them; 3 min if 0
	Base     time.Duration // the longest first pause; it doubles from one to the next; 1 s if 0
	Max      time.Duration // the longest of all pauses, unless a provider asks for more; 30 s if 0
	Random   io.Reader     // pauses are drawn from it; nil: always half of the longest
}

// retry calls f until it answers, fails for good, or has used up its attempts
// or its time. Pauses are drawn from zero to a bound that doubles, so that many
// who were refused at once do not come back at once; a provider that asks for
// more patience gets it, if there is time for it.
func retry[T any](ctx context.Context, r Retry, now func() time.Time, f func(context.Context) (T, error)) (T, error) {
	attempts, within := max(1, cmp.Or(r.Attempts, 5)), cmp.Or(r.Within, 3*time.Minute)
	end := now().Add(within)
	for n := 1; ; n++ {
		v, err := f(ctx)
		e, ok := errors.AsType[*Error](err)
		if !ok || !e.Again || ctx.Err() != nil {
			return v, err
		}
		pause := max(r.pause(n), e.After)
		if n >= attempts || now().Add(pause).After(end) {
			return v, after(e, n)
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return v, ctx.Err()
		case <-timer.C:
		}
	}
}

// after says of an error how often was tried.
func after(e *Error, attempts int) error {
	if attempts == 1 {
		return e
	}
	told := *e
	told.Text = prompt.Clip(fmt.Sprintf("%s, %d times", e.Text, attempts), maxText)
	return &told
}

// pause is how long to wait after attempt n, from 1.
func (r Retry) pause(n int) time.Duration {
	most := min(cmp.Or(r.Max, 30*time.Second), cmp.Or(r.Base, time.Second)<<min(n-1, 20))
	return time.Duration(float64(most) * fraction(r.Random))
}

// fraction is a random number from [0, 1). Without randomness it is a half.
func fraction(random io.Reader) float64 {
	var b [8]byte
	if random == nil {
		return 0.5
	}
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return 0.5
	}
	return float64(binary.LittleEndian.Uint64(b[:])>>11) / math.Exp2(53)
}
