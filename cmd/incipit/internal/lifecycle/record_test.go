package lifecycle

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/calllog"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// recording is a context of a program that may record calls of some prompts in
// some environments.
func recording(tb testing.TB, envs, prompts string) context.Context {
	tb.Helper()
	return registry.WithCaller(tb.Context(), registry.Caller{
		Name: "app", Key: "k-app", Source: "api",
		Grants: []registry.Grant{{Permissions: []registry.Permission{registry.MayRecord}, Environments: []string{envs}, Prompts: []string{prompts}}},
	})
}

// called is a call of support 1.0.0 in dev.
func (r *rig) called(edit ...func(*registry.Call)) registry.Call {
	c := registry.Call{
		Prompt: "support", Version: "1.0.0", Environment: "dev", Arm: registry.StableArm,
		StartedAt: r.clock.Now().Truncate(time.Microsecond), Latency: time.Second, Outcome: registry.OK,
	}
	for _, e := range edit {
		e(&c)
	}
	return c
}

func batch(once string, calls ...registry.Call) registry.Batch {
	b := registry.Batch{Calls: calls, Once: once}
	for i := range calls {
		b.Index = append(b.Index, i)
	}
	return b
}

// judged is what becomes of one call: its entry, or why there is none.
func (r *rig) judged(ctx context.Context, c registry.Call) (calllog.Entry, registry.Rejection) {
	r.Helper()
	entries, rejected, err := r.shared.judge(ctx, batch("b", c))
	if err != nil || len(entries)+len(rejected) != 1 {
		r.Fatalf("%d entries, %v, %v", len(entries), rejected, err)
	}
	if len(entries) == 0 {
		return calllog.Entry{}, rejected[0]
	}
	return entries[0], registry.Rejection{}
}

func devAndProd() []registry.Environment {
	return []registry.Environment{{Name: "dev"}, {Name: "prod"}}
}

func TestACallIsTakenOrRefusedForItself(t *testing.T) {
	eachShared(t, devAndProd(), func(t *testing.T, r *rig) {
		b := batch("b",
			r.called(),
			r.called(func(c *registry.Call) { c.Prompt = "nobody" }),
			r.called(func(c *registry.Call) { c.Version = "9.9.9" }),
			r.called(func(c *registry.Call) { c.Environment = "moon" }),
			r.called(func(c *registry.Call) { c.Prompt = "billing/refunds" }),
			r.called(func(c *registry.Call) { c.Latency = -1 }),
			r.called(func(c *registry.Call) { c.Arm = "left" }),
			r.called(func(c *registry.Call) { c.Version = "sha256:" + strings.Repeat("0", 64) }),
			r.called(func(c *registry.Call) { c.Version = digestOf(t, "support", "1.2.0") }),
		)
		for i := range b.Index {
			b.Index[i] = 2 * i // every other call could not be read
		}
		b.Rejected = []registry.Rejection{{Index: 17, Code: registry.RejectMalformed}, {Index: 1, Code: registry.RejectMalformed}}
		before := slices.Clone(b.Calls)
		entries, rejected, err := r.shared.judge(recording(t, "*", "support"), b)
		if err != nil {
			t.Fatal(err)
		}
		want := []registry.Rejection{
			{Index: 1, Code: registry.RejectMalformed},
			{Index: 2, Code: registry.RejectForbidden, Reason: "app may not record nobody in dev"},
			{Index: 4, Code: registry.RejectVersion, Reason: `support has no release "9.9.9"`},
			{Index: 6, Code: registry.RejectEnvironment, Reason: `there is no environment "moon"`},
			{Index: 8, Code: registry.RejectForbidden, Reason: "app may not record billing/refunds in dev"},
			{Index: 10, Code: registry.RejectRange, Reason: "latency_ms is -0.000001; it must be from 0 to 86400000"},
			{Index: 12, Code: registry.RejectArm, Reason: `arm is "left"; it must be stable or candidate, or an arm of an experiment that is known here`},
			{Index: 14, Code: registry.RejectVersion, Reason: `support has no release "sha256:` + strings.Repeat("0", 64) + `"`},
			{Index: 17, Code: registry.RejectMalformed},
		}
		if diff := cmp.Diff(want, rejected); diff != "" {
			t.Error(diff)
		}
		if len(entries) != 2 || entries[0].Call.Version != "1.0.0" || entries[1].Call.Version != "1.2.0" {
			t.Errorf("%+v", entries)
		}
		if diff := cmp.Diff(before, b.Calls); diff != "" {
			t.Errorf("the batch was changed: %s", diff)
		}
		if _, why := r.judged(recording(t, "*", "*"), r.called(func(c *registry.Call) { c.Prompt = "nobody" })); why.Reason != `there is no prompt "nobody" with a release` {
			t.Errorf("%+v", why)
		}
		if _, rejected, err := r.shared.judge(recording(t, "*", "*"), registry.Batch{}); err != nil || rejected == nil {
			t.Errorf("%v, %v: the list is never null", rejected, err)
		}
	})
}

// Who calls by a range of versions is served the stable release in the place of
// a candidate that is outside of it: that is honest, too.
func TestAnHonestCallIsTakenAndAForgedArmIsNot(t *testing.T) {
	for _, bucketing := range []registry.Bucketing{registry.DefaultBucketing, registry.MD5Bucketing} {
		t.Run(string(bucketing), func(t *testing.T) {
			r := over(t, storetest.SQLite(t), devAndProd())
			ctx := recording(t, "*", "*")
			r.done(deploying("dev", "1.0.0"))
			r.done(deploying("dev", "1.1.0", canary, func(q *registry.Request) { q.Bucketing = bucketing }))
			forged := 0
			for _, s := range []registry.Share{5_000, 50_000, 100_000} {
				if s > 5_000 {
					r.done(ask(registry.Shift, "dev", "", share(s)))
				}
				snap, err := r.Snapshot(t.Context(), "dev")
				if err != nil {
					t.Fatal(err)
				}
				for i := range 200 {
					subject := fmt.Sprintf("user-%d", i)
					e, arm, err := registry.Resolve(snap, "support", subject)
					if err != nil {
						t.Fatal(err)
					}
					say := func(arm registry.Arm) registry.Call {
						return r.called(func(c *registry.Call) {
							c.Arm, c.Version, c.Rollout, c.Subject, c.Share = arm.Name, arm.Version.String(), e.Rollout.Salt, subject, registry.Some(arm.Share())
						})
					}
					if got, why := r.judged(ctx, say(*arm)); why.Code != "" || got.Call.Arm != arm.Name {
						t.Fatalf("%s of %s at %s: %+v", arm.Name, subject, s, why)
					}
					if _, why := r.judged(ctx, say(e.Rollout.Arms[1])); why.Code != "" {
						t.Fatalf("the stable release for %s at %s: %+v", subject, s, why)
					}
					if arm.Name == registry.CandidateArm || bucketing == registry.MD5Bucketing { // whose rollouts have no name
						continue
					}
					forged++
					if _, why := r.judged(ctx, say(e.Rollout.Arms[0])); why.Code != registry.RejectArm || !strings.Contains(why.Reason, "the rollout support/dev/2 serves this subject, in slot ") {
						t.Fatalf("candidate for %s at %s: %+v", subject, s, why)
					}
				}
			}
			if bucketing == registry.DefaultBucketing && forged < 200 {
				t.Errorf("%d forged calls", forged)
			}
		})
	}
}

func TestAnArmIsToldWhereItCanBe(t *testing.T) {
	eachShared(t, devAndProd(), func(t *testing.T, r *rig) {
		ctx := recording(t, "*", "*")
		quiet := func(edit ...func(*registry.Call)) registry.Call {
			return r.called(append([]func(*registry.Call){func(c *registry.Call) { c.Arm = "" }}, edit...)...)
		}
		version := func(v string) func(*registry.Call) { return func(c *registry.Call) { c.Version = v } }
		check := func(name, want string, c registry.Call) {
			t.Helper()
			if e, why := r.judged(ctx, c); why.Code != "" || e.Call.Arm != want {
				t.Errorf("%s: %+v, %+v, want %q", name, e.Call, why, want)
			}
		}
		refuse := func(name, says string, c registry.Call) {
			t.Helper()
			if _, why := r.judged(ctx, c); why.Code != registry.RejectArm || !strings.Contains(why.Reason, says) {
				t.Errorf("%s: %+v, want %q", name, why, says)
			}
		}
		never := quiet()
		check("nothing ever ran", registry.StableArm, never)
		check("a rollout that nobody knows", "", quiet(func(c *registry.Call) { c.Rollout = "elsewhere/1" }))
		check("and says its arm", registry.CandidateArm, r.called(func(c *registry.Call) { c.Rollout, c.Arm = "elsewhere/1", registry.CandidateArm }))
		refuse("and another arm", `arm is "blue"; it must be stable or candidate, or an arm of an experiment that is known here`, r.called(func(c *registry.Call) { c.Rollout, c.Arm = "elsewhere/1", "blue" }))

		r.done(deploying("dev", "1.0.0"))
		before := quiet()
		check("one release for everybody", registry.StableArm, before)
		r.done(deploying("dev", "1.1.0", canary))
		r.clock.Advance(time.Second)
		check("as it was before the rollout", registry.StableArm, before)
		check("the version is the stable one's", registry.StableArm, quiet())
		check("the version is the candidate's", registry.CandidateArm, quiet(version("1.1.0")))
		check("the version is neither's", "", quiet(version("1.2.0")))
		check("the rollout is named", registry.CandidateArm, quiet(version("1.1.0"), func(c *registry.Call) { c.Rollout = "support/dev/2" }))
		check("nothing ran at that time", "", quiet(func(c *registry.Call) { c.StartedAt = c.StartedAt.Add(-time.Hour) }))
		refuse("the version of another arm", "arm is candidate, which is 1.1.0 in the rollout support/dev/2; version is 1.0.0",
			r.called(func(c *registry.Call) { c.Rollout, c.Arm = "support/dev/2", registry.CandidateArm }))
		refuse("an arm that the rollout does not have", `arm is "blue"; the rollout support/dev/2 has candidate and stable`,
			r.called(func(c *registry.Call) { c.Rollout, c.Arm = "support/dev/2", "blue" }))

		during := quiet(version("1.1.0"))
		r.done(ask(registry.Promote, "dev", ""))
		r.clock.Advance(time.Second)
		check("as it was during the rollout", registry.CandidateArm, during)
		check("after it", registry.StableArm, quiet(version("1.1.0")))
		r.done(ask(registry.Retire, "dev", ""))
		r.clock.Advance(time.Second)
		check("of a prompt that was retired", registry.CandidateArm, during)
		check("the rollout is long over, and says so", registry.CandidateArm,
			r.called(version("1.1.0"), func(c *registry.Call) { c.Rollout, c.Arm = "support/dev/2", registry.CandidateArm }))
	})
}

// A text that is released again has one digest and two versions.
func TestADigestIsTheReleaseThatRanThere(t *testing.T) {
	eachShared(t, devAndProd(), func(t *testing.T, r *rig) {
		first := made{"support", prompt.Version{Major: 1}, releases()[0].text}
		again := made{"support", prompt.Version{Major: 1, Minor: 4}, first.text}
		if _, _, err := r.db.AddReleases(t.Context(), []sqlstore.IndexedRelease{again.indexed(t)}); err != nil {
			t.Fatal(err)
		}
		ctx, digest := recording(t, "*", "*"), digestOf(t, "support", "1.0.0")
		version := func() string {
			e, why := r.judged(ctx, r.called(func(c *registry.Call) { c.Version = digest }))
			if why.Code != "" {
				t.Fatal(why)
			}
			return e.Call.Version
		}
		if got := version(); got != "1.4.0" {
			t.Errorf("%s, want the newest where nothing ran", got)
		}
		r.done(deploying("dev", "1.0.0"))
		r.clock.Advance(time.Second)
		if got := version(); got != "1.0.0" {
			t.Errorf("%s, want the one that runs", got)
		}
	})
}

// The database is closed, so that whoever asks it fails.
func TestAKnownNameIsAskedForOnceAndUnknownOnesCostNothing(t *testing.T) {
	eachShared(t, devAndProd(), func(t *testing.T, r *rig) {
		ctx := recording(t, "*", "*")
		r.done(deploying("dev", "1.0.0"))
		r.done(deploying("dev", "1.1.0", canary))
		known := []registry.Call{
			r.called(),
			r.called(func(c *registry.Call) { c.Version = digestOf(t, "support", "1.1.0") }),
			r.called(func(c *registry.Call) { c.Arm = "" }),
			r.called(func(c *registry.Call) { c.Rollout = "support/dev/2" }),
		}
		for _, c := range known {
			if _, why := r.judged(ctx, c); why.Code != "" {
				t.Fatal(why)
			}
		}
		r.judged(ctx, r.called(func(c *registry.Call) { c.Prompt = "nobody" })) // asks what is new
		if err := r.db.Close(); err != nil {
			t.Fatal(err)
		}
		for _, c := range known {
			if _, why := r.judged(ctx, c); why.Code != "" {
				t.Error(why)
			}
		}
		for i := range 30 { // each now is a millisecond: it must not become a second
			for _, edit := range []func(*registry.Call){
				func(c *registry.Call) { c.Prompt = prompt.ID(fmt.Sprintf("nobody-%d", i)) },
				func(c *registry.Call) { c.Version = fmt.Sprintf("9.9.%d", i) },
				func(c *registry.Call) { c.Version = fmt.Sprintf("sha256:%064d", i) },
				func(c *registry.Call) { c.Environment = fmt.Sprintf("moon-%d", i) },
			} {
				if _, why := r.judged(ctx, r.called(edit)); why.Code == "" {
					t.Fatal("it was taken")
				}
			}
			r.judged(ctx, r.called(func(c *registry.Call) { c.Rollout = fmt.Sprintf("r-%d", i) }))
		}
		if k := r.shared.intake; len(k.prompts) != 1 || k.size > 20 {
			t.Errorf("%d prompts and %d names are kept", len(k.prompts), k.size)
		}
	})
}

func TestWhatIsNewIsKnownWithinASecond(t *testing.T) {
	eachShared(t, devAndProd(), func(t *testing.T, r *rig) {
		ctx := recording(t, "*", "*")
		wanted := []registry.Call{
			r.called(func(c *registry.Call) { c.Version = "1.4.0" }),
			r.called(func(c *registry.Call) { c.Prompt = "brand-new" }),
			r.called(func(c *registry.Call) { c.Environment = "lab" }),
		}
		codes := func() (out []string) {
			for _, c := range wanted {
				_, why := r.judged(ctx, c)
				out = append(out, why.Code)
			}
			return out
		}
		unknown := []string{registry.RejectVersion, registry.RejectPrompt, registry.RejectEnvironment}
		if got := codes(); !slices.Equal(got, unknown) {
			t.Errorf("before: %v", got)
		}
		v := prompt.Version{Major: 1, Minor: 4}
		rows := []sqlstore.IndexedRelease{
			made{"support", v, "You are quite new, and polite to everybody."}.indexed(t),
			made{"brand-new", prompt.Version{Major: 1}, "You are quite new, and polite to everybody."}.indexed(t),
		}
		if _, problems, err := r.db.AddReleases(t.Context(), rows); err != nil || len(problems) > 0 {
			t.Fatal(err, problems)
		}
		if err := r.shared.SetEnvironment(by(t, "admin"), registry.Environment{Name: "lab"}); err != nil {
			t.Fatal(err)
		}
		if got := codes(); !slices.Equal(got, unknown) {
			t.Errorf("at once: %v", got)
		}
		r.clock.Advance(time.Second)
		if got := codes(); !slices.Equal(got, []string{"", "", ""}) {
			t.Errorf("after a second: %v", got)
		}
	})
}

// The first who asks for something unknown after a quiet second is told what is
// true now.
func TestANewReleaseIsKnownAtOnceWhereNobodyAskedInVain(t *testing.T) {
	eachShared(t, devAndProd(), func(t *testing.T, r *rig) {
		ctx := recording(t, "*", "*")
		r.judged(ctx, r.called())
		row := made{"support", prompt.Version{Major: 2}, "You are quite new, and polite to everybody."}.indexed(t)
		if _, _, err := r.db.AddReleases(t.Context(), []sqlstore.IndexedRelease{row}); err != nil {
			t.Fatal(err)
		}
		if _, why := r.judged(ctx, r.called(func(c *registry.Call) { c.Version = "2.0.0" })); why.Code != "" {
			t.Error(why)
		}
	})
}

func TestWhatIsKnownHasABound(t *testing.T) {
	k := newIntake(nil, nil)
	for i := range 3 * maxKnown {
		k.keep(prompt.ID(fmt.Sprint("p", i%(2*maxKnown))), &released{digests: map[string]string{"1.0.0": "d"}})
		if k.size > maxKnown || len(k.prompts) != k.size {
			t.Fatalf("%d prompts, counted as %d", len(k.prompts), k.size)
		}
	}
}

func TestOnlyWhatIsToBeKeptIsKept(t *testing.T) {
	d := storetest.SQLite(t)
	over(t, d, devAndProd())
	ctx := recording(t, "*", "*")
	said := func(r *rig) (calllog.Entry, registry.Call) {
		c := r.called(func(c *registry.Call) {
			c.Subject, c.Input, c.Output = "ada@example.com", "what?", strings.Repeat("é", 100)
		})
		e, why := r.judged(ctx, c)
		if why.Code != "" {
			t.Fatal(why)
		}
		return e, *e.Call
	}
	plain, c := said(replica(t, d, nil))
	if c.Subject != "" || c.Input != "" || c.Output != "" || plain.Subject == (calllog.SubjectHash{}) {
		t.Errorf("%+v", plain)
	}
	kept, c := said(replica(t, d, func(c *SharedConfig) { c.KeepContent, c.KeepSubjects, c.MaxContent = true, true, 51 }))
	if c.Subject != "ada@example.com" || c.Input != "what?" || c.Output != strings.Repeat("é", 25) || kept.Subject != plain.Subject {
		t.Errorf("%+v", kept)
	}
	other := replica(t, storetest.Database{Config: sqlstore.Config{Dir: t.TempDir(), Now: d.Clock.Now, Random: storetest.Random("x")}, Clock: d.Clock}, nil)
	if h, err := other.shared.subjectHash(ctx, "ada@example.com"); err != nil || h == plain.Subject {
		t.Errorf("two databases hash alike, %v", err)
	}
	if e, _ := other.shared.subjectHash(ctx, ""); e == (calllog.SubjectHash{}) {
		t.Error("the hash of the empty text is none")
	}
	if none, _ := replica(t, d, nil).judged(ctx, other.called()); none.Subject != (calllog.SubjectHash{}) {
		t.Error("a call without a subject has a hash")
	}
}

func TestATextIsCutBetweenCharacters(t *testing.T) {
	const text = "a😀é"
	for most := range len(text) + 2 {
		got := cut(text, most)
		if len(got) > most || !utf8.ValidString(got) || !strings.HasPrefix(text, got) || most >= len(text) && got != text {
			t.Errorf("%d: %q", most, got)
		}
	}
}

// The id of a call that has none depends on what its batch is called, on its
// place there and on its start, and on nothing else.
func TestAMadeUpIDIsTheSameEachTime(t *testing.T) {
	d := storetest.SQLite(t)
	one, two := over(t, d, devAndProd()), replica(t, d, nil)
	ctx := recording(t, "*", "*")
	ids := func(r *rig, b registry.Batch) (out []registry.CallID) {
		entries, rejected, err := r.shared.judge(ctx, b)
		if err != nil || len(rejected) > 0 {
			t.Fatal(rejected, err)
		}
		for _, e := range entries {
			if e.Call.ID.IsZero() || !e.Call.ID.At().Equal(e.Call.StartedAt.Truncate(time.Millisecond)) {
				t.Errorf("%s is at %s, and its call at %s", e.Call.ID, e.Call.ID.At(), e.Call.StartedAt)
			}
			out = append(out, e.Call.ID)
		}
		return out
	}
	c := one.called()
	a := ids(one, batch("key", c, c))
	if !slices.Equal(a, ids(two, batch("key", c, c))) || a[0] == a[1] {
		t.Errorf("%s", a)
	}
	if b := ids(one, batch("other", c, c)); slices.Contains(a, b[0]) || slices.Contains(a, b[1]) {
		t.Errorf("%s and %s", a, b)
	}
	nameless := ids(one, batch("", c, c))
	later := c
	later.Latency++
	if !slices.Equal(nameless, ids(two, batch("", c, c))) || slices.Equal(nameless, ids(one, batch("", later, c))) || nameless[0] == nameless[1] {
		t.Errorf("%s", nameless)
	}
	shifted := batch("key", c)
	shifted.Index[0] = 1 // the first could not be read
	if b := ids(one, shifted); b[0] != a[1] {
		t.Errorf("%s, want %s", b[0], a[1])
	}
	given := c
	given.ID = registry.MakeCallID(c.StartedAt, [10]byte{1})
	if b := ids(one, batch("key", given)); b[0] != given.ID {
		t.Errorf("%s became %s", given.ID, b[0])
	}
}

// Replicas go on while a backup is restored under them: what they knew is of
// another history.
func TestARestoredBackupIsAskedAnew(t *testing.T) {
	d := storetest.Postgres(t)
	r := over(t, d, devAndProd())
	ctx := recording(t, "*", "*")
	other := replica(t, storetest.Database{Config: sqlstore.Config{Dir: t.TempDir(), Now: d.Clock.Now, Random: storetest.Random("x")}, Clock: d.Clock}, nil)
	if err := other.shared.SetEnvironment(by(t, "admin"), registry.Environment{Name: "dev"}); err != nil {
		t.Fatal(err)
	}
	row := made{"only-there", prompt.Version{Major: 1}, "You are of another history, and polite to all."}.indexed(t)
	if _, _, err := other.db.AddReleases(t.Context(), []sqlstore.IndexedRelease{row}); err != nil {
		t.Fatal(err)
	}
	want, err := other.shared.subjectHash(ctx, "user-1")
	if err != nil {
		t.Fatal(err)
	}
	if before, err := r.shared.subjectHash(ctx, "user-1"); err != nil || before == want {
		t.Fatalf("%x, %v", before, err)
	}
	r.judged(ctx, r.called())
	file := filepath.Join(t.TempDir(), "backup")
	if _, err := sqlstore.Backup(t.Context(), other.db, file); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlstore.Restore(t.Context(), file, d.Config); err != nil {
		t.Fatal(err)
	}
	d.Clock.Advance(time.Second)
	e, why := r.judged(ctx, r.called(func(c *registry.Call) { c.Prompt, c.Subject = "only-there", "user-1" }))
	if why.Code != "" || e.Subject != want {
		t.Errorf("%+v, %x, want %x", why, e.Subject, want)
	}
	if _, why := r.judged(ctx, r.called()); why.Code != registry.RejectPrompt {
		t.Errorf("%+v: it is gone", why)
	}
}

// BenchmarkJudge is what Record does before it writes.
func BenchmarkJudge(b *testing.B) {
	r := over(b, storetest.SQLite(b), devAndProd())
	const n = 500
	calls := make([]registry.Call, n)
	for i := range calls {
		calls[i] = r.called(func(c *registry.Call) {
			c.ID = registry.MakeCallID(c.StartedAt, [10]byte{byte(i), byte(i >> 8)})
			c.Subject, c.Model, c.ResponseID = fmt.Sprint("user-", i), "model-a-2026", fmt.Sprint("resp_0123456789abcdef", i)
			c.Tags = map[string]string{"tier": "gold"}
		})
	}
	ctx := recording(b, "*", "*")
	all := batch("b", calls...)
	b.ReportAllocs()
	for b.Loop() {
		if entries, rejected, err := r.shared.judge(ctx, all); err != nil || len(entries) != n {
			b.Fatal(rejected, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/call")
}
