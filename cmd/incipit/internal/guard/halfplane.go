package guard

// A halfPlane tests whether the candidate's error rate is at least (or at most)
// the stable release's plus a margin. Each factor has a mean of at most 1 for
// every pair of rates on that side (reverse information projection onto a
// convex set), so the rates may drift from call to call.
type halfPlane struct {
	margin float64
	worse  bool // evidence for "worse by more than the margin", else for "safe"
	v      [4]float64
	n      int

	built   float64 // stable calls when the rate was last taken
	p0      float64
	tables  [2]planeTable // of the last shares seen
	current int
}

// A planeTable has the factors of the experts at one share: by expert, arm and
// outcome.
type planeTable struct {
	pi, p0 float64
	e      [4][2][2]float64
}

func newHalfPlane(margin float64, worse bool) halfPlane {
	// That there is no difference is what most candidates are safe by.
	h := halfPlane{margin: margin, worse: worse, n: 2, v: [4]float64{.75, .25}}
	if worse {
		h.n, h.v = 4, [4]float64{.25, .25, .25, .25}
	}
	return h
}

// refresh takes the stable release's rate, if there is much more to know by now
// than when it was last taken.
func (h *halfPlane) refresh(rate, calls float64) {
	if h.p0 == 0 || calls > 1.1*h.built {
		h.p0, h.built = clamp(rate, 1e-5, .999), calls
	}
}

// alternative is what expert k takes the candidate's rate to be.
func (h *halfPlane) alternative(k int, p0 float64) float64 {
	if h.worse {
		x := [4]float64{.5, 1.5, 4, 14}[k]
		return min(h.margin+p0+x*max(p0, .2*h.margin), .999)
	}
	return min(p0+[2]float64{0, .3}[k]*h.margin, .999)
}

// at is the table for a share.
func (h *halfPlane) at(pi float64) *planeTable {
	for i := range h.tables {
		if t := &h.tables[i]; t.pi == pi && t.p0 == h.p0 {
			h.current = i
			return t
		}
	}
	h.current = 1 - h.current
	t := &h.tables[h.current]
	*t = planeTable{pi: pi, p0: h.p0}
	for k := range h.n {
		p1 := h.alternative(k, h.p0)
		q0 := project(pi, p1, h.p0, h.margin)
		q1 := q0 + h.margin
		t.e[k] = [2][2]float64{
			{(1 - h.p0) / (1 - q0), h.p0 / q0},
			{(1 - p1) / (1 - q1), p1 / q1},
		}
	}
	return t
}

// project finds the q0 in (0, 1-a) whose pair (q0+a, q0) is closest to (p1, p0)
// in relative entropy: the root of a derivative that grows with q0.
func project(pi, p1, p0, a float64) float64 {
	low, high := 0.0, 1-a
	for range 60 {
		q0 := (low + high) / 2
		q1 := q0 + a
		if pi*(q1-p1)/(q1*(1-q1))+(1-pi)*(q0-p0)/(q0*(1-q0)) < 0 {
			low = q0
		} else {
			high = q0
		}
	}
	return (low + high) / 2
}

// factors are what the experts' stakes together become under either arm.
func (h *halfPlane) factors(failed bool, pi float64) (b bet) {
	t, y := h.at(pi), arm(failed)
	for k := range h.n {
		b[0] += h.v[k] * t.e[k][0][y]
		b[1] += h.v[k] * t.e[k][1][y]
	}
	return b
}

// settle divides the stake anew after factors.
func (h *halfPlane) settle(arm int, failed bool) {
	var sum float64
	t, y := &h.tables[h.current], 0
	if failed {
		y = 1
	}
	for k := range h.n {
		h.v[k] *= t.e[k][arm][y]
		sum += h.v[k]
	}
	for k := range h.n {
		h.v[k] = max(h.v[k]/sum, 1e-250)
	}
}
