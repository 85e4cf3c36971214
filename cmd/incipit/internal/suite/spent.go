package suite

import "github.com/incipit-dev/incipit/cmd/incipit/internal/report"

// spent adds up what the cases took, and what judging them took. A cost that
// is not known of one answer is not known of the sum.
func spent(cases []report.Case) (answers, judges report.Spent) {
	answers, judges = zero(), zero()
	for _, c := range cases {
		if c.Failure == nil {
			add(&answers, report.Spent{Calls: 1, Input: c.Input, Output: c.OutputTokens, Cost: c.Cost})
		}
		addJudges(&judges, c.Grades)
	}
	return answers, judges
}

func zero() report.Spent { return report.Spent{Cost: new(float64)} }

func addJudges(sum *report.Spent, grades []report.Grade) {
	for _, g := range grades {
		if g.Judge != nil {
			add(sum, *g.Judge)
		}
		addJudges(sum, g.Parts)
	}
}

func add(sum *report.Spent, s report.Spent) {
	sum.Calls += s.Calls
	sum.Input += s.Input
	sum.Output += s.Output
	if s.Cost == nil || sum.Cost == nil {
		sum.Cost = nil
		return
	}
	cost := *sum.Cost + *s.Cost
	sum.Cost = &cost
}
