package words

import (
	"testing"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/guard"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func TestACommandDoesWhatThePlanSays(t *testing.T) {
	for _, tt := range []struct {
		name string
		plan registry.Plan
		want string
	}{
		{"a deploy for everybody", registry.Plan{Request: registry.Request{Action: registry.Deploy, Version: "1.1.0"}}, "incipit deploy support@1.1.0 --env staging"},
		{
			"a canary of a protected environment",
			registry.Plan{Request: registry.Request{Action: registry.Deploy, Version: "1.1.0", Strategy: registry.Canary, Steps: []registry.Share{5000, 25000}, Manual: true}, Protected: true},
			"incipit deploy support@1.1.0 --env staging --canary 5,25 --manual --confirm staging",
		},
		{
			"what was rolled back, over a rollout",
			registry.Plan{Request: registry.Request{Action: registry.Deploy, Version: "1.1.0", Strategy: registry.BlueGreen, Bucketing: registry.MD5Bucketing, Supersede: true, Quarantined: true}},
			"incipit deploy support@1.1.0 --env staging --blue-green --bucketing md5-100 --supersede --clear-quarantine",
		},
		{"a reason with a quote", registry.Plan{Request: registry.Request{Action: registry.Rollback, Reason: "it's $wrong"}}, `incipit rollback support --env staging --reason 'it'\''s $wrong'`},
		{"a rollback to a version", registry.Plan{Request: registry.Request{Action: registry.Rollback, Version: "1.0.0"}}, "incipit rollback support --env staging --to 1.0.0"},
		{"a shift", registry.Plan{Request: registry.Request{Action: registry.Shift, Share: 500}}, "incipit shift support --env staging --to 0.5"},
		{"a promotion", registry.Plan{Request: registry.Request{Action: registry.Promote}}, "incipit promote support --env staging"},
		{
			"an experiment",
			registry.Plan{Request: registry.Request{Action: registry.Deploy, Strategy: registry.Experiment, Primary: "errors", Arms: []registry.ArmRequest{{Name: "b", Version: "1.1.0", Share: 25000}}}},
			"incipit experiment start support --env staging --arm b=1.1.0:25 --primary errors",
		},
		{"the shares of an experiment", registry.Plan{Request: registry.Request{Action: registry.Shift, Shares: map[string]registry.Share{"c": 1000, "b": 500}}}, "incipit experiment shares support --env staging b=0.5 c=1"},
	} {
		tt.plan.Prompt, tt.plan.Environment = "support", "staging"
		if got := Command(&tt.plan); got != tt.want {
			t.Errorf("%s: %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

func TestHowARolloutStandsIsSaidOnce(t *testing.T) {
	ended := func(kind string) registry.RolloutReport {
		return registry.RolloutReport{Strategy: registry.Canary, Stable: "1.0.0", Candidate: "1.1.0", Phase: "ended", Decisions: []registry.Decision{{Kind: "begin"}, {Kind: kind, Text: "since"}}}
	}
	open := registry.RolloutReport{Strategy: registry.Canary, Stable: "1.0.0", Candidate: "1.1.0", Phase: "watching", Verdict: "healthy", Share: 5000, Steps: []registry.Share{5000, 50000}}
	steady := registry.RolloutReport{Strategy: registry.Full, Stable: "1.0.0", Phase: registry.PhaseSteady, Verdict: registry.Unchanged, Text: "as usual"}
	between := open
	between.Share = 7000
	for _, tt := range []struct{ name, got, want string }{
		{"an open one", Stance(open), "watching, healthy"},
		{"one that was promoted", Stance(ended(registry.DecisionPromote)), "promoted"},
		{"one that was rolled back", Stance(ended(registry.DecisionRollback)) + Why(ended(registry.DecisionRollback)), "rolled backsince"},
		{"one that was replaced", Stance(ended(registry.DecisionEnd)), "ended: another deployment took its place"},
		{"none", Sides(steady) + ", " + Stance(steady) + ", " + Why(steady), "1.0.0 for everybody, unchanged, as usual"},
		{"its way", Way(open), "[5 %] → 50 % → promoted"},
		{"a share beside its steps", Way(between), "5 % → [7 %] → 50 % → promoted"},
		{"what others wrote", Plain("a\nb\u202e##[c"), "a b⟨U+202E⟩## [c"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, tt.got, tt.want)
		}
	}
}

func TestEvidenceWeighsByItsDoublings(t *testing.T) {
	for _, tt := range []struct {
		name string
		m    guard.MetricReport
		want float64
	}{
		{"at the start", guard.MetricReport{Start: .5, Capital: .5, Goal: 50}, 0},
		{"below the start", guard.MetricReport{Start: .5, Capital: .1, Goal: 50}, 0},
		{"half way", guard.MetricReport{Start: 1, Capital: 10, Goal: 100}, .5},
		{"at the goal", guard.MetricReport{Start: 1, Capital: 1000, Goal: 100}, 1},
		{"without a goal", guard.MetricReport{Start: 1, Capital: 2}, 0},
	} {
		if got := Weight(tt.m); got < tt.want-1e-9 || got > tt.want+1e-9 {
			t.Errorf("%s: %g, want %g", tt.name, got, tt.want)
		}
	}
	if SafeWeight(guard.MetricReport{Safe: true}) != 1 || SafeWeight(guard.MetricReport{SafeCapital: .5, SafeGoal: 20}) != 0 {
		t.Error("what is safe has come to its goal, and what lost its bets nowhere")
	}
}

func TestWhatWasDoneNamesWhatRuns(t *testing.T) {
	v := func(minor uint32) prompt.Version { return prompt.Version{Major: 1, Minor: minor} }
	at := registry.Place{Prompt: "support", Environment: "dev"}
	ro := registry.NewRollout(registry.Canary, registry.DefaultBucketing, "", registry.Arm{Version: v(0)}, registry.Arm{Version: v(1)}, nil).WithShare(5000)
	for _, tt := range []struct{ got, want string }{
		{Done(at, registry.Deployment{Seq: 3, Action: registry.Deploy, Version: v(1)}), "support@1.1.0 is live in dev (deployment 3)"},
		{Done(at, registry.Deployment{Seq: 3, Action: registry.Retire, Version: v(1)}), "support runs no more in dev (deployment 3)"},
		{Done(at, registry.Deployment{Seq: 3, Action: registry.Deploy, Version: v(0), Rollout: &ro}), "support@1.1.0 has 5 % of the subjects in dev, 1.0.0 the rest (deployment 3)"},
		{Deployment(registry.Deployment{Action: registry.Rollback, From: "1.1.0", Version: v(0)}), "rollback 1.1.0 → 1.0.0"},
		{Deployment(registry.Deployment{Action: registry.Shift, Version: v(0), Rollout: &ro}), "shift 1.0.0 → 1.1.0 at 5 %"},
	} {
		if tt.got != tt.want {
			t.Errorf("%q, want %q", tt.got, tt.want)
		}
	}
}

func TestAMarginIsInTheUnitOfItsMetric(t *testing.T) {
	p := guard.Policy{Safe: guard.Margins{Errors: .01, Latency: .15, FirstToken: .2, Tokens: .1, Cost: .05, Satisfaction: .25}}
	want := []string{"1 point", "15 %", "20 %", "10 %", "5 %", "0.25 points"}
	for i, m := range guard.Metrics() {
		if got := Margin(p, m); got != want[i] {
			t.Errorf("%s: %q, want %q", m, got, want[i])
		}
	}
}
