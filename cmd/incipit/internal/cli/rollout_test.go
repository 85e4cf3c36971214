package cli

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/guard"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/registry"
)

func TestStepsBehindTheFlagAreItsValueAndReleasesAreNot(t *testing.T) {
	for line, want := range map[string]string{
		"deploy a@1.0.0 --canary 5,25 --env dev": "deploy a@1.0.0 --canary=5,25 --env dev",
		"deploy --canary 0.5 a@1.0.0":            "deploy --canary=0.5 a@1.0.0",
		"deploy --canary 5-prompt@1.0.0":         "deploy --canary 5-prompt@1.0.0",
		"deploy a@1.0.0 --canary --env dev":      "deploy a@1.0.0 --canary --env dev",
		"deploy a@1.0.0 --canary":                "deploy a@1.0.0 --canary",
		"deploy a@1.0.0 --canary=5,25 7":         "deploy a@1.0.0 --canary=5,25 7",
		"deploy -- --canary 5":                   "deploy -- --canary 5",
	} {
		args := strings.Fields(line)
		given := slices.Clone(args)
		if got := strings.Join(joinSteps(args), " "); got != want || !slices.Equal(args, given) {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

// hostileText is what somebody may have written into a reason.
const hostileText = "50%, a:b\r\n::error::mine\n##[error]mine \x1b[2J"

func TestATextBeginsNoWorkflowCommand(t *testing.T) {
	r := registry.RolloutReport{Place: registry.Place{Prompt: "support", Environment: "production"}, Candidate: "1.1.0"}
	for kind, want := range map[string]string{
		registry.DecisionRollback: "error", registry.DecisionAsk: "warning", registry.DecisionAdvance: "notice", registry.DecisionPromote: "notice",
		registry.DecisionHold: "", registry.DecisionPause: "", registry.DecisionBegin: "",
	} {
		var out bytes.Buffer
		workflowCommand(&out, r, registry.Decision{Kind: kind, Share: 5_000, Text: hostileText})
		got := out.String()
		if want == "" {
			if got != "" {
				t.Errorf("%s: %q", kind, got)
			}
			continue
		}
		if strings.Count(got, "\n") != 1 || strings.ContainsAny(got, "\r\x1b") || !strings.HasPrefix(got, "::"+want+" title=1.1.0 of support in production at 5 %25%3A "+kind+"::50%25, a:b") {
			t.Errorf("%s: %q", kind, got)
		}
	}
	var out bytes.Buffer
	workflowCommand(&out, r, registry.Decision{Kind: registry.DecisionHold, Verdict: guard.Untrusted.String()})
	if !strings.HasPrefix(out.String(), "::warning ") {
		t.Errorf("%q", out.String())
	}
	line := words.Decision(registry.Decision{Kind: registry.DecisionPause, By: hostileText, Text: hostileText})
	if strings.ContainsAny(line, "\r\n\x1b") || strings.Contains(line, "##[") {
		t.Errorf("%q", line)
	}
}

func TestALiveViewSaysWhereARolloutStandsAndWhatSpeaksAgainstIt(t *testing.T) {
	evidence, err := json.Marshal(guard.Report{Metrics: []guard.MetricReport{
		{Metric: "errors", Start: .4, Capital: 6.4, Goal: 100},
		{Metric: "first_token", Start: .1, Capital: .01, Goal: 100, Safe: true},
	}})
	if err != nil {
		t.Fatal(err)
	}
	r := registry.RolloutReport{
		Place: registry.Place{Prompt: "support", Environment: "production"}, Strategy: registry.Canary, Stable: "1.0.0", Candidate: "1.1.0",
		Share: 10_000, Steps: []registry.Share{5_000, 25_000, 95_000}, Phase: "watching", Verdict: "insufficient evidence",
		Text: "61 of about 140 calls", Next: "go to 25 %", Evidence: evidence,
		Decisions: []registry.Decision{{Seq: 1, Kind: "begin", By: "guard", Share: 5_000, Text: "the guard follows 1.1.0"}},
	}
	var out bytes.Buffer
	printLive(&out, r, time.Date(2026, 1, 31, 9, 0, 0, 0, time.UTC))
	for _, want := range []string{
		"2026-01-31 09:00:00 UTC", "1.0.0 → 1.1.0 at 10 %: watching, insufficient evidence", "\n  61 of about 140 calls\n",
		"███░░░░░░░░░░░░░░░░░░░░░░░░░░░ 10 %  5 % → [10 %] → 25 % → 95 % → promoted\n",
		"  errors         ██████████░░░░░░░░░░ 6.4 of 100\n", "  first token    ░░░░░░░░░░░░░░░░░░░░ 0.01 of 100", "safe",
		"begin by guard at 5 %: the guard follows 1.1.0\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("there is no %q in\n%s", want, out.String())
		}
	}
}

func TestAReleaseThatServesEverybodyIsNoRollout(t *testing.T) {
	r := registry.RolloutReport{
		Place: registry.Place{Prompt: "support", Environment: "production"}, Opened: 3, Strategy: registry.Full, Stable: "1.0.0", Share: registry.Scale,
		Phase: registry.PhaseSteady, Verdict: registry.Changed, Text: "changed: errors 9 % in the last 80 calls", Next: "it is compared anew",
		Evidence:  json.RawMessage(`{"metrics": [{"metric": "errors"}]}`),
		Decisions: []registry.Decision{{Seq: 1, Kind: registry.DecisionChanged, By: "guard", Share: registry.Scale, Text: "changed: errors 9 %"}},
	}
	var out bytes.Buffer
	printRollout(&out, r)
	got := out.String()
	if !strings.Contains(got, "support in production") || !strings.Contains(got, "  1.0.0 for everybody: changed\n  changed: errors 9 % in the last 80 calls\n") ||
		!strings.Contains(got, "next           it is compared anew\n") || !strings.Contains(got, "changed   100 %") || strings.Contains(got, "METRIC") || strings.Contains(got, "→") {
		t.Error(got)
	}
}
