package incipit

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// write fills a directory with files.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(content), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
}

func metadata(version string) string {
	return fmt.Sprintf(`{"name": "Support", "version": %q, "description": "Answers.", "model": "test-model-1", "variables": {"question": {"max_length": 4000}}}`, version)
}

// a repository of three prompts.
func repository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"prompts/support/system-prompt.txt":             text + " {{> tone}}\n",
		"prompts/support/user-prompt.txt":               "{{question}}\n",
		"prompts/support/.prompt-metadata.json":         metadata("1.2.0"),
		"prompts/billing/refunds/system-prompt.txt":     text + " Refund with care.\n",
		"prompts/billing/refunds/user-prompt.txt":       "{{question}}\n",
		"prompts/billing/refunds/.prompt-metadata.json": metadata("2.0.0"),
		"prompts/broken/system-prompt.txt":              text + " {{nobody}}\n",
		"prompts/broken/user-prompt.txt":                "{{question}}\n",
		"prompts/broken/.prompt-metadata.json":          metadata("1.0.0"),
		"prompts/_shared/tone.txt":                      "Be warm and brief.\n",
	})
	return dir
}

func fromDir(t *testing.T, dir, env string) *Client {
	t.Helper()
	return connect(t, Options{Dir: dir, Environment: env, Logger: quiet()})
}

// digestOf is that of a prompt's files as they stand.
func digestOf(t *testing.T, dir, id string) string {
	t.Helper()
	c := fromDir(t, dir, "")
	p, err := c.Prompt(t.Context(), id, "u", Vars{"question": "?"})
	if err != nil {
		t.Fatal(err)
	}
	return p.Digest
}

func TestADirectoryServesTheFilesAsTheyAre(t *testing.T) {
	dir := repository(t)
	for _, dir := range []string{dir, filepath.Join(dir, "prompts")} {
		if strings.HasSuffix(dir, "prompts") {
			write(t, dir, map[string]string{"registry.json": "{}"})
		}
		c := fromDir(t, dir, "")
		p := ask(t, c, "support")
		if p.Source != "files" || p.Version != "1.2.0" || p.Environment != "" || p.Arm != "stable" {
			t.Errorf("got %+v", p)
		}
		if want := text + " Be warm and brief.\n"; p.Messages[0].Content != want {
			t.Errorf("the system message is %q", p.Messages[0].Content)
		}
		if p := ask(t, c, "billing/refunds"); p.Version != "2.0.0" {
			t.Errorf("got %+v", p)
		}
		if _, err := c.Prompt(t.Context(), "broken", "u", nil); err == nil || !strings.Contains(err.Error(), "prompts/broken/system-prompt.txt:1:82") || !strings.Contains(err.Error(), "nobody") || !strings.Contains(err.Error(), "incipit validate broken") {
			t.Errorf("a prompt with a mistake: %v", err)
		}
		if _, err := c.Prompt(t.Context(), "nothing", "u", nil); !errors.Is(err, ErrNotFound) {
			t.Errorf("a prompt that is not there: %v", err)
		}
	}
}

func TestADirectoryServesWhatAnEnvironmentRuns(t *testing.T) {
	dir := repository(t)
	support, refunds := digestOf(t, dir, "support"), digestOf(t, dir, "billing/refunds")
	version := func(s string) prompt.Version {
		v, err := prompt.ParseVersion(s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	running := func(v, digest string) any {
		return map[string]any{
			"version": v, "digest": digest, "deployed_at": "2026-01-02T03:04:05Z",
			"history": []any{registry.Deployment{Seq: 3, Action: registry.Deploy, Version: version(v), Digest: digest}},
		}
	}
	rollout := func(digest string) any {
		r := registry.NewRollout(registry.Canary, registry.DefaultBucketing, "support#3",
			registry.Arm{Version: version("1.1.0"), Digest: digest}, registry.Arm{Version: version("1.2.0"), Digest: support}, nil).WithShare(50_000)
		return map[string]any{"version": "1.1.0", "history": []any{registry.Deployment{Seq: 4, Action: registry.Deploy, Version: version("1.1.0"), Digest: digest, Rollout: &r}}}
	}
	for _, c := range []struct {
		name      string
		env       any
		id        string
		kind      error // nil if it is served
		says      string
		version   string
		topDigest string
	}{
		{"what is checked out runs", running("1.2.0", support), "support", nil, "", "1.2.0", ""},
		{"another version runs", running("1.1.0", "sha256:"+strings.Repeat("0", 64)), "support", ErrUnavailable, "production runs 1.1.0 as the stable release, and the checked-out files are another text (they say version 1.2.0)", "", ""},
		{"a rollout of two texts", rollout("sha256:" + strings.Repeat("1", 64)), "support", ErrUnavailable, "a server or a bundle", "", ""},
		{"a rollout of one text", rollout(support), "support", nil, "", "1.", ""},
		{"the lesson's fields alone", map[string]any{"version": "1.2.0", "deployed_at": "2026-01-02T03:04:05"}, "support", nil, "", "1.2.0", ""},
		{"the lesson's fields and a digest of another text", map[string]any{"version": "1.2.0"}, "support", ErrUnavailable, "another text", "", refunds},
		{"another program wrote a version", map[string]any{"version": "1.2.0", "history": []any{registry.Deployment{Seq: 1, Version: version("1.0.0")}}}, "support", nil, "", "1.2.0", ""},
		{"it was retired", map[string]any{"version": "", "history": []any{registry.Deployment{Seq: 5, Action: registry.Retire, Version: version("1.2.0")}}}, "support", ErrNotFound, "retired", "", ""},
		{"nothing was deployed", nil, "support", ErrNotFound, "deploy", "", ""},
		{"files that are not checked out", running("1.0.0", support), "elsewhere", ErrUnavailable, "not checked out", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			entry := map[string]any{"name": "Support", "current_version": "1.2.0", "model": "m", "unknown": []int{1}, "deployments": map[string]any{"production": c.env, "staging": nil}}
			if c.topDigest != "" {
				entry["digest"] = c.topDigest
			}
			reg, err := json.Marshal(map[string]any{c.id: entry, "billing/refunds": map[string]any{"deployments": map[string]any{"production": running("2.0.0", refunds)}}})
			if err != nil {
				t.Fatal(err)
			}
			write(t, dir, map[string]string{"prompts/registry.json": string(reg)})
			cl := fromDir(t, dir, "production")
			p, err := cl.Prompt(t.Context(), c.id, "u", Vars{"question": "?"})
			switch {
			case c.kind == nil && (err != nil || !strings.HasPrefix(p.Version, c.version) || p.Environment != "production" || p.Revision < 3):
				t.Errorf("got %+v, %v", p, err)
			case c.kind != nil && (!errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says)):
				t.Errorf("got %v, want something about %q", err, c.says)
			}
			if p := ask(t, cl, "billing/refunds"); p.Version != "2.0.0" {
				t.Errorf("the prompt beside it: %+v", p)
			}
		})
	}
	write(t, dir, map[string]string{"prompts/registry.json": `{"support": {}, "support": {}}`})
	if _, err := New(t.Context(), Options{Dir: dir, Environment: "production", Logger: quiet()}); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("a registry with a key twice: %v", err)
	}
}

func TestADirectoryIsReadAgainWhenItChanges(t *testing.T) {
	dir := repository(t)
	synctest.Test(t, func(t *testing.T) {
		var told spool
		c := connect(t, Options{Dir: dir, Logger: quiet(), OnChange: told.add})
		settle(time.Minute)
		if age := c.Age(); age > time.Second || len(told.all()) != 0 {
			t.Errorf("without a change: age %v, the hook was told %v", age, told.all())
		}
		write(t, dir, map[string]string{"prompts/_shared/tone.txt": "Be formal.\n"})
		settle(2 * time.Second)
		if p := ask(t, c, "support"); !strings.Contains(p.Messages[0].Content, "Be formal.") {
			t.Errorf("the message is still %q", p.Messages[0].Content)
		}
		if got := told.all(); len(got) != 1 || fmt.Sprint(got[0].Changed) != "[support]" {
			t.Errorf("the hook was told %+v", got)
		}
		if err := os.Rename(filepath.Join(dir, "prompts"), filepath.Join(dir, "away")); err != nil {
			t.Fatal(err)
		}
		settle(10 * time.Second)
		if p := ask(t, c, "support"); p.Version != "1.2.0" || c.Status().Err == nil || len(told.errors()) != 1 || c.Age() < 9*time.Second {
			t.Errorf("with the files gone: %v, the hook was told %q, age %v", c.Status().Err, told.errors(), c.Age())
		}
		synctest.Wait()
	})
}

func TestADirectoryFollowsNoLinks(t *testing.T) {
	dir := repository(t)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := errors.Join(os.WriteFile(secret, []byte(text), 0o600), os.Remove(filepath.Join(dir, "prompts/support/system-prompt.txt")),
		os.Symlink(secret, filepath.Join(dir, "prompts/support/system-prompt.txt"))); err != nil {
		t.Fatal(err)
	}
	c := fromDir(t, dir, "")
	if p, err := c.Prompt(t.Context(), "support", "u", Vars{"question": "?"}); err == nil || !strings.Contains(err.Error(), "no plain file") {
		t.Errorf("got %+v, %v", p, err)
	}
}
