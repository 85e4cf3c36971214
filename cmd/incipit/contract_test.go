package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestContract runs the stories of testdata/contract twice: near, where the
// registry is the file of the workspace, and far, where a server keeps it. A
// command must not tell which.
//
//	served    far: serve the workspace from here on
func TestContract(t *testing.T) {
	for _, far := range []bool{false, true} {
		name := "near"
		if far {
			name = "far"
		}
		t.Run(name, func(t *testing.T) {
			testscript.Run(t, testscript.Params{
				Dir:                 "testdata/contract",
				RequireExplicitExec: true,
				Setup:               setUpScript,
				Cmds: map[string]func(*testscript.TestScript, bool, []string){
					"exitcode": exitcode, "json": jsonValue, "append": appendText,
					"served": func(ts *testscript.TestScript, _ bool, _ []string) {
						if far {
							address, _ := startServer(ts, "--dev", "--listen", "127.0.0.1:0")
							ts.Setenv("INCIPIT_SERVER", address)
						}
					},
				},
			})
		})
	}
}

// TestServer runs the stories of testdata/server, each with servers of its own.
//
//	served ARGS…       serve the workspace from here on, and be its client
//	stopped            stop that server
//	named              let incipit.yaml name that server
//	key FILE           be whoever has the key in FILE
//	revoke NAME        end the key of that name
//	ends 4 …           a command ends with this status, soon
//	says REGEXP …      a command prints this, soon
//	record FILE 3 0 1  send calls, of which it takes, knows and refuses so many
//	receiver FILE      be a webhook at $RECEIVER, which keeps what it is told
//	id FILE NAME       $NAME is the id of the first of a list in JSON
//	told FILE SECRET REGEXP  it was told this, soon, signed with the secret in a file
//	traffic 400 5 60   send calls, 5 % of them the candidate's, of which 60 % fail
//	clean              stdout holds no escape sequence but the colors of ours
func TestServer(t *testing.T) {
	var mu sync.Mutex
	stops := make(map[*testscript.TestScript]func())
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/server",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			err := setUpScript(env)
			env.Setenv("NOW", "") // deadlines and keys live in real time
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exitcode": exitcode, "json": jsonValue, "append": appendText, "ends": endsWith, "says": says,
			"record": record, "traffic": traffic, "clean": clean, "receiver": receiver, "told": toldHook, "id": idOf, "report": writeReport, "write": write,
			"served": func(ts *testscript.TestScript, _ bool, args []string) {
				address, stop := startServer(ts, append(args, "--listen", "127.0.0.1:0")...)
				ts.Setenv("INCIPIT_SERVER", address)
				mu.Lock()
				defer mu.Unlock()
				stops[ts] = stop
			},
			"stopped": func(ts *testscript.TestScript, _ bool, _ []string) {
				mu.Lock()
				defer mu.Unlock()
				stops[ts]()
			},
			"named": func(ts *testscript.TestScript, _ bool, _ []string) {
				ts.Check(os.WriteFile(ts.MkAbs("incipit.yaml"), []byte("server: "+ts.Getenv("INCIPIT_SERVER")+"\n"), 0o644))
				ts.Setenv("INCIPIT_SERVER", "")
			},
			"key": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Setenv("INCIPIT_KEY", strings.TrimSpace(ts.ReadFile(args[0])))
			},
			"revoke": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Check(ts.Exec("incipit", "admin", "key", "list", "--json=id,name"))
				var keys []struct{ ID, Name string }
				ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &keys))
				for _, k := range keys {
					if k.Name == args[0] {
						ts.Check(ts.Exec("incipit", "admin", "key", "revoke", k.ID))
						return
					}
				}
				ts.Fatalf("there is no key %s", args[0])
			},
		},
	})
}

// endsWith waits until a command ends with a status.
func endsWith(ts *testscript.TestScript, _ bool, args []string) {
	soon(ts, "end with "+args[0], args[1:], func(err error) bool {
		exit, ok := errors.AsType[*exec.ExitError](err)
		return ok && strconv.Itoa(exit.ExitCode()) == args[0]
	})
}

// says waits until a command prints what an expression matches.
func says(ts *testscript.TestScript, _ bool, args []string) {
	want, err := regexp.Compile(args[0])
	ts.Check(err)
	soon(ts, "say "+args[0], args[1:], func(err error) bool { return err == nil && want.MatchString(ts.ReadFile("stdout")) })
}

// soon runs a command until it is met, for ten seconds at most.
func soon(ts *testscript.TestScript, what string, command []string, met func(error) bool) {
	for deadline := time.Now().Add(10 * time.Second); !met(ts.Exec(command[0], command[1:]...)); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			ts.Fatalf("%s did not %s", strings.Join(command, " "), what)
		}
	}
}

// startServer runs incipit serve in the script's directory until stop is
// called, or the script ends, and returns its address.
func startServer(ts *testscript.TestScript, args ...string) (address string, stop func()) {
	path, err := exec.LookPath("incipit")
	ts.Check(err)
	cmd := exec.Command(path, append([]string{"serve"}, args...)...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = []string{
		"HOME=" + ts.Getenv("HOME"), "PATH=" + ts.Getenv("PATH"),
		"GIT_CONFIG_NOSYSTEM=1", "TMPDIR=" + ts.Getenv("TMPDIR"), "GORACE=" + ts.Getenv("GORACE"),
	}
	stderr, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	lines := bufio.NewReader(stderr)
	var said strings.Builder
	for address == "" {
		line, err := lines.ReadString('\n')
		said.WriteString(line)
		if err != nil {
			ts.Fatalf("incipit serve ended: %v\n%s", err, said.String())
		}
		if m := regexp.MustCompile(`address=(https?://\S+)`).FindStringSubmatch(line); m != nil {
			address = m[1]
		}
	}
	rest := make(chan struct{})
	go func() {
		defer close(rest)
		io.Copy(&said, lines) //nolint:errcheck // the pipe ends with the server
	}()
	stop = sync.OnceFunc(func() {
		ts.Check(cmd.Process.Signal(syscall.SIGTERM))
		stuck := time.AfterFunc(30*time.Second, func() { cmd.Process.Kill() }) //nolint:errcheck // Wait tells
		defer stuck.Stop()
		<-rest
		if err := cmd.Wait(); err != nil {
			ts.Fatalf("incipit serve: %v\n%s", err, said.String())
		}
	})
	ts.Defer(stop)
	return address, stop
}
