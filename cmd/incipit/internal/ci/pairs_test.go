package ci

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/compare"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/report"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/suite"
	"github.com/incipit-dev/incipit/internal/prompt"
)

func answered(key, target string, repeat int, o report.Outcome) report.Case {
	return report.Case{Key: key, Target: target, Repeat: repeat, Outcome: o}
}

func TestACaseIsComparedIfBothSidesAnsweredIt(t *testing.T) {
	s := &suite.Suite{Cases: []suite.Case{{Key: "a", Cluster: "x"}, {Key: "b", Cluster: "x"}, {Key: "c"}, {Key: "not asked"}}}
	run := report.Run{Cases: []report.Case{
		answered("a", "new", 0, report.Pass), answered("a", "new", 1, report.Fail), answered("a", "old", 0, report.Pass),
		answered("b", "new", 0, report.Error), answered("b", "old", 0, report.Pass),
		answered("c", "new", 0, report.Fail), answered("c", "old", 0, report.Error),
	}}
	mine, other := split(run, "new", "old")
	got, without := pairs(s, mine, other)
	want := []compare.Pair{{Case: "a", Cluster: "x", Candidate: []compare.Sample{{Passed: true}, {}}, Base: []compare.Sample{{Passed: true}}}}
	if d := cmp.Diff(want, got); d != "" || without != 2 {
		t.Errorf("%d without an answer, %s", without, d)
	}
	if mine.Passed != 1 || mine.Failed != 2 || mine.Errors != 1 || other.Errors != 1 {
		t.Errorf("counted %+v, %+v", mine, other)
	}
}

func TestARepeatCountsIfBothSidesAnsweredIt(t *testing.T) {
	got := answeredByBoth([]report.Case{
		answered("a", "new", 1, report.Pass), answered("a", "old", 1, report.Pass),
		answered("a", "new", 2, report.Pass), answered("a", "old", 2, report.Error),
		answered("b", "new", 1, report.Error), answered("b", "old", 1, report.Fail),
	})
	if len(got) != 2 || got[0].Repeat != 1 || got[1].Key != "a" {
		t.Errorf("got %+v", got)
	}
}

func TestThePromptsOwnRulesGoBefore(t *testing.T) {
	g := &Gate{Rules: compare.Rules{Alpha: 0.05, Margin: 0.10}}
	margin := 0.02
	got := g.rules(prompt.Metadata{Comparison: &prompt.Comparison{Margin: &margin, Gate: []string{"pass", "tone"}}})
	if got.Margin != 0.02 || got.Alpha != 0.05 || len(got.Gate) != 2 {
		t.Errorf("got %+v", got)
	}
	if got := g.rules(prompt.Metadata{}); got.Margin != 0.10 || got.Gate != nil {
		t.Errorf("got %+v", got)
	}
}

func TestAHashTellsWhereEachPartEnds(t *testing.T) {
	seen := make(map[string]bool)
	for _, parts := range [][]string{nil, {""}, {"", ""}, {"ab", "c"}, {"a", "bc"}, {"abc"}, {"1:a"}} {
		h := hash(parts)
		if seen[h] {
			t.Errorf("%q has the hash of another list", parts)
		}
		seen[h] = true
	}
}
