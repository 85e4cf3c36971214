package telemetry

import (
	"math"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A Series is whose calls are counted together.
type Series struct {
	Environment string
	Prompt      prompt.ID
	Version     string
	Arm         string
}

// SeriesOf is the series that a call counts for.
func SeriesOf(c *registry.Call) Series {
	return Series{c.Environment, c.Prompt, c.Version, c.Arm}
}

// A Rollup adds calls up. The zero Rollup has none. Two that were made of
// different calls merge into the one that would have been made of all, in any
// order.
type Rollup struct {
	Calls          int64
	Cancelled      int64
	ProviderErrors int64
	PromptErrors   int64
	Timeouts       int64
	UnknownErrors  int64 // errors without a class

	// Of each sum, how many calls told. Tokens are sums of counts, Cost is exact.
	InputKnown, InputTokens   int64
	OutputKnown, OutputTokens int64
	CachedKnown, CachedTokens int64
	CostKnown                 int64
	Cost                      registry.NanoUSD
	PricedTokens              int64            // of the calls that tell tokens and cost
	PricedCost                registry.NanoUSD // of the same
	LatencySum                int64            // microseconds, over all calls

	Ratings       int64
	RatingSum     float64
	RatingSquares float64

	Latency    Sketch // milliseconds, of all calls
	FirstToken Sketch // milliseconds, of the calls that told
}

// Add counts a call.
func (r *Rollup) Add(c *registry.Call) {
	r.Calls++
	switch c.Outcome {
	case registry.Cancelled:
		r.Cancelled++
	case registry.Failed:
		*r.errors(c.ErrorClass)++
	case registry.OK:
	}
	tell(&r.InputKnown, &r.InputTokens, c.InputTokens)
	tell(&r.OutputKnown, &r.OutputTokens, c.OutputTokens)
	tell(&r.CachedKnown, &r.CachedTokens, c.CachedTokens)
	tell(&r.CostKnown, &r.Cost, c.Cost)
	if c.Cost.Known && (c.InputTokens.Known || c.OutputTokens.Known) {
		r.PricedTokens += c.InputTokens.Value + c.OutputTokens.Value
		r.PricedCost += c.Cost.Value
	}
	r.LatencySum += c.Latency.Microseconds()
	r.Latency.Add(milliseconds(c.Latency))
	if c.FirstToken.Known {
		r.FirstToken.Add(milliseconds(c.FirstToken.Value))
	}
	r.Rate(registry.Opt[float64]{}, c.Satisfaction)
}

func (r *Rollup) errors(of registry.ErrorClass) *int64 {
	switch of {
	case registry.ProviderError:
		return &r.ProviderErrors
	case registry.PromptError:
		return &r.PromptErrors
	case registry.TimeoutError:
		return &r.Timeouts
	}
	return &r.UnknownErrors
}

func tell[T ~int64](known *int64, sum *T, v registry.Opt[T]) {
	if v.Known {
		*known++
		*sum += v.Value
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// Rate counts a call's satisfaction anew: before is what was counted for it. A
// Rollup that has not counted the call then holds the difference, to be merged.
func (r *Rollup) Rate(before, after registry.Opt[float64]) {
	if before.Known {
		r.Ratings--
		r.RatingSum -= before.Value
		r.RatingSquares -= before.Value * before.Value
	}
	if after.Known {
		r.Ratings++
		r.RatingSum += after.Value
		r.RatingSquares += after.Value * after.Value
	}
}

// Merge adds what o counted. o stays as it is.
func (r *Rollup) Merge(o *Rollup) {
	r.Calls += o.Calls
	r.Cancelled += o.Cancelled
	r.ProviderErrors += o.ProviderErrors
	r.PromptErrors += o.PromptErrors
	r.Timeouts += o.Timeouts
	r.UnknownErrors += o.UnknownErrors
	r.InputKnown += o.InputKnown
	r.InputTokens += o.InputTokens
	r.OutputKnown += o.OutputKnown
	r.OutputTokens += o.OutputTokens
	r.CachedKnown += o.CachedKnown
	r.CachedTokens += o.CachedTokens
	r.CostKnown += o.CostKnown
	r.Cost += o.Cost
	r.PricedTokens += o.PricedTokens
	r.PricedCost += o.PricedCost
	r.LatencySum += o.LatencySum
	r.Ratings += o.Ratings
	r.RatingSum += o.RatingSum
	r.RatingSquares += o.RatingSquares
	r.Latency.Merge(&o.Latency)
	r.FirstToken.Merge(&o.FirstToken)
}

// Errors is how many of the calls failed, of all classes.
func (r *Rollup) Errors() int64 {
	return r.ProviderErrors + r.PromptErrors + r.Timeouts + r.UnknownErrors
}

// Figures are the statistics of what was counted.
func (r *Rollup) Figures() registry.Figures {
	f := registry.Figures{
		TotalCalls: r.Calls, Errors: r.Errors(), Cancelled: r.Cancelled,
		ErrorsByClass: map[string]int64{
			string(registry.ProviderError): r.ProviderErrors,
			string(registry.PromptError):   r.PromptErrors,
			string(registry.TimeoutError):  r.Timeouts,
			registry.UnknownError:          r.UnknownErrors,
		},
		P50LatencyMS: r.Latency.figure(0.50), P95LatencyMS: r.Latency.figure(0.95), P99LatencyMS: r.Latency.figure(0.99),
		P50FirstTokenMS: r.FirstToken.figure(0.50), P95FirstTokenMS: r.FirstToken.figure(0.95),
		TotalTokens: told(r.InputKnown+r.OutputKnown, r.InputTokens+r.OutputTokens),
		InputTokens: told(r.InputKnown, r.InputTokens), OutputTokens: told(r.OutputKnown, r.OutputTokens),
		CachedTokens: told(r.CachedKnown, r.CachedTokens),
		CostUSD:      told(r.CostKnown, r.Cost.USD()),
		Ratings:      max(r.Ratings, 0),
	}
	if r.Calls > 0 {
		f.ErrorRate = new(float64(f.Errors) / float64(r.Calls))
		f.AvgLatencyMS = new(float64(r.LatencySum) / float64(r.Calls) / 1000)
	}
	if r.CostKnown > 0 {
		f.AvgCostUSD = new(r.Cost.USD() / float64(r.CostKnown))
	}
	if r.PricedTokens > 0 {
		f.CostPer1KTokens = new(r.PricedCost.USD() / float64(r.PricedTokens) * 1000)
	}
	if n := float64(r.Ratings); n > 0 {
		f.AvgSatisfaction = new(r.RatingSum / n)
		if n > 1 {
			// The sums are rounded, so what is left of equal ratings may be below 0.
			f.SatisfactionSD = new(math.Sqrt(max(0, (r.RatingSquares-r.RatingSum*r.RatingSum/n)/(n-1))))
		}
	}
	return f
}

func told[T any](known int64, v T) *T {
	if known <= 0 {
		return nil
	}
	return &v
}

func (s *Sketch) figure(q float64) *float64 {
	if v, ok := s.Quantile(q); ok {
		return &v
	}
	return nil
}
