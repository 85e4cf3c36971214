package lifecycle

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/rollout"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// glance is an overview in short: a line for each prompt.
func glance(o registry.Overview) string {
	var lines []string
	for _, row := range o.Prompts {
		line := fmt.Sprintf("%s %s of %d:", row.Prompt, row.Version, row.Releases)
		for _, env := range o.Environments {
			p, ok := row.Places[env]
			if !ok {
				continue
			}
			line += fmt.Sprintf(" %s %s", env, p.Version)
			if p.Candidate != "" {
				line += fmt.Sprintf(">%s@%s", p.Candidate, p.Share)
			}
			line += fmt.Sprintf(" -%d", p.Behind)
			if p.Ahead {
				line += " ahead"
			}
			line += fmt.Sprintf(" %s by %s, %s;", p.Action, p.By, p.Health)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func threeEnvironments() []registry.Environment {
	return []registry.Environment{{Name: "dev"}, {Name: "staging"}, {Name: "production"}}
}

func TestTheOverviewSaysWhatRunsHowFarBehindAndHowItFares(t *testing.T) {
	eachShared(t, threeEnvironments(), func(t *testing.T, r *rig) {
		see := func(envs, prompts, want string) {
			t.Helper()
			o, err := r.shared.Overview(reader(t, envs, prompts))
			if got := glance(o); err != nil || got != want {
				t.Errorf("%v\n%s\nwant\n%s", err, got, want)
			}
		}
		see("*", "*", "billing/refunds 1.3.0 of 4:\nsupport 1.3.0 of 4:")
		r.done(deploying("dev", "1.3.0"))
		r.done(deploying("staging", "1.1.0"))
		r.done(deploying("production", "1.0.0"))
		r.done(deploying("production", "1.1.0", canary, because("calmer")))
		r.done(deploying("production", "1.2.0", of("billing/refunds")))
		see("*", "*", "billing/refunds 1.3.0 of 4: production 1.2.0 -1 deploy by bob@example.com, no data;\n"+
			"support 1.3.0 of 4: dev 1.3.0 -0 ahead deploy by bob@example.com, no data; staging 1.1.0 -2 ahead deploy by bob@example.com, no data; "+
			"production 1.0.0>1.1.0@5 % -3 deploy by bob@example.com, no data;")
		see("staging,dev", "supp*", "support 1.3.0 of 4: dev 1.3.0 -0 ahead deploy by bob@example.com, no data; staging 1.1.0 -2 deploy by bob@example.com, no data;")
		see("", "", "")
		r.done(ask(registry.Retire, "staging", ""))
		see("dev,staging", "support", "support 1.3.0 of 4: dev 1.3.0 -0 ahead deploy by bob@example.com, no data;")
		o, err := r.shared.Overview(reader(t, "production", "support"))
		if p := o.Prompts[0].Places["production"]; err != nil || p.Reason != "calmer" || p.From != "1.0.0" || p.Seq != 2 || !slices.Equal(o.Environments, []string{"production"}) {
			t.Errorf("%+v %v, %v", p, o.Environments, err)
		}
		newer := made{"support", prompt.Version{Major: 1, Minor: 4}, "You answer for {{company}}, in one sentence and no more."}
		if _, _, err := r.db.AddReleases(t.Context(), []sqlstore.IndexedRelease{newer.indexed(t)}); err != nil {
			t.Fatal(err)
		}
		see("dev", "support", "support 1.4.0 of 5: dev 1.3.0 -1 deploy by bob@example.com, no data;")
	})
}

func TestTheListIsOfWhatTheCallerMayRead(t *testing.T) {
	eachShared(t, threeEnvironments(), func(t *testing.T, r *rig) {
		r.done(deploying("dev", "1.3.0"))
		r.done(deploying("production", "1.0.0"))
		for _, tt := range []struct{ envs, prompts, in, want string }{
			{"*", "*", "", "billing/refunds[] support[dev production]"},
			{"dev", "*", "", "billing/refunds[] support[dev]"},
			{"*", "billing/*", "", "billing/refunds[]"},
			{"*", "*", "dev", "support[dev]"},
			{"dev", "*", "production", ""},
			{"", "", "", ""},
		} {
			rows, err := r.shared.List(reader(t, tt.envs, tt.prompts), tt.in)
			var got []string
			for _, row := range rows {
				var envs []string
				for env := range row.Deployments {
					envs = append(envs, env)
				}
				slices.Sort(envs)
				got = append(got, fmt.Sprint(row.Prompt, envs))
			}
			if strings.Join(got, " ") != tt.want || err != nil {
				t.Errorf("%+v: %q, %v", tt, got, err)
			}
		}
		if _, err := r.shared.List(reader(t, "*", "*"), "qa"); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("an environment that there is not: %v", err)
		}
	})
}

func TestHealthIsOneWord(t *testing.T) {
	known := health{
		envs: map[string]registry.Environment{"production": {}, "off": {Guard: &registry.Guard{GuardRules: registry.GuardRules{Policy: registry.GuardOff}}}},
		followed: map[registry.Place]registry.FollowedRollout{
			{Prompt: "new", Environment: "production"}: {Opened: 4, State: []byte(`{}`)},
		},
		watched: map[registry.Place]registry.WatchedRelease{
			{Prompt: "calm", Environment: "production"}:    {Deployment: 3},
			{Prompt: "changed", Environment: "production"}: {Deployment: 3, Alarmed: true},
			{Prompt: "before", Environment: "production"}:  {Deployment: 2, Alarmed: true},
		},
	}
	for _, s := range []struct {
		id    prompt.ID
		state rollout.State
	}{
		{"healthy", rollout.State{Phase: rollout.Watching, Verdict: rollout.Healthy}},
		{"few", rollout.State{Phase: rollout.Watching, Verdict: rollout.Insufficient}},
		{"first", rollout.State{Phase: rollout.Watching, Verdict: rollout.Unmeasured, Calls: 3}},
		{"none", rollout.State{Phase: rollout.Watching, Verdict: rollout.Unmeasured}},
		{"silent", rollout.State{Phase: rollout.Watching, Verdict: rollout.Insufficient, Silent: true}},
		{"paused", rollout.State{Phase: rollout.Paused, Verdict: rollout.Healthy}},
		{"asks", rollout.State{Phase: rollout.Asking, Verdict: rollout.Healthy, Question: rollout.MayMove}},
		{"worse", rollout.State{Phase: rollout.Asking, Verdict: rollout.Regressed, Question: rollout.IsWorse}},
		{"untrusted", rollout.State{Phase: rollout.Watching, Verdict: rollout.Untrusted}},
	} {
		raw, err := json.Marshal(s.state)
		if err != nil {
			t.Fatal(err)
		}
		known.followed[registry.Place{Prompt: s.id, Environment: "production"}] = registry.FollowedRollout{Opened: 3, State: raw}
	}
	open := &registry.Rollout{Strategy: registry.Canary}
	for _, tt := range []struct {
		id, env string
		rollout *registry.Rollout
		want    registry.Health
	}{
		{"healthy", "production", open, registry.HealthHealthy},
		{"few", "production", open, registry.HealthWatching},
		{"first", "production", open, registry.HealthWatching},
		{"none", "production", open, registry.HealthNoData},
		{"silent", "production", open, registry.HealthNoData},
		{"paused", "production", open, registry.HealthHeld},
		{"asks", "production", open, registry.HealthHeld},
		{"worse", "production", open, registry.HealthRegressed},
		{"untrusted", "production", open, registry.HealthUntrusted},
		{"new", "production", open, registry.HealthNoData},
		{"unknown", "production", open, registry.HealthNoData},
		{"healthy", "production", &registry.Rollout{Strategy: registry.Canary, Manual: true}, registry.HealthUnwatched},
		{"healthy", "off", open, registry.HealthUnwatched},
		{"calm", "production", nil, registry.HealthUnchanged},
		{"changed", "production", nil, registry.HealthChanged},
		{"before", "production", nil, registry.HealthNoData},
		{"unknown", "production", nil, registry.HealthNoData},
	} {
		d := registry.Deployment{Seq: 3, Rollout: tt.rollout}
		got := known.of(registry.Place{Prompt: prompt.ID(tt.id), Environment: tt.env}, d)
		if got != tt.want || !slices.Contains(registry.Healths(), got) {
			t.Errorf("%s in %s: %q, want %q", tt.id, tt.env, got, tt.want)
		}
	}
}

func TestTheNextEnvironmentIsTheOneThatComesAfter(t *testing.T) {
	for _, tt := range []struct {
		name string
		envs []registry.Environment
		want string
	}{
		{"in order", threeEnvironments(), "map[dev:staging staging:production]"},
		{"as they say", []registry.Environment{{Name: "dev"}, {Name: "production", After: "staging"}, {Name: "staging", After: "dev"}}, "map[dev:staging staging:production]"},
		{"two come after one", []registry.Environment{{Name: "dev"}, {Name: "eu", After: "dev"}, {Name: "us", After: "dev"}}, "map[dev:eu]"},
	} {
		if got := fmt.Sprint(nextOf(tt.envs)); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// BenchmarkOverview is the home page of 1,000 prompts × 10 releases in 3
// environments, where nothing changed and right after a change.
//
//	go test -run '^$' -bench BenchmarkOverview ./cmd/incipit/internal/lifecycle
func BenchmarkOverview(b *testing.B) {
	r := crowded(b)
	ctx := reader(b, "*", "*")
	b.Run("unchanged", func(b *testing.B) {
		for b.Loop() {
			if o, err := r.shared.Overview(ctx); err != nil || len(o.Prompts) != 1000 {
				b.Fatal(len(o.Prompts), err)
			}
		}
	})
	b.Run("changed", func(b *testing.B) {
		for b.Loop() {
			r.shared.shelves.standings = newShelves().standings
			if o, err := r.shared.Overview(ctx); err != nil || len(o.Prompts) != 1000 {
				b.Fatal(len(o.Prompts), err)
			}
		}
	})
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			r.shared.shelves = newShelves()
			if o, err := r.shared.Overview(ctx); err != nil || len(o.Prompts) != 1000 {
				b.Fatal(len(o.Prompts), err)
			}
		}
	})
}

// crowded is a service that knows 1,000 prompts × 10 releases of 2 KB, each
// running in 3 environments and watched there.
func crowded(b *testing.B) *rig {
	b.Helper()
	r := overWith(b, storetest.SQLite(b), threeEnvironments(), nil)
	if err := r.fill(b, 1000, 10); err != nil {
		b.Fatal(err)
	}
	return r
}

// fill takes the releases of the tests for those of many prompts, and deploys one
// of each in every environment.
func (r *rig) fill(tb testing.TB, prompts, releases int) error {
	tb.Helper()
	topics := []string{"refunds", "invoices", "deliveries", "passwords", "outages"}
	var rows []sqlstore.IndexedRelease
	for i := range prompts - 2 { // support and billing/refunds are there
		id := prompt.ID(fmt.Sprintf("team-%02d/prompt-%04d", i%20, i))
		for n := range releases {
			text := strings.Repeat("Answer briefly and truthfully, and never guess at "+topics[(i+n)%5]+".\n", 28)
			rows = append(rows, made{id, prompt.Version{Major: 1, Minor: uint32(n)}, text}.indexed(tb))
		}
	}
	if _, problems, err := r.db.AddReleases(tb.Context(), rows); err != nil || len(problems) > 0 {
		return errors.Join(err, fmt.Errorf("%d problems", len(problems)))
	}
	var watched []registry.Steady
	for i := 0; i < len(rows); i += releases {
		for _, e := range threeEnvironments() {
			at := registry.Place{Prompt: rows[i].Prompt, Environment: e.Name}
			if _, err := r.Do(by(tb, "bob@example.com"), deploying(e.Name, "1.3.0", of(at.Prompt))); err != nil {
				return err
			}
			watched = append(watched, registry.Steady{Place: at, Deployment: 1, State: []byte(strings.Repeat("s", 3000))})
		}
	}
	return r.db.SaveSteady(tb.Context(), watched, nil)
}
