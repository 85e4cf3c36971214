package lifecycle

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func TestWhatRanIsTheSameInEveryStore(t *testing.T) {
	each(t, []registry.Environment{{Name: "dev"}, {Name: "production"}}, func(_ *testing.T, r *rig) {
		var then []time.Time
		for _, req := range []registry.Request{
			deploying("dev", "1.0.0", because("first")), deploying("dev", "1.0.0", of("billing/refunds")), deploying("dev", "1.1.0", canary),
			ask(registry.Promote, "dev", ""), ask(registry.Retire, "dev", "", of("billing/refunds")), deploying("production", "1.3.0"),
		} {
			r.clock.Advance(time.Minute)
			then = append(then, r.clock.Now())
			r.clock.Advance(time.Minute)
			r.done(req)
		}
		r.clock.Advance(time.Minute)
		then = append(then, time.Time{}) // now
		want := []string{
			"",
			"support 1.0.0 100 % #1",
			"billing/refunds 1.0.0 100 % #1, support 1.0.0 100 % #1",
			"billing/refunds 1.0.0 100 % #1, support 1.0.0 95 % 1.1.0 5 % #2",
			"billing/refunds 1.0.0 100 % #1, support 1.1.0 100 % #3",
			"support 1.1.0 100 % #3",
			"support 1.1.0 100 % #3",
		}
		for i, at := range then {
			ran, err := r.WhatRan(by(r, "bob"), "dev", at)
			if err != nil {
				r.Fatal(err)
			}
			var cells []string
			for _, p := range ran.Prompts {
				cell := string(p.Prompt)
				for _, a := range p.Arms {
					cell += " " + a.Version.String() + " " + a.Share.String()
					if a.Digest != digestOf(r, p.Prompt, a.Version.String()) {
						r.Errorf("the digest of %s is %s", a.Version, a.Digest)
					}
				}
				cells = append(cells, fmt.Sprintf("%s #%d", cell, p.Seq))
			}
			if got := strings.Join(cells, ", "); got != want[i] {
				r.Errorf("after %d changes %q ran, want %q", i, got, want[i])
			}
		}
		if _, err := r.WhatRan(by(r, "bob"), "dev", r.clock.Now().Add(time.Hour)); !errors.Is(err, prompt.ErrInvalid) || !strings.Contains(err.Error(), "in the future") {
			r.Errorf("the future: %v", err)
		}
		if _, err := r.WhatRan(by(r, "bob"), "qa", time.Time{}); !errors.Is(err, registry.ErrNotFound) {
			r.Errorf("an unknown environment: %v", err)
		}
	})
}

func TestWhatRanShowsWhatTheCallerMayRead(t *testing.T) {
	eachShared(t, []registry.Environment{{Name: "dev"}}, func(t *testing.T, r *rig) {
		r.done(deploying("dev", "1.0.0"))
		r.done(deploying("dev", "1.0.0", of("billing/refunds")))
		for prompts, want := range map[string][]prompt.ID{"*": {"billing/refunds", "support"}, "billing/*": {"billing/refunds"}, "other": {}} {
			ran, err := r.shared.WhatRan(reader(t, "dev", prompts), "dev", time.Time{})
			got := []prompt.ID{}
			for _, p := range ran.Prompts {
				got = append(got, p.Prompt)
			}
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("whoever may read %s sees %v, want %v: %v", prompts, got, want, err)
			}
		}
		if _, err := r.shared.WhatRan(reader(t, "production", "*"), "dev", time.Time{}); !errors.Is(err, registry.ErrForbidden) {
			t.Errorf("an environment that may not be read: %v", err)
		}
	})
}
