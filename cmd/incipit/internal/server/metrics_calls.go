package server

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/incipit-dev/incipit/internal/registry"
)

// maxSeries bounds the prompts, versions, environments and arms whose calls are
// counted apart; those of the others are counted together.
const maxSeries = 500

// seriesIdle is how long a series must have been silent to give its place away.
const seriesIdle = 24 * time.Hour

// elsewhere stands in the labels of what has no place of its own.
const elsewhere = "__other__"

// CallFigures count recorded calls for Prometheus. Whatever calls say, there
// are at most 501 series of each figure (and of each outcome, class, direction
// or bucket). Methods may be called at once.
type CallFigures struct {
	now func() time.Time

	mu     sync.RWMutex
	series map[counted]*callSeries // guarded by mu
	swept  time.Time               // guarded by mu

	calls, errors, tokens, cost *prometheus.CounterVec
	latency                     *prometheus.HistogramVec
	satisfaction                *prometheus.SummaryVec
}

// counted is what calls are counted apart by.
type counted struct{ prompt, version, environment, arm string }

func (c counted) labels() []string { return []string{c.prompt, c.version, c.environment, c.arm} }

// with are the labels behind one more.
func (c counted) with(more string) []string {
	return []string{more, c.prompt, c.version, c.environment, c.arm}
}

// A callSeries holds the counters of a series that nearly every call needs.
type callSeries struct {
	counted
	seen          atomic.Int64 // seconds since 1970
	ok            prometheus.Counter
	input, output prometheus.Counter
	cost          prometheus.Counter
	latency       prometheus.Observer
}

// NewCallFigures returns figures that have counted nothing.
func NewCallFigures(now func() time.Time) *CallFigures {
	place := []string{"prompt", "version", "environment", "arm"}
	with := func(more string) []string { return append([]string{more}, place...) }
	count := func(name, help string, labels []string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	return &CallFigures{
		now: now, series: make(map[counted]*callSeries),
		calls:  count("incipit_calls_total", "Calls that were recorded, each once.", with("outcome")),
		errors: count("incipit_call_errors_total", "Calls that ended with an error.", with("class")),
		tokens: count("incipit_call_tokens_total", "Tokens that calls told of.", with("direction")),
		cost:   count("incipit_call_cost_usd_total", "Cost that calls told of.", place),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "incipit_call_latency_seconds", Help: "How long calls took.",
			Buckets: []float64{.05, .1, .25, .5, 1, 2, 4, 8, 15, 30, 60, 120, 300},
		}, place),
		satisfaction: prometheus.NewSummaryVec(prometheus.SummaryOpts{Name: "incipit_call_satisfaction", Help: "Satisfaction that calls came with, from 1 to 5."}, place),
	}
}

func (f *CallFigures) collectors() []prometheus.Collector {
	return []prometheus.Collector{f.calls, f.errors, f.tokens, f.cost, f.latency, f.satisfaction}
}

// Observe counts a call that was recorded just now, and was not known before.
func (f *CallFigures) Observe(c registry.Call) {
	s := f.of(counted{string(c.Prompt), c.Version, c.Environment, c.Arm})
	switch c.Outcome {
	case registry.OK:
		s.ok.Inc()
	case registry.Failed:
		class := string(c.ErrorClass)
		if class == "" {
			class = "unknown"
		}
		f.errors.WithLabelValues(s.with(class)...).Inc()
		fallthrough
	default:
		f.calls.WithLabelValues(s.with(string(c.Outcome))...).Inc()
	}
	s.latency.Observe(c.Latency.Seconds())
	if c.InputTokens.Known {
		s.input.Add(float64(c.InputTokens.Value))
	}
	if c.OutputTokens.Known {
		s.output.Add(float64(c.OutputTokens.Value))
	}
	if c.CachedTokens.Known {
		f.tokens.WithLabelValues(s.with("cached")...).Add(float64(c.CachedTokens.Value))
	}
	if c.Cost.Known {
		s.cost.Add(c.Cost.Value.USD())
	}
	if c.Satisfaction.Known {
		f.satisfaction.WithLabelValues(s.labels()...).Observe(c.Satisfaction.Value)
	}
}

// of is the series of a place, or the one of all others if there are too many.
func (f *CallFigures) of(at counted) *callSeries {
	now := f.now()
	f.mu.RLock()
	s := f.series[at]
	f.mu.RUnlock()
	if s == nil {
		s = f.added(at, now)
	}
	if at := now.Unix(); s.seen.Load() < at {
		s.seen.Store(at)
	}
	return s
}

func (f *CallFigures) added(at counted, now time.Time) *callSeries {
	f.mu.Lock()
	defer f.mu.Unlock()
	other := counted{elsewhere, elsewhere, elsewhere, elsewhere}
	if f.series[at] == nil && len(f.series) >= maxSeries && !f.sweep(now, other) {
		at = other
	}
	s := f.series[at]
	if s == nil {
		s = &callSeries{
			counted: at,
			ok:      f.calls.WithLabelValues(at.with(string(registry.OK))...),
			input:   f.tokens.WithLabelValues(at.with("input")...),
			output:  f.tokens.WithLabelValues(at.with("output")...),
			cost:    f.cost.WithLabelValues(at.labels()...),
			latency: f.latency.WithLabelValues(at.labels()...),
		}
		s.seen.Store(now.Unix())
		f.series[at] = s
	}
	return s
}

// sweep forgets series that were silent for long, looking at most once a
// minute, and reports whether there is a place now. Versions go out of use:
// without it a server that runs for months would have no place for new ones.
func (f *CallFigures) sweep(now time.Time, keep counted) bool {
	if now.Sub(f.swept) < time.Minute {
		return false
	}
	f.swept = now
	for at, s := range f.series {
		if at == keep || now.Unix()-s.seen.Load() < int64(seriesIdle/time.Second) {
			continue
		}
		delete(f.series, at)
		labels := prometheus.Labels{"prompt": at.prompt, "version": at.version, "environment": at.environment, "arm": at.arm}
		for _, v := range []interface{ DeletePartialMatch(prometheus.Labels) int }{f.calls, f.errors, f.tokens, f.cost, f.latency, f.satisfaction} {
			v.DeletePartialMatch(labels)
		}
	}
	return len(f.series) < maxSeries
}
