package cli

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func printStats(w io.Writer, s registry.Stats) {
	q := registry.StatsQuery{Version: s.Version, Arm: s.Arm, Environment: s.Environment}
	fmt.Fprintf(w, "%s%s  %s to %s\n\n", bold(string(s.Prompt)), narrowed(q), s.From.UTC().Format("2006-01-02 15:04"), day(s.To))
	f := s.Figures
	for _, row := range [][2]string{
		{"calls", thousands(f.TotalCalls)},
		{"errors", errorsCell(f)},
		{"cancelled", thousands(f.Cancelled)},
		{"latency", fmt.Sprintf("average %s, p50 %s, p95 %s, p99 %s", ms(f.AvgLatencyMS), ms(f.P50LatencyMS), ms(f.P95LatencyMS), ms(f.P99LatencyMS))},
		{"first token", fmt.Sprintf("p50 %s, p95 %s", ms(f.P50FirstTokenMS), ms(f.P95FirstTokenMS))},
		{"tokens", fmt.Sprintf("%s: %s in, %s of them cached, %s out", tokens(f.TotalTokens), tokens(f.InputTokens), tokens(f.CachedTokens), tokens(f.OutputTokens))},
		{"cost", fmt.Sprintf("%s, %s a call", usd(f.CostUSD), usd(f.AvgCostUSD))},
		{"satisfaction", satisfactionCell(f)},
	} {
		fmt.Fprintf(w, "  %-14s %s\n", row[0], prompt.Visible(row[1]))
	}
	if len(s.Groups) == 0 {
		return
	}
	fmt.Fprintln(w)
	table(w, groupRows(s))
}

func groupRows(s registry.Stats) [][]string {
	head := []string{"ENVIRONMENT"}
	switch s.By {
	case "hour":
		head = append(head, "HOUR")
	case "arm":
		head = append(head, "VERSION", "ARM")
	default:
		head = append(head, "VERSION")
	}
	out := [][]string{append(head, "CALLS", "ERRORS", "AVERAGE", "P50", "P95", "P99", "TOKENS", "COST", "SATISFACTION")}
	for _, g := range s.Groups {
		line := []string{g.Environment}
		switch {
		case g.Hour != nil:
			line = append(line, day(*g.Hour))
		case s.By == "arm":
			line = append(line, g.Version, g.Arm)
		default:
			line = append(line, g.Version)
		}
		f := g.Figures
		out = append(out, append(line, thousands(f.TotalCalls), percent(f.ErrorRate), ms(f.AvgLatencyMS), ms(f.P50LatencyMS), ms(f.P95LatencyMS), ms(f.P99LatencyMS),
			tokens(f.TotalTokens), usd(f.CostUSD), rating(f.AvgSatisfaction)))
	}
	return out
}

// statsLine is the statistics as one line of a log.
func statsLine(s registry.Stats, now time.Time) string {
	f := s.Figures
	return prompt.Visible(fmt.Sprintf("%s  %s calls  errors %s  average %s  p95 %s  tokens %s  cost %s  satisfaction %s", second(now),
		thousands(f.TotalCalls), percent(f.ErrorRate), ms(f.AvgLatencyMS), ms(f.P95LatencyMS), tokens(f.TotalTokens), usd(f.CostUSD), rating(f.AvgSatisfaction)))
}

func errorsCell(f registry.Figures) string {
	if f.Errors == 0 {
		return "0"
	}
	var parts []string
	for _, c := range append(registry.ErrorClasses(), "unknown") {
		if n := f.ErrorsByClass[string(c)]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s %s", c, thousands(n)))
		}
	}
	return fmt.Sprintf("%s, %s of all calls: %s", thousands(f.Errors), percent(f.ErrorRate), strings.Join(parts, ", "))
}

func satisfactionCell(f registry.Figures) string {
	if f.AvgSatisfaction == nil {
		return "-"
	}
	out := fmt.Sprintf("%s of 5, by %s", rating(f.AvgSatisfaction), count(int(f.Ratings), "rating"))
	if f.SatisfactionSD != nil {
		out += fmt.Sprintf(", standard deviation %.2f", *f.SatisfactionSD)
	}
	return out
}

func rating(v *float64) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprintf("%.2f", *v)
}

func percent(v *float64) string {
	if v == nil {
		return "-"
	}
	return strconv.FormatFloat(math.Round(*v*1e4)/100, 'f', -1, 64) + " %"
}

func tokens(v *int64) string {
	if v == nil {
		return "-"
	}
	return thousands(*v)
}

// ms is a time in milliseconds, to three digits or so.
func ms(v *float64) string {
	switch {
	case v == nil:
		return "-"
	case *v < 10:
		return fmt.Sprintf("%.1f ms", *v)
	case *v < 1000:
		return fmt.Sprintf("%.0f ms", *v)
	case *v < 100_000:
		return fmt.Sprintf("%.2f s", *v/1000)
	}
	return thousands(int64(*v/1000)) + " s"
}

// usd is an amount of money: in cents, and finer where it is less than a dollar.
func usd(v *float64) string {
	switch {
	case v == nil:
		return "-"
	case *v != 0 && math.Abs(*v) < 1:
		return "$" + strconv.FormatFloat(*v, 'f', max(2, 2-int(math.Floor(math.Log10(math.Abs(*v))))), 64)
	}
	cents := int64(math.Round(*v * 100))
	return fmt.Sprintf("$%s.%02d", thousands(cents/100), cents%100)
}

// thousands writes a number with a comma before each three digits.
func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// age is a span of time in its largest whole unit: 24 hours, 30 days.
func age(d time.Duration) string {
	switch d = d.Truncate(time.Minute); {
	case d >= 48*time.Hour:
		return count(int(d.Hours()/24), "day")
	case d >= time.Hour:
		return count(int(d.Hours()), "hour")
	}
	return count(int(d.Minutes()), "minute")
}
