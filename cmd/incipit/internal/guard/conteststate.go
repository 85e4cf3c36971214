package guard

import (
	"math"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// contestVersion is the first byte of a contest's state.
const contestVersion = 129

// State is all that the contest knows, as Detector.State is.
func (c *Contest) State() []byte {
	w := coder{buf: []byte{contestVersion, stateVersion}}
	c.code(&w)
	return w.buf
}

// RestoreContest is the contest that State was asked of. It reports
// prompt.ErrInvalid for bytes that are no state.
func RestoreContest(state []byte) (*Contest, error) {
	if len(state) < 2 || state[0] != contestVersion || state[1] != stateVersion {
		return nil, registry.Errorf(prompt.ErrInvalid, "this is no state of an experiment, or one of another version")
	}
	c := &Contest{}
	r := coder{buf: state[2:], reading: true}
	c.code(&r)
	if r.bad || len(r.buf) > 0 {
		return nil, registry.Errorf(prompt.ErrInvalid, "the state of the experiment is damaged")
	}
	return c, nil
}

func (c *Contest) code(w *coder) {
	c.policy.code(w)
	number(w, &c.primary, metrics-1)
	names := make([]string, len(c.arms))
	for i := range c.arms {
		names[i] = c.arms[i].name
	}
	sized(w, &names, registry.MaxContenders)
	for i := range names {
		w.text(&names[i], 64)
	}
	if w.reading {
		if w.bad {
			return
		}
		fresh, err := NewContest(c.policy, c.primary, names...)
		if err != nil {
			w.bad = true
			return
		}
		*c = *fresh
	}
	for i := range c.arms {
		c.arms[i].worse.code(w)
		c.arms[i].better.code(w)
	}
	sized(w, &c.won, len(c.arms))
	for i := range c.won {
		number(w, &c.won[i], uint64(len(c.arms)-1))
	}
	number(w, &c.deal, math.MaxUint64)
	c.now.code(w)
	c.before.code(w)
}

// Report is how the experiment stands, with what that rests on.
func (c *Contest) Report() registry.ContestReport {
	r := registry.ContestReport{Primary: c.primary.String(), Alpha: c.policy.Alpha, Winner: c.Winner()}
	for i := range c.arms {
		r.Arms = append(r.Arms, c.arms[i].report())
	}
	return r
}

func (a *contender) report() registry.ContestArm {
	worse, better := a.worse.Report(), a.better.Report()
	out := registry.ContestArm{
		Name: a.name, Standing: a.standing(), Calls: worse.Calls.Candidate, StableCalls: worse.Calls.Stable,
		PBetter: better.PValue, PWorse: worse.PValue, Metrics: []registry.ContestMetric{},
	}
	for _, m := range a.worse.verdict.Guilty.List() {
		out.Worse = append(out.Worse, m.String())
	}
	for _, m := range worse.Metrics {
		one := registry.ContestMetric{Metric: m.Metric, Values: m.Values.Candidate, StableValues: m.Values.Stable}
		if d := m.Difference; d != nil {
			one.Difference, one.Low, one.High = new(d.Estimate), new(d.Low), new(d.High)
		}
		out.Metrics = append(out.Metrics, one)
	}
	return out
}
