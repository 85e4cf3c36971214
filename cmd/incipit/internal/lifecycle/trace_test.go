package lifecycle

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/calllog"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// calledNow is a call of a moment ago.
func (r *rig) calledNow(edit ...func(*registry.Call)) registry.Call {
	at := r.clock.Now()
	c := called(0, edit...)
	c.StartedAt, c.ID = at, registry.MakeCallID(at, [10]byte{1, byte(at.UnixMilli())})
	return c
}

func TestATraceTellsWhatAResponseWasMadeOf(t *testing.T) {
	eachRecording(t, func(t *testing.T, r *rig, log *calllog.Log) {
		if _, err := r.shared.FileEvidenceOf(by(t, "ci"), "1.1.0", registry.Evidence{Prompt: "support", Kind: "tests", Passed: true}); err != nil {
			t.Fatal(err)
		}
		if _, err := r.shared.FileEvidenceOf(by(t, "ci"), "1.0.0", registry.Evidence{Prompt: "support", Kind: "tests", Passed: false}); err != nil {
			t.Fatal(err)
		}
		r.done(deploying("production", "1.0.0", because("first")))
		r.done(deploying("production", "1.1.0", canary, because("warmer")))
		r.done(ask(registry.Shift, "production", "", share(50_000), because("looks good")))
		c := r.calledNow(func(c *registry.Call) {
			c.Version, c.Arm, c.ResponseID, c.Input = "1.1.0", registry.CandidateArm, "resp/1", `{"company": "{{Example}}"}`
			c.Tags = map[string]string{"page": "help"}
		})
		keep(t, log, calllog.SubjectHash{}, c)
		r.clock.Advance(time.Minute)
		r.done(ask(registry.Rollback, "production", "", because("rude")))
		// What happens later changes nothing of what was.
		r.done(ask(registry.Retire, "production", ""))

		for _, ref := range []string{c.ID.String(), "resp/1"} {
			got, err := r.shared.Trace(reader(t, "production", "support"), ref)
			if err != nil {
				t.Fatal(err)
			}
			if got.Call.ID != c.ID.String() || got.Call.Tags["page"] != "help" {
				t.Errorf("the call: %+v", got.Call)
			}
			if got.Release.Tag != "support@1.1.0" || got.Release.Commit != "c0ffee1.1.0" || got.Release.Author != author || got.Release.Digest != digestOf(t, "support", "1.1.0") {
				t.Errorf("the release: %+v", got.Release)
			}
			if len(got.Messages) != 1 || got.Messages[0].Content != "You answer for {{company}}, as support 1.1.0, briefly and truthfully." {
				t.Errorf("the messages: %+v", got.Messages)
			}
			if len(got.Rendered) != 1 || got.Rendered[0].Content != "You answer for {{Example}}, as support 1.1.0, briefly and truthfully." {
				t.Errorf("what was sent: %+v", got.Rendered)
			}
			if b := got.Before; b == nil || b.Version.String() != "1.0.0" || len(b.Changes) != 1 || b.Changes[0].Detail != "system message reworded" || !strings.Contains(b.Messages[0].Content, "1.0.0") {
				t.Errorf("the release before: %+v", b)
			}
			if len(got.Evidence) != 1 || !got.Evidence[0].Passed || got.Evidence[0].Digest != got.Release.Digest {
				t.Errorf("the evidence: %+v", got.Evidence)
			}
			if d := got.Brought; d == nil || d.Seq != 2 || d.Reason != "warmer" || d.By != "bob@example.com" {
				t.Errorf("it was brought by %+v", d)
			}
			if d := got.Deployment; d == nil || d.Seq != 3 || d.Reason != "looks good" || d.Rollout == nil {
				t.Errorf("then stood %+v", d)
			}
			if got.Share == nil || *got.Share != 50_000 {
				t.Errorf("the share: %v", got.Share)
			}
		}
	})
}

func TestATraceTellsTheShareThatTheCallTells(t *testing.T) {
	eachRecording(t, func(t *testing.T, r *rig, log *calllog.Log) {
		r.done(deploying("production", "1.0.0"))
		told := r.calledNow(func(c *registry.Call) { c.Share = registry.Some[registry.Share](5_000) })
		whole := r.calledNow()
		foreign := r.calledNow(func(c *registry.Call) { c.Version, c.Environment = "1.2.0", "dev" })
		keep(t, log, calllog.SubjectHash{}, told, whole, foreign)
		for _, tt := range []struct {
			call registry.Call
			want string
		}{{told, "5 %"}, {whole, "100 %"}, {foreign, ""}} {
			got, err := r.shared.Trace(reader(t, "*", "*"), tt.call.ID.String())
			if err != nil {
				t.Fatal(err)
			}
			text := ""
			if got.Share != nil {
				text = got.Share.String()
			}
			if text != tt.want || (got.Deployment == nil) != (tt.want == "") || (got.Brought == nil) != (tt.want == "") {
				t.Errorf("the share is %q, want %q; %+v", text, tt.want, got.Deployment)
			}
			if got.Rendered != nil {
				t.Errorf("without its input a call was rendered: %+v", got.Rendered)
			}
		}
	})
}

func TestATraceKnowsTheFirstReleaseAndTheOneThatIsNamedBefore(t *testing.T) {
	eachRecording(t, func(t *testing.T, r *rig, log *calllog.Log) {
		m := made{"support", prompt.Version{Major: 2}, "You answer {{company}} in one sentence that is polite and true."}
		row := m.indexed(t)
		row.Draft.Metadata.PreviousVersion = "1.1.0"
		if _, problems, err := r.db.AddReleases(t.Context(), []sqlstore.IndexedRelease{row}); err != nil || len(problems) > 0 {
			t.Fatal(err, problems)
		}
		for version, want := range map[string]string{"1.0.0": "", "1.3.0": "1.2.0", "2.0.0": "1.1.0"} {
			c := r.calledNow(func(c *registry.Call) { c.Version = version })
			keep(t, log, calllog.SubjectHash{}, c)
			got, err := r.shared.Trace(reader(t, "*", "*"), c.ID.String())
			if err != nil {
				t.Fatal(err)
			}
			before := ""
			if got.Before != nil {
				before = got.Before.Version.String()
			}
			if before != want {
				t.Errorf("before %s came %q, want %q", version, before, want)
			}
		}
	})
}

// A call whose release is not known, as after the restore of an old backup, is
// told as far as it goes.
func TestATraceWithoutItsReleaseNamesIt(t *testing.T) {
	eachRecording(t, func(t *testing.T, r *rig, log *calllog.Log) {
		for _, edit := range []func(*registry.Call){
			func(c *registry.Call) { c.Version = "9.9.9" },
			func(c *registry.Call) { c.Prompt, c.Version = "gone", "9.9.9" },
		} {
			c := r.calledNow(edit)
			keep(t, log, calllog.SubjectHash{}, c)
			got, err := r.shared.Trace(reader(t, "*", "*"), c.ID.String())
			if err != nil || got.Release.Tag != c.Prompt.Tag(got.Release.Version) || got.Release.Digest != "" || got.Messages != nil || got.Before != nil {
				t.Errorf("%+v, %v", got, err)
			}
		}
	})
}

func TestACallThatMayNotBeReadIsNotFound(t *testing.T) {
	eachRecording(t, func(t *testing.T, r *rig, log *calllog.Log) {
		c := r.calledNow(func(c *registry.Call) { c.ResponseID = "resp_1" })
		keep(t, log, calllog.SubjectHash{}, c)
		_, unknown := r.shared.Trace(reader(t, "*", "*"), "resp_2")
		if !errors.Is(unknown, registry.ErrNotFound) {
			t.Fatal(unknown)
		}
		for _, grants := range [][2]string{{"dev", "*"}, {"*", "billing/*"}} {
			_, err := r.shared.Trace(reader(t, grants[0], grants[1]), "resp_1")
			if !errors.Is(err, registry.ErrNotFound) || err.Error() != strings.Replace(unknown.Error(), "resp_2", "resp_1", 1) {
				t.Errorf("whoever may read %v is told: %v", grants, err)
			}
		}
		if _, err := r.shared.Trace(t.Context(), "resp_1"); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("nobody is told: %v", err)
		}
		for ref, want := range map[string]error{
			"": prompt.ErrInvalid, strings.Repeat("a", 257): prompt.ErrInvalid, "\x1b[31m\x00": prompt.ErrInvalid,
			strings.Repeat("a", 256): registry.ErrNotFound, c.ID.String() + "0": registry.ErrNotFound, strings.ToUpper(c.ID.String()): nil,
		} {
			if _, err := r.shared.Trace(reader(t, "*", "*"), ref); !errors.Is(err, want) || err != nil && strings.Contains(err.Error(), "\x1b") {
				t.Errorf("%q: %v, want %v", ref, err, want)
			}
		}
	})
}

func TestAnInputThatIsNoVariablesIsNotRendered(t *testing.T) {
	m := made{"support", prompt.Version{Major: 1}, "You answer for {{company}}, briefly and truthfully, whoever asks you."}
	_, d := m.files(t)
	for input, want := range map[string]bool{
		`{"company": "Example"}`: true, `{"company": ""}`: true,
		``: false, `null`: false, `{}`: false, `"company"`: false, `{"company": 1}`: false, `{"company": "Exam`: false,
		`{"company": "Example", "other": "x"}`: false, `[{"role": "user"}]`: false,
	} {
		if got := rendered(d.Prompt, input); (got != nil) != want {
			t.Errorf("%s was rendered to %+v", input, got)
		}
	}
	if !slices.ContainsFunc(rendered(d.Prompt, `{"company": "Example"}`), func(m prompt.Message) bool { return strings.HasPrefix(m.Content, "You answer for Example") }) {
		t.Error("it was not rendered")
	}
}
