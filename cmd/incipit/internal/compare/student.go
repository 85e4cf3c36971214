package compare

import "math"

// studentTail is the probability that Student's t with df degrees of freedom
// is t or more, by the regularized incomplete beta function (DLMF 8.17,
// https://dlmf.nist.gov/8.17): for t ≥ 0 it is I_x(df/2, 1/2)/2 with
// x = df/(df+t²).
func studentTail(t, df float64) float64 {
	switch {
	case math.IsNaN(t) || df <= 0:
		return 1
	case t < 0:
		return 1 - studentTail(-t, df)
	case math.IsInf(t, 1):
		return 0
	case t*t < df: // I_x is close to 1: its complement keeps the digits
		return .5 - betaRegular(.5, df/2, t*t/(df+t*t))/2
	}
	return betaRegular(df/2, .5, df/(df+t*t)) / 2
}

// studentQuantile is the t that is exceeded with probability tail, for a tail
// from 0 to ½. It is infinite where there are no degrees of freedom.
//
// The tail is convex there and the normal quantile lies below t, so Newton's
// steps rise to it and never pass it.
func studentQuantile(tail, df float64) float64 {
	if df <= 0 || tail <= 0 {
		return math.Inf(1)
	}
	la, _ := math.Lgamma((df + 1) / 2)
	lb, _ := math.Lgamma(df / 2)
	scale := math.Exp(la-lb) / math.Sqrt(df*math.Pi)
	t := math.Sqrt2 * math.Erfinv(1-2*tail)
	for range 200 {
		density := scale * math.Pow(1+t*t/df, -(df+1)/2)
		step := (studentTail(t, df) - tail) / density
		if !(step > 1e-13*(1+t)) {
			break
		}
		t += step
	}
	return t
}

// bisect finds where below changes from true to false between low and high, to
// twelve digits.
func bisect(low, high float64, below func(float64) bool) float64 {
	for high-low > 1e-13*(1+math.Abs(high)) {
		mid := low + (high-low)/2
		if below(mid) {
			low = mid
		} else {
			high = mid
		}
	}
	return high
}

// betaRegular is I_x(a, b), for positive a and b. The continued fraction is
// DLMF 8.17.22; it converges fast where x < (a+1)/(a+b+2), and the symmetry
// I_x(a, b) = 1 − I_{1−x}(b, a) brings every x there.
func betaRegular(a, b, x float64) float64 {
	switch {
	case x <= 0:
		return 0
	case x >= 1:
		return 1
	case x > (a+1)/(a+b+2):
		return 1 - betaRegular(b, a, 1-x)
	}
	la, _ := math.Lgamma(a)
	lb, _ := math.Lgamma(b)
	lab, _ := math.Lgamma(a + b)
	front := math.Exp(lab-la-lb+a*math.Log(x)+b*math.Log1p(-x)) / a
	return front * betaFraction(a, b, x)
}

// betaFraction evaluates the continued fraction from its front (the modified
// Lentz method: W. J. Lentz, Applied Optics 15, 1976). Where a or b is in the
// thousands it takes about as many steps as the root of the larger.
func betaFraction(a, b, x float64) float64 {
	const (
		steps = 10_000
		tiny  = 1e-300 // in place of a zero that would be divided by
	)
	nonzero := func(v float64) float64 {
		if math.Abs(v) < tiny {
			return tiny
		}
		return v
	}
	c, d := 1.0, 1/nonzero(1-(a+b)*x/(a+1))
	h := d
	for m := 1.0; m <= steps; m++ {
		even := m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		d, c = 1/nonzero(1+even*d), nonzero(1+even/c)
		h *= d * c
		odd := -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		d, c = 1/nonzero(1+odd*d), nonzero(1+odd/c)
		step := d * c
		h *= step
		if math.Abs(step-1) < 1e-15 {
			break
		}
	}
	return h
}
