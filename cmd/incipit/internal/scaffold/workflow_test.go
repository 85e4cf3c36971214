package scaffold

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const workflowPath = ".github/workflows/prompts.yml"

func TestWorkflowPinsEveryActionByCommit(t *testing.T) {
	pin := regexp.MustCompile(`^[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)
	seen := 0
	for i, line := range strings.Split(all(t, noon)[workflowPath], "\n") {
		_, action, found := strings.Cut(line, "uses:")
		if !found {
			continue
		}
		seen++
		if action = strings.TrimSpace(action); !pin.MatchString(action) {
			t.Errorf("%s:%d: %s is not pinned by a commit with its version behind it", workflowPath, i+1, action)
		}
	}
	if seen != 4 {
		t.Errorf("%d actions seen, want 4", seen)
	}
}

func TestWorkflowTrustsNothingFromThePullRequest(t *testing.T) {
	text := all(t, noon)[workflowPath]
	for _, bad := range []string{"pull_request_target", "workflow_run", "secrets.", "github.event.", "head_ref"} {
		if strings.Contains(text, bad) {
			t.Errorf("%s holds %s", workflowPath, bad)
		}
	}
	// Stronger than needed, and simple to see: a script gets its values from the environment alone.
	runIndent, runs := -1, 0
	for i, line := range strings.Split(text, "\n") {
		body := strings.TrimLeft(line, " -")
		indent := len(line) - len(strings.TrimLeft(line, " "))
		if runIndent >= 0 && body != "" && indent <= runIndent {
			runIndent = -1
		}
		if strings.HasPrefix(body, "run:") {
			runIndent, runs = len(line)-len(body), runs+1
		}
		if runIndent >= 0 && strings.Contains(line, "${{") {
			t.Errorf("%s:%d: an expression in a script: %s", workflowPath, i+1, body)
		}
	}
	if runs < 6 {
		t.Errorf("%d scripts seen: this test reads the workflow wrongly", runs)
	}
}

func TestWorkflowHasLeastPermissions(t *testing.T) {
	top, jobs, _ := strings.Cut(all(t, noon)[workflowPath], "\njobs:\n")
	if !strings.Contains(top, "\npermissions:\n  contents: read\n") {
		t.Error("no permissions: contents: read at the top")
	}
	check, publish, found := strings.Cut(jobs, "\n  publish:\n")
	if !found || !strings.HasPrefix(check, "  prompts:\n    name: prompts\n") {
		t.Fatal("want the jobs prompts and publish, in this order")
	}
	if strings.Contains(top+check, ": write") {
		t.Error("the check may write")
	}
	if n := strings.Count(publish, ": write"); n != 1 || !strings.Contains(publish, "\n      contents: write") {
		t.Errorf("publish has %d write permissions, want contents alone", n)
	}
	if !strings.Contains(publish, "if: github.event_name == 'push' && github.ref == 'refs/heads/main'\n    needs: prompts\n") {
		t.Error("publish is not held to main and to a passed check")
	}
	if !strings.Contains(check, "persist-credentials: false") || strings.Contains(check, "persist-credentials: true") {
		t.Error("the check keeps its credentials")
	}
	for name, job := range map[string]string{"prompts": check, "publish": publish} {
		for _, want := range []string{"\n    timeout-minutes: ", "fetch-depth: 0"} {
			if !strings.Contains(job, want) {
				t.Errorf("job %s lacks %q", name, strings.TrimSpace(want))
			}
		}
	}
	if !strings.Contains(top, "\nconcurrency:\n") {
		t.Error("no concurrency")
	}
}

// TestRequiredCheckAlwaysReports: GitHub leaves a required check pending for
// ever if "paths" kept its workflow from starting.
func TestRequiredCheckAlwaysReports(t *testing.T) {
	_, rest, _ := strings.Cut(all(t, noon)[workflowPath], "\n  pull_request:\n")
	onPull, _, found := strings.Cut(rest, "  push:\n")
	if !found || strings.Contains(onPull, "paths") {
		t.Errorf("pull_request must start for every path, not:\n%s", onPull)
	}
}

func TestOnlyCommandsThatExistAreNamed(t *testing.T) {
	commands := strings.Fields(`init new validate list status show log blame diff release bump publish verify deploy
		shift promote rollback plan apply history resolve registry doctor completion version metrics`)
	call := regexp.MustCompile(`(?m)(?:^[ $|-]*(?:run: )?|` + "`" + `)incipit ([a-z]+)`)
	seen := map[string]bool{}
	for name, text := range all(t, noon) {
		if ext := path.Ext(name); ext != ".md" && ext != ".yml" {
			continue
		}
		for _, m := range call.FindAllStringSubmatch(text, -1) {
			seen[m[1]] = true
			if !slices.Contains(commands, m[1]) {
				t.Errorf("%s names `incipit %s`", name, m[1])
			}
		}
	}
	for want := range strings.FieldsSeq("validate diff release deploy shift promote rollback bump publish verify") {
		if !seen[want] {
			t.Errorf("no file shows `incipit %s`", want)
		}
	}
}

func TestChangesToProductionAreConfirmed(t *testing.T) {
	changes := regexp.MustCompile(`^incipit (deploy|shift|promote|rollback) .*--env production`)
	seen := 0
	for name, text := range all(t, noon) {
		for i, line := range strings.Split(text, "\n") {
			line = strings.TrimSpace(line)
			if !changes.MatchString(line) {
				continue
			}
			seen++
			if !strings.HasSuffix(line, " --confirm production") {
				t.Errorf("%s:%d: %s", name, i+1, line)
			}
		}
	}
	if seen < 10 {
		t.Errorf("%d commands seen: this test reads the documents wrongly", seen)
	}
}

func TestLinksLead(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)]+)\)`)
	made := all(t, noon)
	for name, text := range made {
		if path.Ext(name) != ".md" {
			continue
		}
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.HasPrefix(m[1], "https://") {
				continue
			}
			if _, ok := made[path.Join(path.Dir(name), m[1])]; !ok {
				t.Errorf("%s: %s leads nowhere", name, m[1])
			}
		}
	}
}
