package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
)

// A serving is a server that may be killed and started again. Its address
// stays.
type serving struct {
	*fault
	shop *shop // the directory that it works in
	db   *database
	at   string // host:port
	repo string
	more []string // flags beyond the usual
	env  []string

	starts int
	*process
}

// A process is one run of a server.
type process struct {
	cmd    *exec.Cmd
	log    string        // file of what it says
	ended  chan struct{} // closed when it has ended
	status int           // once it has ended; -1 if a signal ended it
}

// serving prepares a server over a database, of a repository of its own.
func (f *fault) serving(db *database, more ...string) *serving {
	f.Helper()
	s := f.shop("served.git")
	return &serving{fault: f, shop: s, db: db, at: freeAddress(f), repo: s.dir, more: more, env: []string{"XDG_CACHE_HOME=" + s.dir + ".cache"}}
}

// beside prepares another replica over the same database and repository.
func (v *serving) beside() *serving {
	v.Helper()
	w := *v
	w.at, w.process, w.starts = freeAddress(v.fault), nil, 0
	return &w
}

// freeAddress is a port below those that the system gives to connections: one
// of ours could take it while the server is down.
func freeAddress(f *fault) string {
	f.Helper()
	for range 100 {
		at := fmt.Sprintf("127.0.0.1:%d", 12000+rand.N(18000))
		if ln, err := net.Listen("tcp", at); err == nil {
			ln.Close() //nolint:errcheck // nobody came
			return at
		}
	}
	f.Fatal("there is no free port")
	return ""
}

func (v *serving) url() string { return "http://" + v.at }

func (v *serving) args() []string {
	args := append([]string{"serve", "--dev", "--repo", v.repo, "--listen", v.at, "--sync", "24h"}, v.db.flags()...)
	return append(args, v.more...)
}

// launch starts the server, under another program if there is one, and reports
// whether it came to listen.
func (v *serving) launch(under ...string) bool {
	v.Helper()
	v.begin(under...)
	return v.listening()
}

func (v *serving) begin(under ...string) {
	v.Helper()
	v.starts++
	line := append(append(under, v.program), v.args()...)
	cmd := v.shop.command(line[0], line[1:]...)
	cmd.Dir = v.harness.dir // the repository may be taken away
	cmd.Env = append(cmd.Env, v.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p := &process{cmd: cmd, log: fmt.Sprintf("%s.%s.%d.log", v.shop.dir, v.at, v.starts), ended: make(chan struct{})}
	out, err := os.Create(p.log)
	if err != nil {
		v.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		v.Fatal(err)
	}
	v.process = p
	go func() {
		defer close(p.ended)
		cmd.Wait() //nolint:errcheck // its state tells
		p.status = cmd.ProcessState.ExitCode()
	}()
	v.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) //nolint:errcheck // it may be gone
		<-p.ended
	})
}

// listening waits until the server listens or has ended.
func (v *serving) listening() bool {
	v.Helper()
	listens := false
	v.until("the server listens", func() bool {
		listens = strings.Contains(v.said(), "msg=listening")
		return listens || v.hasEnded()
	})
	return listens
}

// start starts the server, which must come to listen.
func (v *serving) start() *serving {
	v.Helper()
	if !v.launch() {
		v.Fatalf("the server did not start: exit status %d\n%s", v.status, v.said())
	}
	return v
}

// said is what the server has said in this run.
func (v *serving) said() string {
	data, err := os.ReadFile(v.log)
	if err != nil {
		return err.Error()
	}
	return string(data)
}

func (v *serving) hasEnded() bool {
	select {
	case <-v.ended:
		return true
	default:
		return false
	}
}

// kill ends the server at once; half of the time what it started, too, and else
// its git goes on without it.
func (v *serving) kill() {
	v.Helper()
	pid := v.cmd.Process.Pid
	if rand.N(2) == 0 {
		pid = -pid
	}
	syscall.Kill(pid, syscall.SIGKILL) //nolint:errcheck // it may be gone
	v.wait()
}

// terminate asks the server to stop, and returns its exit status.
func (v *serving) terminate() int {
	v.Helper()
	v.signal(syscall.SIGTERM)
	v.wait()
	return v.status
}

func (v *serving) signal(sig syscall.Signal) {
	v.Helper()
	if err := v.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		v.Fatal(err)
	}
}

func (v *serving) wait() {
	v.Helper()
	select {
	case <-v.ended:
	case <-v.deadline().Done():
		v.Fatalf("the server did not end\n%s", v.said())
	}
}

// client asks the server. Changes carry the key that once returns.
func (v *serving) client(once func() string) *api.Client {
	v.Helper()
	return clientOf(v.fault, v.url(), once)
}

func clientOf(f *fault, url string, once func() string) *api.Client {
	f.Helper()
	c, err := api.NewClient(api.ClientConfig{Server: url, Once: once, Timeout: 30 * time.Second})
	if err != nil {
		f.Fatal(err)
	}
	return c
}

// get is the status of a request, 0 if there was no answer.
func (v *serving) get(path string) int {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, v.url()+path, http.NoBody)
	if err != nil {
		return 0
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	resp.Body.Close() //nolint:errcheck // it was not read
	return resp.StatusCode
}

// ready waits until the server says that it can do all it is there for.
func (v *serving) ready() {
	v.Helper()
	v.until("the server is ready", func() bool { return v.get("/readyz") == http.StatusOK })
}

// program of the server's database, run beside it.
func (v *serving) local(args ...string) answer {
	v.Helper()
	return v.shop.at(filepath.Dir(v.shop.dir)).run(append(args, v.db.flags()...)...)
}

// killAll ends the server and all that it was started under.
func (v *serving) killAll() {
	v.Helper()
	syscall.Kill(-v.cmd.Process.Pid, syscall.SIGKILL) //nolint:errcheck // it may be gone
	v.wait()
	if v.db.dir == "" {
		return
	}
	// What it was started under may end before it.
	lock, err := os.OpenFile(filepath.Join(v.db.dir, "server.lock"), os.O_RDWR, 0)
	if err != nil {
		return // it never came so far
	}
	defer lock.Close()
	v.until("the lock is free", func() bool { return syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil })
}
