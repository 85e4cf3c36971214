package lifecycle

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// trial asks for an experiment: b=1.1.0:25.
func trial(arms ...string) func(*registry.Request) {
	return func(q *registry.Request) {
		q.Strategy = registry.Experiment
		for _, a := range arms {
			name, rest, _ := strings.Cut(a, "=")
			version, percent, _ := strings.Cut(rest, ":")
			share, err := registry.ParseShare(percent)
			if err != nil {
				panic(err)
			}
			q.Arms = append(q.Arms, registry.ArmRequest{Name: name, Version: version, Share: share})
		}
	}
}

func arm(name string) func(*registry.Request) { return func(q *registry.Request) { q.Arm = name } }

func shares(of map[string]registry.Share) func(*registry.Request) {
	return func(q *registry.Request) { q.Shares = of }
}

// arms is what runs of an experiment in an environment.
func (r *rig) arms(env string) string {
	r.Helper()
	st, err := r.store.State(r.Context(), "support", env)
	if err != nil {
		r.Fatal(err)
	}
	now, _ := st.Track.Current()
	if now.Rollout == nil {
		return now.Version.String()
	}
	return divided(*now.Rollout)
}

func TestTheLifeOfAnExperimentIsTheSameInEveryStore(t *testing.T) {
	each(t, []registry.Environment{{Name: "dev"}}, func(_ *testing.T, r *rig) {
		r.refused(prompt.ErrInvalid, "a stable release to compare with", deploying("dev", "", trial("b=1.1.0:10")))
		r.done(deploying("dev", "1.0.0"))
		r.refused(prompt.ErrInvalid, "neither a version nor steps", deploying("dev", "1.1.0", trial("b=1.1.0:10")))
		r.refused(prompt.ErrInvalid, "1 to 9 arms", deploying("dev", "", trial()))
		r.refused(prompt.ErrInvalid, "are an experiment's", deploying("dev", "1.1.0", trial("b=1.1.0:10"), canary))
		r.refused(prompt.ErrInvalid, "an experiment's", deploying("dev", "1.1.0", func(q *registry.Request) { q.Primary = "errors" }))
		first := r.done(deploying("dev", "", trial("b=1.1.0:10", "c=1.2.0:20")))
		if first.To.String() != "1.1.0" || first.Deployment.Rollout.Primary != "errors" || first.Deployment.Version.String() != "1.0.0" {
			r.Errorf("%+v", first)
		}
		if got := r.arms("dev"); got != "b 10 %, c 20 %, stable 70 %" {
			r.Error(got)
		}
		r.refused(registry.ErrConflict, "an experiment of b 1.1.0, c 1.2.0 is open in dev, at b 10 %, c 20 %", deploying("dev", "1.3.0"))
		r.refused(prompt.ErrInvalid, "has a share", ask(registry.Shift, "dev", "", share(1_000)))
		r.refused(prompt.ErrInvalid, "no arm", ask(registry.Shift, "dev", "", shares(map[string]registry.Share{"x": 1})))
		r.done(ask(registry.Shift, "dev", "", shares(map[string]registry.Share{"b": 30_000, "c": 0})))
		if got := r.arms("dev"); got != "b 30 %, c 0 %, stable 70 %" {
			r.Error(got)
		}
		if again := r.done(ask(registry.Shift, "dev", "", shares(map[string]registry.Share{"b": 30_000}))); again.Already == "" {
			r.Errorf("%+v", again)
		}
		// c leaves without being at fault, d comes; b keeps its subjects. The name c
		// still means what it meant.
		r.done(deploying("dev", "", trial("b=1.1.0:30", "d=1.3.0:5"), supersede))
		r.refused(prompt.ErrInvalid, "the arm c is 1.2.0 in this experiment, and not 1.3.0", deploying("dev", "", trial("b=1.1.0:30", "c=1.3.0:5"), supersede))
		r.refused(prompt.ErrInvalid, "would make its evidence worthless", deploying("dev", "", trial("b=1.1.0:30"), supersede, func(q *registry.Request) { q.Primary = "cost" }))
		r.done(deploying("dev", "", trial("b=1.1.0:30", "d=1.3.0:5", "c=1.2.0:5"), supersede))
		if got := r.arms("dev"); got != "b 30 %, d 5 %, c 5 %, stable 60 %" {
			r.Error(got)
		}
		r.refused(prompt.ErrInvalid, "which arm?", ask(registry.Promote, "dev", ""))
		r.refused(prompt.ErrInvalid, "the stable release cannot be taken out", ask(registry.Rollback, "dev", "", arm("stable")))
		r.refused(prompt.ErrInvalid, "goes back to the stable release", ask(registry.Rollback, "dev", "1.0.0", arm("b")))
		dropped := r.done(ask(registry.Rollback, "dev", "", arm("d"), because("rude")))
		if dropped.Deployment.From != "1.3.0" || dropped.To.String() != "1.3.0" {
			r.Errorf("%+v", dropped)
		}
		r.refused(registry.ErrGate, "1.3.0 was rolled back here by deployment 6: rude", deploying("dev", "", trial("b=1.1.0:30", "d=1.3.0:5"), supersede))
		r.done(ask(registry.Promote, "dev", "", arm("b")))
		r.check("dev", "1.1.0")
		if again := r.done(ask(registry.Promote, "dev", "", arm("b"))); again.Already == "" {
			r.Errorf("%+v", again)
		}
		r.refused(registry.ErrNotFound, "no open rollout", ask(registry.Promote, "dev", "", arm("c")))
		r.refused(registry.ErrNotFound, "no open rollout", ask(registry.Promote, "dev", ""))

		r.done(deploying("dev", "", trial("c=1.2.0:50")))
		r.done(ask(registry.Promote, "dev", "", arm("stable")))
		r.done(deploying("dev", "", trial("c=1.2.0:50"))) // nobody was at fault
		r.done(ask(registry.Rollback, "dev", ""))
		r.check("dev", "1.1.0")
		r.refused(registry.ErrGate, "1.2.0 was rolled back here", deploying("dev", "", trial("c=1.2.0:50")))
		r.done(deploying("dev", "", trial("c=1.2.0:50"), cleared))
		r.done(ask(registry.Rollback, "dev", "", arm("c"))) // the last arm ends it
		r.check("dev", "1.1.0")
		if again := r.done(ask(registry.Rollback, "dev", "")); again.Already == "" {
			r.Errorf("%+v", again)
		}
		r.refused(prompt.ErrInvalid, "taken out of an open experiment", ask(registry.Rollback, "dev", "", arm("c")))
		r.done(deploying("dev", "1.0.0", canary))
		r.refused(prompt.ErrInvalid, "has one share", ask(registry.Shift, "dev", "", shares(map[string]registry.Share{"b": 1_000})))
		r.refused(prompt.ErrInvalid, "and no experiment with the arm b", ask(registry.Promote, "dev", "", arm("b")))
		if r.shared != nil {
			r.audited()
		}
	})
}

// Each arm is a release that is new there: one that does not meet the rules
// holds the whole experiment back.
func TestEachArmMeetsTheRules(t *testing.T) {
	envs := []registry.Environment{{Name: "dev"}, {Name: "production", After: "dev", Approvals: 1}}
	eachShared(t, envs, func(_ *testing.T, r *rig) {
		for _, v := range []string{"1.0.0", "1.1.0", "1.2.0"} {
			r.done(deploying("dev", v))
		}
		approve := func(v string) {
			r.Helper()
			if _, err := r.shared.Approve(by(r, "carol@example.com"), registry.Approval{Prompt: "support", Environment: "production", Version: v}); err != nil {
				r.Fatal(err)
			}
		}
		approve("1.0.0")
		r.done(deploying("production", "1.0.0"))
		approve("1.1.0")
		r.refused(registry.ErrGate, "support@1.2.0 has 0 of 1 approvals", deploying("production", "", trial("b=1.1.0:5", "c=1.2.0:5")))
		r.refused(registry.ErrGate, "support@1.3.0 has not run in dev", deploying("production", "", trial("b=1.1.0:5", "d=1.3.0:5")))
		approve("1.2.0")
		r.done(deploying("production", "", trial("b=1.1.0:5", "c=1.2.0:5")))
		r.done(ask(registry.Promote, "production", "", arm("stable")))
		r.refused(registry.ErrGate, "0 of 1 approvals", deploying("production", "", trial("b=1.1.0:5"))) // both were used up
	})
}

func TestAFrozenExperimentShrinksAndEnds(t *testing.T) {
	each(t, []registry.Environment{{Name: "dev"}}, func(_ *testing.T, r *rig) {
		r.done(deploying("dev", "1.0.0"))
		r.done(deploying("dev", "", trial("b=1.1.0:50", "c=1.2.0:10")))
		if r.shared == nil {
			return // a file's rules stand in incipit.yaml
		}
		now := r.clock.Now()
		frozen := registry.Environment{Name: "dev", Freeze: []registry.Freeze{{From: now.Add(-time.Hour), To: now.Add(time.Hour)}}}
		if err := r.shared.SetEnvironment(by(r, "admin"), frozen); err != nil {
			r.Fatal(err)
		}
		r.refused(registry.ErrGate, "dev is frozen", ask(registry.Shift, "dev", "", shares(map[string]registry.Share{"c": 20_000})))
		r.refused(registry.ErrGate, "dev is frozen", ask(registry.Promote, "dev", "", arm("b")))
		r.done(ask(registry.Shift, "dev", "", shares(map[string]registry.Share{"b": 20_000})))
		r.done(ask(registry.Rollback, "dev", "", arm("b")))
		r.done(ask(registry.Promote, "dev", "", arm("stable")))
	})
}

func TestCallsOfAnArmAreTakenAndForgedOnesAreNot(t *testing.T) {
	for _, bucketing := range []registry.Bucketing{registry.DefaultBucketing, registry.MD5Bucketing} {
		t.Run(string(bucketing), func(t *testing.T) {
			r := over(t, storetest.SQLite(t), devAndProd())
			ctx := recording(t, "*", "*")
			r.done(deploying("dev", "1.0.0"))
			if _, why := r.judged(ctx, r.called()); why.Code != "" { // what runs is known from here on
				t.Fatal(why)
			}
			r.done(deploying("dev", "", trial("b=1.1.0:30", "c=1.2.0:30"), func(q *registry.Request) { q.Bucketing = bucketing }))
			salt, forged := "support/dev/2", 0
			for _, b := range []registry.Share{30_000, 10_000, 60_000} {
				if b != 30_000 {
					r.done(ask(registry.Shift, "dev", "", shares(map[string]registry.Share{"b": b})))
				}
				snap, err := r.Snapshot(t.Context(), "dev")
				if err != nil {
					t.Fatal(err)
				}
				for i := range 100 {
					subject := fmt.Sprintf("user-%d", i)
					e, a, err := registry.Resolve(snap, "support", subject)
					if err != nil {
						t.Fatal(err)
					}
					said := func(a registry.Arm) registry.Call {
						return r.called(func(c *registry.Call) {
							c.Arm, c.Version, c.Rollout, c.Subject, c.Share = a.Name, a.Version.String(), e.Rollout.Salt, subject, registry.Some(a.Share())
						})
					}
					if got, why := r.judged(ctx, said(*a)); why.Code != "" || got.Call.Arm != a.Name {
						t.Fatalf("%s of %s at %s: %+v", a.Name, subject, b, why)
					}
					if b != 30_000 || a.Name != registry.StableArm || bucketing == registry.MD5Bucketing {
						continue
					}
					forged++
					if _, why := r.judged(ctx, said(e.Rollout.Arms[0])); why.Code != registry.RejectArm || !strings.Contains(why.Reason, "the experiment support/dev/2 never served this subject, in slot ") {
						t.Fatalf("b for %s: %+v", subject, why)
					}
				}
			}
			if bucketing == registry.MD5Bucketing {
				salt = ""
			} else if forged < 20 {
				t.Errorf("%d forged calls", forged)
			}
			refuse := func(name, version string) {
				t.Helper()
				if _, why := r.judged(ctx, r.called(func(c *registry.Call) { c.Arm, c.Version, c.Rollout = name, version, salt })); why.Code != registry.RejectArm {
					t.Errorf("%s of %s: %+v", name, version, why)
				}
			}
			refuse("d", "1.3.0")
			refuse("b", "1.2.0")
			r.done(ask(registry.Rollback, "dev", "", arm("b")))
			r.done(ask(registry.Promote, "dev", "", arm("c")))
			late := r.called(func(c *registry.Call) { c.Arm, c.Version, c.Rollout = "b", "1.1.0", salt })
			if _, why := r.judged(ctx, late); why.Code != "" {
				t.Errorf("a call of an arm that was taken out: %+v", why)
			}
		})
	}
}
