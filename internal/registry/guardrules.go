package registry

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// A Guard is how the rollouts of an environment are watched: its own rules, and
// those that prompts have besides. Prompts are chosen by patterns, as in a
// Grant; the longest that fits counts.
type Guard struct {
	GuardRules `yaml:",inline"`
	Prompts    map[string]GuardRules `json:"prompts,omitempty" yaml:"prompts"`
}

// GuardRules say what counts as worse in a rollout, what as safe, and what is
// done about it. What is not said has a default that needs no tuning.
type GuardRules struct {
	Policy    string   `json:"policy,omitempty" yaml:"policy"`         // evidence, classic, or off: people alone move rollouts
	Metrics   []string `json:"metrics,omitempty" yaml:"metrics"`       // those that take part; all without
	Alpha     *float64 `json:"alpha,omitempty" yaml:"alpha"`           // how likely a healthy candidate may be taken back
	AlphaSafe *float64 `json:"alpha_safe,omitempty" yaml:"alpha_safe"` // how likely a worse one may be called safe
	P95Only   *bool    `json:"p95_only,omitempty" yaml:"p95_only"`     // of latency and first token

	// A candidate may be worse by less than these and still advance.
	MaxErrorIncrease         *float64 `json:"max_error_increase,omitempty" yaml:"max_error_increase"` // in parts of all calls: 0.01 is one of a hundred
	MaxLatencyIncreasePct    *float64 `json:"max_latency_increase_pct,omitempty" yaml:"max_latency_increase_pct"`
	MaxFirstTokenIncreasePct *float64 `json:"max_first_token_increase_pct,omitempty" yaml:"max_first_token_increase_pct"`
	MaxTokensIncreasePct     *float64 `json:"max_tokens_increase_pct,omitempty" yaml:"max_tokens_increase_pct"`
	MaxCostIncreasePct       *float64 `json:"max_cost_increase_pct,omitempty" yaml:"max_cost_increase_pct"`
	MinSatisfactionDelta     *float64 `json:"min_satisfaction_delta,omitempty" yaml:"min_satisfaction_delta"` // of 1 to 5, not above 0: -0.25

	// A candidate is taken back only if it is worse by more than these. Each is
	// less than its fellow above.
	TolerateErrorIncrease         *float64 `json:"tolerate_error_increase,omitempty" yaml:"tolerate_error_increase"`
	TolerateLatencyIncreasePct    *float64 `json:"tolerate_latency_increase_pct,omitempty" yaml:"tolerate_latency_increase_pct"`
	TolerateFirstTokenIncreasePct *float64 `json:"tolerate_first_token_increase_pct,omitempty" yaml:"tolerate_first_token_increase_pct"`
	TolerateTokensIncreasePct     *float64 `json:"tolerate_tokens_increase_pct,omitempty" yaml:"tolerate_tokens_increase_pct"`
	TolerateCostIncreasePct       *float64 `json:"tolerate_cost_increase_pct,omitempty" yaml:"tolerate_cost_increase_pct"`
	TolerateSatisfactionDelta     *float64 `json:"tolerate_satisfaction_delta,omitempty" yaml:"tolerate_satisfaction_delta"`

	Steps     []Share   `json:"steps,omitempty" yaml:"steps"`           // of a canary that names none
	HoldBack  *Share    `json:"hold_back,omitempty" yaml:"hold_back"`   // who stays on the stable release to the end, to compare with
	HoldFor   *Duration `json:"hold_for,omitempty" yaml:"hold_for"`     // how long; it is promoted then
	Bake      *Duration `json:"bake,omitempty" yaml:"bake"`             // healthy observed time that each step takes at least
	Limit     *Duration `json:"limit,omitempty" yaml:"limit"`           // observed time after which a step without a verdict is a question
	Silence   *Duration `json:"silence,omitempty" yaml:"silence"`       // time without a call after which nothing can be measured
	Advance   string    `json:"advance,omitempty" yaml:"advance"`       // auto, or ask: a person says so each time
	AtLimit   string    `json:"at_limit,omitempty" yaml:"at_limit"`     // ask, advance, or rollback
	OnRegress string    `json:"on_regress,omitempty" yaml:"on_regress"` // rollback, or ask
}

// The words of GuardRules.
const (
	GuardEvidence = "evidence"
	GuardClassic  = "classic"
	GuardOff      = "off"

	GuardAuto     = "auto"
	GuardAsk      = "ask"
	GuardAdvance  = "advance"
	GuardRollback = "rollback"
)

// GuardOf are the rules for a prompt in the environment, each of them said.
func (e Environment) GuardOf(id prompt.ID) GuardRules {
	r := GuardRules{
		Policy: GuardEvidence, Steps: []Share{5_000, 25_000, 50_000, 95_000},
		HoldBack: new(Share(5_000)), HoldFor: new(Duration(time.Hour)), Bake: new(Duration(5 * time.Minute)),
		Limit: new(Duration(24 * time.Hour)), Silence: new(Duration(10 * time.Minute)),
		AtLimit: GuardAsk, OnRegress: GuardRollback,
	}
	if e.Guard == nil {
		return r
	}
	r.replace(e.Guard.GuardRules)
	best := ""
	for pattern := range e.Guard.Prompts {
		if match([]string{pattern}, string(id)) && (best == "" || len(pattern) > len(best)) {
			best = pattern
		}
	}
	if best != "" {
		r.replace(e.Guard.Prompts[best])
	}
	return r
}

// replace takes over what o says.
func (r *GuardRules) replace(o GuardRules) {
	mine, others := r.numbers(), o.numbers()
	for i := range mine {
		if *others[i].at != nil {
			*mine[i].at = *others[i].at
		}
	}
	over(&r.Policy, o.Policy)
	over(&r.Advance, o.Advance)
	over(&r.AtLimit, o.AtLimit)
	over(&r.OnRegress, o.OnRegress)
	if len(o.Metrics) > 0 {
		r.Metrics = o.Metrics
	}
	if len(o.Steps) > 0 {
		r.Steps = o.Steps
	}
	if o.P95Only != nil {
		r.P95Only = o.P95Only
	}
	if o.HoldBack != nil {
		r.HoldBack = o.HoldBack
	}
	for _, d := range []struct{ mine, other **Duration }{
		{&r.HoldFor, &o.HoldFor}, {&r.Bake, &o.Bake}, {&r.Limit, &o.Limit}, {&r.Silence, &o.Silence},
	} {
		if *d.other != nil {
			*d.mine = *d.other
		}
	}
}

func over(s *string, by string) {
	if by != "" {
		*s = by
	}
}

// A guardNumber is a number of GuardRules, and between what it must be.
type guardNumber struct {
	name        string
	at          **float64
	least, most float64
}

func (r *GuardRules) numbers() []guardNumber {
	return []guardNumber{
		{"alpha", &r.Alpha, 1e-9, 0.5},
		{"alpha_safe", &r.AlphaSafe, 1e-9, 0.5},
		{"max_error_increase", &r.MaxErrorIncrease, 1e-4, 0.5},
		{"max_latency_increase_pct", &r.MaxLatencyIncreasePct, 1, 1000},
		{"max_first_token_increase_pct", &r.MaxFirstTokenIncreasePct, 1, 1000},
		{"max_tokens_increase_pct", &r.MaxTokensIncreasePct, 1, 1000},
		{"max_cost_increase_pct", &r.MaxCostIncreasePct, 1, 1000},
		{"min_satisfaction_delta", &r.MinSatisfactionDelta, -4, -0.01},
		{"tolerate_error_increase", &r.TolerateErrorIncrease, 0, 0.5},
		{"tolerate_latency_increase_pct", &r.TolerateLatencyIncreasePct, 0, 1000},
		{"tolerate_first_token_increase_pct", &r.TolerateFirstTokenIncreasePct, 0, 1000},
		{"tolerate_tokens_increase_pct", &r.TolerateTokensIncreasePct, 0, 1000},
		{"tolerate_cost_increase_pct", &r.TolerateCostIncreasePct, 0, 1000},
		{"tolerate_satisfaction_delta", &r.TolerateSatisfactionDelta, -4, 0},
	}
}

// GuardMetrics are the names that metrics may have.
func GuardMetrics() []string {
	return []string{"errors", "latency", "first_token", "tokens", "cost", "satisfaction"}
}

// Validate reports what of the rules cannot be kept. That margins fit each
// other is for whoever has all of them.
func (g *Guard) Validate() error {
	if err := g.validate(); err != nil {
		return err
	}
	if len(g.Prompts) > maxGuardPrompts {
		return Errorf(prompt.ErrInvalid, "guard: prompts: there are %d patterns, at most %d are allowed", len(g.Prompts), maxGuardPrompts)
	}
	for pattern, r := range g.Prompts {
		if pattern == "" || len(pattern) > 256 || strings.Contains(strings.TrimSuffix(pattern, "*"), "*") {
			return Errorf(prompt.ErrInvalid, "guard: prompts: %q is no pattern: write a name, or a prefix and *", prompt.Clip(pattern, 60))
		}
		if err := r.validate(); err != nil {
			return Errorf(prompt.ErrInvalid, "guard: prompts: %s: %s", prompt.Clip(pattern, 60), strings.TrimPrefix(err.Error(), "guard: "))
		}
	}
	return nil
}

// maxGuardPrompts bounds the patterns of an environment.
const maxGuardPrompts = 200

func (r *GuardRules) validate() error {
	for _, w := range []struct {
		name, is string
		may      []string
	}{
		{"policy", r.Policy, []string{GuardEvidence, GuardClassic, GuardOff}},
		{"advance", r.Advance, []string{GuardAuto, GuardAsk}},
		{"at_limit", r.AtLimit, []string{GuardAsk, GuardAdvance, GuardRollback}},
		{"on_regress", r.OnRegress, []string{GuardRollback, GuardAsk}},
	} {
		if w.is != "" && !slices.Contains(w.may, w.is) {
			return Errorf(prompt.ErrInvalid, "guard: %s is %q; it must be %s", w.name, prompt.Clip(w.is, 40), strings.Join(w.may, ", or "))
		}
	}
	for i, m := range r.Metrics {
		if !slices.Contains(GuardMetrics(), m) || slices.Contains(r.Metrics[:i], m) {
			return Errorf(prompt.ErrInvalid, "guard: metrics: %q is no metric, or is named twice; metrics are %s", prompt.Clip(m, 40), strings.Join(GuardMetrics(), ", "))
		}
	}
	for _, n := range r.numbers() {
		if x := *n.at; x != nil && !(*x >= n.least && *x <= n.most) || x != nil && math.IsNaN(*x) {
			return Errorf(prompt.ErrInvalid, "guard: %s is %v; it must be from %v to %v", n.name, **n.at, n.least, n.most)
		}
	}
	for i, s := range r.Steps {
		if s == 0 || s > Scale || i > 0 && s <= r.Steps[i-1] {
			return Errorf(prompt.ErrInvalid, "guard: steps: each must be larger than the one before, the first larger than 0, as in [5, 25, 50, 95]")
		}
	}
	if r.HoldBack != nil && *r.HoldBack > Scale/2 {
		return Errorf(prompt.ErrInvalid, "guard: hold_back is %s; at most half of the subjects can be held back", *r.HoldBack)
	}
	for _, d := range []struct {
		name  string
		is    *Duration
		least time.Duration
	}{{"bake", r.Bake, 0}, {"hold_for", r.HoldFor, 0}, {"limit", r.Limit, time.Second}, {"silence", r.Silence, time.Second}} {
		if d.is != nil && (time.Duration(*d.is) < d.least || time.Duration(*d.is) > maxGuardTime) {
			return Errorf(prompt.ErrInvalid, "guard: %s is %s; it must be from %s to %s", d.name, *d.is, Duration(d.least), Duration(maxGuardTime))
		}
	}
	return nil
}

// maxGuardTime bounds each time of GuardRules.
const maxGuardTime = 90 * 24 * time.Hour

// With are the rules, with those of o that are said in their place.
func (r GuardRules) With(o GuardRules) (GuardRules, error) {
	r.replace(o)
	return r, r.validate()
}
