package main

import (
	"bufio"
	"io"
	"os/exec"
	"regexp"
	"strings"
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
							ts.Setenv("INCIPIT_SERVER", startServer(ts, "--dev", "--listen", "127.0.0.1:0"))
						}
					},
				},
			})
		})
	}
}

// startServer runs incipit serve in the script's directory until the script
// ends, and returns its address.
func startServer(ts *testscript.TestScript, args ...string) string {
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
	address := ""
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
	ts.Defer(func() {
		ts.Check(cmd.Process.Signal(syscall.SIGTERM))
		stuck := time.AfterFunc(30*time.Second, func() { cmd.Process.Kill() }) //nolint:errcheck // Wait tells
		defer stuck.Stop()
		<-rest
		if err := cmd.Wait(); err != nil {
			ts.Fatalf("incipit serve: %v\n%s", err, said.String())
		}
	})
	return address
}
