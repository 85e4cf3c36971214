package storetest

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A Server is a PostgreSQL of a test's own, that may be stopped and started.
type Server struct {
	URL string

	dir  string // of the data
	port string
	as   *syscall.SysProcAttr
	bin  string // directory of the programs

	cmd  *exec.Cmd
	life io.WriteCloser // when it is closed, also by our death, the server ends
}

// NewServer starts a server for one test, with settings such as
// max_connections=5.
func NewServer(tb testing.TB, settings ...string) *Server {
	tb.Helper()
	if why := os.Getenv(missingVariable); why != "" {
		tb.Skip("no PostgreSQL: " + why)
	}
	dir, err := os.MkdirTemp("", "incipit-postgres-") //nolint:usetesting // another user must reach it
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	p, err := startPostgres(dir, settings...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(p.Stop)
	return p
}

// programs finds initdb and postgres: Debian keeps them out of the PATH.
func programs() (string, error) {
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), dirs...) {
		_, err1 := os.Stat(filepath.Join(dir, "initdb"))
		_, err2 := os.Stat(filepath.Join(dir, "postgres"))
		if err1 == nil && err2 == nil {
			return dir, nil
		}
	}
	return "", errors.New("initdb and postgres are not installed; on Debian: apt-get install postgresql")
}

// unprivileged is how to run as somebody else, if we are root: PostgreSQL
// refuses to run as root.
func unprivileged(dir string) (*syscall.SysProcAttr, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, err
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(err1, err2, os.Chown(dir, int(uid), int(gid))); err != nil {
		return nil, err
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
}

// startPostgres makes a cluster in dir and starts it. Everything that is
// committed is synced, as in production.
func startPostgres(dir string, settings ...string) (*Server, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	p := &Server{dir: filepath.Join(dir, "data"), bin: bin}
	if p.as, err = unprivileged(dir); err != nil {
		return nil, err
	}
	initdb := exec.Command(filepath.Join(bin, "initdb"), "--no-sync", "--auth=trust", "--username=incipit", "--encoding=UTF8", "--locale=C.UTF-8", p.dir) //nolint:gosec,noctx // a program of the test
	initdb.SysProcAttr, initdb.Dir = p.as, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	if p.port, err = freePort(); err != nil {
		return nil, err
	}
	conf := "listen_addresses = '127.0.0.1'\nport = " + p.port + "\nunix_socket_directories = ''\nshared_buffers = '32MB'\n" +
		"max_connections = 200\nfsync = on\nlog_min_messages = fatal\n" + strings.Join(settings, "\n") + "\n"
	if err := appendTo(filepath.Join(p.dir, "postgresql.conf"), conf); err != nil {
		return nil, err
	}
	p.URL = "postgres://incipit@127.0.0.1:" + p.port + "/postgres?sslmode=disable"
	return p, p.Start()
}

func appendTo(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at once
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, errors.Join(err, l.Close())
}

// Start starts the server and waits until it answers.
func (p *Server) Start() error {
	// The shell ends the server when its input ends: also if we are killed.
	const guard = `"$@" <&- & pid=$!; cat >/dev/null; kill -QUIT $pid; wait $pid`
	var out bytes.Buffer
	p.cmd = exec.Command("/bin/sh", "-c", guard, "sh", filepath.Join(p.bin, "postgres"), "-D", p.dir) //nolint:gosec,noctx // a program of the test
	p.cmd.SysProcAttr, p.cmd.Dir = p.as, p.dir
	p.cmd.Stdout, p.cmd.Stderr = &out, &out
	var err error
	if p.life, err = p.cmd.StdinPipe(); err != nil {
		return err
	}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	db, err := sql.Open("pgx", p.URL)
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if err = db.PingContext(ctx); err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			p.Stop()
			return fmt.Errorf("PostgreSQL does not start: %w: %s", err, out.String())
		}
	}
}

// Stop ends the server as a power cut would: without a checkpoint.
func (p *Server) Stop() {
	if p.life == nil {
		return
	}
	_ = p.life.Close()
	_ = p.cmd.Wait() // it was killed, and says so
	p.life = nil
}

// Restart stops the server and starts it again.
func (p *Server) Restart() error {
	p.Stop()
	return p.Start()
}
