package guard

import "math"

// bins are as many as 2 % steps there are from 1 to about a million.
const (
	bins     = 700
	binWidth = .02 // of the natural logarithm
)

// bin is where a value is counted.
func bin(x float64) int {
	if !(x > 1) {
		return 0
	}
	return min(int(math.Log(x)/binWidth), bins-1)
}

// binMiddle is a value of the bin.
func binMiddle(b int) float64 { return math.Exp((float64(b) + .5) * binWidth) }

// A histogram is what is known of the stable release's values, and the tables
// made of it: those change only when there is a third more to know.
type histogram struct {
	count [bins]uint32
	n     float64

	built float64       // n when the tables were made; 0 before that
	made  [bins]uint32  // count at that time
	z     [bins]float64 // normal quantile of the bin's middle rank
	p99   float64       // the value that one of a hundred is above
}

// leastStable is how many values there must be before any is bet on: with
// fewer, every new value would seem extreme.
const leastStable = 20

// add counts a value of the stable release.
func (h *histogram) add(b int) {
	h.count[b]++
	h.n++
	if h.n >= leastStable && h.n >= 1.3*h.built {
		h.built, h.made = h.n, h.count
		h.tables()
	}
}

// tables makes the tables from what was counted when they were due. Ranks are
// kept off 0 and 1 by half a value, so few values make no extreme quantiles.
func (h *histogram) tables() {
	below := 0.0
	h.p99 = math.MaxFloat64
	for b, c := range h.made {
		n := float64(c)
		u := (below + n/2 + .5) / (h.built + 1)
		h.z[b] = clamp(math.Sqrt2*math.Erfinv(2*u-1), -4, 4)
		if below += n; below >= .99*h.built && h.p99 == math.MaxFloat64 {
			h.p99 = binMiddle(b)
		}
	}
}

// z95 is the normal quantile of .95: bins above it are the slowest 5 %.
const z95 = 1.6448536269514722
