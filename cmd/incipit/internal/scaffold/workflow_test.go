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
	if seen != 8 {
		t.Errorf("%d actions seen, want 8", seen)
	}
}

func TestWorkflowTrustsNothingFromThePullRequest(t *testing.T) {
	text := all(t, noon)[workflowPath]
	for _, bad := range []string{"pull_request_target", "workflow_run", "head_ref"} {
		if strings.Contains(text, bad) {
			t.Errorf("%s holds %s", workflowPath, bad)
		}
	}
	// Whose head it is decides about a job, and the commit before a push is one of ours: nothing
	// else of the event is looked at, and never by a script.
	event := regexp.MustCompile(`github\.event\.[\w.]+`)
	for _, of := range event.FindAllString(text, -1) {
		if of != "github.event.pull_request.head.repo.full_name" && of != "github.event.before" {
			t.Errorf("%s looks at %s", workflowPath, of)
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
	if runs != 15 {
		t.Errorf("%d scripts seen, want 15: this test reads the workflow wrongly", runs)
	}
}

// jobs are the jobs of the workflow by their names, and what stands before.
func jobs(t *testing.T) (top string, byName map[string]string) {
	t.Helper()
	top, rest, _ := strings.Cut(all(t, noon)[workflowPath], "\njobs:\n")
	byName = make(map[string]string)
	name := ""
	for line := range strings.Lines(rest) {
		if m := regexp.MustCompile(`^  ([a-z]+):\n$`).FindStringSubmatch(line); m != nil {
			name = m[1]
		}
		byName[name] += line
	}
	return top, byName
}

func TestWorkflowHasLeastPermissions(t *testing.T) {
	top, byName := jobs(t)
	if !strings.Contains(top, "\npermissions:\n  contents: read\n") || strings.Contains(top, ": write") {
		t.Error("no permissions: contents: read at the top, and no more")
	}
	if !strings.Contains(top, "\nconcurrency:\n") {
		t.Error("no concurrency")
	}
	for name, want := range map[string]struct{ writes, needs, holds string }{
		"prompts": {"", "", "persist-credentials: false"},
		"comment": {"pull-requests", "prompts", "head.repo.full_name == github.repository"},
		"publish": {"contents", "prompts", "if: github.event_name == 'push' && github.ref == 'refs/heads/main'\n"},
		"staging": {"", "publish", "\n    environment: staging\n"},
	} {
		job := byName[name]
		var writes []string
		for _, m := range regexp.MustCompile(`(?m)^      ([a-z-]+): write`).FindAllStringSubmatch(job, -1) {
			writes = append(writes, m[1])
		}
		if got := strings.Join(writes, ","); got != want.writes {
			t.Errorf("job %s writes %q, want %q", name, got, want.writes)
		}
		for _, part := range []string{"\n    timeout-minutes: ", "\n    name: " + name + "\n", want.holds} {
			if !strings.Contains(job, part) {
				t.Errorf("job %s lacks %q", name, strings.TrimSpace(part))
			}
		}
		if want.needs != "" && !strings.Contains(job, "\n    needs: "+want.needs+"\n") {
			t.Errorf("job %s does not wait for %s", name, want.needs)
		}
		if checksOut := strings.Contains(job, "actions/checkout@"); checksOut && !strings.Contains(job, "fetch-depth: 0") {
			t.Errorf("job %s fetches a part", name)
		}
	}
	if len(byName) != 5 { // with the comment before the first
		t.Errorf("%d jobs: this test reads the workflow wrongly", len(byName))
	}
}

// What runs for a pull request, from a fork too, has no secret to lose; what
// runs with one runs after the merge alone.
func TestNoSecretMeetsAPullRequest(t *testing.T) {
	_, byName := jobs(t)
	for _, name := range []string{"prompts", "comment"} {
		if strings.Contains(byName[name], "secrets.") {
			t.Errorf("job %s knows a secret", name)
		}
	}
	if strings.Contains(byName["comment"], "actions/checkout@") {
		t.Error("the job that may write runs code of the pull request")
	}
	if !strings.Contains(byName["publish"], "secrets.INCIPIT_EVIDENCE_KEY") {
		t.Error("nothing is signed after the merge")
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
		shift promote rollback plan apply history resolve registry doctor completion version metrics ci test evidence hooks sync`)
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
	for want := range strings.FieldsSeq("validate diff release deploy shift promote rollback bump publish verify ci hooks") {
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
