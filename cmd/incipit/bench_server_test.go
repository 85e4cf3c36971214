package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// BenchmarkServe measures how long incipit serve takes from its start until it
// is ready and has answered with what an environment runs, on 1,000 prompts
// with 10 releases each, and its peak memory. The yardstick of the first start
// is git alone: a bare clone, and reading every object of it once.
//
//	go test -run '^$' -bench Serve -benchtime 5x ./cmd/incipit
func BenchmarkServe(b *testing.B) {
	bin := buildProgram(b)
	repo := generateRepo(b, b.TempDir(), 1000, 10)

	b.Run("first-start", func(b *testing.B) {
		race(b, func(tb testing.TB) sample {
			tb.Helper()
			return serveOnce(tb, bin, repo.dir, filepath.Join(tb.TempDir(), "data"))
		}, func(tb testing.TB) sample {
			tb.Helper()
			to := filepath.Join(tb.TempDir(), "clone")
			cloned := run(repo.dir, "git", "clone", "--quiet", "--bare", "--no-local", repo.dir, to)(tb)
			read := run(to, "git", "cat-file", "--batch-all-objects", "--batch", "--unordered")(tb)
			return sample{wall: cloned.wall + read.wall}
		})
	})
	b.Run("start", func(b *testing.B) {
		data := filepath.Join(b.TempDir(), "data")
		serveOnce(b, bin, repo.dir, data)
		race(b, func(tb testing.TB) sample {
			tb.Helper()
			return serveOnce(tb, bin, repo.dir, data)
		}, nil)
	})
}

// serveOnce starts a server, waits for its first snapshot, and stops it.
func serveOnce(tb testing.TB, bin, repo, data string) sample {
	tb.Helper()
	cmd := exec.Command(bin, "serve", "--dev", "--listen", "127.0.0.1:0", "--repo", repo, "--data", data)
	cmd.Env = append(os.Environ(), "INCIPIT_SERVER=")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		tb.Fatal(err)
	}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	lines := bufio.NewReader(stderr)
	address := ""
	for address == "" {
		line, err := lines.ReadString('\n')
		if err != nil {
			tb.Fatalf("incipit serve ended: %v", err)
		}
		if _, rest, ok := strings.Cut(line, "msg=listening address="); ok {
			address, _, _ = strings.Cut(rest, " ")
		}
	}
	ready(tb, address+"/readyz")
	ready(tb, address+"/v1/environments/production/snapshot")
	wall := time.Since(start)
	rss := peakMemory(tb, cmd.Process.Pid)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		tb.Fatal(err)
	}
	rest, err := io.ReadAll(lines)
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		tb.Fatalf("incipit serve: %v\n%s", err, rest)
	}
	return sample{wall, rss}
}

// peakMemory of a running process, in bytes. What wait tells would be that of
// this test, if it was larger when it forked.
func peakMemory(tb testing.TB, pid int) int64 {
	tb.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		tb.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kib int64
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		tb.Fatal(err)
	}
	return kib << 10
}

// ready asks until the answer is 200.
func ready(tb testing.TB, url string) {
	tb.Helper()
	for range 10_000 {
		resp, err := http.Get(url)
		if err != nil {
			tb.Fatal(err)
		}
		_, err = io.Copy(io.Discard, resp.Body)
		if err := resp.Body.Close(); err != nil {
			tb.Fatal(err)
		}
		if err == nil && resp.StatusCode == http.StatusOK {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	tb.Fatalf("%s was never ready", url)
}
