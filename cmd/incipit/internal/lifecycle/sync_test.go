package lifecycle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// cloned is a replica that reads a bare repository.
func cloned(t *testing.T, d storetest.Database, dir string, edit ...func(*SharedConfig)) *rig {
	t.Helper()
	remote, err := source.NewRemote(source.RemoteConfig{URL: dir, Dir: filepath.Join(t.TempDir(), "clone.git"), Now: d.Clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	return replica(t, d, func(c *SharedConfig) {
		c.Remote = remote
		for _, e := range edit {
			e(c)
		}
	})
}

func (r *rig) synced() *registry.SyncReport {
	r.Helper()
	report, err := r.shared.Sync(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	return report
}

func problems(report *registry.SyncReport) []string {
	out := []string{}
	for _, p := range report.Problems {
		out = append(out, p.Code+" "+p.Tag)
	}
	return out
}

// text is what the stable release of support says in an environment.
func (r *rig) text(env string) string {
	r.Helper()
	s, err := r.Snapshot(r.Context(), env, "support")
	if err != nil {
		r.Fatal(err)
	}
	if err := s.Prompts["support"].Check(); err != nil {
		r.Error(err)
	}
	return s.Prompts["support"].Releases[registry.StableArm].Messages[0].Content
}

func theEnvironments() []registry.Environment {
	return []registry.Environment{{Name: "dev"}, {Name: "staging", After: "dev"}, {Name: "production", Protected: true}}
}

const runningBefore = `{
    "dev": {"version": "1.1.0", "deployed_at": "2025-01-02T00:00:00Z", "history": [
      {"seq": 7, "action": "deploy", "version": "1.0.0", "at": "2025-01-01T00:00:00Z", "by": "ada", "reason": "first"},
      {"seq": 8, "action": "deploy", "version": "1.1.0", "from": "1.0.0", "at": "2025-01-02T00:00:00Z", "by": "ada"}]},
    "production": {"version": "1.0.0", "deployed_at": "2025-01-03T00:00:00Z"},
    "staging": {"version": "9.9.9", "deployed_at": "2025-01-03T00:00:00Z"},
    "mars": {"version": "1.0.0", "deployed_at": "2025-01-03T00:00:00Z"}
  }`

func TestTheFirstStartTakesInWhatTheRepositorySays(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, d storetest.Database) {
		dir := repository(t, true, theEnvironments(), known(runningBefore))
		replicas := []*rig{cloned(t, d, dir), cloned(t, d, dir), cloned(t, d, dir)}
		var wg sync.WaitGroup
		added := make([]int, len(replicas))
		for i, r := range replicas { // they start at once, and one of them takes it in
			wg.Go(func() {
				report, err := r.shared.Sync(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				added[i] = len(report.New)
				if report.Releases != len(releases()) || len(report.Problems) > 0 || report.At.IsZero() {
					t.Errorf("%+v", report)
				}
			})
		}
		wg.Wait()
		r := replicas[0]
		envs, err := r.Environments(t.Context())
		if err != nil || len(envs) != 3 || envs[1].After != "dev" || !envs[2].Protected || !envs[2].Reason || envs[0].Reason {
			t.Errorf("%+v, %v", envs, err)
		}
		history, err := r.History(t.Context(), "support", "")
		if err != nil || len(history) != 2 || len(history["dev"]) != 2 || len(history["production"]) != 1 {
			t.Fatalf("%+v, %v", history, err)
		}
		if first := history["dev"][0]; first.Seq != 1 || first.Revision != 1 || first.By != "ada" || first.Reason != "first" || first.At.Year() != 2025 {
			t.Errorf("%+v", first)
		}
		r.check("dev", "1.1.0")
		r.check("production", "1.0.0")
		if got := r.text("dev"); got != "You answer for {{company}}, as support 1.1.0, briefly and truthfully." {
			t.Error(got)
		}
		all := r.eventsOf("import")
		if len(all) != 1 || all[0].Source != "sync" || all[0].Detail["environments"] != "3" || all[0].Detail["records"] != "3" {
			t.Errorf("%+v", all)
		}

		// From here on the database is the truth: what Git says of it counts no more.
		loose := theEnvironments()
		loose[2].Protected = false
		rows := fmt.Sprintf(`{"environments": %s}`, jsonOf(t, loose))
		work := filepath.Join(t.TempDir(), "work")
		git(t, ".", "clone", "--quiet", dir, work)
		write(t, filepath.Join(work, "incipit.yaml"), rows)
		write(t, filepath.Join(work, "prompts", "registry.json"), known(`{"dev": {"version": "1.3.0"}}`))
		git(t, work, "commit", "--quiet", "--all", "-m", "lift the protection")
		git(t, work, "push", "--quiet")
		if report := r.synced(); len(report.New) != 0 {
			t.Errorf("%+v", report)
		}
		r.check("dev", "1.1.0")
		r.refused(registry.ErrUnconfirmed, "protected", deploying("production", "1.1.0", because("x")))
		r.done(ask(registry.Rollback, "dev", ""))
		r.check("dev", "1.0.0")
		if n := len(r.eventsOf("import")); n != 1 {
			t.Errorf("taken in %d times", n)
		}
	})
}

func (r *rig) eventsOf(action string) []registry.Event {
	r.Helper()
	all, err := r.shared.Events(r.Context(), 0, 10_000)
	if err != nil {
		r.Fatal(err)
	}
	return slices.DeleteFunc(all, func(e registry.Event) bool { return e.Action != action })
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A start that fails between the records leaves none of them, so that the next
// one is the first again.
func TestAFirstStartThatFailsInTheMiddleLeavesNothing(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, d storetest.Database) {
		// The last record that is written has a text that no database keeps.
		bad := strings.Replace(runningBefore, `"deployed_at": "2025-01-03T00:00:00Z"`, `"history": [{"seq": 1, "action": "deploy", "version": "1.0.0", "at": "2025-01-03T00:00:00Z", "reason": "a\u0000b"}]`, 1)
		dir := repository(t, true, theEnvironments(), known(bad))
		r := cloned(t, d, dir)
		for range 2 {
			if _, err := r.shared.Sync(t.Context()); !errors.Is(err, prompt.ErrInvalid) {
				t.Errorf("it was taken in: %v", err)
			}
			envs, err := r.Environments(t.Context())
			if err != nil || len(envs) > 0 {
				t.Errorf("half of it is there: %+v, %v", envs, err)
			}
			if tracks, err := r.History(t.Context(), "support", ""); err != nil || len(tracks) > 0 {
				t.Errorf("half of it is there: %+v, %v", tracks, err)
			}
			if events := r.audited(); len(events) > 0 {
				t.Errorf("%+v", events)
			}
			status, err := r.shared.SyncStatus(t.Context())
			if err != nil || status.Error == "" || status.Releases != len(releases()) {
				t.Errorf("%+v, %v", status, err)
			}
		}
		work := filepath.Join(t.TempDir(), "work")
		git(t, ".", "clone", "--quiet", dir, work)
		write(t, filepath.Join(work, "prompts", "registry.json"), known(runningBefore))
		git(t, work, "commit", "--quiet", "--all", "-m", "mend")
		git(t, work, "push", "--quiet")
		if report := r.synced(); report.Error != "" {
			t.Errorf("%+v", report)
		}
		r.check("production", "1.0.0")
		if n := len(r.eventsOf("import")); n != 1 {
			t.Errorf("taken in %d times", n)
		}
	})
}

func TestATagThatChangedIsHeldBackAndChangesNothing(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, d storetest.Database) {
		dir := repository(t, true, []registry.Environment{{Name: "dev"}, {Name: "staging"}}, known("{}"))
		r := cloned(t, d, dir)
		r.synced()
		r.done(deploying("dev", "1.1.0"))
		text := r.text("dev")

		moved, vanished := "refs/tags/support@1.1.0", "refs/tags/support@1.2.0"
		was := []string{git(t, dir, "rev-parse", moved), git(t, dir, "rev-parse", vanished)}
		git(t, dir, "tag", "--force", "--annotate", "-m", "rewritten", "support@1.1.0", "main")
		git(t, dir, "tag", "--delete", "support@1.2.0")
		git(t, dir, "tag", "--annotate", "-m", "feat: x\n\nPrompt: support\nVersion: 2.0.0\nDigest: sha256:"+strings.Repeat("0", 64), "support@2.0.0", "main")
		git(t, dir, "tag", "support@2.1.0", "main")
		git(t, dir, "tag", "--annotate", "-m", "no release", "just-a-tag", "main")
		report := r.synced()
		want := []string{"tag-moved support@1.1.0", "tag-vanished support@1.2.0", "tag-forged support@2.0.0", "tag-lightweight support@2.1.0"}
		if got := problems(report); !slices.Equal(got, want) {
			t.Errorf("problems %v", got)
		}
		for _, p := range report.Problems {
			if p.Detail == "" || p.Fix == "" {
				t.Errorf("%+v says too little", p)
			}
		}
		if status, err := r.shared.SyncStatus(t.Context()); err != nil || len(status.Problems) != 4 || status.Releases != len(releases()) {
			t.Errorf("%+v, %v", status, err)
		}

		// Refused for a new deploy, wherever and however; what runs is untouched.
		r.refused(registry.ErrGate, "support@1.1.0 is not what was released", deploying("staging", "1.1.0"))
		r.refused(registry.ErrGate, "support@1.2.0 is not what was released", deploying("dev", "1.2.0"))
		r.refused(registry.ErrGate, "support@1.2.0 is not what was released", deploying("dev", "1.2.0", canary))
		r.refused(registry.ErrNotFound, "2.0.0", deploying("dev", "2.0.0"))
		if got := r.text("dev"); got != text {
			t.Errorf("served is %q, and was %q", got, text)
		}
		if again := r.done(deploying("dev", "1.1.0")); again.Already == "" {
			t.Errorf("%+v", again)
		}
		r.done(deploying("dev", "1.3.0"))
		r.done(ask(registry.Rollback, "dev", "")) // going back to it is still possible
		r.check("dev", "1.1.0")
		if got := r.text("dev"); got != text {
			t.Errorf("served is %q, and was %q", got, text)
		}

		// Put back, the doubt is gone; and nothing was indexed twice.
		git(t, dir, "update-ref", moved, was[0])
		git(t, dir, "update-ref", vanished, was[1])
		git(t, dir, "tag", "--delete", "support@2.0.0", "support@2.1.0")
		report = r.synced()
		if len(report.Problems) > 0 || len(report.New) > 0 || report.Releases != len(releases()) {
			t.Errorf("%+v", report)
		}
		r.done(deploying("staging", "1.1.0"))
		r.done(deploying("dev", "1.2.0"))
		r.audited()
	})
}

func TestWithoutGitWhatIsIndexedGoesOn(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, d storetest.Database) {
		dir := repository(t, true, []registry.Environment{{Name: "dev"}}, known("{}"))
		r, other := cloned(t, d, dir), cloned(t, d, dir)
		before := r.synced()
		if len(before.New) != len(releases()) {
			t.Errorf("%+v", before)
		}
		away := dir + ".away"
		if err := os.Rename(dir, away); err != nil {
			t.Fatal(err)
		}
		if _, err := r.shared.Sync(t.Context()); !errors.Is(err, registry.ErrUnavailable) {
			t.Errorf("%v", err)
		}
		status, err := r.shared.SyncStatus(t.Context())
		if err != nil || status.Error == "" || !status.At.Equal(before.At) || status.Releases != len(releases()) {
			t.Errorf("%+v, %v", status, err)
		}
		r.done(deploying("dev", "1.0.0"))
		r.done(deploying("dev", "1.1.0", canary))
		r.done(ask(registry.Promote, "dev", ""))
		r.done(ask(registry.Rollback, "dev", ""))
		if got := r.text("dev"); !strings.Contains(got, "support 1.0.0") {
			t.Error(got)
		}
		// A replica that never saw the repository serves and deploys as well.
		if _, err := other.shared.Sync(t.Context()); !errors.Is(err, registry.ErrUnavailable) {
			t.Errorf("%v", err)
		}
		other.done(deploying("dev", "1.2.0"))
		if err := os.Rename(away, dir); err != nil {
			t.Fatal(err)
		}
		if after := r.synced(); after.Error != "" || !after.At.After(before.At) || len(after.New) > 0 {
			t.Errorf("%+v", after)
		}
		none := replica(t, d, nil)
		if _, err := none.shared.Sync(t.Context()); !errors.Is(err, registry.ErrUnavailable) {
			t.Errorf("without a repository: %v", err)
		}
	})
}

func TestTheMirrorIsPushedLateButWhole(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, d storetest.Database) {
		d.Config.Mirror = true
		dir := repository(t, true, []registry.Environment{{Name: "dev"}, {Name: "production"}}, known("{}"))
		r := cloned(t, d, dir, func(c *SharedConfig) { c.Mirror = true })
		r.synced()
		mirrored := func() string { return git(t, dir, "show", "main:prompts/registry.json") }
		backlog := func(want int) *registry.SyncReport {
			t.Helper()
			status, err := r.shared.SyncStatus(t.Context())
			if err != nil || status.Backlog != want {
				t.Errorf("%+v, want a backlog of %d, %v", status, want, err)
			}
			return status
		}
		r.done(deploying("dev", "1.0.0"))
		backlog(1)
		if err := r.shared.mirror(t.Context()); err != nil {
			t.Fatal(err)
		}
		backlog(0)
		if got := mirrored(); !strings.Contains(got, `"version": "1.0.0"`) || !strings.Contains(got, `"team_unknown"`) || strings.Contains(got, `"revision"`) {
			t.Error(got)
		}
		if got := git(t, dir, "log", "-1", "--format=%s", "main"); got != "registry: support in dev, revision 1" {
			t.Error(got)
		}

		hook := filepath.Join(dir, "hooks", "pre-receive")
		if err := os.MkdirAll(filepath.Dir(hook), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(hook, []byte("#!/bin/sh\necho 'no pushes during the audit' >&2\nexit 1\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		head := git(t, dir, "rev-parse", "main")
		r.done(deploying("dev", "1.1.0"))
		r.done(deploying("production", "1.0.0"))
		r.done(deploying("dev", "1.2.0", of("billing/refunds")))
		for range 2 {
			if err := r.shared.mirror(t.Context()); !errors.Is(err, registry.ErrForbidden) {
				t.Errorf("%v", err)
			}
			if status := backlog(3); !strings.Contains(status.Deferred, "no pushes during the audit") {
				t.Errorf("deferred because of %q", status.Deferred)
			}
		}
		if git(t, dir, "rev-parse", "main") != head {
			t.Error("it was pushed all the same")
		}
		r.check("dev", "1.1.0") // and nothing waits for it
		entries, err := r.db.MirrorBacklog(t.Context(), 10)
		if err != nil || len(entries) != 3 || entries[0].Attempts != 2 || !strings.Contains(entries[0].LastError, "no pushes") {
			t.Errorf("%+v, %v", entries, err)
		}
		if err := os.Remove(hook); err != nil {
			t.Fatal(err)
		}
		// Somebody else was faster, too: their words stay.
		work := filepath.Join(t.TempDir(), "work")
		git(t, ".", "clone", "--quiet", dir, work)
		text, err := os.ReadFile(filepath.Join(work, "prompts", "registry.json"))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(work, "prompts", "registry.json"), strings.Replace(string(text), "[1, 2]", "[1, 2, 3]", 1))
		git(t, work, "commit", "--quiet", "--all", "-m", "theirs")
		git(t, work, "push", "--quiet")
		if err := r.shared.mirror(t.Context()); err != nil {
			t.Fatal(err)
		}
		if status := backlog(0); status.Deferred != "" {
			t.Errorf("%+v", status)
		}
		reg, err := source.ParseRegistry([]byte(mirrored()), "registry.json")
		if err != nil {
			t.Fatal(err)
		}
		for id, want := range map[prompt.ID]map[string]string{"support": {"dev": "1.1.0", "production": "1.0.0"}, "billing/refunds": {"dev": "1.2.0"}} {
			e, err := reg.Entry(id)
			if err != nil {
				t.Fatal(err)
			}
			for env, version := range want {
				if track, err := e.Track(env); err != nil || len(track) == 0 || track[len(track)-1].Version.String() != version {
					t.Errorf("%s in %s: %+v, %v", id, env, track, err)
				}
			}
		}
		if !strings.Contains(mirrored(), "[1, 2, 3]") {
			t.Errorf("their change is lost:\n%s", mirrored())
		}
		if got := git(t, dir, "log", "-1", "--format=%s", "main"); got != "registry: what runs, after 3 changes" {
			t.Error(got)
		}
		if err := r.shared.mirror(t.Context()); err != nil || git(t, dir, "log", "-1", "--format=%s", "main") != "registry: what runs, after 3 changes" {
			t.Errorf("nothing to do: %v", err)
		}
	})
}

// told is a log that closes done when a line is written.
type told struct {
	slog.Handler
	line string
	done chan struct{}
	once *sync.Once
}

func (h told) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == h.line {
		h.once.Do(func() { close(h.done) })
	}
	return h.Handler.Handle(ctx, r)
}

func TestRunReadsGitAtOnceAndEndsWhenItIsTold(t *testing.T) {
	storetest.EachDatabase(t, func(t *testing.T, d storetest.Database) {
		dir := repository(t, true, []registry.Environment{{Name: "dev"}}, known("{}"))
		done := make(chan struct{})
		r := cloned(t, d, dir, func(c *SharedConfig) {
			c.Log = slog.New(told{slog.NewTextHandler(new(bytes.Buffer), nil), "took in what the repository says", done, new(sync.Once)})
		})
		defer goleak.VerifyNone(t, goleak.IgnoreCurrent(), goleak.IgnoreAnyFunction("database/sql.(*DB).connectionOpener"))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.shared.Run(ctx) }()
		<-done
		if envs, err := r.Environments(t.Context()); err != nil || len(envs) != 1 {
			t.Errorf("%+v, %v", envs, err)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
