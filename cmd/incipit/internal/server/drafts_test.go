package server

import (
	"bytes"
	"fmt"
	"os/exec" //nolint:depguard // what a remote holds is made by git itself
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/auth"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/lifecycle"
	gitsource "github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/internal/registry"
)

// withGit serves anew, over a bare repository that holds the prompt greeting,
// whose directory it returns.
func (r *rig) withGit(edit func(*Config)) (dir string) {
	r.Helper()
	dir = filepath.Join(r.TempDir(), "origin.git")
	git := func(stdin string, args ...string) {
		r.Helper()
		cmd := exec.Command("git", args...)
		cmd.Stdin = strings.NewReader(stdin)
		if out, err := cmd.CombinedOutput(); err != nil {
			r.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	git("", "init", "--quiet", "--bare", "--initial-branch=main", dir)
	var in bytes.Buffer
	in.WriteString("commit refs/heads/main\ncommitter Ada <ada@example.com> 1767225600 +0000\ndata 5\nstart\n")
	for name, text := range map[string]string{
		"system-prompt.txt":     "You greet whoever writes to you, in one short and friendly sentence.",
		"user-prompt.txt":       "{{name}}",
		".prompt-metadata.json": `{"name": "Greeting", "version": "0.1.0", "description": "It greets.", "model": "model-a", "author": "ada", "variables": {"name": {}}}`,
	} {
		fmt.Fprintf(&in, "M 100644 inline prompts/greeting/%s\ndata %d\n%s\n", name, len(text), text)
	}
	git(in.String(), "-C", dir, "fast-import", "--quiet")
	var err error
	if r.remote, err = gitsource.NewRemote(gitsource.RemoteConfig{URL: dir, Dir: filepath.Join(r.TempDir(), "clone.git"), Now: time.Now, CommitURL: "https://git.example.com/commits/{commit}"}); err != nil {
		r.Fatal(err)
	}
	if err := r.remote.Fetch(r.Context()); err != nil {
		r.Fatal(err)
	}
	r.client.CloseIdleConnections()
	if err := r.stop(); err != nil {
		r.Fatal(err)
	}
	r.serve(edit)
	return dir
}

// draftStory asks each route of drafts, of a server of its own: one that reads
// Git holds its releases against it.
func draftStory(t *testing.T, ask func(r *rig, name, path, body string, headers ...string) got) {
	t.Helper()
	r := sqlite(t, nil)
	r.withGit(nil)
	do := func(name, path, body string, headers ...string) got {
		t.Helper()
		return ask(r, name, path, body, headers...)
	}
	const drafted = "/v1/prompts/greeting/draft"
	draft := decode[registry.DraftState](t, do("get-draft", drafted, ""))
	draft.Files["system-prompt.txt"] = "You greet whoever writes to you, in one warm and friendly sentence."
	files := jsonText(draft.Files)
	do("check-draft", drafted+"/check", `{"files":`+files+`}`)
	do("preview-draft", drafted+"/preview", `{"files":`+files+`,"variables":{"name":"Ada"}}`)
	do("save-draft", drafted, `{"number":0,"base_commit":"`+draft.Base.Commit+`","files":`+files+`}`)
	do("test-draft", drafted+"/test", `{"files":`+files+`}`)
	do("propose-draft", drafted+"/propose", `{"number":1,"message":"warmer"}`, "Idempotency-Key", "k1")
	do("list-drafts", "/v1/drafts", "")
	do("get-draft", drafted, "")
	do("discard-draft", drafted+"?number=1", "")
}

func TestADraftIsItsOwnersAlone(t *testing.T) {
	r := sqlite(t, nil)
	r.withGit(nil)
	const path = "/v1/prompts/greeting/draft"
	person := func(mail string) string {
		t.Helper()
		key, _, err := r.service.CreateKey(r.asRoot(), lifecycle.KeyRequest{Kind: auth.Person, Name: mail, Person: true, Grants: []registry.Grant{
			{Permissions: []registry.Permission{registry.MayPropose}, Environments: []string{"dev"}, Prompts: []string{"greet*"}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	ada, bob := person("ada@example.com"), person("bob@example.com")
	first := decode[registry.DraftState](t, r.send("GET", path, ada, ""))
	files := func(text string) string {
		first.Files["system-prompt.txt"] = text
		return jsonText(first.Files)
	}
	save := func(key string, number int, text string) got {
		return r.send("PUT", path, key, fmt.Sprintf(`{"number":%d,"base_commit":%q,"files":%s}`, number, first.Base.Commit, files(text)))
	}
	const secret = "You greet whoever writes to you, and this is only Ada's to know."
	if d := decode[registry.Draft](t, save(ada, 0, secret)); d.Number != 1 || d.Owner != "ada@example.com" {
		t.Errorf("got %+v", d)
	}
	g := r.send("GET", path, bob, "")
	if seen := decode[registry.DraftState](t, g); len(seen.Others) != 1 || seen.Others[0].Owner != "ada@example.com" || bytes.Contains(g.body, []byte("Ada's to know")) {
		t.Errorf("bob sees %s", g.body)
	}
	g = save(ada, 0, "The other window of Ada's, which was open since before.")
	if p := g.problem(t); g.status != 409 || p.Fix == "" {
		t.Errorf("the other window: %d %+v", g.status, p)
	}
	if now := decode[registry.DraftState](t, r.send("GET", path, ada, "")); now.Files["system-prompt.txt"] != secret {
		t.Errorf("what was written is lost: %+v", now)
	}
	for name, tt := range map[string]struct {
		g    got
		want int
	}{
		"another prompt":          {r.send("GET", "/v1/prompts/support/draft", ada, ""), 403},
		"another permission":      {r.send("GET", path, r.key([]registry.Permission{registry.MayRead, registry.MayDeploy}, "*", "*"), ""), 403},
		"another file":            {r.send("PUT", path, ada, `{"number":1,"files":{"../x":"y"}}`), 400},
		"no files":                {r.send("PUT", path, ada, `{"number":1}`), 400},
		"too much":                {r.send("PUT", path, ada, `{"number":1,"files":{"system-prompt.txt":"`+strings.Repeat("x", 300<<10)+`"}}`), 400},
		"a body that has no end":  {r.send("PUT", path, ada, `{"number":1,"files":{"system-prompt.txt":"`+strings.Repeat("x", maxDraft)+`"}}`), 413},
		"somebody else's discard": {r.send("DELETE", path+"?number=1", bob, ""), 404},
		"without a message":       {r.send("POST", path+"/propose", ada, `{"number":1,"message":""}`), 400},
		"a proposal of bob's":     {r.send("POST", path+"/propose", bob, `{"number":1,"message":"x"}`), 404},
	} {
		if tt.g.status != tt.want {
			t.Errorf("%s: %d %s", name, tt.g.status, tt.g.body)
		}
	}
	decode[registry.Draft](t, save(ada, 1, "short"))
	g = r.send("POST", path+"/propose", ada, `{"number":2,"message":"x"}`)
	if p := g.problem(t); g.status != 400 || len(p.Findings) == 0 || p.Findings[0].Code != "too-short" {
		t.Errorf("what was found is not told: %d %s", g.status, g.body)
	}
}
