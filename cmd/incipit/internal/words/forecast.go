package words

import (
	"fmt"
	"math"

	"github.com/incipit-dev/incipit/internal/registry"
)

// ForecastTitle says what a forecast assumes.
func ForecastTitle(f *registry.Forecast) string {
	return fmt.Sprintf("forecast, if the candidate is no worse, by %s calls an hour since %s", Brief(f.CallsPerHour), Minute(f.From))
}

// ForecastHead are the names of the cells of ForecastRows.
func ForecastHead() []string {
	return []string{"STEP", "TIME", "CANDIDATE'S CALLS", "FINDS ERRORS FROM", "LATENCY FROM", "SATISFACTION FROM"}
}

// ForecastRows is what to expect of each step. A cell is "" where nothing can be
// foreseen.
func ForecastRows(f *registry.Forecast) [][]string {
	cell := func(x *float64, format func(float64) string) string {
		if x == nil {
			return ""
		}
		return format(*x)
	}
	calls := func(n float64) string { return Thousands(int64(math.Round(n))) }
	increase := func(part float64) string { return "+" + points(100*part, 3) }
	percent := func(pct float64) string { return "+" + Rounded(pct, 3) + " %" }
	rating := func(drop float64) string { return fmt.Sprintf("-%.2f", drop) }
	rows := make([][]string, 0, len(f.Steps))
	for _, s := range f.Steps {
		takes := "until a person is asked"
		switch {
		case s.Hours == nil:
		case *s.Hours*3600 < 1:
			takes = "at once"
		default:
			takes = "about " + Hours(*s.Hours)
		}
		rows = append(rows, []string{
			s.Share.String(), takes, cell(s.CandidateCalls, calls), cell(s.ErrorIncrease, increase), cell(s.LatencyIncreasePct, percent), cell(s.SatisfactionDrop, rating),
		})
	}
	return rows
}
