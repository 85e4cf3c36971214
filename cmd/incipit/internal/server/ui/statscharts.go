package ui

import (
	"maps"
	"slices"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A statsMetric is a figure that is shown over time. of is nil where nothing was
// measured.
type statsMetric struct {
	id, title, unit, note string
	of                    func(registry.Figures) *float64
	text                  func(*float64) string
}

func statsMetrics() []statsMetric {
	whole := func(v *float64) string { return words.Thousands(int64(*v)) }
	return []statsMetric{
		{"p50", "Latency, p50", "ms", "Half of the calls took no longer.", func(f registry.Figures) *float64 { return f.P50LatencyMS }, words.Milliseconds},
		{"p95", "Latency, p95", "ms", "95 % of the calls took no longer.", func(f registry.Figures) *float64 { return f.P95LatencyMS }, words.Milliseconds},
		{"p99", "Latency, p99", "ms", "99 % of the calls took no longer.", func(f registry.Figures) *float64 { return f.P99LatencyMS }, words.Milliseconds},
		{"rate", "Error rate", "%", "Errors of all calls.", errorPercent, func(v *float64) string { return words.Percent(new(*v / 100)) }},
		{"calls", "Calls", "calls", "", func(f registry.Figures) *float64 { return new(float64(f.TotalCalls)) }, whole},
		{"satisfaction", "Satisfaction", "of 5", "The mean of the ratings, from 1 to 5.", func(f registry.Figures) *float64 { return f.AvgSatisfaction }, words.Rating},
		{"tokens", "Tokens", "tokens", "Input and output together.", func(f registry.Figures) *float64 { return floating(f.TotalTokens) }, whole},
		{"cost", "Cost", "usd", "US dollars, of the calls whose cost is known.", func(f registry.Figures) *float64 { return f.CostUSD }, words.Dollars},
	}
}

func errorPercent(f registry.Figures) *float64 {
	if f.ErrorRate == nil {
		return nil
	}
	return new(100 * *f.ErrorRate)
}

func floating(v *int64) *float64 {
	if v == nil {
		return nil
	}
	return new(float64(*v))
}

// chartsOf are the charts of a series, of those lines that are drawn. What
// nothing was measured of has none.
func chartsOf(s registry.Series, drawn []int, names []string) []chart {
	if len(drawn) == 0 {
		return nil
	}
	empty := chart{From: s.From, To: s.To, Step: time.Duration(s.Step), Marks: "marks"}
	times := pointTimes(s.Lines, drawn)
	var out []chart
	for _, m := range statsMetrics() {
		c := empty
		c.ID, c.Title, c.Unit, c.Note = "chart-"+m.id, m.title, m.unit, m.note
		c.Rows = rowsAt(times, len(drawn))
		for k, i := range drawn {
			c.Series = append(c.Series, names[i])
			for _, p := range s.Lines[i].Points {
				if v := m.of(p.Figures); v != nil {
					at, _ := slices.BinarySearchFunc(times, p.At, time.Time.Compare)
					c.Rows[at].Cells[k] = cellOf(*v, m.text(v))
				}
			}
		}
		if c.Measured() {
			out = append(out, c)
		}
	}
	if c := classChart(empty, s.Lines, drawn, times); c.Measured() {
		out = slices.Insert(out, min(4, len(out)), c)
	}
	return out
}

// classChart is the errors of all drawn lines together, by whose fault they were.
func classChart(c chart, lines []registry.SeriesLine, drawn []int, times []time.Time) chart {
	c.ID, c.Title, c.Unit, c.Note = "chart-classes", "Errors by class", "calls", "Of all these lines together, by whose fault they were."
	counts := make([]map[string]int64, len(times))
	seen := make(map[string]bool)
	for _, i := range drawn {
		for _, p := range lines[i].Points {
			at, _ := slices.BinarySearchFunc(times, p.At, time.Time.Compare)
			if counts[at] == nil {
				counts[at] = make(map[string]int64)
			}
			for class, n := range p.ErrorsByClass {
				counts[at][class] += n
				seen[class] = seen[class] || n > 0
			}
		}
	}
	for _, class := range classes() {
		if seen[class] {
			c.Series = append(c.Series, class)
		}
	}
	c.Rows = rowsAt(times, len(c.Series))
	for at := range c.Rows {
		for k, class := range c.Series {
			n := counts[at][class]
			c.Rows[at].Cells[k] = cellOf(float64(n), words.Thousands(n))
		}
	}
	return c
}

// pointTimes are the times at which one of the drawn lines has a point.
func pointTimes(lines []registry.SeriesLine, drawn []int) []time.Time {
	all := make(map[time.Time]bool)
	for _, i := range drawn {
		for _, p := range lines[i].Points {
			all[p.At] = true
		}
	}
	return slices.SortedFunc(maps.Keys(all), time.Time.Compare)
}

func rowsAt(times []time.Time, cells int) []chartRow {
	out := make([]chartRow, len(times))
	for i, at := range times {
		out[i] = chartRow{at, make([]chartCell, cells)}
	}
	return out
}
