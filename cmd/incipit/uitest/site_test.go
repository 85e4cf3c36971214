package uitest

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A site is a repository of prompts and a server of it.
type site struct {
	t    testing.TB
	dir  string // of the repository
	url  string
	env  []string
	stop func() // ends the server, and waits for it
	args []string

	mayLog string        // what an error in the log may hold; "" for none
	log    *bytes.Buffer // of the server that ran last, once it has ended
}

// newSite makes the repository that incipit init makes, and serves it: with
// --dev, unless arguments are given.
func newSite(t testing.TB, args ...string) *site {
	t.Helper()
	s := newRepo(t)
	if len(args) == 0 {
		args = []string{"--dev"}
	}
	s.args = args
	s.serve("127.0.0.1:0")
	return s
}

// newRepo is a site that is not served yet.
func newRepo(t testing.TB) *site {
	t.Helper()
	home := t.TempDir()
	s := &site{t: t, dir: filepath.Join(home, "prompts"), log: new(bytes.Buffer)}
	s.env = append(os.Environ(), asProgram+"=1", "HOME="+home, "XDG_CONFIG_HOME="+home, "XDG_CACHE_HOME="+home, "NO_COLOR=1", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=Incipit tests", "GIT_AUTHOR_EMAIL=tests@example.com", "GIT_COMMITTER_NAME=Incipit tests", "GIT_COMMITTER_EMAIL=tests@example.com",
		"INCIPIT_SERVER=", "INCIPIT_KEY=", "INCIPIT_DATABASE=")
	if err := os.Mkdir(s.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s.git("init", "-q", "-b", "main")
	s.run("init")
	return s
}

// serve starts the server at an address, and waits until it answers.
func (s *site) serve(address string) {
	s.t.Helper()
	cmd := exec.Command(os.Args[0], append([]string{"serve", "--listen", address}, s.args...)...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = s.dir, s.env, &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StderrPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	listening, ended, log := make(chan string, 1), make(chan struct{}), new(bytes.Buffer)
	go func() { // ends with the server
		defer close(ended)
		at := regexp.MustCompile(`msg=listening address=(\S+)`)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			log.WriteString(lines.Text() + "\n")
			if m := at.FindStringSubmatch(lines.Text()); m != nil {
				listening <- m[1]
			}
		}
	}()
	stopped := false
	s.stop = func() {
		if stopped {
			return
		}
		stopped = true
		_ = cmd.Process.Signal(os.Interrupt) // it may have ended
		<-ended
		if err := cmd.Wait(); err != nil {
			s.t.Errorf("the server ended: %v", err)
		}
		s.log = log
		for line := range strings.Lines(log.String()) {
			if strings.Contains(line, "level=ERROR") && (s.mayLog == "" || !strings.Contains(line, s.mayLog)) {
				s.t.Errorf("the server logged errors:\n%s", log)
				break
			}
		}
	}
	s.t.Cleanup(s.stop)
	select {
	case s.url = <-listening:
	case <-ended:
		s.t.Fatalf("the server did not start:\n%s", log)
	case <-time.After(2 * time.Minute):
		s.t.Fatal("the server does not listen")
	}
}

// run is a command of the program, in the repository, without the server.
func (s *site) run(args ...string) string {
	s.t.Helper()
	return s.output(exec.Command(os.Args[0], args...))
}

// far is a command of the program that asks the server.
func (s *site) far(args ...string) string {
	s.t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = slices.Concat(s.env, []string{"INCIPIT_SERVER=" + s.url})
	return s.output(cmd)
}

func (s *site) git(args ...string) string {
	s.t.Helper()
	return s.output(exec.Command("git", args...))
}

func (s *site) output(cmd *exec.Cmd) string {
	s.t.Helper()
	cmd.Dir = s.dir
	if cmd.Env == nil {
		cmd.Env = s.env
	}
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		s.t.Fatalf("%s: %v\n%s%s", strings.Join(cmd.Args[1:], " "), err, &out, &said)
	}
	return strings.TrimSpace(out.String())
}

// write writes a file of the repository.
func (s *site) write(name, text string) {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// read reads a file of the repository.
func (s *site) read(name string) string {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// edit replaces text in a file of the repository.
func (s *site) edit(name, old, text string) {
	s.t.Helper()
	was := s.read(name)
	if !strings.Contains(was, old) {
		s.t.Fatalf("%s does not hold %q", name, old)
	}
	s.write(name, strings.Replace(was, old, text, 1))
}
