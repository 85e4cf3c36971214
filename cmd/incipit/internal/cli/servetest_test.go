package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec" //nolint:depguard // what a remote holds is made by git itself
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

const (
	greetingSystem   = "You greet whoever writes to you, in one short and friendly sentence."
	greetingMetadata = `{"name": "Greeting", "version": "0.1.0", "description": "It greets.", "model": "model-a", "author": "ada"}`
)

// testing drafts of a repository with these files beside the prompts greeting
// and untested.
func draftsOf(t *testing.T, files map[string]string) *draftTester {
	t.Helper()
	dir := t.TempDir()
	origin := filepath.Join(dir, "origin.git")
	git := func(stdin string, args ...string) {
		t.Helper()
		cmd := exec.Command("git", args...)
		cmd.Stdin = strings.NewReader(stdin)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	git("", "init", "--quiet", "--bare", "--initial-branch=main", origin)
	all := map[string]string{}
	for _, id := range []string{"greeting", "untested"} {
		all["prompts/"+id+"/system-prompt.txt"], all["prompts/"+id+"/.prompt-metadata.json"] = greetingSystem, greetingMetadata
	}
	maps.Copy(all, files)
	var in bytes.Buffer
	in.WriteString("commit refs/heads/main\ncommitter Ada <ada@example.com> 1767225600 +0000\ndata 5\nstart\n")
	for name, text := range all {
		fmt.Fprintf(&in, "M 100644 inline %s\ndata %d\n%s\n", name, len(text), text)
	}
	git(in.String(), "-C", origin, "fast-import", "--quiet")
	remote, err := source.NewRemote(source.RemoteConfig{URL: origin, Dir: filepath.Join(dir, "clone.git"), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	return &draftTester{env: &env{stdout: io.Discard, stderr: io.Discard, now: time.Now}, remote: remote, maxCost: 0.5}
}

func greetingSaying(system string) registry.DraftTest {
	return registry.DraftTest{Prompt: "greeting", Files: registry.Texts{prompt.SystemFile: system, prompt.MetadataFile: greetingMetadata}}
}

const greetingSuite = `tests:
  - description: is friendly
    assert:
      - {type: contains, value: friendly}
  - description: is warm
    assert:
      - {type: contains, value: warm}
`

func TestASuiteIsRunOnADraft(t *testing.T) {
	d := draftsOf(t, map[string]string{"incipit.yaml": "tests:\n  providers: {model-a: echo}\n", "tests/greeting.yaml": greetingSuite})
	for _, live := range []bool{false, true} {
		d.live = live
		out, err := d.test(t.Context(), greetingSaying("You greet whoever writes to you, in one warm sentence."))
		if err != nil || out.Suite != "tests/greeting.yaml" || out.Passed != 1 || out.Failed != 1 || out.Errors != 0 || out.Live != live {
			t.Fatalf("live %v: got %+v, %v", live, out, err)
		}
		if c := out.Cases[0]; c.Outcome != "fail" || !strings.Contains(c.Reason, "contains: ") || !strings.Contains(c.Output, "one warm sentence") {
			t.Errorf("got %+v", c)
		}
		if c := out.Cases[1]; c.Outcome != "pass" || c.Reason != "" {
			t.Errorf("got %+v", c)
		}
	}
}

func TestWhatCannotBeRunSaysWhy(t *testing.T) {
	d := draftsOf(t, map[string]string{"incipit.yaml": "tests:\n  providers: {model-a: 'openai:chat:gpt-4o-mini', model-b: 'https://models.example.com/ask', model-c: 'exec:cat'}\n", "tests/greeting.yaml": greetingSuite})
	run := func(q registry.DraftTest) registry.DraftReport {
		t.Helper()
		out, err := d.test(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if out := run(greetingSaying(greetingSystem)); out.Errors != 2 || !strings.Contains(out.Cases[0].Reason, "--test-live") {
		t.Errorf("no answer is recorded: %+v", out)
	}
	if out := run(registry.DraftTest{Prompt: "untested", Files: greetingSaying(greetingSystem).Files}); !strings.Contains(out.Nothing, "no suite") || !strings.Contains(out.Fix, "tests/untested.yaml") {
		t.Errorf("no suite: %+v", out)
	}
	if out := run(greetingSaying("short")); out.Nothing == "" || len(out.Found) == 0 || out.Suite != "" {
		t.Errorf("not valid: %+v", out)
	}
	if out := run(registry.DraftTest{Prompt: "greeting", Files: registry.Texts{}}); out.Nothing == "" {
		t.Errorf("nothing: %+v", out)
	}
	for _, live := range []bool{false, true} {
		d.live = live
		for _, model := range []string{"model-b", "model-c"} {
			if model == "model-b" && !live {
				continue // nothing is asked
			}
			q := greetingSaying(greetingSystem)
			q.Files[prompt.MetadataFile] = strings.Replace(greetingMetadata, "model-a", model, 1)
			out, err := d.test(t.Context(), q)
			if err == nil && (out.Errors != 2 || out.Cases[0].Outcome != "error") || err != nil && !errors.Is(err, prompt.ErrInvalid) {
				t.Errorf("%s, live %v: %+v, %v", model, live, out, err)
			}
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.test(gone, greetingSaying(greetingSystem)); err == nil {
		t.Error("a request that was given up ends well")
	}
}

func TestAServerAsksNoAddressOfARepository(t *testing.T) {
	shut := &tester{closed: true}
	for id, config := range map[string]map[string]any{
		"https://models.example.com/ask": nil, "http://[::1]/": nil, "exec:cat": nil, "file://x.py": nil, "python:x.py": nil,
		"openai:chat:a": {"apiBaseUrl": "http://169.254.169.254/"}, "openai:chat:b": {"apiHost": "x"}, "openai:chat:c": {"apiKeyEnvar": "PATH"}, "anthropic:messages:d": {"headers": map[string]any{}},
	} {
		if err := shut.shutTo(id, config); !errors.Is(err, prompt.ErrInvalid) {
			t.Errorf("%s: %v", id, err)
		}
	}
	if err := shut.shutTo("openai:chat:gpt-4o-mini", map[string]any{"temperature": 0}); err != nil {
		t.Error(err)
	}
	if err := new(tester).shutTo("exec:cat", nil); err != nil {
		t.Errorf("incipit test has its own rules: %v", err)
	}
}
