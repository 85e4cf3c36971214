package examples_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/examples/internal/fake"
)

// A stage is where programs are built and run, as a person would.
type stage struct {
	t   *testing.T
	dir string
	env []string
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, dir: t.TempDir()}
	s.env = append(os.Environ(), "HOME="+s.dir, "XDG_CACHE_HOME="+filepath.Join(s.dir, "cache"), "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=test", "GIT_AUTHOR_EMAIL=test@example.com", "GIT_COMMITTER_NAME=test", "GIT_COMMITTER_EMAIL=test@example.com")
	return s
}

// build makes the program pkg, as in dir with that workspace.
func (s *stage) build(dir, workspace, pkg string) string {
	s.t.Helper()
	file := filepath.Join(s.dir, filepath.Base(pkg))
	c := exec.CommandContext(s.t.Context(), "go", "build", "-o", file, pkg)
	c.Dir, c.Env = dir, append(os.Environ(), "GOWORK="+workspace)
	if out, err := c.CombinedOutput(); err != nil {
		s.t.Fatalf("go build %s: %v\n%s", pkg, err, out)
	}
	return file
}

// run runs a program to its end, in the directory of the prompts.
func (s *stage) run(stdin string, env []string, program string, args ...string) string {
	s.t.Helper()
	c := exec.CommandContext(s.t.Context(), program, args...)
	c.Dir, c.Env, c.Stdin = filepath.Join(s.dir, "repo"), slices.Concat(s.env, env), strings.NewReader(stdin)
	var out, log bytes.Buffer
	c.Stdout, c.Stderr = &out, &log
	if err := c.Run(); err != nil {
		s.t.Fatalf("%s %q: %v\n%s", filepath.Base(program), args, err, log.String())
	}
	return out.String()
}

// start runs a program until stop, and answers what the pattern finds in its log.
func (s *stage) start(pattern string, env []string, program string, args ...string) (found string, stop func()) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	c := exec.CommandContext(ctx, program, args...)
	c.Dir, c.Env = filepath.Join(s.dir, "repo"), slices.Concat(s.env, env)
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = time.Minute
	log, err := c.StderrPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		cancel()
		s.t.Fatal(err)
	}
	address, ended := make(chan string, 1), make(chan struct{})
	var said bytes.Buffer // ours once ended is closed
	go func() {
		defer close(ended)
		find := regexp.MustCompile(pattern)
		for lines := bufio.NewScanner(log); lines.Scan(); {
			said.WriteString(lines.Text() + "\n")
			if m := find.FindStringSubmatch(lines.Text()); m != nil && len(address) == 0 {
				address <- m[1]
			}
		}
		_ = c.Wait()
	}()
	stop = func() { cancel(); <-ended }
	s.t.Cleanup(stop)
	select {
	case found = <-address:
	case <-ended:
		s.t.Fatalf("%s ended:\n%s", filepath.Base(program), said.String())
	case <-time.After(time.Minute):
		stop()
		s.t.Fatalf("%s never said %s:\n%s", filepath.Base(program), pattern, said.String())
	}
	return found, stop
}

// ask reads what the server answers.
func ask[T any](t *testing.T, url string) (answer T) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	if err == nil {
		err = json.Unmarshal(data, &answer)
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s", url, err, data)
	}
	return answer
}

type stats struct {
	Calls   int      `json:"total_calls"`
	Tokens  int      `json:"total_tokens"`
	Cached  int      `json:"cached_tokens"`
	Ratings int      `json:"ratings"`
	Score   *float64 `json:"avg_satisfaction"`
}

// TestTheExamplesRecordTheirCallsOnARealServer builds incipit and both examples
// and runs them as their READMEs say, with a fake model.
func TestTheExamplesRecordTheirCallsOnARealServer(t *testing.T) {
	s := newStage(t)
	incipit, worker, chat := s.build("..", "", "./cmd/incipit"), s.build(".", "off", "./worker"), s.build(".", "off", "./chat-http")
	repo := filepath.Join(s.dir, "repo")
	if err := os.CopyFS(filepath.Join(repo, "prompts"), os.DirFS("prompts")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(repo, "incipit.yaml"), []byte("prompts: prompts\nenvironments:\n  - name: production\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.run("", nil, "git", "init", "--quiet", "--initial-branch=main")
	s.run("", nil, "git", "add", "--all")
	s.run("", nil, "git", "commit", "--quiet", "--message=prompts")
	s.run("", nil, incipit, "publish")
	for _, id := range []string{"customer-support", "ticket-triage"} {
		s.run("", nil, incipit, "deploy", id+"@1.0.0", "--env", "production", "--reason", "try it")
	}
	server, _ := s.start(`msg=listening address=(\S+)`, nil, incipit, "serve", "--dev", "--listen", "127.0.0.1:0", "--data", filepath.Join(s.dir, "data"))
	models := httptest.NewServer(new(fake.Model))
	defer models.Close()
	env := []string{
		"INCIPIT_SERVER=" + server, "INCIPIT_KEY=", "INCIPIT_ENVIRONMENT=production", "INCIPIT_DIR=", "ADDRESS=127.0.0.1:0",
		"ANTHROPIC_BASE_URL=" + models.URL, "ANTHROPIC_API_KEY=none", "OPENAI_BASE_URL=" + models.URL + "/v1", "OPENAI_API_KEY=none",
	}

	var jobs strings.Builder
	for i := range 7 {
		fmt.Fprintf(&jobs, `{"id": "t-%d", "customer": "c-%[1]d", "ticket": "I was charged twice."}`+"\n", i)
	}
	var last struct{ Call string }
	results := strings.Split(strings.TrimSpace(s.run(jobs.String(), env, worker)), "\n")
	if err := json.Unmarshal([]byte(results[len(results)-1]), &last); err != nil || len(results) != 7 {
		t.Fatalf("%d results, %v", len(results), err)
	}
	if got := ask[stats](t, server+"/v1/stats?prompt=ticket-triage&environment=production"); got.Calls != 7 || got.Tokens != 7*(147+25) || got.Cached != 7*40 {
		t.Errorf("of the worker's 7 calls the server knows %+v", got)
	}
	type trace struct {
		Call struct {
			ID, Version, Outcome string
			Response             string `json:"response_id"`
		}
		Release struct{ Tag string }
	}
	for _, ref := range []string{last.Call, "msg_7"} {
		if got := ask[trace](t, server+"/v1/trace/"+ref); got.Call.ID != last.Call || got.Call.Response != "msg_7" || got.Call.Outcome != "ok" || got.Release.Tag != "ticket-triage@1.0.0" {
			t.Errorf("the trace of %s is %+v", ref, got)
		}
	}

	url, stop := s.start(`chat-http: listening" address=(\S+)`, env, chat)
	post := func(path, body string) (status int, answer string) {
		t.Helper()
		resp, err := http.Post(url+path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		data, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(data)
	}
	_, answer := post("/chat", `{"user": "user-1", "question": "Where is it?"}`)
	if err := json.Unmarshal([]byte(answer), &last); err != nil {
		t.Fatalf("the chat answered %s", answer)
	}
	if status, answer := post("/feedback", fmt.Sprintf(`{"call": %q, "score": 4}`, last.Call)); status != http.StatusNoContent {
		t.Errorf("the feedback was answered with %d %s", status, answer)
	}
	stop()
	got := ask[stats](t, server+"/v1/stats?prompt=customer-support&environment=production")
	if got.Calls != 1 || got.Tokens != 150 || got.Ratings != 1 || got.Score == nil || *got.Score != 4 {
		t.Errorf("of the chat's call the server knows %+v", got)
	}
}
