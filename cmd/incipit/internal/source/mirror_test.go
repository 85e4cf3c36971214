package source

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

const mirrored = `{
  "b": {"name": "B",   "team_unknown": [1,2], "current_version": "1.0.0", "deployments": {"mars": {"version": "0.1.0", "deployed_at": "2026-01-03T00:00:00Z"}}},
  "a": {"name": "A", "current_version": "1.0.0", "deployments": {}}
}
`

func mirroredOrigin(t *testing.T) *origin {
	t.Helper()
	o := newOrigin(t)
	o.commit("x\n", map[string]file{"prompts/registry.json": {data: mirrored}, "README": {data: "x"}, "run.sh": {"100755", "x"}, "link": {"120000", "README"}})
	return o.flush(t)
}

func deployment(seq int, minor uint32) registry.Deployment {
	return registry.Deployment{
		Seq: seq, Action: registry.Deploy, Version: prompt.Version{Major: 1, Minor: minor}, Digest: "sha256:ab",
		At: time.Unix(1_790_000_000, 0).UTC(), By: "ada", Revision: 77,
	}
}

func tracks(id prompt.ID, env string, ds ...registry.Deployment) map[prompt.ID]map[string]registry.Track {
	return map[prompt.ID]map[string]registry.Track{id: {env: ds}}
}

func TestMirrorCommitsOneFileAndNothingTwice(t *testing.T) {
	o := mirroredOrigin(t)
	before := o.git(t, "rev-parse", "main")
	r, _ := o.fetched(t)
	edit := Deployed(tracks("a", "dev", deployment(1, 1)), nil)
	commit, err := r.Mirror().Push(t.Context(), edit, "a 1.1.0 runs in dev\n")
	if err != nil {
		t.Fatal(err)
	}
	if got := o.git(t, "rev-parse", "main"); got != commit || o.git(t, "rev-parse", "main^") != before {
		t.Errorf("main is %s, the commit %s", got, commit)
	}
	if got := o.git(t, "log", "-1", "--format=%an <%ae> %at %cn %ce %s", "main"); got != "incipit <incipit@localhost> 1800000000 incipit incipit@localhost a 1.1.0 runs in dev" {
		t.Errorf("got %s", got)
	}
	if got := o.git(t, "diff", "--raw", "--no-abbrev", "main^", "main"); strings.Count(got, ":") != 1 || !strings.HasSuffix(got, "\tprompts/registry.json") || !strings.HasPrefix(got, ":100644 100644") {
		t.Errorf("got %s", got)
	}
	text := o.git(t, "show", "main:prompts/registry.json")
	for _, want := range []string{strings.Split(mirrored, "\n")[1], `"version": "1.1.0"`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not in\n%s", want, text)
		}
	}
	if strings.Contains(text, "revision") {
		t.Errorf("revisions belong to the database:\n%s", text)
	}
	for range 2 { // what stands there is not written again, whether it was fetched since or not
		if again, err := r.Mirror().Push(t.Context(), edit, "again\n"); again != "" || err != nil {
			t.Errorf("again: %q, %v", again, err)
		}
		if err := r.Fetch(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if again, err := r.Mirror().Push(t.Context(), func(*Registry) (*Registry, error) { return nil, nil }, "x\n"); again != "" || err != nil {
		t.Errorf("nothing to do: %q, %v", again, err)
	}
	broken := errors.New("broken")
	if _, err := r.Mirror().Push(t.Context(), func(*Registry) (*Registry, error) { return nil, broken }, "x\n"); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func TestMirrorRegistersAPromptThatIsNew(t *testing.T) {
	o := newOrigin(t)
	r := o.remote(t, func(c *RemoteConfig) { c.Within, c.Author = "sub", "Bot <bot@example.com>" })
	fetch(t, r)
	wanted := tracks("team/new", "dev", deployment(1, 0), deployment(2, 1))
	if commit, err := r.Mirror().Push(t.Context(), Deployed(wanted, nil), "x\n"); commit != "" || err != nil {
		t.Fatalf("without an entry: %q, %v", commit, err)
	}
	describe := func(id prompt.ID) (*Entry, error) { return &Entry{Name: string(id), Model: "model-a"}, nil }
	if _, err := r.Mirror().Push(t.Context(), Deployed(wanted, describe), "x\n"); err != nil {
		t.Fatal(err)
	}
	if got := o.git(t, "log", "--format=%an", "main"); got != "Bot" {
		t.Errorf("got %s", got)
	}
	runs, err := fetch(t, r).Deployments(t.Context())
	if err != nil || runs["team/new"]["dev"].Seq() != 2 || len(runs["team/new"]["dev"]) != 2 {
		t.Errorf("got %+v, %v", runs, err)
	}
	for _, author := range []string{"x", "<a@b>", "x\n <a@b>"} {
		if _, err := NewRemote(RemoteConfig{URL: o.dir, Author: author}); !errors.Is(err, prompt.ErrInvalid) {
			t.Errorf("%q: %v", author, err)
		}
	}
}

func TestMirrorGoesOnTopOfWhatOthersPushed(t *testing.T) {
	o := mirroredOrigin(t)
	r, _ := o.fetched(t)
	for i, step := range []struct {
		name string
		move func()
	}{
		{"a commit on top", func() { o.push(t, "other", "x") }},
		{"a commit taken back", func() { o.git(t, "update-ref", "refs/heads/main", "main^") }},
	} {
		step.move()
		tip := o.git(t, "rev-parse", "main")
		calls := 0
		_, err := r.Mirror().Push(t.Context(), func(reg *Registry) (*Registry, error) {
			calls++
			return Deployed(tracks("a", "dev", deployment(1, uint32(i))), nil)(reg)
		}, "x\n")
		if err != nil || o.git(t, "rev-parse", "main^") != tip || calls != 2 {
			t.Errorf("%s: %d calls, %v", step.name, calls, err)
		}
	}
}

// push is somebody else's commit, from a clone of their own.
func (o *origin) push(t *testing.T, name, data string) {
	t.Helper()
	dir := t.TempDir()
	git(t, dir, "clone", "--quiet", o.dir, "work")
	work := filepath.Join(dir, "work")
	if err := os.WriteFile(filepath.Join(work, name), []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
	git(t, work, "add", name)
	git(t, work, "commit", "--quiet", "-m", "theirs")
	git(t, work, "push", "--quiet", "origin", "HEAD:main")
}

func TestTwoMirrorsRaceAndNothingIsLost(t *testing.T) {
	const each = 6
	o := mirroredOrigin(t)
	var wg sync.WaitGroup
	for _, id := range []prompt.ID{"a", "b"} {
		r := o.remote(t)
		fetch(t, r)
		wg.Go(func() {
			for n := 1; n <= each; {
				_, err := r.Mirror().Push(t.Context(), Deployed(tracks(id, "dev", deployment(n, uint32(n))), nil), fmt.Sprintf("%s %d\n", id, n))
				switch {
				case errors.Is(err, registry.ErrConflict): // the other was faster each time
				case err != nil:
					t.Errorf("%s %d: %v", id, n, err)
					return
				default:
					n++
				}
			}
		})
	}
	wg.Wait()
	for _, id := range []string{"a", "b"} {
		var want []string
		for n := each; n > 0; n-- {
			want = append(want, fmt.Sprintf("%s %d", id, n))
		}
		if got := o.git(t, "log", "--format=%s", "--grep=^"+id+" ", "main"); got != strings.Join(want, "\n") {
			t.Errorf("%s: got\n%s", id, got)
		}
	}
	if got := o.git(t, "rev-list", "--count", "main"); got != fmt.Sprint(2*each+1) {
		t.Errorf("%s commits", got)
	}
	_, w := o.fetched(t)
	runs, err := w.Deployments(t.Context())
	if err != nil || runs["a"]["dev"].Seq() != each || runs["b"]["dev"].Seq() != each {
		t.Errorf("got %+v, %v", runs, err)
	}
}

func TestARemoteThatRefusesAPushIsQuoted(t *testing.T) {
	hook := func(o *origin, name, script string) {
		file := filepath.Join(o.dir, "hooks", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name, want string
		prepare    func(*origin)
	}{
		{"by pre-receive", "GH006: Protected branch update failed", func(o *origin) {
			hook(o, "pre-receive", "echo 'error: GH006: Protected branch update failed' >&2\nprintf '\\033[2J' >&2\nexit 1\n")
		}},
		{"by update", "hook declined", func(o *origin) { hook(o, "update", "exit 1\n") }},
		{"because the branch is checked out", "checked out", func(o *origin) { o.git(t, "config", "core.bare", "false") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := mirroredOrigin(t)
			r, _ := o.fetched(t)
			tt.prepare(o)
			before := o.git(t, "rev-parse", "main")
			_, err := r.Mirror().Push(t.Context(), Deployed(tracks("a", "dev", deployment(1, 1)), nil), "x\n")
			if !errors.Is(err, registry.ErrForbidden) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\x1b") {
				t.Errorf("got %v", err)
			}
			if o.git(t, "rev-parse", "main") != before {
				t.Error("the branch has moved")
			}
			w, err := r.Open(t.Context())
			if err != nil || w.Commit() != before {
				t.Errorf("the clone is ahead of its remote: %v", err)
			}
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAMirrorWithoutItsRemoteIsUnavailable(t *testing.T) {
	o := mirroredOrigin(t)
	r, _ := o.fetched(t)
	if err := os.Rename(o.dir, o.dir+"-away"); err != nil {
		t.Fatal(err)
	}
	edit := Deployed(tracks("a", "dev", deployment(1, 1)), nil)
	if _, err := r.Mirror().Push(t.Context(), edit, "x\n"); !errors.Is(err, registry.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if err := os.Rename(o.dir+"-away", o.dir); err != nil {
		t.Fatal(err)
	}
	if commit, err := r.Mirror().Push(t.Context(), edit, "x\n"); commit == "" || err != nil {
		t.Errorf("when it is back: %q, %v", commit, err)
	}
	never := o.remote(t)
	if _, err := never.Mirror().Push(t.Context(), edit, "x\n"); !errors.Is(err, registry.ErrUnavailable) {
		t.Errorf("before the first fetch: %v", err)
	}
}

func TestAMirrorKilledBetweenItsStepsIsMadeAgain(t *testing.T) {
	o := mirroredOrigin(t)
	r, _ := o.fetched(t)
	for _, name := range []string{"incipit/index", "incipit/index.lock", "refs/heads/main.lock", "packed-refs.lock"} {
		file := filepath.Join(r.config.Dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if commit, err := r.Mirror().Push(t.Context(), Deployed(tracks("a", "dev", deployment(1, 1)), nil), "x\n"); commit == "" || err != nil {
		t.Errorf("%q, %v", commit, err)
	}
}

func TestWhatRunsAlreadyKeepsItsLayout(t *testing.T) {
	wanted := tracks("a", "dev", deployment(1, 1))
	e := &Entry{Name: "A"}
	e.Replace("dev", registry.Track{deployment(1, 1)})
	e.Deployments["dev"].History[0].Revision = 0
	deployments, err := json.Marshal(e.Deployments)
	if err != nil {
		t.Fatal(err)
	}
	file := `{"a": {"deployments":   ` + string(deployments) + `, "name": "A"}}`
	reg, err := parseRegistry([]byte(file), "registry.json")
	if err != nil {
		t.Fatal(err)
	}
	next, err := Deployed(wanted, nil)(reg)
	if err != nil || string(next.Bytes()) != file {
		t.Errorf("got %s, %v", next.Bytes(), err)
	}
	wanted["a"]["dev"] = append(wanted["a"]["dev"], deployment(2, 2))
	if next, err = Deployed(wanted, nil)(reg); err != nil || string(next.Bytes()) == file {
		t.Errorf("a second deployment changes nothing: %v", err)
	}
}
