package compare

import (
	"fmt"
	"strings"
)

// decide fills in the verdict of a metric and says it in a sentence.
//
// What is shown to be within the margin passes, also if it is a little worse for
// certain: that is what a margin means. What is not, and is worse, regresses.
func (r Rules) decide(m *Metric) {
	shown := m.Cases > 0 && m.Cases >= r.MinCases
	if measureOf(m.Name).relative {
		shown = shown && m.High < m.Margin
	} else {
		shown = shown && m.Low > -m.Margin
	}
	switch {
	case m.Cases == 0:
		m.Verdict, m.Needed = Inconclusive, r.MinCases
		m.Why = "no case has it on both sides"
		return
	case shown:
		m.Verdict, m.Needed = NotRegressed, 0
	case m.Adjusted <= r.Alpha:
		m.Verdict, m.Needed = Regressed, 0
	default:
		m.Verdict = Inconclusive
	}
	m.Why = r.why(*m)
}

func (r Rules) why(m Metric) string {
	size := change(m)
	switch {
	case m.Verdict == NotRegressed && m.P <= r.Alpha && m.Diff != 0:
		return fmt.Sprintf("%s: worse, and by less than the margin of %s", size, points(m, m.Margin))
	case m.Verdict == NotRegressed:
		return fmt.Sprintf("%s: a loss of the margin of %s is ruled out", size, points(m, m.Margin))
	case m.Verdict == Regressed:
		return fmt.Sprintf("%s: worse, with p %s", size, probability(m.Adjusted))
	case m.Needed > 0:
		return fmt.Sprintf("%s: neither a loss of %s nor its absence is shown; about %d cases would decide", size, points(m, m.Margin), m.Needed)
	}
	return fmt.Sprintf("%s: neither a loss of %s nor its absence is shown, and more cases alone would not decide", size, points(m, m.Margin))
}

// change is the difference and its interval: "−3.0 points [−6.1, +0.1]".
func change(m Metric) string {
	unit := " points"
	if measureOf(m.Name).relative {
		unit = " %"
	}
	return fmt.Sprintf("%s%s [%s, %s]", signed(m.Diff), unit, signed(m.Low), signed(m.High))
}

func points(m Metric, share float64) string {
	if measureOf(m.Name).relative {
		return fmt.Sprintf("%.3g %%", 100*share)
	}
	return fmt.Sprintf("%.3g points", 100*share)
}

func signed(share float64) string {
	s := fmt.Sprintf("%+.1f", 100*share)
	if s == "-0.0" || s == "+0.0" {
		return "0.0"
	}
	return strings.Replace(s, "-", "−", 1)
}

func probability(p float64) string {
	if p < .0001 {
		return "< 0.0001"
	}
	return fmt.Sprintf("= %.4f", p)
}
