package guard

// judge brings the verdict up to date.
func (d *Detector) judge() {
	if d.policy.Rule == Classic {
		d.verdict = d.classic.verdict()
		return
	}
	if d.verdict.Kind = d.kind(); d.verdict.Kind == Regressed {
		d.verdict.Guilty = d.guilty()
	}
}

func (d *Detector) kind() Kind {
	richest := 0.0
	for _, pot := range d.pots() {
		richest = max(richest, d.sum(pot))
	}
	richest /= d.runs.discount()
	d.peak = max(d.peak, richest)
	d.noteSafe()
	switch {
	case d.ratio.wealth >= distrust || d.runs.wealth >= distrust || d.verdict.Kind == Untrusted:
		return Untrusted
	case richest >= d.goal:
		return Regressed
	case d.safe != 0 && d.safe == d.needed():
		return Healthy
	}
	for m := range Metric(metrics) {
		if d.on(m) && d.values[m][0] > 0 && d.values[m][1] > 0 {
			return Insufficient
		}
	}
	return Unmeasured
}

// needed are the metrics that must be safe.
func (d *Detector) needed() Set {
	s := d.policy.Metrics
	for _, m := range (s & d.policy.Optional).List() {
		if d.values[m] == [2]uint64{} {
			s &^= Of(m)
		}
	}
	return s
}

// pots are the metrics whose capital may be added up, as their bets are made
// with the same knowledge. The probability that any pot ever reaches the goal is
// at most alpha, since all begin with a capital of 1 together.
func (d *Detector) pots() [3]Set {
	const mark, sizes = Set(1) << Satisfaction, everything &^ (1<<Errors | 1<<Satisfaction)
	if d.sticky {
		return [3]Set{1 << Errors, sizes, mark}
	}
	return [3]Set{1<<Errors | sizes, 0, mark}
}

func (d *Detector) sum(pot Set) (w float64) {
	for m, c := range d.capital {
		if pot.Has(Metric(m)) {
			w += c
		}
	}
	return w
}

// noteSafe notes which metrics are safe by now. What was once shown stays shown.
func (d *Detector) noteSafe() {
	goal := 1 / d.policy.AlphaSafe * (1 - 1e-9)
	for m := range Metric(metrics) {
		if d.on(m) && d.safeWealth(m) >= goal {
			d.safe |= Of(m)
		}
	}
}

func (d *Detector) safeWealth(m Metric) float64 {
	switch m {
	case Errors:
		return d.safety
	case Satisfaction:
		return d.ratings.wealth
	default:
		return d.shapes[m].wealth
	}
}

// guilty names metrics by closed testing: m is guilty if every set of metrics
// that holds m would have brought the verdict had it been all there is. This
// names whatever Holm's method names, and always somebody.
func (d *Detector) guilty() (named Set) {
	on := d.policy.Metrics
	for _, m := range on.List() {
		proved := true
		for s := Set(1); s <= on; s++ {
			if s&^on == 0 && s.Has(m) && !d.rejects(s) {
				proved = false
				break
			}
		}
		if proved {
			named |= Of(m)
		}
	}
	return named
}

// rejects reports whether the metrics of s alone, with all of the capital, would
// have brought the verdict.
func (d *Detector) rejects(s Set) bool {
	var start, richest float64
	for _, m := range s.List() {
		start += d.weights[m]
	}
	for _, pot := range d.pots() {
		richest = max(richest, d.sum(pot&s))
	}
	return richest >= d.goal*start
}
