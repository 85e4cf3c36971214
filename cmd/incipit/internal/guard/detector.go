package guard

import (
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A Detector follows one rollout. Its zero value is not ready: use New or
// Restore. It is used by one goroutine at a time.
type Detector struct {
	policy  Policy
	weights [metrics]float64
	goal    float64 // capital at which the candidate is taken back

	seen   uint64    // observations since the rollout began
	calls  [2]uint64 // of them calls, by arm
	values [metrics][2]uint64
	past   uint64 // observations of the history

	capital [metrics]float64 // sums to 1 at the start
	peak    float64          // the highest that one pot ever was
	sticky  bool             // there are subjects
	share   float64          // the candidate's, of the last call

	errors    errorRate
	worse     halfPlane // in place of errors, if there is a margin
	errorSafe halfPlane
	safety    float64          // capital of errorSafe
	shapes    [immediate]shape // by metric; there is none for errors
	ratings   rating
	ratio     ratio
	runs      runs
	spans     [metrics]span

	shares      shares
	firstCall   units
	firstError  units
	firstRating units

	block   block
	classic classic

	safe    Set
	verdict Verdict
}

// New begins a rollout under a policy. It reports prompt.ErrInvalid.
func New(p Policy) (*Detector, error) {
	p, err := p.complete()
	if err != nil {
		return nil, err
	}
	d := &Detector{
		policy: p, weights: p.weights(), goal: 1 / p.Alpha * (1 - 1e-9),
		errors: newErrorRate(), worse: newHalfPlane(p.Regress.Errors, true),
		errorSafe: newHalfPlane(p.Safe.Errors, false), safety: 1,
		ratings: newRating(p), ratio: newRatio(), runs: newRuns(),
		firstError: newUnits(768, 1<<15), firstRating: newUnits(768, 1<<15),
	}
	d.capital = d.weights
	d.makeRoom()
	for m := Latency; m <= Cost; m++ {
		d.shapes[m] = newShape(m, p)
	}
	return d, nil
}

// History takes in a call or a rating of the stable release from before the
// rollout. The more there is, the sooner a verdict is reached. Observations of
// a candidate are passed over.
func (d *Detector) History(o Observation) error {
	o = o.told()
	if err := o.Check(); err != nil {
		return err
	}
	if d.seen > 0 {
		return registry.Errorf(prompt.ErrInvalid, "the rollout has begun; history comes before it")
	}
	if o.Candidate {
		return nil
	}
	d.past++
	d.classic.learn(&o, d.past)
	if o.Error.Known {
		d.errors.history.add(o.Error.Value)
	}
	for m := Latency; m <= Cost; m++ {
		if x, known := o.value(m); known && d.on(m) {
			d.shapes[m].learn(x)
		}
	}
	if o.Satisfaction.Known {
		d.ratings.stable.add(o.Satisfaction.Value)
	}
	return nil
}

func (d *Detector) on(m Metric) bool { return d.policy.Metrics.Has(m) }

// Verdict is the last one.
func (d *Detector) Verdict() Verdict { return d.verdict }

// Observe takes in an observation of the rollout and says what is known now.
// It reports prompt.ErrInvalid, and changes nothing, if Check does.
func (d *Detector) Observe(o Observation) (Verdict, error) {
	o = o.told()
	if err := o.Check(); err != nil {
		return d.verdict, err
	}
	if d.verdict.Kind == Regressed {
		return d.verdict, nil
	}
	d.seen++
	a := arm(o.Candidate)
	if o.isCall() {
		d.calls[a]++
	}
	for m := range Metric(metrics) {
		if _, known := o.value(m); known {
			d.values[m][a]++
		}
	}
	d.sticky = d.sticky || o.Subject != ""
	switch {
	case d.policy.Rule == Classic:
		d.classic.observe(&o, d.past+d.seen)
	case d.policy.NoShares:
		d.collect(&o)
	default:
		if o.isCall() {
			d.share = o.Share
			d.call(&o)
		}
		if o.Satisfaction.Known && d.on(Satisfaction) {
			d.rate(&o)
		}
	}
	d.judge()
	return d.verdict, nil
}

// restrict leaves metrics out before the first observation of the rollout.
func (d *Detector) restrict(to Set) {
	d.policy.Metrics = to
	d.weights = d.policy.weights()
	d.capital = d.weights
	d.makeRoom()
}

// makeRoom lets first calls be known by as much as their metrics may keep.
func (d *Detector) makeRoom() {
	n := len(d.policy.Metrics.List())
	d.firstCall = newUnits(512*n, n<<15)
}
