package guard

import (
	"fmt"
	"math"
	"strings"
)

// A ChangeReport is what a Change knows, to be kept and shown.
type ChangeReport struct {
	Changed bool           `json:"changed"`
	Calls   uint64         `json:"calls"`
	ARL     float64        `json:"arl"` // an alarm without a change comes within n calls with n/ARL at most
	Metrics []ChangeMetric `json:"metrics"`
}

// A ChangeMetric is the evidence that one metric got worse.
type ChangeMetric struct {
	Metric string `json:"metric"`
	// Recent calls or ratings are those since the evidence began to grow. Now is
	// the part of them that failed, the part that was slow, or their mean mark;
	// Reference is the worst that the same hours before leave room for.
	Recent    uint64  `json:"recent"`
	Now       float64 `json:"now"`
	Reference float64 `json:"reference"`
	// Capital is what bets on a change made. There is an alarm when Capital
	// reaches Goal; errors and latency have one goal for half of both.
	Capital  float64 `json:"capital"`
	Goal     float64 `json:"goal"`
	Evidence float64 `json:"evidence"` // how far that is, 0 to 1, on a logarithmic scale
	Guilty   bool    `json:"guilty"`
}

// Report is what is known now.
func (c *Change) Report() ChangeReport {
	out := ChangeReport{Changed: c.guilty != 0, Calls: c.calls, ARL: c.arl}
	calls := c.arl / callsPart
	for i, m := range []struct {
		metric        Metric
		capital, goal float64
	}{{Errors, c.errors.mean(), calls}, {Latency, c.slow.mean(), calls}, {Satisfaction, c.ratings.mean(), c.arl / ratingsAlpha}} {
		r := c.recent[i]
		one := ChangeMetric{
			Metric: m.metric.String(), Recent: uint64(r.n), Capital: m.capital, Goal: m.goal,
			Evidence: clamp(math.Log1p(m.capital)/math.Log1p(m.goal), 0, 1), Guilty: c.guilty.Has(m.metric),
		}
		if r.n > 0 {
			one.Now, one.Reference = r.sum/r.n, r.expected/r.n
		}
		out.Metrics = append(out.Metrics, one)
	}
	return out
}

// Words say what changed, for a person; "" if nothing did.
func (r ChangeReport) Words() string {
	if !r.Changed {
		return ""
	}
	var said []string
	for _, m := range r.Metrics {
		switch {
		case !m.Guilty:
		case m.Metric == Errors.String():
			said = append(said, fmt.Sprintf("More calls fail: %s of the last %d, where the same hours before leave room for %s.", percent(m.Now), m.Recent, percent(m.Reference)))
		case m.Metric == Latency.String():
			said = append(said, fmt.Sprintf("More calls are slow: %s of the last %d took longer than 95 %% did in the same hours before.", percent(m.Now), m.Recent))
		default:
			said = append(said, fmt.Sprintf("Ratings fell: %.2f on average of the last %d, where the same hours before leave room for %.2f.", m.Now, m.Recent, m.Reference))
		}
	}
	return strings.Join(append(said, "Everybody has the same release, so what caused it is not known: the release, the model behind it, or who asks."), " ")
}

func percent(part float64) string { return fmt.Sprintf("%.3g %%", 100*part) }
