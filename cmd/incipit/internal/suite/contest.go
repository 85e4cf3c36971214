package suite

import (
	"context"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/assertion"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/report"
)

// compareOutputs judges the answers to one case beside one another, where an
// assertion asks for that. Answers that failed take no part in it.
func compareOutputs(ctx context.Context, checker *assertion.Checker, all []answer) {
	for start := 0; start < len(all); {
		end := start + 1
		for end < len(all) && all[end].test.Number == all[start].test.Number {
			end++
		}
		for _, as := range all[start].test.Asserts {
			if as.Compares() {
				contest(ctx, checker, as, all[start:end])
			}
		}
		start = end
	}
}

// contest lets the answers of each repeat stand against one another.
func contest(ctx context.Context, checker *assertion.Checker, as assertion.Assertion, all []answer) {
	rounds := make(map[int][]*answer)
	var order []int
	for i := range all {
		a := &all[i]
		if a.result.Failure != nil {
			continue
		}
		if rounds[a.repeat] == nil {
			order = append(order, a.repeat)
		}
		rounds[a.repeat] = append(rounds[a.repeat], a)
	}
	for _, n := range order {
		round := rounds[n]
		subjects := make([]assertion.Subject, len(round))
		grades := make([][]report.Grade, len(round))
		for i, a := range round {
			subjects[i], grades[i] = a.subject, a.grades
		}
		for i, g := range checker.Select(ctx, as, subjects, grades) {
			round[i].grades = append(round[i].grades, g)
		}
	}
}
