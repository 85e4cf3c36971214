package compare

import "math"

// The bounds of the exact computation. Beyond them Student's t says the same to
// two digits, and takes no time.
const (
	maxFlips = 600   // clusters that differ
	maxCells = 2_000 // steps of the grid that the sums are put on
	grid     = 5_040 // parts of one case: a multiple of every number of repeats up to 10
)

// flipTail is the probability of sums as bad as these, or worse, if each
// cluster's sum were as likely of the other sign: what holds if candidate and
// base answer alike. Sums as bad as these count half (mid-p).
//
// With one answer a side and no clusters the sums are −1, 0 and +1, and this is
// the one-sided McNemar mid-p test (M. W. Fagerland, S. Lydersen, P. Laake, BMC
// Medical Research Methodology 13:91, 2013). For other sums it is the
// randomization test of R. A. Fisher, by the distribution itself and without
// drawing: a sum over independent clusters is one convolution a cluster.
//
// ok is false where it would take too long.
func flipTail(sums []float64) (p float64, ok bool) {
	sizes, lost, ok := onGrid(sums)
	if !ok {
		return 0, false
	}
	total := 0
	for _, s := range sizes {
		total += s
	}
	// chance[k]: that the clusters whose sum is negative make up k.
	chance := make([]float64, total+1)
	chance[0] = 1
	reached := 0
	for _, s := range sizes {
		reached += s
		for k := reached; k >= 0; k-- {
			chance[k] /= 2
			if k >= s {
				chance[k] += chance[k-s] / 2
			}
		}
	}
	for k := total; k > lost; k-- {
		p += chance[k]
	}
	return math.Min(1, p+chance[lost]/2), true
}

// onGrid makes whole numbers of the sums that are not zero, as small as they
// get, and adds up the negative ones.
func onGrid(sums []float64) (sizes []int, lost int, ok bool) {
	var mass float64
	for _, s := range sums {
		mass += math.Abs(s)
	}
	put := func(parts float64) (divisor int) {
		sizes = sizes[:0]
		for _, s := range sums {
			if k := int(math.Round(math.Abs(s) * parts)); k != 0 {
				sizes = append(sizes, k)
				divisor = gcd(divisor, k)
			}
		}
		return max(divisor, 1)
	}
	if mass > 1e9 || math.IsNaN(mass) {
		return nil, 0, false
	}
	parts := float64(grid)
	divisor := put(parts)
	if cells := float64(max(maxCells, 20*len(sizes))); mass*parts/float64(divisor) > cells {
		parts = cells / mass
		divisor = put(parts)
	}
	if len(sizes) > maxFlips {
		return nil, 0, false
	}
	for i := range sizes {
		sizes[i] /= divisor
	}
	for _, s := range sums {
		if s < 0 {
			lost += int(math.Round(-s*parts)) / divisor
		}
	}
	return sizes, lost, true
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
