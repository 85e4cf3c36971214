package lifecycle

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/guard"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/rollout"
	"github.com/incipit-dev/incipit/internal/registry"
)

// forecastPast is how far back traffic is looked at.
const forecastPast = 24 * time.Hour

// ForecastOf works out what to expect of the rollout that p would begin under
// these rules, by the traffic that stats tells of: nil if it would not be
// watched, and why not if traffic is not known. A plan does not fail by what it
// could say besides.
func ForecastOf(ctx context.Context, stats func(context.Context, registry.StatsQuery) (registry.Stats, error), rules registry.GuardRules, p *registry.Plan, now time.Time) (f *registry.Forecast, unknown string, err error) {
	if !Forecasts(p) || rules.Policy != registry.GuardEvidence {
		return nil, "", nil
	}
	q := registry.StatsQuery{Prompt: p.Prompt, Environment: p.Environment, By: "hour", From: now.Add(-forecastPast)}
	all, err := stats(ctx, q)
	stable := all
	for _, g := range all.Groups { // the oldest first: what has just begun had no traffic before
		if g.Hour != nil && g.TotalCalls > 0 {
			all.From = later(all.From, *g.Hour)
			break
		}
	}
	if q.By, q.Version = "", p.From; err == nil {
		stable, err = stats(ctx, q)
	}
	if err != nil {
		return nil, "traffic is not known: " + err.Error(), nil
	}
	if stable.TotalCalls == 0 {
		return nil, fmt.Sprintf("no call of %s was recorded in the last 24 hours, so there is no forecast: the guard cannot measure either", p.From), nil
	}
	policy, err := PolicyOf(rules)
	if err != nil {
		return nil, "", err
	}
	if policy.Metrics == 0 {
		policy.Metrics = figured(stable.Figures)
	}
	return forecastWith(policy, trafficOf(all, stable.Figures), rollout.PlanOf(*p.Deployment.Rollout, rules), all), "", nil
}

// Forecasts reports whether p begins a rollout of which something can be
// foreseen.
func Forecasts(p *registry.Plan) bool {
	ro := p.Deployment.Rollout
	return ro != nil && !ro.Manual && p.Already == "" && p.Action == registry.Deploy
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// figured are the metrics that figures have values of: the guard watches the
// same.
func figured(f registry.Figures) guard.Set {
	s := guard.Of(guard.Errors, guard.Latency)
	for m, known := range map[guard.Metric]bool{
		guard.FirstToken: f.P50FirstTokenMS != nil, guard.Tokens: f.OutputTokens != nil, guard.Cost: f.CostUSD != nil, guard.Satisfaction: f.Ratings > 0,
	} {
		if known {
			s |= guard.Of(m)
		}
	}
	return s
}

func trafficOf(all registry.Stats, stable registry.Figures) guard.Traffic {
	value := func(x *float64) float64 {
		if x == nil {
			return 0
		}
		return *x
	}
	return guard.Traffic{
		CallsPerHour: float64(all.TotalCalls) / max(all.To.Sub(all.From).Hours(), 1e-3),
		ErrorRate:    value(stable.ErrorRate), P50MS: value(stable.P50LatencyMS), P95MS: value(stable.P95LatencyMS),
		RatedShare: float64(stable.Ratings) / float64(stable.TotalCalls), RatingMean: value(stable.AvgSatisfaction), RatingSD: value(stable.SatisfactionSD),
	}
}

func forecastWith(policy guard.Policy, t guard.Traffic, plan rollout.Plan, s registry.Stats) *registry.Forecast {
	shares := make([]float64, len(plan.Steps))
	for i, step := range plan.Steps {
		shares[i] = float64(step) / registry.Scale
	}
	f := &registry.Forecast{CallsPerHour: t.CallsPerHour, From: s.From, To: s.To, Steps: []registry.ForecastStep{}}
	finite := func(x float64) *float64 {
		if math.IsInf(x, 0) || math.IsNaN(x) {
			return nil
		}
		return &x
	}
	for i, step := range guard.Forecast(policy, t, shares) {
		share := plan.Steps[i]
		f.Steps = append(f.Steps, registry.ForecastStep{
			Share: share, Hours: finite(max(step.Hours, plan.Stay(share).Hours())), CandidateCalls: finite(step.CandidateCalls),
			ErrorIncrease: finite(step.SmallestErrorIncrease), LatencyIncreasePct: finite((step.SmallestLatencyFactor - 1) * 100),
			SatisfactionDrop: finite(step.SmallestRatingDrop),
		})
	}
	return f
}
