package guard

import (
	"math"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// An HourCount is how many calls of one hour of the day failed, over the days
// that serve as the reference (seven are good).
type HourCount struct{ Errors, Calls uint64 }

// A Drift watches the errors of a release that serves all calls, for a change
// since the reference: of the model behind the prompt, for one. It says that
// something changed, not what caused it: for that there must be a second arm.
//
// While the rate is at most the reference's of its hour, it takes ARL calls on
// average until an alarm (an e-detector in the form of Shiryaev and Roberts).
type Drift struct {
	rates [24]float64
	m     [4]float64
	arl   float64
}

// DriftARL makes about one false alarm in a hundred rollouts of 50,000 calls.
const DriftARL = 5_000_000

// NewDrift takes the reference by hour of day. Rates are pooled over three
// neighboring hours and taken at their upper limit, as the hours before are
// known no better. It reports prompt.ErrInvalid for an arl below 2.
func NewDrift(reference [24]HourCount, arl float64) (*Drift, error) {
	if !(arl >= 2 && arl <= 1e12) {
		return nil, registry.Errorf(prompt.ErrInvalid, "calls between false alarms are %v; they must be from 2 to 1e12", arl)
	}
	d := &Drift{arl: arl}
	for h := range 24 {
		var k, n float64
		for _, near := range [3]int{h + 23, h, h + 1} {
			c := reference[near%24]
			k += float64(min(c.Errors, c.Calls))
			n += float64(c.Calls)
		}
		p := (k + 1) / (n + 2)
		d.rates[h] = clamp(p+2*math.Sqrt(p*(1-p)/(n+2)), 1e-9, .9)
	}
	return d, nil
}

// Observe takes in a call that was made in an hour of the day, and reports
// whether there is an alarm.
func (d *Drift) Observe(hour int, failed bool) bool {
	p := d.rates[((hour%24)+24)%24]
	var sum float64
	for k, r := range errorFactors {
		to := max(min(r*p, .9), p)
		l := (1 - to) / (1 - p)
		if failed {
			l = to / p
		}
		d.m[k] = min((d.m[k]+1)*l, math.MaxFloat32)
		sum += d.m[k]
	}
	return sum/4 >= d.arl
}

// Evidence is how far it is to the alarm, from 0 to 1, on a logarithmic scale.
func (d *Drift) Evidence() float64 {
	sum := (d.m[0] + d.m[1] + d.m[2] + d.m[3]) / 4
	return clamp(math.Log1p(sum)/math.Log1p(d.arl), 0, 1)
}
