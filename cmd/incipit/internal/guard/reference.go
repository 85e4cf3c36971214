package guard

import (
	"math"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A Reference is how a prompt fared by hour of the day (UTC), over the days
// before: seven are good.
type Reference [24]HourReference

// An HourReference is what one hour of the day was like. What was not measured
// is zero, and is not watched in that hour.
type HourReference struct {
	HourCount // of calls that ended
	// SlowMS is the 95th percentile of the latency in this hour and its two
	// neighbors, in milliseconds, or a little more, but never less; Timed is of
	// how many calls.
	SlowMS float64
	Timed  uint64
	// Ratings from 1 to 5: how many, their sum, and the sum of their squares.
	Ratings        uint64
	Marks, Squares float64
}

// slowPart of the calls took longer than SlowMS.
const slowPart = .05

// leastRatings are needed to say what ratings are like at all.
const leastRatings = 20

// Check reports prompt.ErrInvalid for what no calls can have left.
func (r *Reference) Check() error {
	for h := range r {
		m := &r[h]
		n := float64(m.Ratings)
		if !(m.SlowMS >= 0 && m.SlowMS <= math.MaxFloat32) ||
			!(m.Marks >= lowest*n*(1-1e-9) && m.Marks <= highest*n*(1+1e-9)) ||
			!(m.Squares >= lowest*n*(1-1e-9) && m.Squares <= highest*highest*n*(1+1e-9)) {
			return registry.Errorf(prompt.ErrInvalid, "the reference of hour %d is none that calls can have left", h)
		}
	}
	return nil
}

// Empty reports whether it knows of no call.
func (r *Reference) Empty() bool {
	for h := range r {
		if r[h].Calls > 0 {
			return false
		}
	}
	return true
}

// slow is the rate of slow calls that is still no change, by hour.
func (r *Reference) slow() (rates [24]float64) {
	for h := range r {
		n := float64(r[h].Timed)
		rates[h] = clamp(slowPart+1/(n+2)+2*math.Sqrt(slowPart*(1-slowPart)/(n+2)), slowPart, .9)
	}
	return rates
}

// A mark is what ratings of an hour were like at least.
type mark struct {
	mean     float64 // the lower limit; 0 if it is not known
	variance float64
}

// marks pools the ratings of three neighboring hours, as errors are.
func (r *Reference) marks() (out [24]mark) {
	for h := range r {
		var s spread
		for _, near := range [3]int{h + 23, h, h + 1} {
			m := &r[near%24]
			s.n += float64(m.Ratings)
			s.sum += m.Marks
			s.squares += m.Squares
		}
		if s.n >= leastRatings {
			v := s.variance()
			out[h] = mark{clamp(s.mean()-2*math.Sqrt(v/s.n), lowest, highest), v}
		}
	}
	return out
}
