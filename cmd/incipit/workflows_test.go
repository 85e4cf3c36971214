package main

import (
	"regexp"
	"strings"
	"testing"
)

// workflows are the workflows of GitHub Actions that we ship or show, by where
// they stand.
func workflows(t *testing.T) map[string]string {
	t.Helper()
	out := make(map[string]string)
	for name, text := range readAll(t, "cmd/incipit/internal/scaffold/files", ".yml") {
		if strings.Contains(name, "/.github/workflows/") {
			out[name] = text
		}
	}
	for name, text := range readAll(t, ".", ".md") {
		for _, block := range all("(?ms)^ *```yaml\n(.*?)^ *```$", text) {
			if strings.Contains("\n"+block, "\njobs:\n") {
				out[name+": "+strings.SplitN(block, "\n", 2)[0]] = block
			}
		}
	}
	if len(out) < 2 {
		t.Fatalf("%d workflows were found: this test reads the documents wrongly", len(out))
	}
	return out
}

// scripts are the lines of a workflow that a shell reads.
func scripts(text string) []string {
	var out []string
	indent := -1
	for line := range strings.Lines(text) {
		body := strings.TrimLeft(line, " -")
		at := len(line) - len(strings.TrimLeft(line, " "))
		if indent >= 0 && strings.TrimSpace(line) != "" && at <= indent {
			indent = -1
		}
		if strings.HasPrefix(body, "run:") {
			indent = len(line) - len(body)
		}
		if indent >= 0 {
			out = append(out, body)
		}
	}
	return out
}

func TestEveryWorkflowThatWeShipOrShowIsSafeToCopy(t *testing.T) {
	pinned := regexp.MustCompile(`^[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)
	for name, text := range workflows(t) {
		for _, action := range all(`(?m)^ *(?:- )?uses: *(.+)$`, text) {
			if !pinned.MatchString(strings.TrimSpace(action)) {
				t.Errorf("%s: %s is not pinned by a commit, with its version behind it", name, action)
			}
		}
		for _, bad := range []string{"pull_request_target", "workflow_run", "head_ref"} {
			if strings.Contains(text, bad) {
				t.Errorf("%s holds %s", name, bad)
			}
		}
		if !strings.Contains(text, "\npermissions:\n  contents: read\n") {
			t.Errorf("%s does not begin with the least permissions", name)
		}
		lines := scripts(text)
		if len(lines) == 0 {
			t.Errorf("%s has no script: this test reads it wrongly", name)
		}
		for _, line := range lines {
			if strings.Contains(line, "${{") {
				t.Errorf("%s: an expression in a script: %s", name, line)
			}
		}
		// A job that keeps its credentials is one that may write.
		_, jobs, _ := strings.Cut(text, "\njobs:\n")
		for _, job := range regexp.MustCompile(`(?m)^  [a-z-]+:\n`).Split(jobs, -1) {
			if strings.Contains(job, "actions/checkout@") && !strings.Contains(job, "persist-credentials: false") && !strings.Contains(job, "contents: write") {
				t.Errorf("%s: a job that may only read keeps its credentials:\n%s", name, job)
			}
		}
	}
}
