package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/calllog"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// eachRecording runs a test over both databases, with a log of calls beside
// each.
func eachRecording(t *testing.T, f func(t *testing.T, r *rig, log *calllog.Log)) {
	t.Helper()
	eachShared(t, []registry.Environment{{Name: "dev"}, {Name: "production"}}, func(t *testing.T, r *rig) {
		f(t, r, r.logging(t))
	})
}

// logging gives the rig a log of calls beside its database.
func (r *rig) logging(t testing.TB) *calllog.Log {
	t.Helper()
	c := calllog.Config{URL: r.config.Config.URL, Now: r.clock.Now, Random: r.config.Config.Random, Log: slog.New(slog.DiscardHandler)}
	if c.URL == "" {
		c.Dir = r.config.Config.Dir
	}
	log, err := calllog.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	r.shared.config.Calls = log
	return log
}

// reader is a context of somebody who may read some prompts in some
// environments; of nobody if there are none.
func reader(t testing.TB, envs, prompts string) context.Context {
	t.Helper()
	if envs == "" {
		return t.Context()
	}
	return registry.WithCaller(t.Context(), registry.Caller{Name: "reader", Grants: []registry.Grant{{
		Permissions: []registry.Permission{registry.MayRead}, Environments: strings.Split(envs, ","), Prompts: strings.Split(prompts, ","),
	}}})
}

// called is a call of support in production, of the n-th minute since the clock
// of the tests began.
func called(n int, edit ...func(*registry.Call)) registry.Call {
	at := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Minute)
	c := registry.Call{
		ID: registry.MakeCallID(at, [10]byte{byte(n >> 8), byte(n)}), Prompt: "support", Version: "1.0.0", Environment: "production", Arm: registry.StableArm,
		StartedAt: at, Latency: time.Duration(n+1) * 10 * time.Millisecond, Outcome: registry.OK,
	}
	for _, e := range edit {
		e(&c)
	}
	return c
}

// keep appends calls that must be new.
func keep(t testing.TB, log *calllog.Log, subject calllog.SubjectHash, calls ...registry.Call) {
	t.Helper()
	entries := make([]calllog.Entry, len(calls))
	for i := range calls {
		entries[i] = calllog.Entry{Call: &calls[i], Subject: subject}
	}
	fresh, err := log.Append(t.Context(), entries)
	if err != nil || slices.Contains(fresh, false) {
		t.Fatal(err, fresh)
	}
}

func TestCallsAreReadInPagesOfWhatTheCallerMayRead(t *testing.T) {
	eachRecording(t, func(t *testing.T, r *rig, log *calllog.Log) {
		var want []string
		for n := range 25 {
			c := called(n)
			if n%5 == 1 {
				c.Environment = "dev"
			}
			if n%5 == 2 {
				c.Prompt = "billing/refunds"
			}
			if n%5 > 2 || n%5 == 0 {
				want = append(want, c.ID.String())
			}
			keep(t, log, calllog.SubjectHash{}, c)
		}
		for _, limit := range []int{1, 4, 25, 1000} {
			var got []string
			q := registry.CallQuery{}
			for page := 0; ; page++ {
				calls, next, err := r.shared.Calls(reader(t, "production", "support"), q, limit)
				if err != nil || len(calls) > limit || page > 30 {
					t.Fatal(len(calls), page, err)
				}
				for _, c := range calls {
					got = append(got, c.ID)
				}
				if next == 0 {
					break
				}
				q.After = next
			}
			if !slices.Equal(got, want) {
				t.Errorf("pages of %d: %d calls, want %d in their order", limit, len(got), len(want))
			}
		}
		for name, q := range map[string]registry.CallQuery{
			"a prompt":         {Prompt: "billing/refunds"},
			"an environment":   {Environment: "dev"},
			"a version":        {Version: "1.0.0", Prompt: "billing/refunds"},
			"a period":         {From: called(5).StartedAt, To: called(10).StartedAt},
			"a prompt nowhere": {Prompt: "support", Environment: "dev", Version: "1.1.0"},
		} {
			calls, next, err := r.shared.Calls(reader(t, "*", "*"), q, 1000)
			if next != 0 {
				t.Errorf("%s: the list goes on behind %d", name, next)
			}
			if n := map[string]int{"a prompt nowhere": 0}; err != nil || name != "a prompt nowhere" && len(calls) != 5 || name == "a prompt nowhere" && len(calls) != n[name] {
				t.Errorf("%s: %d calls, %v", name, len(calls), err)
			}
		}
	})
}

func TestTheNewestCallsComeFirstAndByWhatBecameOfThem(t *testing.T) {
	eachRecording(t, func(t *testing.T, r *rig, log *calllog.Log) {
		for n := range 20 {
			keep(t, log, calllog.SubjectHash{}, called(n, func(c *registry.Call) {
				if n%2 == 0 {
					c.Outcome, c.ErrorClass = registry.Failed, registry.PromptError
				}
				if n%4 == 0 {
					c.Arm = registry.CandidateArm
				}
				if n%6 == 0 {
					c.Satisfaction = registry.Some(2.0)
				}
			}))
		}
		q := registry.CallQuery{Prompt: "support", Arm: registry.CandidateArm, Outcome: registry.Failed, ErrorClass: "prompt", Newest: true}
		for _, tt := range []struct {
			score string
			want  []int
		}{{"", []int{16, 12, 8, 4, 0}}, {"satisfaction<=3", []int{12, 0}}} {
			var err error
			if q.Score, err = registry.ParseScoreBounds(tt.score); err != nil {
				t.Fatal(err)
			}
			var got, want []string
			for _, n := range tt.want {
				want = append(want, called(n).ID.String())
			}
			q.After = 0
			for page := range 30 {
				calls, next, err := r.shared.Calls(reader(t, "production", "support"), q, 2)
				if err != nil {
					t.Fatal(err)
				}
				for _, c := range calls {
					got = append(got, c.ID)
				}
				if page == 0 { // what comes meanwhile is not on the pages behind
					keep(t, log, calllog.SubjectHash{}, called(1000+len(tt.score), func(c *registry.Call) {
						c.Arm, c.Outcome, c.ErrorClass = registry.StableArm, registry.Failed, registry.PromptError
					}))
				}
				if q.After = next; next == 0 {
					break
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%q: %v, want %v", tt.score, got, want)
			}
		}
	})
}

func TestCallsThatCannotBeAskedForAreRefused(t *testing.T) {
	eachRecording(t, func(t *testing.T, r *rig, _ *calllog.Log) {
		all, everything := reader(t, "*", "*"), [2]string{"*", "*"}
		for _, tt := range []struct {
			name  string
			may   [2]string // read: environments and prompts
			q     registry.CallQuery
			limit int
			kind  error
			says  string
		}{
			{"nobody", [2]string{}, registry.CallQuery{}, 10, registry.ErrForbidden, "whoever has no key may not read"},
			{"a prompt that may not be read", [2]string{"*", "other"}, registry.CallQuery{Prompt: "support"}, 10, registry.ErrForbidden, "may not read support"},
			{"an environment that may not be read", [2]string{"dev", "*"}, registry.CallQuery{Environment: "production"}, 10, registry.ErrForbidden, "in production"},
			{"an unknown prompt", everything, registry.CallQuery{Prompt: "supprt"}, 10, registry.ErrNotFound, "supprt"},
			{"an unknown environment", everything, registry.CallQuery{Environment: "qa"}, 10, registry.ErrNotFound, `"qa"`},
			{"no version", everything, registry.CallQuery{Version: "one"}, 10, prompt.ErrInvalid, "one"},
			{"an outcome that there is not", everything, registry.CallQuery{Outcome: "good"}, 10, prompt.ErrInvalid, `outcome is "good"`},
			{"a score that cannot be", everything, registry.CallQuery{Score: &registry.ScoreBounds{Min: new(7.0)}}, 10, prompt.ErrInvalid, "score"},
			{"no page", everything, registry.CallQuery{}, 0, prompt.ErrInvalid, "limit is 0"},
			{"too large a page", everything, registry.CallQuery{}, maxCalls + 1, prompt.ErrInvalid, "limit is 10001; it must be from 1 to 10000"},
		} {
			if _, _, err := r.shared.Calls(reader(t, tt.may[0], tt.may[1]), tt.q, tt.limit); !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%s: %v, want %v about %q", tt.name, err, tt.kind, tt.says)
			}
		}
		r.shared.config.Calls = nil
		for name, ask := range map[string]func() error{
			"calls": func() error { _, _, err := r.shared.Calls(all, registry.CallQuery{}, 10); return err },
			"stats": func() error { _, err := r.shared.Stats(all, registry.StatsQuery{Prompt: "support"}); return err },
			"trace": func() error { _, err := r.shared.Trace(all, "x"); return err },
			"erase": func() error { _, err := r.shared.Erase(all, "x"); return err },
		} {
			if err := ask(); !errors.Is(err, registry.ErrUnavailable) {
				t.Errorf("%s without a log: %v", name, err)
			}
		}
	})
}

func TestErasedCallsAreGoneAndTheAuditLogTellsHowManyAndNotWhose(t *testing.T) {
	eachRecording(t, func(t *testing.T, r *rig, log *calllog.Log) {
		const subject = "user-canary-12"
		hash, err := r.shared.subjectHash(t.Context(), subject)
		if err != nil {
			t.Fatal(err)
		}
		other, err := r.shared.subjectHash(t.Context(), "user-canary-13")
		if err != nil || other == hash {
			t.Fatal(err, "two subjects have one hash")
		}
		for n := range 12 {
			keep(t, log, map[bool]calllog.SubjectHash{true: hash, false: other}[n%4 == 0], called(n))
		}
		before, err := r.shared.Stats(reader(t, "*", "*"), registry.StatsQuery{Prompt: "support", From: called(0).StartedAt, To: called(60).StartedAt})
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []int64{3, 0} {
			if n, err := r.shared.Erase(by(t, "admin"), subject); err != nil || n != want {
				t.Errorf("the %d. time %d calls were erased, want %d: %v", i+1, n, want, err)
			}
		}
		calls, _, err := r.shared.Calls(reader(t, "*", "*"), registry.CallQuery{}, 1000)
		if err != nil || len(calls) != 9 {
			t.Errorf("%d calls are left: %v", len(calls), err)
		}
		if _, err := r.shared.Trace(reader(t, "*", "*"), called(4).ID.String()); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("an erased call is traced: %v", err)
		}
		if after, err := r.shared.Stats(reader(t, "*", "*"), registry.StatsQuery{Prompt: "support", From: before.From, To: before.To}); err != nil || after.TotalCalls != before.TotalCalls {
			t.Errorf("statistics count %d calls, before %d: %v", after.TotalCalls, before.TotalCalls, err)
		}
		if _, err := r.shared.Erase(by(t, "admin"), ""); !errors.Is(err, prompt.ErrInvalid) {
			t.Errorf("nobody's calls: %v", err)
		}
		var told []string
		for _, e := range r.audited() {
			if strings.Contains(fmt.Sprint(e), "canary") {
				t.Errorf("the audit log tells whose calls: %+v", e)
			}
			if e.Action == "calls.erase" {
				told = append(told, e.Actor+" "+e.Detail["calls"])
			}
		}
		if !slices.Equal(told, []string{"admin 3", "admin 0"}) {
			t.Errorf("the audit log tells %q", told)
		}
	})
}
