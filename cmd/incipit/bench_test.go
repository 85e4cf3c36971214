package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// BenchmarkCLI measures the program beside its yardstick, turn by turn in the
// same run: wall time from start to exit, and peak memory. One op is one run
// of the program; git-ms and x-git are the yardstick's median and the ratio of
// the medians.
//
//	go test -run '^$' -bench CLI -benchtime 15x ./cmd/incipit
func BenchmarkCLI(b *testing.B) {
	bin := buildProgram(b)
	repo := generateRepo(b, b.TempDir(), 1000, 10)
	id := repo.id(500)
	show := fmt.Sprintf("%s@1.4.0", id)
	file := fmt.Sprintf("prompts/%s/system-prompt.txt", id)

	b.Run("version", func(b *testing.B) {
		race(b, run(repo.dir, bin, "version"), nil)
	})
	b.Run("list", func(b *testing.B) {
		race(b, run(repo.dir, bin, "list"), run(repo.dir, "git", "for-each-ref"))
	})
	b.Run("show", func(b *testing.B) {
		race(b, run(repo.dir, bin, "show", show), run(repo.dir, "git", "show", show+":"+file))
	})
	b.Run("validate", func(b *testing.B) {
		race(b, run(repo.dir, bin, "validate"), nil)
	})
	b.Run("status", func(b *testing.B) {
		race(b, run(repo.dir, bin, "status"), run(repo.dir, "git", "status"))
	})
	b.Run("verify", func(b *testing.B) {
		race(b, run(repo.dir, bin, "verify"), nil)
	})
	b.Run("release", func(b *testing.B) { benchRelease(b, bin, repo) })
	b.Run("deploy", func(b *testing.B) {
		n := 0
		race(b, func(tb testing.TB) sample {
			tb.Helper()
			n++
			return run(repo.dir, bin, "deploy", fmt.Sprintf("%s@1.%d.0", id, n%2), "--env", "staging")(tb)
		}, nil)
	})
}

// benchRelease compares a release with the git commit and git tag of the same
// files, under the same fsync settings.
func benchRelease(b *testing.B, bin string, repo benchRepo) {
	b.Helper()
	n := 0
	edit := func(tb testing.TB) (dir, id string) {
		tb.Helper()
		n++
		id = repo.id(n % repo.prompts)
		dir = filepath.Join(repo.dir, "prompts", id)
		f, err := os.OpenFile(filepath.Join(dir, "system-prompt.txt"), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			tb.Fatal(err)
		}
		defer f.Close()
		if _, err := fmt.Fprintf(f, "Edit %d.\n", n); err != nil {
			tb.Fatal(err)
		}
		return dir, id
	}
	ours := func(tb testing.TB) sample {
		tb.Helper()
		_, id := edit(tb)
		return run(repo.dir, bin, "release", id, "--patch", "-m", "bench")(tb)
	}
	bare := func(tb testing.TB) sample {
		tb.Helper()
		dir, id := edit(tb)
		for _, name := range []string{filepath.Join(dir, ".prompt-metadata.json"), filepath.Join(repo.dir, "prompts", "registry.json")} {
			data, err := os.ReadFile(name)
			if err != nil {
				tb.Fatal(err)
			}
			if err := os.WriteFile(name, append(data, '\n'), 0o600); err != nil {
				tb.Fatal(err)
			}
		}
		const fsync = "core.fsync=committed,reference"
		commit := run(repo.dir, "git", "-c", fsync, "commit", "--quiet", "--message", "bench", "--only", "--", dir, "prompts/registry.json")(tb)
		tag := run(repo.dir, "git", "-c", fsync, "tag", "--annotate", "--message", "bench", fmt.Sprintf("bench/%s-%d", id, n))(tb)
		return sample{commit.wall + tag.wall, max(commit.rss, tag.rss)}
	}
	race(b, ours, bare)
}

// A sample is one run: wall time, and peak memory in bytes.
type sample struct {
	wall time.Duration
	rss  int64
}

func run(dir, name string, args ...string) func(testing.TB) sample {
	return func(tb testing.TB) sample {
		tb.Helper()
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		var out, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &stderr
		start := time.Now()
		err := cmd.Run()
		wall := time.Since(start)
		if err != nil {
			tb.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, stderr.String())
		}
		usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
		if !ok {
			tb.Fatal("this system does not tell the memory of a child")
		}
		return sample{wall, usage.Maxrss << 10}
	}
}

// race is raceBeside git.
func race(b *testing.B, ours, yardstick func(testing.TB) sample) {
	b.Helper()
	raceBeside(b, "git", ours, yardstick)
}

// raceBeside runs ours and the yardstick, which may be nil, in turns, and
// reports medians and the peaks of memory.
func raceBeside(b *testing.B, name string, ours, yardstick func(testing.TB) sample) {
	b.Helper()
	var mine, theirs []time.Duration
	var rss, theirRSS int64
	for b.Loop() {
		s := ours(b)
		mine, rss = append(mine, s.wall), max(rss, s.rss)
		if yardstick != nil {
			b.StopTimer()
			t := yardstick(b)
			theirs, theirRSS = append(theirs, t.wall), max(theirRSS, t.rss)
			b.StartTimer()
		}
	}
	ms := func(ds []time.Duration) float64 {
		slices.Sort(ds)
		return float64(ds[len(ds)/2].Microseconds()) / 1000
	}
	b.ReportMetric(ms(mine), "ms")
	b.ReportMetric(float64(rss)/(1<<20), "MB")
	if yardstick != nil {
		b.ReportMetric(ms(theirs), name+"-ms")
		b.ReportMetric(float64(theirRSS)/(1<<20), name+"-MB")
		b.ReportMetric(ms(mine)/ms(theirs), "x-"+name)
	}
	b.ReportMetric(0, "ns/op")
}
