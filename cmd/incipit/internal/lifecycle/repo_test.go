package lifecycle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec" //nolint:depguard // what a remote holds is made by git itself
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// git runs git as somebody of whom no configuration is known.
func git(tb testing.TB, dir string, args ...string) string {
	tb.Helper()
	cmd := exec.Command("git", append([]string{"-C", dir}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.com")
	out, err := cmd.CombinedOutput()
	if err != nil {
		tb.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// A made is a release of the tests.
type made struct {
	id      prompt.ID
	version prompt.Version
	text    string
}

// releases are what every store of the tests knows.
func releases() []made {
	var out []made
	for _, id := range []prompt.ID{"support", "billing/refunds"} {
		for minor := range uint32(4) {
			v := prompt.Version{Major: 1, Minor: minor}
			out = append(out, made{id, v, fmt.Sprintf("You answer for {{company}}, as %s %s, briefly and truthfully.", id, v)})
		}
	}
	return out
}

func (m made) files(tb testing.TB) (prompt.Files, prompt.Draft) {
	tb.Helper()
	raw, err := json.Marshal(map[string]any{
		"name": m.id, "version": m.version.String(), "description": "A prompt of the tests.", "model": "model-a", "author": "ada",
		"variables": map[string]any{"company": map[string]any{"trusted": true}},
	})
	if err != nil {
		tb.Fatal(err)
	}
	f := prompt.Files{Dir: "prompts/" + string(m.id), System: []byte(m.text), Metadata: raw}
	d, _ := prompt.Parse(m.id, f, func(name, _ string) (string, prompt.Version, error) {
		return "", prompt.Version{}, errors.New("no include " + name)
	})
	return f, d
}

const author = "Ada <ada@example.com>"

// indexed is the release as a database holds it.
func (m made) indexed(tb testing.TB) sqlstore.IndexedRelease {
	tb.Helper()
	_, d := m.files(tb)
	digest, err := d.Prompt.Digest()
	if err != nil {
		tb.Fatal(err)
	}
	tag := m.id.Tag(m.version)
	return sqlstore.IndexedRelease{
		Release:   registry.Release{Prompt: m.id, Version: m.version, Tag: tag, Commit: "c0ffee" + m.version.String(), Digest: digest, Author: author, At: time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)},
		TagObject: tag, Draft: d,
	}
}

func digestOf(tb testing.TB, id prompt.ID, version string) string {
	tb.Helper()
	for _, m := range releases() {
		if m.id == id && m.version.String() == version {
			return m.indexed(tb).Digest
		}
	}
	tb.Fatalf("there is no %s@%s", id, version)
	return ""
}

// A stream is a script for git fast-import.
type stream struct {
	bytes.Buffer
	mark int
}

// commit puts files, as path and content, on top of main.
func (s *stream) commit(message string, files ...string) {
	s.mark++
	fmt.Fprintf(s, "commit refs/heads/main\nmark :%d\ncommitter %s 1767225600 +0000\ndata %d\n%s\n", s.mark, author, len(message), message)
	if s.mark > 1 {
		fmt.Fprintf(s, "from :%d\n", s.mark-1)
	}
	for i := 0; i < len(files); i += 2 {
		fmt.Fprintf(s, "M 100644 inline %s\ndata %d\n%s\n", files[i], len(files[i+1]), files[i+1])
	}
}

func (s *stream) release(tb testing.TB, m made) {
	tb.Helper()
	f, d := m.files(tb)
	digest, err := d.Prompt.Digest()
	if err != nil {
		tb.Fatal(err)
	}
	s.commit("feat: x\n", f.Dir+"/"+prompt.SystemFile, string(f.System), f.Dir+"/"+prompt.MetadataFile, string(f.Metadata))
	text := fmt.Sprintf("feat(%s): wording (%s)\n\nPrompt: %s\nVersion: %s\nDigest: %s\nTests: not-run\n", m.id, m.version, m.id, m.version, digest)
	fmt.Fprintf(s, "tag %s\nfrom :%d\ntagger %s 1767225600 +0000\ndata %d\n%s\n", m.id.Tag(m.version), s.mark, author, len(text), text)
}

// known is a registry.json that knows the prompts, and what runs of support in
// environments, as JSON.
func known(deployments string) string {
	return fmt.Sprintf(`{
  "support": {"name": "support", "current_version": "1.3.0", "model": "model-a", "team_unknown": [1, 2], "deployments": %s},
  "billing/refunds": {"name": "refunds", "current_version": "1.3.0", "model": "model-a", "deployments": {}}
}
`, deployments)
}

// repository makes one with all releases, and returns its directory.
func repository(tb testing.TB, bare bool, envs []registry.Environment, registryJSON string) string {
	tb.Helper()
	rows, err := json.Marshal(map[string]any{"environments": envs}) // JSON is YAML, too
	if err != nil {
		tb.Fatal(err)
	}
	dir := filepath.Join(tb.TempDir(), "repository")
	args := []string{"init", "--quiet", "--initial-branch=main", dir}
	if bare {
		args = append(args, "--bare")
	}
	git(tb, ".", args...)
	var s stream
	s.commit("start\n", "incipit.yaml", string(rows), "prompts/registry.json", registryJSON)
	for _, m := range releases() {
		s.release(tb, m)
	}
	imports(tb, dir, &s)
	if !bare {
		git(tb, dir, "reset", "--quiet", "--hard", "main")
		git(tb, dir, "config", "user.name", "Ada")
		git(tb, dir, "config", "user.email", "ada@example.com")
	}
	return dir
}

func imports(tb testing.TB, dir string, s *stream) {
	tb.Helper()
	cmd := exec.Command("git", "-C", dir, "fast-import", "--quiet", "--force")
	cmd.Stdin = &s.Buffer
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("fast-import: %v\n%s", err, out)
	}
}
