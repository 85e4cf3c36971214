package cli

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func TestAnExperimentIsShownWithItsStandings(t *testing.T) {
	trial := registry.Trial{
		Place: registry.Place{Prompt: "customer-support", Environment: "production"}, Seq: 3, By: "Ada <ada@example.com>",
		Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Primary: "errors", Bucketing: registry.DefaultBucketing, Salt: "s",
		Arms: []registry.RanArm{
			{Name: "b", Version: prompt.Version{Major: 1, Minor: 1}, Share: 25_000},
			{Name: "c", Version: prompt.Version{Major: 1, Minor: 2}, Share: 0},
			{Name: "stable", Version: prompt.Version{Major: 1}, Share: 75_000},
		},
	}
	var out strings.Builder
	printTrial(&out, trial)
	for _, want := range []string{" in production: experiment since 2026-01-02 03:04:05 UTC by Ada", "b       1.1.0    25 %", "c       1.2.0    0 %", "stable  1.0.0    75 %"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s\nhas no %q", out.String(), want)
		}
	}
	if strings.Contains(out.String(), "CALLS") {
		t.Error("nobody watches it")
	}

	trial.Contest = &registry.ContestReport{Primary: "errors", Alpha: .01, Arms: []registry.ContestArm{
		{Name: "b", Standing: registry.ArmUndecided, Calls: 812, PBetter: .12, PWorse: 1},
		{Name: "c", Standing: registry.ArmWorse, Calls: 97, PBetter: 1, PWorse: .00031, Worse: []string{"errors", "latency"}},
	}}
	out.Reset()
	printTrial(&out, trial)
	for _, want := range []string{"812    insufficient evidence  0.12", "97     worse                  1 ", "0.00031        errors, latency", "No arm has been shown to be better on errors so far"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s\nhas no %q", out.String(), want)
		}
	}
	trial.Contest.Winner = "b"
	out.Reset()
	printTrial(&out, trial)
	if !strings.HasSuffix(out.String(), "\nb is better on errors\n") {
		t.Error(out.String())
	}
}

func TestARolloutThatIsAnExperimentIsShownByItsArms(t *testing.T) {
	raw, err := json.Marshal(registry.ContestReport{Primary: "errors", Alpha: .01, Arms: []registry.ContestArm{
		{Name: "b", Standing: registry.ArmWorse, Calls: 97, PBetter: 1, PWorse: .00031, Worse: []string{"errors"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	r := registry.RolloutReport{
		Place: registry.Place{Prompt: "customer-support", Environment: "production"}, Opened: 2, Strategy: registry.Experiment, Stable: "1.0.0",
		Share: 33_000, Phase: "watching", Verdict: "regressed", Text: "b is worse", Evidence: raw,
	}
	var out strings.Builder
	printRollout(&out, r)
	for _, want := range []string{"experiment, 1.0.0 beside its arms at 33 %: watching, regressed", "b    97     worse     1               0.00031        errors", "alpha 0.01 for all arms together"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s\nhas no %q", out.String(), want)
		}
	}
	for _, not := range []string{"steps", "promoted", "policy", "CANDIDATE"} {
		if strings.Contains(out.String(), not) {
			t.Errorf("%s\nhas %q", out.String(), not)
		}
	}
}
