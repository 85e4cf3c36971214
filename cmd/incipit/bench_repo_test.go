package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// A benchRepo is a generated repository: prompts × releases, one commit and
// one annotated tag each, as incipit release makes them, written by git
// fast-import because ten thousand real releases take minutes.
type benchRepo struct {
	dir               string
	prompts, releases int
}

func (r benchRepo) id(n int) string { return fmt.Sprintf("team-%02d/prompt-%04d", n%20, n) }

// text is a prompt of about 2 KB that differs in each release.
func (r benchRepo) text(n, release int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "You are assistant %d of {{company}}. This is wording %d.\n\n", n, release)
	for i := range 24 {
		fmt.Fprintf(&b, "Rule %d: answer the question that was asked, name the source, and stop after %d sentences.\n", i+1, 2+(n+i+release)%5)
	}
	return b.String()
}

// files are the files of a release and its digest.
func (r benchRepo) files(tb testing.TB, n, release int, previous string) (files map[string]string, digest string) {
	tb.Helper()
	id := prompt.ID(r.id(n))
	meta := map[string]any{
		"name": string(id), "version": fmt.Sprintf("1.%d.0", release), "description": "A generated prompt.",
		"created": "2026-01-01T00:00:00Z", "updated": "2026-01-02T00:00:00Z", "author": "bench", "model": "model-a",
		"change_notes": fmt.Sprintf("wording %d", release), "tags": []string{"bench"}, "previous_version": nil, "test_status": "not-run",
		"variables":  map[string]any{"company": map[string]any{"type": "string", "trusted": true}, "question": map[string]any{"type": "string"}},
		"parameters": map[string]any{"temperature": 0.2},
	}
	if release > 0 {
		meta["previous_version"], meta["previous_digest"] = fmt.Sprintf("1.%d.0", release-1), previous
	}
	raw, err := json.MarshalIndent(meta, "", "  ")
	if err != nil {
		tb.Fatal(err)
	}
	f := prompt.Files{Dir: "prompts/" + string(id), System: []byte(r.text(n, release)), User: []byte("{{question}}\n"), Metadata: append(raw, '\n')}
	d, findings := prompt.Parse(id, f, nil)
	if len(findings) > 0 {
		tb.Fatal(findings)
	}
	if digest, err = d.Prompt.Digest(); err != nil {
		tb.Fatal(err)
	}
	return map[string]string{
		f.Dir + "/" + prompt.SystemFile: string(f.System), f.Dir + "/" + prompt.UserFile: string(f.User), f.Dir + "/" + prompt.MetadataFile: string(f.Metadata),
	}, digest
}

// generateRepo makes the repository in dir and checks it out.
func generateRepo(tb testing.TB, dir string, prompts, releases int) benchRepo {
	tb.Helper()
	r := benchRepo{dir, prompts, releases}
	git(tb, dir, "init", "--quiet", "--initial-branch=main")
	git(tb, dir, "config", "user.name", "bench")
	git(tb, dir, "config", "user.email", "bench@example.com")
	cmd := exec.Command("git", "-C", dir, "fast-import", "--quiet", "--force")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	w := bufio.NewWriter(in)
	r.stream(tb, w)
	if err := w.Flush(); err != nil {
		tb.Fatal(err)
	}
	if err := in.Close(); err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		tb.Fatal(err)
	}
	git(tb, dir, "reset", "--hard", "--quiet", "main")
	git(tb, dir, "pack-refs", "--all")
	return r
}

func (r benchRepo) stream(tb testing.TB, w io.Writer) {
	tb.Helper()
	const who = "bench <bench@example.com> 1767225600 +0000"
	mark := 0
	commit := func(message string, files map[string]string) {
		mark++
		fmt.Fprintf(w, "commit refs/heads/main\nmark :%d\ncommitter %s\ndata %d\n%s\n", mark, who, len(message), message)
		if mark > 1 {
			fmt.Fprintf(w, "from :%d\n", mark-1)
		}
		for name, data := range files {
			fmt.Fprintf(w, "M 100644 inline %s\ndata %d\n%s\n", name, len(data), data)
		}
	}
	registry := make(map[string]any, r.prompts)
	digests := make([]string, r.prompts)
	for release := range r.releases {
		for n := range r.prompts {
			files, digest := r.files(tb, n, release, digests[n])
			digests[n] = digest
			version := fmt.Sprintf("1.%d.0", release)
			message := fmt.Sprintf("feat(%s): wording %d (%s)\n\nPrompt: %s\nVersion: %s\nDigest: %s\nTests: not-run\n", r.id(n), release, version, r.id(n), version, digest)
			commit(message, files)
			fmt.Fprintf(w, "tag %s@%s\nfrom :%d\ntagger %s\ndata %d\n%s\n", r.id(n), version, mark, who, len(message), message)
			registry[r.id(n)] = map[string]any{
				"name": r.id(n), "current_version": version, "model": "model-a", "description": "A generated prompt.", "maintainer": "bench",
				"registered_at": "2026-01-01T00:00:00Z", "digest": digest,
				"deployments": map[string]any{
					"dev":        map[string]any{"version": version, "deployed_at": "2026-01-03T00:00:00Z", "digest": digest},
					"production": map[string]any{"version": version, "deployed_at": "2026-01-03T00:00:00Z", "digest": digest},
				},
			}
		}
	}
	raw, err := json.MarshalIndent(registry, "", "  ")
	if err != nil {
		tb.Fatal(err)
	}
	commit("registry\n", map[string]string{"prompts/registry.json": string(raw) + "\n", "incipit.yaml": "prompts: prompts\n"})
}

func git(tb testing.TB, dir string, args ...string) string {
	tb.Helper()
	cmd := exec.Command("git", append([]string{"-C", dir}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null")
	out, err := cmd.CombinedOutput()
	if err != nil {
		tb.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// buildProgram builds the program as it is shipped.
func buildProgram(tb testing.TB) string {
	tb.Helper()
	bin := filepath.Join(tb.TempDir(), "incipit")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", bin, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("go build: %v\n%s", err, out)
	}
	return bin
}
