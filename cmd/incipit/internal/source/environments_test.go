package source

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/evidence"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func TestConfigReadsTheRulesOfEnvironments(t *testing.T) {
	c, err := ParseConfig([]byte(`server: https://incipit.example.com/registry/
environments:
  - name: dev
  - name: staging
    after: dev
  - name: production
    after: staging
    protected: true
    reason: true
    require: [tests, review]
    approvals: 2
    freeze:
      - {from: 2026-12-20T18:00:00+01:00, to: "2027-01-02T08:00:00+01:00", why: holidays}
      - days: [fri, sat]
        start: 16:30
        end: 24:00
        zone: Europe/Berlin
        why: nobody is here
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []registry.Environment{
		{Name: "dev"},
		{Name: "staging", After: "dev"},
		{
			Name: "production", After: "staging", Protected: true, Reason: true, Require: []string{"tests", "review"}, Approvals: 2,
			Freeze: []registry.Freeze{
				{From: time.Date(2026, 12, 20, 17, 0, 0, 0, time.UTC), To: time.Date(2027, 1, 2, 7, 0, 0, 0, time.UTC), Why: "holidays"},
				{Days: []string{"fri", "sat"}, Start: "16:30", End: "24:00", Zone: "Europe/Berlin", Why: "nobody is here"},
			},
		},
	}
	if d := cmp.Diff(want, c.Environments, cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })); d != "" {
		t.Error(d)
	}
	if c.Server != "https://incipit.example.com/registry" {
		t.Errorf("server: %q", c.Server)
	}
}

func TestConfigAcceptsServers(t *testing.T) {
	for _, s := range []string{"https://incipit.example.com", "https://incipit:8443", "http://localhost:7878", "http://127.0.0.1:7878", "http://[::1]:7878"} {
		if c, err := ParseConfig([]byte("server: " + `"` + s + `"`)); err != nil || c.Server != s {
			t.Errorf("%s: %q, %v", s, c.Server, err)
		}
	}
}

func TestConfigRefusesRulesThatCannotBeKept(t *testing.T) {
	const env = "environments:\n  - name: dev\n  - name: live\n    "
	tests := []struct{ name, data, want string }{
		{"a misspelled rule", env + "approval: 2\n", "line 4"},
		{"a misspelled part of a freeze", env + "freeze: [{form: 2026-12-20T18:00:00Z}]\n", "line 4"},
		{"a rule given twice", env + "reason: true\n    reason: false\n", "line 5"},
		{"an environment after itself", env + "after: live\n", "line 4: environments: live comes after itself"},
		{"two after each other", "environments:\n  - {name: dev, after: live}\n  - {name: live, after: dev}\n", "line 2: environments: dev comes after itself: dev after live after dev"},
		{"one after an unknown one", env + "after: stagign\n", `"stagign", which is no environment here; environments are`},
		{"a typo in after", env + "after: dve\n", "did you mean dev?"},
		{"negative approvals", env + "approvals: -1\n", "line 3: environments: live: approvals: -1"},
		{"too many approvals", env + "approvals: 11\n", "from 0 to 10"},
		{"approvals that are no number", env + "approvals: two\n", "line 4"},
		{"a reason that is text", env + "reason: because\n", "line 4"},
		{"evidence given twice", env + "require: [tests, tests]\n", "named once"},
		{"evidence without a name", env + "require: ['']\n", "kind of evidence"},
		{"evidence that is a path", env + "require: [../x]\n", "kind of evidence"},
		{"evidence that says something else", env + "require: {tests: maybe}\n", "write tests: pass"},
		{"a comparison that only passes", env + "require: {comparison: pass}\n", "write comparison: not-regressed"},
		{"the same evidence twice in a mapping", env + "require: {tests: pass, tests: pass}\n", "line 4"},
		{"evidence in a mapping that is a path", env + "require: {../x: pass}\n", "no kind of evidence"},
		{"evidence that is a number", env + "require: 7\n", "line 4"},
		{"a key that is none", "prompts: prompts\nevidence: {keys: [hello]}\n", "line 2: evidence: keys: line 1"},
		{"a key that is private", "evidence: {keys: ['-----BEGIN PRIVATE KEY-----']}\n", "private key"},
		{"a misspelled part of evidence", "evidence: {key: []}\n", "line 1"},
		{"a freeze of nothing", env + "freeze: [{}]\n", "needs from and a later to"},
		{"a freeze that ends first", env + "freeze: [{from: 2026-12-20T18:00:00Z, to: 2026-12-19T18:00:00Z}]\n", "later to"},
		{"a time without a zone", env + "freeze: [{from: 2026-12-20T18:00:00, to: 2026-12-21T18:00:00}]\n", "with its zone"},
		{"a day without a time", env + "freeze: [{from: 2026-12-20, to: 2026-12-21}]\n", "with its zone"},
		{"both kinds of freeze", env + "freeze: [{from: 2026-12-20T18:00:00Z, to: 2026-12-21T18:00:00Z, days: [fri]}]\n", "not both"},
		{"a zone where it does not count", env + "freeze: [{from: 2026-12-20T18:00:00Z, to: 2026-12-21T18:00:00Z, zone: Europe/Berlin}]\n", "go with days"},
		{"an unknown day", env + "freeze: [{days: [friday]}]\n", "no day"},
		{"an unknown zone", env + "freeze: [{days: [fri], zone: Mars/Base}]\n", "no time zone"},
		{"a zone outside the list", env + "freeze: [{days: [fri], zone: ../../etc/passwd}]\n", "no time zone"},
		{"the zone of each machine", env + "freeze: [{days: [fri], zone: Local}]\n", "another zone on each machine"},
		{"a time of day that is none", env + "freeze: [{days: [fri], start: 25:00}]\n", "no time of day"},
		{"an end before its start", env + "freeze: [{days: [fri], start: 16:00, end: 15:00}]\n", "not after its start"},
		{"hidden text in why", env + "freeze: [{days: [fri], why: \"a\\u202eb\"}]\n", "plain text"},
		{"a server without https", "prompts: prompts\nserver: http://incipit.example.com\n", "line 2: server: http to incipit.example.com"},
		{"a server on all addresses", "server: http://0.0.0.0:7878\n", "https"},
		{"a name that only looks like this machine", "server: http://localhost.example.com\n", "https"},
		{"a server with a password", "server: https://ada:hunter2@incipit.example.com\n", "name and password"},
		{"a server with a query", "server: https://incipit.example.com/?key=hunter2\n", "behind ?"},
		{"a server that is a path", "server: /run/incipit.sock\n", "URL such as"},
		{"a server of another kind", "server: ftp://incipit.example.com\n", "not supported"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParseConfig([]byte(tt.data))
			if !errors.Is(err, prompt.ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want %q", err, tt.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the secret stands in %q", err)
			}
		})
	}
}

func TestTheGuardOfAnEnvironmentIsRead(t *testing.T) {
	c, err := ParseConfig([]byte(`
environments:
  - name: production
    guard:
      policy: evidence
      max_error_increase: 0.02
      min_satisfaction_delta: -0.5
      metrics: [errors, latency]
      steps: [1, 12.5, 50]
      bake: 10m
      prompts:
        billing/*: {max_latency_increase_pct: 30, hold_back: 10}
`))
	if err != nil {
		t.Fatal(err)
	}
	g := c.Environments[0].GuardOf("billing/refunds")
	if *g.MaxErrorIncrease != 0.02 || *g.MinSatisfactionDelta != -0.5 || len(g.Metrics) != 2 || g.Steps[1] != 12_500 || g.Bake.String() != "10m" || *g.MaxLatencyIncreasePct != 30 || *g.HoldBack != 10_000 {
		t.Errorf("%+v", g)
	}
	for text, want := range map[string]string{
		"{policy: luck}":         `policy is "luck"`,
		"{max_eror_increase: 1}": "field max_eror_increase not found",
		"{bake: soon}":           "is no time",
		"{alpha: high}":          "line 3",
	} {
		if _, err := ParseConfig([]byte("environments:\n  - name: production\n    guard: " + text + "\n")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestWhatIsRequiredCanBeWrittenInTwoWays(t *testing.T) {
	for _, require := range []string{"[comparison, tests]", "{tests: pass, comparison: not-regressed}"} {
		c, err := ParseConfig([]byte("environments: [{name: live, require: " + require + "}]\n"))
		if err != nil || !slices.Equal(c.Environments[0].Require, []string{"comparison", "tests"}) {
			t.Errorf("%s: %+v, %v", require, c.Environments, err)
		}
	}
}

func TestTrustedKeysAreReadFromTheConfig(t *testing.T) {
	k := noteKey(t, "ci").Public()
	c, err := ParseConfig([]byte("evidence:\n  keys:\n    - " + k.String() + " ci\n"))
	if err != nil || !slices.Equal(c.EvidenceKeys, evidence.Keys{k}) {
		t.Errorf("%v, %v", c.EvidenceKeys, err)
	}
}
