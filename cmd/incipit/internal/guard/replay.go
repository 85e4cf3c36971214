package guard

import (
	"encoding/csv"
	"errors"
	"io"
)

// A Replay runs a policy over calls that were written down.
type Replay struct {
	Policy Policy // with no Metrics, those that have values
	// Warmup is how many of the first lines are the stable release's history.
	Warmup int
	// Decide is told when the verdict becomes healthy, for the first time, and
	// when it becomes regressed or untrusted. index counts the lines after the
	// header from 1.
	Decide func(index int, v Verdict) error
	// Notify is told what a person should know. It may be nil.
	Notify func(format string, args ...any)
}

// Run reads CSV until it ends or the candidate is taken back, each line as soon
// as it is there, and returns what was reached. It reports prompt.ErrInvalid,
// with the line, for what cannot be read.
func (r *Replay) Run(in io.Reader) (*Detector, error) {
	if r.Notify == nil {
		r.Notify = func(string, ...any) {}
	}
	if _, err := r.Policy.complete(); err != nil {
		return nil, err
	}
	lines := csv.NewReader(in)
	lines.ReuseRecord = true
	lines.FieldsPerRecord = -1 // our own message says more
	t := table{lines: lines}
	if err := t.header(r.Notify); err != nil {
		return nil, err
	}
	policy, err := t.policy(r.Policy)
	if err != nil {
		return nil, err
	}
	d, err := New(policy)
	if err != nil {
		return nil, err
	}
	for index := 1; ; index++ {
		before := t.seen
		var o Observation
		if err := t.next(&o, index > r.Warmup); errors.Is(err, io.EOF) {
			return d, nil
		} else if err != nil {
			return d, err
		}
		if index == r.Warmup+1 {
			t.begin(d, r, before)
		}
		if index <= r.Warmup {
			if err := d.History(o); err != nil {
				return d, t.wrong(err)
			}
			continue
		}
		kind := d.Verdict().Kind
		v, err := d.Observe(o)
		if err != nil {
			return d, t.wrong(err)
		}
		if v.Kind == kind || v.Kind < Healthy || v.Kind == Healthy && t.safe {
			continue
		}
		t.safe = t.safe || v.Kind == Healthy
		if err := r.Decide(index, v); err != nil || v.Kind == Regressed {
			return d, err
		}
	}
}
