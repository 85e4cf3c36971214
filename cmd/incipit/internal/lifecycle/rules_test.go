package lifecycle

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func TestTheLifeOfAPromptIsTheSameInEveryStore(t *testing.T) {
	envs := []registry.Environment{{Name: "dev"}, {Name: "staging"}}
	each(t, envs, func(_ *testing.T, r *rig) {
		r.refused(registry.ErrNotFound, "9.9.9", deploying("dev", "9.9.9"))
		r.refused(registry.ErrNotFound, "no-such", deploying("dev", "1.0.0", of("no-such")))
		r.refused(registry.ErrNotFound, "qa", deploying("qa", "1.0.0"))
		r.refused(prompt.ErrInvalid, "version", deploying("dev", "new"))
		r.refused(prompt.ErrInvalid, "stable release to start from", deploying("dev", "1.0.0", canary))
		r.refused(registry.ErrNotFound, "no open rollout", ask(registry.Promote, "dev", ""))
		r.refused(registry.ErrNotFound, "no open rollout", ask(registry.Shift, "dev", "", share(1_000)))
		r.refused(registry.ErrNotFound, "nothing to roll back", ask(registry.Rollback, "dev", ""))
		r.refused(registry.ErrNotFound, "nothing to retire", ask(registry.Retire, "dev", ""))
		r.refused(prompt.ErrInvalid, "action", ask("explode", "dev", ""))
		r.refused(prompt.ErrInvalid, "nobody sees", deploying("dev", "1.0.0", because("be\u202eacause")))
		r.refused(prompt.ErrInvalid, "longer than", deploying("dev", "1.0.0", because(strings.Repeat("a", maxReason+1))))

		first := r.done(deploying("dev", "1.0.0", because("first")))
		if d := first.Deployment; first.Revision != 1 || d.Seq != 1 || d.By != "bob@example.com" || d.Reason != "first" || d.At.IsZero() || d.Digest != digestOf(r, "support", "1.0.0") {
			r.Errorf("%+v", first)
		}
		if again := r.done(deploying("dev", "1.0.0")); again.Already == "" || again.Revision != 1 {
			r.Errorf("%+v", again)
		}
		r.refused(registry.ErrNotFound, "first release", ask(registry.Rollback, "dev", ""))
		r.done(deploying("dev", "1.1.0", canary))
		r.check("dev", "1.0.0>1.1.0@5 %")
		if again := r.done(deploying("dev", "1.1.0", canary)); again.Already == "" || again.Revision != 2 {
			r.Errorf("%+v", again)
		}
		r.refused(registry.ErrConflict, "is open", deploying("dev", "1.2.0"))
		r.refused(registry.ErrConflict, "is open", ask(registry.Retire, "dev", ""))
		r.done(deploying("dev", "1.2.0", canary, supersede))
		r.check("dev", "1.0.0>1.2.0@5 %")
		r.done(ask(registry.Shift, "dev", "", share(50_000)))
		r.check("dev", "1.0.0>1.2.0@50 %")
		r.done(ask(registry.Shift, "dev", "", share(1_000)))
		r.done(ask(registry.Promote, "dev", ""))
		r.check("dev", "1.2.0")
		r.done(deploying("dev", "1.3.0"))
		r.done(ask(registry.Rollback, "dev", "", because("rude")))
		r.check("dev", "1.2.0")
		r.refused(registry.ErrGate, "1.3.0 was rolled back here by deployment 8: rude", deploying("dev", "1.3.0"))
		r.refused(registry.ErrGate, "1.3.0 was rolled back here", ask(registry.Rollback, "dev", "1.3.0"))
		r.refused(prompt.ErrInvalid, "never ran in dev", ask(registry.Rollback, "dev", "1.1.0"))
		if again := r.done(ask(registry.Rollback, "dev", "")); again.Already == "" || !strings.Contains(again.Already, "--to 1.0.0") {
			r.Errorf("a second rollback in a row: %+v", again)
		}
		r.done(deploying("dev", "1.3.0", cleared))
		r.check("dev", "1.3.0")
		r.done(ask(registry.Rollback, "dev", "1.0.0"))
		r.done(ask(registry.Retire, "dev", ""))
		r.check("dev", "nothing")
		if again := r.done(ask(registry.Retire, "dev", "")); again.Already == "" {
			r.Errorf("%+v", again)
		}
		r.refused(registry.ErrNotFound, "runs no release", ask(registry.Rollback, "dev", ""))
		if _, err := r.Snapshot(r.Context(), "dev", "support"); !errors.Is(err, registry.ErrNotFound) {
			r.Errorf("what was retired is served: %v", err)
		}
		all, err := r.Snapshot(r.Context(), "dev")
		if err != nil || len(all.Prompts) != 1 || !all.Prompts["support"].Removed || all.Revision != 11 {
			r.Errorf("%+v, %v", all, err)
		}
		r.refused(registry.ErrGate, "1.3.0 was rolled back here", deploying("dev", "1.3.0"))
		last := r.done(deploying("dev", "1.1.0"))
		if last.Revision != 12 || last.From != "" || last.Deployment.Seq != 12 {
			r.Errorf("after a retirement: %+v", last)
		}
		r.check("staging", "nothing")
		if r.shared != nil {
			r.audited()
		}
	})
}

func TestAReleaseRunsWhereItRanBefore(t *testing.T) {
	envs := []registry.Environment{{Name: "dev"}, {Name: "staging", After: "dev"}, {Name: "production", After: "staging"}}
	each(t, envs, func(_ *testing.T, r *rig) {
		r.refused(registry.ErrGate, "has not run in staging", deploying("production", "1.0.0"))
		r.refused(registry.ErrGate, "has not run in dev", deploying("staging", "1.0.0"))
		for _, env := range []string{"dev", "staging", "production"} {
			r.done(deploying(env, "1.0.0"))
		}
		// Another release's run says nothing of this one, nor does another prompt's.
		r.done(deploying("dev", "1.1.0", of("billing/refunds")))
		r.refused(registry.ErrGate, "support@1.1.0 has not run in dev", deploying("staging", "1.1.0"))
		r.refused(registry.ErrGate, "support@1.1.0 has not run in dev", deploying("staging", "1.1.0", canary))
		// A candidate that has served somebody ran; one that is loaded has not.
		r.done(deploying("dev", "1.1.0", func(q *registry.Request) { q.Strategy = registry.BlueGreen }))
		r.refused(registry.ErrGate, "support@1.1.0 has not run in dev", deploying("staging", "1.1.0"))
		r.done(ask(registry.Shift, "dev", "", share(1_000)))
		r.done(deploying("staging", "1.1.0", canary))
		r.done(ask(registry.Rollback, "dev", ""))
		// What ran is the past, also if it was taken back; and going on with what was
		// begun needs no new permission.
		r.done(ask(registry.Shift, "staging", "", share(registry.Scale)))
		r.done(ask(registry.Promote, "staging", ""))
		r.done(ask(registry.Rollback, "staging", ""))
		r.check("staging", "1.0.0")
	})
}

func TestAProtectedEnvironmentIsConfirmedAndToldWhy(t *testing.T) {
	each(t, []registry.Environment{{Name: "production", Protected: true, Reason: true}}, func(_ *testing.T, r *rig) {
		r.refused(prompt.ErrInvalid, "must say why", deploying("production", "1.0.0", confirm("production")))
		r.refused(prompt.ErrInvalid, "must say why", deploying("production", "1.0.0", confirm("production"), because(" \n\t")))
		r.refused(registry.ErrUnconfirmed, "protected", deploying("production", "1.0.0", because("first")))
		r.refused(registry.ErrUnconfirmed, "protected", deploying("production", "1.0.0", because("first"), confirm("Production")))
		r.refused(registry.ErrUnconfirmed, "protected", deploying("production", "1.0.0", because("first"), confirm("yes")))
		p, err := r.Plan(r.Context(), deploying("production", "1.0.0"))
		if err != nil || !p.Protected {
			r.Errorf("a plan needs no confirmation: %+v, %v", p, err)
		}
		yes := []func(*registry.Request){because("because"), confirm("production")}
		r.done(deploying("production", "1.0.0", yes...))
		r.done(deploying("production", "1.1.0", append(yes, canary)...))
		for _, req := range []registry.Request{
			ask(registry.Shift, "production", "", share(9_000)), ask(registry.Promote, "production", ""), ask(registry.Rollback, "production", ""), deploying("production", "1.2.0", supersede),
		} {
			r.refused(prompt.ErrInvalid, "must say why", req)
			req.Reason = "because"
			r.refused(registry.ErrUnconfirmed, "protected", req)
		}
		r.done(ask(registry.Rollback, "production", "", yes...))
		r.refused(registry.ErrUnconfirmed, "protected", ask(registry.Retire, "production", "", because("x")))
		if again := r.done(deploying("production", "1.0.0")); again.Already == "" {
			r.Errorf("what runs already needs no word: %+v", again)
		}
	})
}

func TestAFreezeHoldsWhatIsNewAndLetsGoBack(t *testing.T) {
	begin := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	envs := []registry.Environment{{Name: "production", Freeze: []registry.Freeze{{From: begin, To: begin.Add(24 * time.Hour), Why: "launch"}}}}
	each(t, envs, func(_ *testing.T, r *rig) {
		until := func(to time.Time) { r.clock.Advance(to.Sub(r.clock.Now())) }
		r.done(deploying("production", "1.0.0"))
		r.done(deploying("production", "1.1.0", of("billing/refunds")))
		r.done(deploying("production", "1.1.0"))
		until(begin.Add(-time.Minute))
		r.done(deploying("production", "1.2.0", canary))
		until(begin)
		r.refused(registry.ErrGate, "production is frozen from 2026-02-01T00:00:00Z to 2026-02-02T00:00:00Z: launch", ask(registry.Shift, "production", "", share(50_000)))
		r.refused(registry.ErrGate, "is frozen", ask(registry.Promote, "production", ""))
		r.refused(registry.ErrGate, "is frozen", deploying("production", "1.3.0", supersede))
		r.refused(registry.ErrGate, "is frozen", deploying("production", "1.3.0", canary, supersede))
		r.refused(registry.ErrGate, "is frozen", ask(registry.Retire, "production", "", of("billing/refunds")))
		r.done(ask(registry.Shift, "production", "", share(1_000)))
		r.check("production", "1.1.0>1.2.0@1 %")
		r.refused(registry.ErrGate, "is frozen", ask(registry.Shift, "production", "", share(5_000)))
		r.done(ask(registry.Rollback, "production", ""))
		r.check("production", "1.1.0")
		r.done(ask(registry.Rollback, "production", "1.0.0"))
		r.check("production", "1.0.0")
		until(begin.Add(24*time.Hour - time.Second))
		r.refused(registry.ErrGate, "is frozen", deploying("production", "1.3.0"))
		until(begin.Add(24 * time.Hour))
		r.done(deploying("production", "1.3.0"))
	})
}

func TestADecisionHoldsForWhatWasSeen(t *testing.T) {
	each(t, []registry.Environment{{Name: "dev"}}, func(_ *testing.T, r *rig) {
		r.refused(registry.ErrConflict, "revision 0, not 1", deploying("dev", "1.0.0", at(1)))
		r.done(deploying("dev", "1.0.0", at(0)))
		r.refused(registry.ErrConflict, "revision 1, not 0", deploying("dev", "1.1.0", at(0)))
		// The revision is the environment's: another prompt moves it, too.
		r.done(deploying("dev", "1.0.0", of("billing/refunds"), at(1)))
		r.refused(registry.ErrConflict, "revision 2, not 1", deploying("dev", "1.1.0", at(1)))

		seen, err := r.Plan(by(r, "bob@example.com"), deploying("dev", "1.1.0"))
		if err != nil {
			r.Fatal(err)
		}
		r.done(deploying("dev", "1.2.0", of("billing/refunds"))) // which the plan is not about
		if now, err := r.Replan(by(r, "bob@example.com"), seen); err != nil || now.SeenSeq != seen.SeenSeq {
			r.Errorf("%+v, %v", now, err)
		}
		r.done(deploying("dev", "1.2.0"))
		if _, err := r.Replan(by(r, "bob@example.com"), seen); !errors.Is(err, registry.ErrConflict) {
			r.Errorf("a plan that is stale: %v", err)
		}
		if _, err := r.Apply(by(r, "bob@example.com"), seen); !errors.Is(err, registry.ErrConflict) {
			r.Errorf("a plan that is stale was applied: %v", err)
		}
		r.check("dev", "1.2.0")
		fresh, err := r.Plan(by(r, "bob@example.com"), deploying("dev", "1.3.0"))
		if err != nil {
			r.Fatal(err)
		}
		receipt, err := r.Apply(by(r, "bob@example.com"), fresh)
		if err != nil || receipt.Deployment.Seq != fresh.SeenSeq+1 || receipt.To.String() != "1.3.0" {
			r.Errorf("%+v, %v", receipt, err)
		}
		fresh, err = r.Plan(by(r, "bob@example.com"), ask(registry.Rollback, "dev", ""))
		if err != nil {
			r.Fatal(err)
		}
		fresh.Deployment.Digest = "sha256:other"
		if _, err := r.Apply(by(r, "bob@example.com"), fresh); !errors.Is(err, registry.ErrConflict) {
			r.Errorf("the version means something else than it did: %v", err)
		}
	})
}

func TestAProgramAndAnAuthorApproveNothing(t *testing.T) {
	envs := []registry.Environment{{Name: "dev"}, {Name: "production", Approvals: 2}}
	each(t, envs, func(_ *testing.T, r *rig) {
		r.refused(registry.ErrGate, "0 of 2 approvals", deploying("production", "1.0.0"))
		if r.shared == nil {
			return // a file knows no approvals, and so it never opens
		}
		approve := func(who, version string, edit ...func(*registry.Approval)) error {
			a := registry.Approval{Prompt: "support", Environment: "production", Version: version}
			for _, e := range edit {
				e(&a)
			}
			_, err := r.shared.Approve(by(r, who), a)
			return err
		}
		for _, c := range []struct {
			what string
			err  error
			kind error
		}{
			{"a program", approve("ci", "1.0.0"), registry.ErrForbidden},
			{"the author", approve("ada@example.com", "1.0.0"), registry.ErrForbidden},
			{"the author in capitals", approve("ADA@Example.com", "1.0.0"), registry.ErrForbidden},
			{"no release", approve("bob@example.com", "7.0.0"), registry.ErrNotFound},
			{"no version", approve("bob@example.com", "x"), prompt.ErrInvalid},
			{"another digest than was seen", approve("bob@example.com", "1.0.0", func(a *registry.Approval) { a.Digest = "sha256:00" }), registry.ErrConflict},
			{"no environment", approve("bob@example.com", "1.0.0", func(a *registry.Approval) { a.Environment = "qa" }), registry.ErrNotFound},
			{"a reason that nobody sees", approve("bob@example.com", "1.0.0", func(a *registry.Approval) { a.Reason = "\u202e" }), prompt.ErrInvalid},
		} {
			if !errors.Is(c.err, c.kind) {
				r.Errorf("%s: %v", c.what, c.err)
			}
		}
		ok := func(who, version string, edit ...func(*registry.Approval)) {
			r.Helper()
			if err := approve(who, version, edit...); err != nil {
				r.Error(err)
			}
		}
		ok("bob@example.com", "1.0.0")
		ok("bob@example.com", "1.0.0") // twice is one person
		ok("BOB@example.com", "1.0.0")
		r.refusedBy("ci", registry.ErrGate, "1 of 2 approvals", deploying("production", "1.0.0"))
		ok("carol@example.com", "1.1.0") // of something else
		ok("carol@example.com", "1.0.0", func(a *registry.Approval) { a.Environment = "dev" })
		ok("carol@example.com", "1.0.0", func(a *registry.Approval) { a.Prompt = "billing/refunds" })
		r.refusedBy("ci", registry.ErrGate, "1 of 2 approvals", deploying("production", "1.0.0"))
		ok("carol@example.com", "1.0.0")
		r.refusedBy("carol@example.com", registry.ErrGate, "1 of 2 approvals", deploying("production", "1.0.0")) // who deploys does not count
		r.refusedBy("Carol@Example.com", registry.ErrGate, "1 of 2 approvals", deploying("production", "1.0.0"))
		r.doneBy("ci", deploying("production", "1.0.0"))
		// They are used up: the same release later needs new ones.
		ok("bob@example.com", "1.1.0")
		r.doneBy("ci", deploying("production", "1.1.0", canary))
		r.doneBy("ci", ask(registry.Shift, "production", "", share(50_000))) // a part of what was approved
		r.doneBy("ci", ask(registry.Rollback, "production", ""))             // going back needs nobody
		r.refusedBy("ci", registry.ErrGate, "0 of 2 approvals", deploying("production", "1.1.0", cleared))
		r.doneBy("ci", ask(registry.Retire, "production", ""))
		r.refusedBy("ci", registry.ErrGate, "0 of 2 approvals", deploying("production", "1.0.0"))
		open, err := r.shared.Approvals(r.Context(), "production")
		if err != nil || len(open) != 1 || open[0].Prompt != "billing/refunds" {
			r.Errorf("open are %+v, %v", open, err)
		}
		r.audited()
	})
}

func TestEvidenceOpensAndClosesAGate(t *testing.T) {
	envs := []registry.Environment{{Name: "production", Require: []string{"tests", "review"}}}
	each(t, envs, func(_ *testing.T, r *rig) {
		r.refused(registry.ErrGate, "no evidence of tests", deploying("production", "1.0.0"))
		if r.shared == nil {
			return
		}
		file := func(version, kind string, passed bool) error {
			_, err := r.shared.FileEvidence(by(r, "ci"), registry.Evidence{Prompt: "support", Digest: digestOf(r, "support", version), Kind: kind, Passed: passed})
			return err
		}
		ok := func(version, kind string, passed bool) {
			r.Helper()
			if err := file(version, kind, passed); err != nil {
				r.Error(err)
			}
		}
		ok("1.0.0", "review", true)
		ok("1.1.0", "tests", true) // of something else
		r.refused(registry.ErrGate, "no evidence of tests", deploying("production", "1.0.0"))
		ok("1.0.0", "tests", false)
		r.refused(registry.ErrGate, "says that it failed", deploying("production", "1.0.0"))
		ok("1.0.0", "tests", true) // the newer word wins
		r.done(deploying("production", "1.0.0"))
		ok("1.1.0", "review", true)
		ok("1.1.0", "tests", false) // also where it is the worse one
		r.refused(registry.ErrGate, "says that it failed", deploying("production", "1.1.0", canary))
		r.check("production", "1.0.0")
		ok("1.0.0", "tests", false)
		if again := r.done(deploying("production", "1.0.0")); again.Already == "" {
			r.Error("what runs was held")
		}
		ok("1.1.0", "tests", true)
		r.done(deploying("production", "1.1.0"))
		r.done(ask(registry.Rollback, "production", "")) // although the evidence of 1.0.0 is bad now

		for _, c := range []struct{ kind, digest string }{{"Unit Tests", digestOf(r, "support", "1.0.0")}, {"", digestOf(r, "support", "1.0.0")}} {
			if _, err := r.shared.FileEvidence(by(r, "ci"), registry.Evidence{Prompt: "support", Digest: c.digest, Kind: c.kind}); !errors.Is(err, prompt.ErrInvalid) {
				r.Errorf("%q: %v", c.kind, err)
			}
		}
		for _, digest := range []string{"", "sha256:00", digestOf(r, "billing/refunds", "1.0.0")} {
			if _, err := r.shared.FileEvidence(by(r, "ci"), registry.Evidence{Prompt: "support", Digest: digest, Kind: "tests"}); !errors.Is(err, registry.ErrNotFound) {
				r.Errorf("%q: %v", digest, err)
			}
		}
		if known, err := r.shared.EvidenceOf(r.Context(), "support"); err != nil || len(known) != 4 {
			r.Errorf("%+v, %v", known, err)
		}
		r.audited()
	})
}

func TestEverythingThatHoldsAChangeBackIsNamedAtOnce(t *testing.T) {
	envs := []registry.Environment{{Name: "dev"}, {
		Name: "production", After: "dev", Require: []string{"tests"}, Approvals: 1,
		Freeze: []registry.Freeze{{Days: []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}}},
	}}
	each(t, envs, func(_ *testing.T, r *rig) {
		for _, says := range []string{"has not run in dev", "no evidence of tests", "0 of 1 approvals", "is frozen"} {
			r.refused(registry.ErrGate, says, deploying("production", "1.0.0"))
		}
	})
}

func TestAnEnvironmentThatNothingCouldReachIsRefused(t *testing.T) {
	eachShared(t, []registry.Environment{{Name: "dev"}, {Name: "staging", After: "dev"}, {Name: "production", After: "staging"}}, func(_ *testing.T, r *rig) {
		for _, e := range []registry.Environment{{Name: "dev", After: "production"}, {Name: "staging", After: "production"}, {Name: "dev", After: "dev"}, {Name: "Not A Name"}, {Name: ""}, {Name: "x", Approvals: 11}} {
			if err := r.shared.SetEnvironment(by(r, "admin"), e); !errors.Is(err, prompt.ErrInvalid) {
				r.Errorf("%+v: %v", e, err)
			}
		}
		if err := r.shared.SetEnvironment(by(r, "admin"), registry.Environment{Name: "qa", After: "nowhere"}); !errors.Is(err, registry.ErrNotFound) {
			r.Errorf("after nowhere: %v", err)
		}
		if err := r.shared.SetEnvironment(by(r, "admin"), registry.Environment{Name: "production", After: "dev"}); err != nil {
			r.Error(err)
		}
	})
}
