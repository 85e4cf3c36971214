package registry

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

func TestGuardOfSaysEverything(t *testing.T) {
	e := Environment{Name: "production", Guard: &Guard{
		GuardRules: GuardRules{Bake: new(Duration(time.Hour)), MaxErrorIncrease: new(0.02)},
		Prompts: map[string]GuardRules{
			"billing/*":       {MaxErrorIncrease: new(0.005), Steps: []Share{1000, 10_000}},
			"billing/refunds": {Policy: GuardOff},
			"b*":              {Policy: GuardClassic},
		},
	}}
	for _, c := range []struct {
		id     prompt.ID
		policy string
		errors float64
		steps  int
	}{
		{"support", GuardEvidence, 0.02, 4},
		{"billing/invoices", GuardEvidence, 0.005, 2},
		{"billing/refunds", GuardOff, 0.02, 4},
		{"bots", GuardClassic, 0.02, 4},
	} {
		r := e.GuardOf(c.id)
		if r.Policy != c.policy || *r.MaxErrorIncrease != c.errors || len(r.Steps) != c.steps {
			t.Errorf("%s: policy %s, errors %v, steps %v", c.id, r.Policy, *r.MaxErrorIncrease, r.Steps)
		}
		if time.Duration(*r.Bake) != time.Hour || time.Duration(*r.Limit) != 24*time.Hour || *r.HoldBack != 5000 || r.AtLimit != GuardAsk {
			t.Errorf("%s: a rule of the environment or a default is missing: %+v", c.id, r)
		}
	}
}

func TestGuardRulesThatCannotBeKept(t *testing.T) {
	for text, want := range map[string]string{
		`{"policy":"luck"}`:                          "policy is \"luck\"",
		`{"max_error_increase":0}`:                   "max_error_increase is 0",
		`{"min_satisfaction_delta":0.2}`:             "min_satisfaction_delta is 0.2",
		`{"steps":["25","5"]}`:                       "each must be larger",
		`{"hold_back":"60"}`:                         "hold_back is 60 %",
		`{"limit":"0s"}`:                             "limit is 0s",
		`{"bake":"91d"}`:                             "bake is 91d",
		`{"metrics":["errors","errors"]}`:            "named twice",
		`{"prompts":{"a*b":{}}}`:                     "is no pattern",
		`{"prompts":{"billing/*":{"alpha":2}}}`:      "prompts: billing/*: alpha is 2",
		`{"prompts":{"x":{"on_regress":"advance"}}}`: "on_regress is \"advance\"",
	} {
		var g Guard
		if err := json.Unmarshal([]byte(text), &g); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if err := g.Validate(); !errors.Is(err, prompt.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestDurationsAreReadAsTheyAreWritten(t *testing.T) {
	for text, want := range map[string]time.Duration{"90s": 90 * time.Second, "5m": 5 * time.Minute, "24h": day, "7d": 7 * day, "0s": 0, "1h30m": 90 * time.Minute} {
		d, err := ParseDuration(text)
		if err != nil || time.Duration(d) != want {
			t.Errorf("%s: %v, %v", text, d, err)
		}
		if again, err := ParseDuration(d.String()); err != nil || again != d {
			t.Errorf("%s is written %s, and read %v, %v", text, d, again, err)
		}
	}
	for _, text := range []string{"", "5", "-1s", "d", "1.5d", "99999d", "soon"} {
		if d, err := ParseDuration(text); !errors.Is(err, prompt.ErrInvalid) {
			t.Errorf("%q is read as %v, %v", text, d, err)
		}
	}
}

func TestARolloutBeganWhereItWasDeployed(t *testing.T) {
	r := &Rollout{Strategy: Canary}
	track := Track{{Seq: 1, Action: Deploy}, {Seq: 2, Action: Deploy, Rollout: r}, {Seq: 3, Action: Shift, Rollout: r}, {Seq: 4, Action: Shift, Rollout: r}}
	if d, ok := track.Began(); !ok || d.Seq != 2 {
		t.Errorf("it began with %d, %v", d.Seq, ok)
	}
	for _, closed := range []Track{nil, track[:1], append(track[:4:4], Deployment{Seq: 5, Action: Promote})} {
		if d, ok := closed.Began(); ok {
			t.Errorf("%d records, none open: it began with %d", len(closed), d.Seq)
		}
	}
}
