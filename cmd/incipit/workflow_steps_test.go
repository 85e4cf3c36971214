package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// A flow is the workflow that init writes, as far as these tests run it.
type flow struct {
	Jobs map[string]struct {
		If      string
		Outputs map[string]string
		Steps   []struct {
			Name, ID, If, Uses, Run string
			Env                     map[string]string
		}
	}
}

// A flowRunner runs jobs of a flow as GitHub would: each in a directory of its own,
// with the variables and files that a step gets, and `bash -e` for its script.
type flowRunner struct {
	t        *testing.T
	dir      string
	flow     flow
	origin   string
	ref      string            // what is checked out
	contexts map[string]string // the values of expressions, such as github.event_name
	env      []string
}

// job runs a job's steps and reports whether it ran, whether it ended well, and what it printed.
func (r *flowRunner) job(name string) (ran, ok bool, printed string) {
	r.t.Helper()
	job, found := r.flow.Jobs[name]
	if !found {
		r.t.Fatalf("the workflow has no job %s", name)
	}
	if !r.holds(job.If) {
		return false, true, ""
	}
	dir, ok := r.t.TempDir(), true
	var out strings.Builder
	for _, step := range job.Steps {
		if (!ok && !strings.Contains(step.If, "!cancelled()")) || !r.holds(step.If) {
			continue
		}
		switch {
		case strings.HasPrefix(step.Uses, "actions/checkout@"):
			r.sh(dir, "git clone --quiet \"$ORIGIN\" . && git checkout --quiet --detach \"$REF\"", "ORIGIN="+r.origin, "REF="+r.ref)
		case strings.HasPrefix(step.Uses, "actions/upload-artifact@"):
			r.sh(dir, "mkdir -p \"$TO\" && cp -r report \"$TO\"", "TO="+filepath.Join(r.dir, "artifact"))
		case strings.HasPrefix(step.Uses, "actions/download-artifact@"):
			r.sh(dir, "cp -r \"$FROM\" .", "FROM="+filepath.Join(r.dir, "artifact", "report"))
		case step.Uses != "" || strings.HasPrefix(step.Run, "go install "):
		default:
			text, err := r.script(dir, step.Run, step.ID, step.Env)
			fmt.Fprintf(&out, "## %s\n%s", step.Name, text)
			ok = ok && err == nil
		}
	}
	for key, value := range job.Outputs {
		r.contexts["needs."+name+".outputs."+key] = r.value(value)
	}
	return true, ok, out.String()
}

// script runs the script of one step and keeps what it gave as outputs.
func (r *flowRunner) script(dir, text, id string, env map[string]string) (string, error) {
	file := filepath.Join(r.t.TempDir(), "output")
	cmd := exec.Command("bash", "-e", "-c", text)
	cmd.Dir = dir
	cmd.Env = append(slices.Clone(r.env), "GITHUB_OUTPUT="+file, "GITHUB_STEP_SUMMARY="+filepath.Join(r.dir, "summary"), "GITHUB_EVENT_NAME="+r.contexts["github.event_name"])
	for key, value := range env {
		cmd.Env = append(cmd.Env, key+"="+r.value(value))
	}
	out, err := cmd.CombinedOutput()
	given, _ := os.ReadFile(file) // a step without outputs writes none
	for line := range strings.Lines(string(given)) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		r.contexts["steps."+id+".outputs."+key] = value
	}
	return string(out), err
}

// holds evaluates a condition: terms joined by &&, as the workflow has them.
func (r *flowRunner) holds(condition string) bool {
	for term := range strings.SplitSeq(condition, "&&") {
		term = strings.TrimSpace(term)
		if left, right, found := strings.Cut(term, " == "); found {
			if r.operand(left) != r.operand(right) {
				return false
			}
		} else if left, right, found := strings.Cut(term, " != "); found {
			if r.operand(left) == r.operand(right) {
				return false
			}
		} else if term != "" && term != "!cancelled()" {
			r.t.Fatalf("a condition that this test does not know: %s", term)
		}
	}
	return true
}

func (r *flowRunner) operand(s string) string {
	if strings.HasPrefix(s, "'") {
		return strings.Trim(s, "'")
	}
	return r.contexts[s]
}

func (r *flowRunner) value(s string) string {
	return regexp.MustCompile(`\$\{\{ *([\w.-]+) *\}\}`).ReplaceAllStringFunc(s, func(e string) string {
		return r.contexts[strings.Trim(e, "${} ")]
	})
}

// sh runs a script of the test itself, which must end well.
func (r *flowRunner) sh(dir, text string, env ...string) string {
	r.t.Helper()
	cmd := exec.Command("bash", "-eu", "-c", text)
	cmd.Dir, cmd.Env = dir, slices.Concat(r.env, env)
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("%s: %v\n%s", text, err, out)
	}
	return string(out)
}

// newFlow makes a team's repository as init does, with answers recorded, and
// pushes it to a bare one.
func newFlow(t *testing.T) *flowRunner {
	t.Helper()
	r := &flowRunner{t: t, dir: t.TempDir(), contexts: make(map[string]string)}
	r.origin = filepath.Join(r.dir, "origin.git")
	stub, err := filepath.Abs("../../scripts")
	if err != nil {
		t.Fatal(err)
	}
	r.env = []string{
		"PATH=" + os.Getenv("PATH") + ":" + stub, "HOME=" + r.dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_CEILING_DIRECTORIES=" + filepath.Dir(r.dir),
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.com",
		"GITHUB_BASE_REF=main", "NO_COLOR=1", "GITHUB_REPOSITORY=example/shop", "GITHUB_REF=refs/pull/7/merge",
	}
	r.sh(r.dir, `incipit init -q shop && git init --quiet --bare --initial-branch=main origin.git && cd shop
git rm --quiet -r prompts/data-extraction tests/data-extraction.yaml
model=$(sed -n 's/.*"model": *"\([^"]*\)".*/\1/p' prompts/customer-support/.prompt-metadata.json)
sed -i "s|^  judge: .*|  providers: {$model: exec:stub-model}\n  judge: exec:stub-model --judge|" incipit.yaml
incipit test --mode record --allow exec --quiet
git add -A && git commit --quiet -m 'test: recorded answers'
git remote add origin ../origin.git && git push --quiet --follow-tags -u origin main`)
	data, err := os.ReadFile(filepath.Join(r.dir, "shop/.github/workflows/prompts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(data, &r.flow); err != nil {
		t.Fatal(err)
	}
	return r
}

// change makes a branch with a new wording and its merge commit, as a pull
// request has it. The edit is of sed, on the text of the prompt.
func (r *flowRunner) change(edit string) {
	r.t.Helper()
	r.sh(filepath.Join(r.dir, "shop"), `git checkout --quiet -b change
sed -i "$EDIT" prompts/customer-support/system-prompt.txt
incipit bump customer-support --minor -m 'another wording'
incipit test --mode record --allow exec --quiet || true
git add -A && git commit --quiet -m 'test: recorded answers'
git checkout --quiet -b merged main && git merge --quiet --no-ff --no-edit change
git push --quiet origin merged`, "EDIT="+edit)
	r.ref = "origin/merged"
	maps.Copy(r.contexts, map[string]string{
		"github.event_name": "pull_request", "github.repository": "example/shop",
		"github.event.pull_request.head.repo.full_name": "example/shop", "github.token": "a-token",
	})
}

const warmer = "s/Calm, direct, and polite/Calm, warm, and brief/"

func TestTheStepsOfAPullRequestCheckItAndComment(t *testing.T) {
	r := newFlow(t)
	var methods, bodies []string
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		methods = append(methods, req.Method)
		if req.Method == http.MethodGet {
			io.WriteString(w, "[]") //nolint:errcheck // the client notices
			return
		}
		var sent struct{ Body string }
		if err := json.NewDecoder(req.Body).Decode(&sent); err != nil {
			t.Error(err)
		}
		bodies = append(bodies, sent.Body)
		w.WriteHeader(http.StatusCreated)
		io.WriteString(w, `{"html_url": "https://example.com/7"}`) //nolint:errcheck // the client notices
	}))
	defer api.Close()
	r.env = append(r.env, "GITHUB_API_URL="+api.URL)
	r.change(warmer)
	if _, ok, out := r.job("prompts"); !ok {
		t.Fatalf("a good change is refused:\n%s", out)
	}
	if ran, ok, out := r.job("comment"); !ran || !ok {
		t.Fatalf("nothing is written under the pull request:\n%s", out)
	}
	if len(bodies) != 1 || !strings.HasPrefix(bodies[0], "<!-- incipit:report -->") || !strings.Contains(bodies[0], "warm") {
		t.Errorf("%v: the comment is %q", methods, bodies)
	}
	if ran, _, _ := r.job("publish"); ran {
		t.Error("a pull request publishes")
	}
	r.contexts["github.event.pull_request.head.repo.full_name"] = "fork/shop"
	if ran, _, _ := r.job("comment"); ran {
		t.Error("a fork's pull request is given a token that may write")
	}
}

func TestTheStepsOfAWorsePullRequestRefuseItAndSayWhy(t *testing.T) {
	r := newFlow(t)
	r.change("/^STATUS: /d; s/ The last line, always in English, is exactly one of://")
	_, ok, out := r.job("prompts")
	if ok || r.contexts["needs.prompts.outputs.report"] != "true" {
		t.Fatalf("a change that fails its tests: ok %v, report %q\n%s", ok, r.contexts["needs.prompts.outputs.report"], out)
	}
	summary, err := os.ReadFile(filepath.Join(r.dir, "summary"))
	if err != nil || !strings.Contains(string(summary), "the gate refuses this") {
		t.Errorf("the summary is %q, %v", summary, err)
	}
}

func TestTheStepsOfAPushPublishAndFileEvidence(t *testing.T) {
	for _, what := range []string{"the first push of a repository", "a push after a merge"} {
		t.Run(what, func(t *testing.T) {
			r := newFlow(t)
			r.change(warmer)
			before := strings.Repeat("0", 40)
			if what == "a push after a merge" {
				before = strings.TrimSpace(r.sh(filepath.Join(r.dir, "shop"), "git rev-parse main"))
			}
			maps.Copy(r.contexts, map[string]string{"github.event_name": "push", "github.ref": "refs/heads/main", "github.event.before": before})
			for _, job := range []string{"prompts", "publish"} {
				if ran, ok, out := r.job(job); !ran || !ok {
					t.Fatalf("%s: ran %v, ok %v\n%s", job, ran, ok, out)
				}
			}
			if got := r.contexts["needs.publish.outputs.releases"]; got != "customer-support@1.1.0 " {
				t.Errorf("published %q", got)
			}
			kept := r.sh(r.dir, "git -C origin.git tag --list 'customer-support@1.1.0'; git -C origin.git for-each-ref refs/notes")
			if !strings.Contains(kept, "customer-support@1.1.0\n") || !strings.Contains(kept, "refs/notes/incipit-evidence") {
				t.Errorf("the remote has %q", kept)
			}
			if ran, _, _ := r.job("staging"); ran {
				t.Error("it deploys without a server")
			}
		})
	}
}

func TestTheStepsOfAPushDeployToStagingOnAServer(t *testing.T) {
	r := newFlow(t)
	r.change(warmer)
	before := strings.TrimSpace(r.sh(filepath.Join(r.dir, "shop"), "git rev-parse main"))
	r.sh(r.dir, `incipit evidence key key.pem | grep '^ssh-' > trusted
git -C origin.git update-ref refs/heads/main refs/heads/merged`)
	address := r.serve()
	key, err := os.ReadFile(filepath.Join(r.dir, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(r.contexts, map[string]string{
		"github.event_name": "push", "github.ref": "refs/heads/main", "github.event.before": before,
		"vars.INCIPIT_SERVER": address, "secrets.INCIPIT_EVIDENCE_KEY": string(key),
	})
	r.ref = "origin/main"
	for _, job := range []string{"prompts", "publish", "staging"} {
		if ran, ok, out := r.job(job); !ran || !ok {
			t.Fatalf("%s: ran %v, ok %v\n%s", job, ran, ok, out)
		}
	}
	at := "INCIPIT_SERVER=" + address
	if out := r.sh(r.dir, "incipit list", at); !strings.Contains(out, "1.1.0") {
		t.Errorf("in staging runs:\n%s", out)
	}
	if out := r.sh(r.dir, "incipit evidence show customer-support@1.1.0", at); !strings.Contains(out, "SHA256:") {
		t.Errorf("the server has the evidence:\n%s", out)
	}
}

// serve starts a server over the bare repository and returns its address.
func (r *flowRunner) serve() string {
	r.t.Helper()
	cmd := exec.Command("incipit", "serve", "--dev", "--repo", r.origin, "--data", filepath.Join(r.dir, "data"), "--listen", "127.0.0.1:0", "--evidence-keys", filepath.Join(r.dir, "trusted"))
	cmd.Dir, cmd.Env = r.dir, r.env
	log, err := cmd.StderrPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt) //nolint:errcheck // it may have ended by itself
		cmd.Wait()                       //nolint:errcheck // and however it did
	})
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		if m := regexp.MustCompile(`msg=listening address=(\S+)`).FindStringSubmatch(lines.Text()); m != nil {
			return m[1]
		}
	}
	r.t.Fatal("the server ended before it listened")
	return ""
}
