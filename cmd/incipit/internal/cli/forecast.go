package cli

import (
	"context"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/guard"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/lifecycle"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/rollout"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/registry"
)

// forecastPast is how far back traffic is looked at.
const forecastPast = 24 * time.Hour

// A forecast is what to expect of the steps of a rollout, if traffic stays as
// it was.
type forecast struct {
	CallsPerHour float64        `json:"calls_per_hour"` // in the environment, of all versions
	From         time.Time      `json:"from"`
	To           time.Time      `json:"to"`
	Steps        []forecastStep `json:"steps"`
}

// A forecastStep is what to expect of one step. What never is, or is not found,
// is nil.
type forecastStep struct {
	Share          registry.Share `json:"share"`
	Hours          *float64       `json:"hours"` // until it is left by itself, if the candidate is no worse
	CandidateCalls *float64       `json:"candidate_calls"`
	// The least that is found with a probability of 90 % by the end of the step.
	ErrorIncrease      *float64 `json:"smallest_error_increase"` // in parts of all calls: 0.01 is one of a hundred
	LatencyIncreasePct *float64 `json:"smallest_latency_increase_pct"`
	SatisfactionDrop   *float64 `json:"smallest_satisfaction_drop"` // of 1 to 5
}

// forecastOf works out what to expect of the rollout that p would begin: nil if
// it would not be watched, and why not if traffic is not known.
func (e *env) forecastOf(ctx context.Context, svc backend, p *registry.Plan) (f *forecast, unknown string, err error) {
	ro := p.Deployment.Rollout
	if ro == nil || ro.Manual || p.Already != "" || p.Action != registry.Deploy {
		return nil, "", nil
	}
	if e.far == nil {
		return nil, "traffic is not known without a server that records calls, so there is no forecast, and people move the rollout", nil
	}
	rules, err := guardRules(ctx, svc, p.Environment, p.Prompt)
	if err != nil || rules.Policy != registry.GuardEvidence {
		return nil, "", err
	}
	q := registry.StatsQuery{Prompt: p.Prompt, Environment: p.Environment, By: "hour"}
	all, err := fetchStats(ctx, e, e.far, q, forecastPast)
	stable := all
	for _, g := range all.Groups { // the oldest first: what has just begun had no traffic before
		if g.Hour != nil && g.TotalCalls > 0 {
			all.From = later(all.From, *g.Hour)
			break
		}
	}
	if q.By, q.Version = "", p.From; err == nil {
		stable, err = fetchStats(ctx, e, e.far, q, forecastPast)
	}
	if err != nil { // a plan does not fail by what it could say besides
		return nil, "traffic is not known: " + words.Plain(err.Error()), nil
	}
	if stable.TotalCalls == 0 {
		return nil, fmt.Sprintf("no call of %s was recorded in the last 24 hours, so there is no forecast: the guard cannot measure either", p.From), nil
	}
	policy, err := lifecycle.PolicyOf(rules)
	if err != nil {
		return nil, "", err
	}
	if policy.Metrics == 0 {
		policy.Metrics = measured(stable.Figures)
	}
	t := trafficOf(all, stable.Figures)
	return forecastWith(policy, t, rollout.PlanOf(*ro, rules), all), "", nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// measured are the metrics that figures have values of: the guard watches the
// same.
func measured(f registry.Figures) guard.Set {
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

func forecastWith(policy guard.Policy, t guard.Traffic, plan rollout.Plan, s registry.Stats) *forecast {
	shares := make([]float64, len(plan.Steps))
	for i, step := range plan.Steps {
		shares[i] = float64(step) / registry.Scale
	}
	f := &forecast{CallsPerHour: t.CallsPerHour, From: s.From, To: s.To, Steps: []forecastStep{}}
	finite := func(x float64) *float64 {
		if math.IsInf(x, 0) || math.IsNaN(x) {
			return nil
		}
		return &x
	}
	for i, step := range guard.Forecast(policy, t, shares) {
		share := plan.Steps[i]
		f.Steps = append(f.Steps, forecastStep{
			Share: share, Hours: finite(max(step.Hours, plan.Stay(share).Hours())), CandidateCalls: finite(step.CandidateCalls),
			ErrorIncrease: finite(step.SmallestErrorIncrease), LatencyIncreasePct: finite((step.SmallestLatencyFactor - 1) * 100),
			SatisfactionDrop: finite(step.SmallestRatingDrop),
		})
	}
	return f
}

func printForecast(w io.Writer, f *forecast) {
	fmt.Fprintf(w, "\n  forecast, if the candidate is no worse, by %s calls an hour since %s:\n\n", words.Brief(f.CallsPerHour), words.Minute(f.From))
	rows := [][]string{{"STEP", "TIME", "CANDIDATE'S CALLS", "FINDS ERRORS FROM", "LATENCY FROM", "SATISFACTION FROM"}}
	cell := func(x *float64, format string) string {
		if x == nil {
			return ""
		}
		return fmt.Sprintf(format, *x)
	}
	for _, s := range f.Steps {
		takes := "until a person is asked"
		switch {
		case s.Hours == nil:
		case *s.Hours*3600 < 1:
			takes = "at once"
		default:
			takes = "about " + words.Hours(*s.Hours)
		}
		if s.ErrorIncrease != nil {
			s.ErrorIncrease = new(*s.ErrorIncrease * 100)
		}
		rows = append(rows, []string{
			s.Share.String(), takes, cell(s.CandidateCalls, "%.0f"), cell(s.ErrorIncrease, "+%.3g points"),
			cell(s.LatencyIncreasePct, "+%.3g %%"), cell(s.SatisfactionDrop, "-%.2f"),
		})
	}
	table(w, rows)
}
