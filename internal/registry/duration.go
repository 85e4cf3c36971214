package registry

import (
	"strconv"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// A Duration is a time.Duration that is written as 90s, 5m, 24h or 7d.
type Duration time.Duration

const day = 24 * time.Hour

// ParseDuration reads a Duration that is not negative.
func ParseDuration(s string) (Duration, error) {
	var d time.Duration
	var err error
	if days, ok := strings.CutSuffix(s, "d"); ok {
		var n uint64
		n, err = strconv.ParseUint(days, 10, 16)
		d = time.Duration(n) * day
	} else {
		d, err = time.ParseDuration(s)
	}
	if err != nil || d < 0 {
		return 0, Errorf(prompt.ErrInvalid, "%q is no time; write one such as 90s, 5m, 24h or 7d", prompt.Clip(s, 40))
	}
	return Duration(d), nil
}

// String is the shortest way to write it that ParseDuration reads.
func (d Duration) String() string {
	t := time.Duration(d)
	if t > 0 && t%day == 0 {
		return strconv.Itoa(int(t/day)) + "d"
	}
	s := t.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalText is String.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText is ParseDuration.
func (d *Duration) UnmarshalText(b []byte) (err error) {
	*d, err = ParseDuration(string(b))
	return err
}
