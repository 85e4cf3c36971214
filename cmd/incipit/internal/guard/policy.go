package guard

import (
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A Rule is how verdicts are reached.
type Rule string

// The rules. Classic is the rule of thumb that a team would write first; it is
// kept to be compared with, has no error rate, and takes noise for regressions.
const (
	Evidence Rule = "evidence"
	Classic  Rule = "classic"
)

// A Policy says what counts as worse, what as safe, and how sure one must be.
// The zero value of a field is its default, unless it says otherwise.
type Policy struct {
	Rule Rule `json:"rule"`
	// Alpha is how likely a healthy candidate may be taken back in its whole
	// rollout, however often one looks: 0.01.
	Alpha float64 `json:"alpha"`
	// AlphaSafe is how likely a candidate that is worse by a margin below may
	// be called safe: 0.05. Each metric must be safe by itself, so there is
	// nothing to divide.
	AlphaSafe float64 `json:"alpha_safe"`
	// Metrics take part; all if it is empty. The weight of what is off goes to
	// the others, so it costs nothing to leave out what is never measured.
	Metrics Set `json:"metrics"`
	// Optional are those of Metrics that need not be shown to be safe while
	// neither arm has a value of them.
	Optional Set `json:"optional"`

	// Safe are the margins within which a candidate may be worse and still
	// advance.
	Safe Margins `json:"safe"`
	// Regress are the margins beyond which a candidate is taken back: none by
	// default, any proof of being worse is enough. Each must be less than its
	// margin in Safe.
	Regress Margins `json:"regress"`

	// P95Only makes latency and first token a guard of the 95th percentile
	// alone: a slower median is then no regression. Found 3-4 times slower.
	P95Only bool `json:"p95_only"`
	// NoShares says that observations come without a share. Calls are then
	// compared within blocks of 40, in which the share is taken to stand still.
	NoShares bool `json:"no_shares"`
}

// Margins are how much worse a candidate may be.
type Margins struct {
	// Errors is in parts of all calls: 0.01 is one point of percent, the least
	// that 1,000 calls of a 10 % canary can rule out. (max_error_increase)
	Errors float64 `json:"errors"`
	// Latency and FirstToken are relative and about the 95th percentile: 0.15
	// is 15 %. Less takes longer to show than the margin of errors, and 20 % is
	// what people notice. (max_latency_increase_pct, max_first_token_increase_pct)
	Latency    float64 `json:"latency"`
	FirstToken float64 `json:"first_token"`
	// Tokens and Cost are relative and about the mean, with the highest percent
	// cut off: 0.1. (max_tokens_increase_pct, max_cost_increase_pct)
	Tokens float64 `json:"tokens"`
	Cost   float64 `json:"cost"`
	// Satisfaction is in points of the scale from 1 to 5: 0.25, if one call in
	// ten is rated about what as many calls can show as for errors.
	// (-min_satisfaction_delta)
	Satisfaction float64 `json:"satisfaction"`
}

// of is the margin of a metric.
func (g Margins) of(m Metric) float64 {
	return [metrics]float64{g.Errors, g.Latency, g.FirstToken, g.Tokens, g.Cost, g.Satisfaction}[m]
}

// ratingsAlpha is the part of alpha that ratings have for themselves. They come
// when the arm of the call has long been known from its other bets, so their
// capital cannot be added to the others'.
const ratingsAlpha = 0.2

// complete fills in the defaults, and reports prompt.ErrInvalid for what makes
// no sense.
func (p Policy) complete() (Policy, error) {
	set := func(x *float64, standard float64) {
		if *x == 0 {
			*x = standard
		}
	}
	if p.Rule == "" {
		p.Rule = Evidence
	}
	set(&p.Alpha, 0.01)
	set(&p.AlphaSafe, 0.05)
	set(&p.Safe.Errors, 0.01)
	set(&p.Safe.Latency, 0.15)
	set(&p.Safe.FirstToken, 0.15)
	set(&p.Safe.Tokens, 0.1)
	set(&p.Safe.Cost, 0.1)
	set(&p.Safe.Satisfaction, 0.25)
	if p.Metrics == 0 {
		p.Metrics = everything
	}
	if p.Rule != Evidence && p.Rule != Classic {
		return p, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "there is no policy %q", prompt.Clip(string(p.Rule), 40)), "policies are evidence and classic")
	}
	for _, a := range []float64{p.Alpha, p.AlphaSafe} {
		if !(a >= 1e-9 && a <= 0.5) {
			return p, registry.Errorf(prompt.ErrInvalid, "alpha is %v; it must be from 1e-9 to 0.5", a)
		}
	}
	if (p.Metrics|p.Optional)&^everything != 0 {
		return p, registry.Errorf(prompt.ErrInvalid, "there are metrics that this version does not know")
	}
	for _, m := range Metrics() {
		most := 10.0
		if m == Errors {
			most = 0.5
		}
		safe, regress := p.Safe.of(m), p.Regress.of(m)
		if !(regress >= 0 && regress < safe && safe <= most) {
			return p, registry.Errorf(prompt.ErrInvalid, "the margins of %s are %v and %v; the one to take back must be from 0 up and less than the one to advance, and that at most %v", m, regress, safe, most)
		}
	}
	return p, nil
}

// weights are the parts of the capital 1 that the metrics begin with: errors .6,
// time .2 and size .2 among what is known when a call ends, ratings as above.
// What is off gives its weight back.
func (p Policy) weights() (w [metrics]float64) {
	share := func(whole float64, list ...Metric) float64 {
		on := (p.Metrics & Of(list...)).List()
		for _, m := range on {
			w[m] = whole / float64(len(on))
		}
		if len(on) == 0 {
			return 0
		}
		return whole
	}
	now := share(0.6, Errors) + share(0.2, Latency, FirstToken) + share(0.2, Tokens, Cost)
	rest := 1.0
	if p.Metrics.Has(Satisfaction) {
		w[Satisfaction] = 1
		if now > 0 {
			w[Satisfaction], rest = ratingsAlpha, 1-ratingsAlpha
		}
	}
	for m := range immediate {
		if now > 0 {
			w[m] *= rest / now
		}
	}
	return w
}
