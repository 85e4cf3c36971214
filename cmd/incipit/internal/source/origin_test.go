package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec" //nolint:depguard // what a remote holds is made by git itself
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// An origin is a bare repository that plays the remote. Its commits are made
// by git fast-import, which takes any file mode and any content.
type origin struct {
	dir  string
	last int // the mark of the last commit on main
	mark int
	in   bytes.Buffer // the stream until the next flush
}

// A file is what a commit puts at a path. "" is a plain file's mode.
type file struct{ mode, data string }

const originWho = "Ada <ada@example.com> 1767225600 +0000"

func newOrigin(tb testing.TB) *origin {
	tb.Helper()
	o := &origin{dir: filepath.Join(tb.TempDir(), "origin.git")}
	git(tb, ".", "init", "--quiet", "--bare", "--initial-branch=main", o.dir)
	return o
}

// commit puts files on top of main and returns the commit's mark.
func (o *origin) commit(message string, files map[string]file) int {
	o.mark++
	fmt.Fprintf(&o.in, "commit refs/heads/main\nmark :%d\ncommitter %s\ndata %d\n%s\n", o.mark, originWho, len(message), message)
	if o.last > 0 {
		fmt.Fprintf(&o.in, "from :%d\n", o.last)
	}
	for name, f := range files {
		switch f.mode {
		case "160000":
			fmt.Fprintf(&o.in, "M 160000 %s %s\n", f.data, name)
		case "":
			f.mode = "100644"
			fallthrough
		default:
			fmt.Fprintf(&o.in, "M %s inline %s\ndata %d\n%s\n", f.mode, name, len(f.data), f.data)
		}
	}
	o.last = o.mark
	return o.mark
}

func (o *origin) tag(name string, mark int, message string) {
	fmt.Fprintf(&o.in, "tag %s\nfrom :%d\ntagger %s\ndata %d\n%s\n", name, mark, originWho, len(message), message)
}

// flush writes what was asked for. It may be called once.
func (o *origin) flush(tb testing.TB) *origin {
	tb.Helper()
	cmd := exec.Command("git", "-C", o.dir, "fast-import", "--quiet", "--force")
	cmd.Stdin = &o.in
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("fast-import: %v\n%s", err, out)
	}
	git(tb, o.dir, "pack-refs", "--all")
	return o
}

func (o *origin) git(tb testing.TB, args ...string) string {
	tb.Helper()
	return git(tb, o.dir, args...)
}

// A made is a release as incipit release makes it.
type made struct {
	id, version string
	system      string
	meta        map[string]any // more metadata
	digest      string         // "" is the right one
	other       map[string]file
	include     prompt.Includer
}

// release commits and tags a release.
func (o *origin) release(tb testing.TB, m made) (digest string) {
	tb.Helper()
	if m.system == "" {
		m.system = "You are an assistant of {{company}}, and you answer briefly and truthfully."
	}
	meta := map[string]any{
		"name": m.id, "version": m.version, "description": "A generated prompt.", "model": "model-a", "author": "ada",
		"variables": map[string]any{"company": map[string]any{"trusted": true}},
	}
	maps.Copy(meta, m.meta)
	raw, err := json.MarshalIndent(meta, "", "  ")
	if err != nil {
		tb.Fatal(err)
	}
	f := prompt.Files{Dir: "prompts/" + m.id, System: []byte(m.system), Metadata: raw}
	if m.include == nil {
		m.include = func(name, _ string) (string, prompt.Version, error) {
			return "", prompt.Version{}, errors.New("no include " + name)
		}
	}
	if user, ok := m.other[f.Dir+"/"+prompt.UserFile]; ok && user.mode == "" {
		f.User = []byte(user.data)
	}
	d, _ := prompt.Parse(prompt.ID(m.id), f, m.include)
	if digest, err = d.Prompt.Digest(); err != nil && m.digest == "" {
		tb.Fatal(err)
	}
	files := map[string]file{f.Dir + "/" + prompt.SystemFile: {data: m.system}, f.Dir + "/" + prompt.MetadataFile: {data: string(raw)}}
	maps.Copy(files, m.other)
	if m.digest != "" {
		digest = m.digest
	}
	mark := o.commit("feat("+m.id+"): x\n", files)
	o.tag(m.id+"@"+m.version, mark, releaseText(m.id, m.version, digest))
	return digest
}

func releaseText(id, version, digest string) string {
	return fmt.Sprintf("feat(%s): wording (%s)\n\nPrompt: %s\nVersion: %s\nDigest: %s\nTests: not-run\n", id, version, id, version, digest)
}

// remote is what a server has of the origin.
func (o *origin) remote(tb testing.TB, change ...func(*RemoteConfig)) *Remote {
	tb.Helper()
	c := RemoteConfig{URL: o.dir, Dir: filepath.Join(tb.TempDir(), "clone.git"), Now: func() time.Time { return time.Unix(1_800_000_000, 0) }}
	for _, f := range change {
		f(&c)
	}
	r, err := NewRemote(c)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// fetched is the remote, and a workspace of what was fetched.
func (o *origin) fetched(tb testing.TB) (*Remote, *Workspace) {
	tb.Helper()
	r := o.remote(tb)
	return r, fetch(tb, r)
}

func fetch(tb testing.TB, r *Remote) *Workspace {
	tb.Helper()
	if err := r.Fetch(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	w, err := r.Open(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := w.Close(); err != nil {
			tb.Error(err)
		}
	})
	return w
}

// git runs git as somebody else than the server would, from nobody's
// configuration.
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
