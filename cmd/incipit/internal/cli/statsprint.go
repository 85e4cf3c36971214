package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func printStats(w io.Writer, s registry.Stats) {
	q := registry.StatsQuery{Version: s.Version, Arm: s.Arm, Environment: s.Environment}
	fmt.Fprintf(w, "%s%s  %s to %s\n\n", bold(string(s.Prompt)), narrowed(q), s.From.UTC().Format("2006-01-02 15:04"), words.Minute(s.To))
	f := s.Figures
	for _, row := range [][2]string{
		{"calls", words.Thousands(f.TotalCalls)},
		{"errors", errorsCell(f)},
		{"cancelled", words.Thousands(f.Cancelled)},
		{"latency", fmt.Sprintf("average %s, p50 %s, p95 %s, p99 %s", words.Milliseconds(f.AvgLatencyMS), words.Milliseconds(f.P50LatencyMS), words.Milliseconds(f.P95LatencyMS), words.Milliseconds(f.P99LatencyMS))},
		{"first token", fmt.Sprintf("p50 %s, p95 %s", words.Milliseconds(f.P50FirstTokenMS), words.Milliseconds(f.P95FirstTokenMS))},
		{"tokens", fmt.Sprintf("%s: %s in, %s of them cached, %s out", words.Tokens(f.TotalTokens), words.Tokens(f.InputTokens), words.Tokens(f.CachedTokens), words.Tokens(f.OutputTokens))},
		{"cost", fmt.Sprintf("%s, %s a call", words.Dollars(f.CostUSD), words.Dollars(f.AvgCostUSD))},
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
			line = append(line, words.Minute(*g.Hour))
		case s.By == "arm":
			line = append(line, g.Version, g.Arm)
		default:
			line = append(line, g.Version)
		}
		f := g.Figures
		out = append(out, append(line, words.Thousands(f.TotalCalls), words.Percent(f.ErrorRate), words.Milliseconds(f.AvgLatencyMS), words.Milliseconds(f.P50LatencyMS), words.Milliseconds(f.P95LatencyMS), words.Milliseconds(f.P99LatencyMS),
			words.Tokens(f.TotalTokens), words.Dollars(f.CostUSD), words.Rating(f.AvgSatisfaction)))
	}
	return out
}

// statsLine is the statistics as one line of a log.
func statsLine(s registry.Stats, now time.Time) string {
	f := s.Figures
	return prompt.Visible(fmt.Sprintf("%s  %s calls  errors %s  average %s  p95 %s  tokens %s  cost %s  satisfaction %s", words.Second(now),
		words.Thousands(f.TotalCalls), words.Percent(f.ErrorRate), words.Milliseconds(f.AvgLatencyMS), words.Milliseconds(f.P95LatencyMS), words.Tokens(f.TotalTokens), words.Dollars(f.CostUSD), words.Rating(f.AvgSatisfaction)))
}

func errorsCell(f registry.Figures) string {
	if f.Errors == 0 {
		return "0"
	}
	var parts []string
	for _, c := range append(registry.ErrorClasses(), "unknown") {
		if n := f.ErrorsByClass[string(c)]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s %s", c, words.Thousands(n)))
		}
	}
	return fmt.Sprintf("%s, %s of all calls: %s", words.Thousands(f.Errors), words.Percent(f.ErrorRate), strings.Join(parts, ", "))
}

func satisfactionCell(f registry.Figures) string {
	if f.AvgSatisfaction == nil {
		return "-"
	}
	out := fmt.Sprintf("%s of 5, by %s", words.Rating(f.AvgSatisfaction), words.Count(int(f.Ratings), "rating"))
	if f.SatisfactionSD != nil {
		out += fmt.Sprintf(", standard deviation %.2f", *f.SatisfactionSD)
	}
	return out
}
