package guard

import (
	"math"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// An Observation is one finished or cancelled call, or a rating that came later.
//
// A late rating is an observation of its own: it has Satisfaction alone, stands
// where it arrived, and has arm, share and subject of the call it is about.
type Observation struct {
	// Candidate is the arm that the call was assigned to: an error of the
	// candidate is its own, even if the stable release answered in its place.
	Candidate bool
	// Share is the candidate's share of the traffic when the call was
	// assigned, 0 to 1. At 0 and 1 the arm tells nothing, and nothing is bet.
	Share float64
	// Subject is the unit whose calls all go to one arm while the share
	// stands. "" means that this call was assigned by itself.
	Subject string
	// Call tells the call from others: 0 says that it cannot be told. A rating
	// without a subject is bet on once for each call, though the call's log may
	// have it twice: with the call and later, or replaced by another.
	Call uint64
	// Hour is when it was, in hours since 1970. The evidence does not need it;
	// without it the classic rule takes 2,000 observations for an hour.
	Hour int64
	// Cancelled is a call that its caller gave up. It was assigned to an arm,
	// and how it would have ended is not known: what it says of errors, time
	// and size is passed over.
	Cancelled bool

	Error        registry.Opt[bool]
	LatencyMS    registry.Opt[float64]
	FirstTokenMS registry.Opt[float64]
	Tokens       registry.Opt[float64]
	Cost         registry.Opt[float64] // US dollars
	Satisfaction registry.Opt[float64] // 1 to 5
}

// told is the observation without what a cancelled call cannot tell.
func (o Observation) told() Observation {
	if !o.Cancelled {
		return o
	}
	return Observation{
		Candidate: o.Candidate, Share: o.Share, Subject: o.Subject, Call: o.Call, Hour: o.Hour,
		Cancelled: true, Satisfaction: o.Satisfaction,
	}
}

// isCall reports whether the observation is more than a rating.
func (o *Observation) isCall() bool {
	return o.Cancelled || o.Error.Known || o.LatencyMS.Known || o.FirstTokenMS.Known || o.Tokens.Known || o.Cost.Known
}

func (o *Observation) failed() bool { return o.Error.Known && o.Error.Value }

// value is what the observation says of a metric.
func (o *Observation) value(m Metric) (x float64, known bool) {
	var v registry.Opt[float64]
	switch m {
	case Errors:
		if o.failed() {
			x = 1
		}
		return x, o.Error.Known
	case Latency:
		v = o.LatencyMS
	case FirstToken:
		v = o.FirstTokenMS
	case Tokens:
		v = o.Tokens
	case Cost:
		v = o.Cost
	case Satisfaction:
		return o.Satisfaction.Value, o.Satisfaction.Known
	}
	// How long or how dear a failed call was says nothing: it is an error.
	return v.Value, v.Known && !o.failed()
}

// Check reports prompt.ErrInvalid for values that no call can have.
func (o *Observation) Check() error {
	if !(o.Share >= 0 && o.Share <= 1) {
		return registry.Errorf(prompt.ErrInvalid, "the split is %v; it must be from 0 to 1", o.Share)
	}
	if v := o.Satisfaction; v.Known && !(v.Value >= 1 && v.Value <= 5) {
		return registry.Errorf(prompt.ErrInvalid, "satisfaction is %v; it must be from 1 to 5", v.Value)
	}
	for m := Latency; m <= Cost; m++ {
		if x, known := o.value(m); known && !(x >= 0 && x <= math.MaxFloat32) {
			return registry.Errorf(prompt.ErrInvalid, "%s is %v; it must be a number from 0 up", m, x)
		}
	}
	return nil
}

// unit is the subject as 64 bits, never 0; 0 if there is none.
func (o *Observation) unit() uint64 {
	if o.Subject == "" {
		return 0
	}
	h := uint64(14695981039346656037) // FNV-1a
	for i := range len(o.Subject) {
		h = (h ^ uint64(o.Subject[i])) * 1099511628211
	}
	// FNV's low bits depend on the low bits of the input alone.
	return scattered(h)
}

// scattered makes every bit depend on every bit of h. It is never 0.
func scattered(h uint64) uint64 {
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return max(h^h>>33, 1)
}
