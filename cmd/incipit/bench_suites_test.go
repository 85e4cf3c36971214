package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkSuites runs suites through the whole program beside promptfoo on the
// same file, if PROMPTFOO names its command. Each run is a process of its own,
// as a person or a workflow starts it.
func BenchmarkSuites(b *testing.B) {
	bin := buildProgram(b)
	for _, s := range []struct {
		name  string
		suite map[string]any
	}{
		{"10000-echo-cases", echoSuite(10_000,
			map[string]any{"type": "contains", "value": "answer {{n}}"},
			map[string]any{"type": "regex", "value": `"n": ?\d+`},
			map[string]any{"type": "is-json", "value": map[string]any{"type": "object", "required": []string{"n"}}})},
		{"one-case", echoSuite(1, map[string]any{"type": "contains", "value": "answer"})},
		{"1000-javascript", echoSuite(1_000, map[string]any{"type": "javascript", "value": "JSON.parse(output).n >= 0 && output.includes('answer')"})},
	} {
		b.Run(s.name, func(b *testing.B) {
			dir := b.TempDir()
			writeJSON(b, filepath.Join(dir, "promptfooconfig.yaml"), s.suite) // JSON is YAML
			ours := run(dir, bin, "test", "--config", "promptfooconfig.yaml", "--quiet")
			var theirs func(testing.TB) sample
			if promptfoo := os.Getenv("PROMPTFOO"); promptfoo != "" {
				theirs = run(dir, "env", "PROMPTFOO_DISABLE_TELEMETRY=1", "PROMPTFOO_DISABLE_UPDATE=1", "PROMPTFOO_CONFIG_DIR="+dir,
					promptfoo, "eval", "-c", "promptfooconfig.yaml", "--no-cache", "--no-write", "--no-table", "--no-progress-bar")
			}
			raceBeside(b, "promptfoo", ours, theirs)
		})
	}
	b.Run("pre-commit", func(b *testing.B) { benchPreCommit(b, bin) })
}

// echoSuite is n cases for the provider that answers with what it was asked.
func echoSuite(n int, asserts ...map[string]any) map[string]any {
	tests := make([]map[string]any, n)
	for i := range tests {
		tests[i] = map[string]any{"vars": map[string]any{"n": i}}
	}
	return map[string]any{
		"description": "echo", "prompts": []string{`{"n": {{n}}, "text": "answer {{n}}"}`}, "providers": []string{"echo"},
		"defaultTest": map[string]any{"assert": asserts}, "tests": tests,
	}
}

func writeJSON(tb testing.TB, name string, v any) {
	tb.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o600); err != nil {
		tb.Fatal(err)
	}
}

// benchPreCommit replays the suite of one prompt that is staged, as the
// pre-commit hook does, in a repository of 200 prompts.
func benchPreCommit(b *testing.B, bin string) {
	b.Helper()
	repo := generateRepo(b, b.TempDir(), 200, 3)
	id := repo.id(7)
	cases := make([]map[string]any, 20)
	for i := range cases {
		cases[i] = map[string]any{"description": fmt.Sprintf("case %d", i), "vars": map[string]any{"company": "Example", "question": fmt.Sprintf("Question %d?", i)}, "assert": []map[string]any{{"type": "contains", "value": "generated"}}}
	}
	if err := os.MkdirAll(filepath.Dir(filepath.Join(repo.dir, "tests", id+".yaml")), 0o700); err != nil {
		b.Fatal(err)
	}
	writeJSON(b, filepath.Join(repo.dir, "tests", id+".yaml"), map[string]any{"description": "bench", "tests": cases})
	writeJSON(b, filepath.Join(repo.dir, "incipit.yaml"), map[string]any{"tests": map[string]any{"providers": map[string]string{"model-a": "exec:echo generated"}}})
	git(b, repo.dir, "add", "tests", "incipit.yaml")
	git(b, repo.dir, "commit", "--quiet", "--message", "suite")
	name := filepath.Join(repo.dir, "prompts", id, "system-prompt.txt")
	data, err := os.ReadFile(name)
	if err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(name, append(data, "One more sentence.\n"...), 0o600); err != nil {
		b.Fatal(err)
	}
	git(b, repo.dir, "add", "prompts")
	run(repo.dir, bin, "test", id, "--mode", "record", "--allow", "exec")(b)
	git(b, repo.dir, "add", "tests")
	raceBeside(b, "", run(repo.dir, bin, "ci", "--staged", "--quiet"), nil)
}
