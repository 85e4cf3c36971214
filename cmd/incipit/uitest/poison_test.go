package uitest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
)

// A poisoned site holds the texts that would run a script wherever somebody
// outside the code can write something. Whoever did it has such a name, too.
type poisoned struct {
	guarded
	data   string   // directory of the databases
	origin string   // the repository that the server reads and pushes to
	texts  []string // one line each
	all    string   // the texts, one after the other
	keys   []string // of people who may do everything, each named by a text
}

// by is somebody, the same for the same number.
func (p *poisoned) by(n int) string { return p.keys[n%len(p.keys)] }

// as asks the server with a key, and returns the status and the answer.
func (s *site) as(key, method, path, body string, header ...string) (int, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+key)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}

// must is as, of what must be done.
func (s *site) must(key, method, path, body string) string {
	s.t.Helper()
	status, answer := s.as(key, method, path, body)
	if status >= 300 {
		s.t.Fatalf("%s %s: %d %s", method, path, status, answer)
	}
	return answer
}

// wild is a text as a pattern may hold it: only the last character may be a *.
func wild(x string) string { return strings.ReplaceAll(x, "*", "×") }

// everything is a grant of all there is, and of what is named by a text.
func everything(x string) []any {
	all := []string{"read", "resolve", "record", "propose", "deploy", "approve", "evidence", "sync", "audit", "admin"}
	return []any{
		map[string]any{"permissions": all, "environments": []string{"*"}, "prompts": []string{"*"}},
		map[string]any{"permissions": []string{"read"}, "environments": []string{wild(x)}, "prompts": []string{wild(x) + "*"}},
	}
}

// poison makes the site, and serves it.
func poison(t *testing.T, texts []string) *poisoned {
	t.Helper()
	p := &poisoned{texts: texts, all: strings.Join(texts, "\n")}
	s := newRepo(t)
	p.site = s
	p.inGit()
	p.data = filepath.Join(t.TempDir(), "data")
	p.admin = s.run("admin", "bootstrap", "--data", p.data)
	s.args = []string{"--data", p.data, "--repo", p.origin, "--mirror", "--keep-content", "--keep-subjects", "--webhook-allow", "127.0.0.1"}
	s.serve("127.0.0.1:0")
	s.env = append(s.env, "INCIPIT_KEY="+p.admin)
	p.people()
	p.changes()
	p.calls()
	p.rules()
	p.webhooks()
	p.drafts()
	return p
}

// branchOfTexts is a name that git allows.
const branchOfTexts = `"><img/src/onerror=ran=1>`

// inGit writes the texts into files, tags and names, and makes the repository
// that the server reads, whose branch has such a name.
func (p *poisoned) inGit() {
	x := p.texts
	p.metadata("customer-support", func(meta map[string]any) {
		meta["description"], meta["author"], meta["change_notes"], meta["model"] = p.all, x[1], x[2], x[3]
		meta["tags"], meta["maintainer"], meta["x_unknown"] = x[:20], x[4], p.all
		meta["parameters"] = map[string]any{"temperature": 0.3, "stop": x[:4]}
		if variables, ok := meta["variables"].(map[string]any); ok {
			variables["help_articles"] = map[string]any{"type": "string", "required": false, "default": p.all, "description": p.all}
		}
	})
	p.metadata("data-extraction", func(meta map[string]any) {
		meta["output_schema"] = map[string]any{"type": "object", "description": p.all}
		meta["tools"] = []any{map[string]any{"name": "look", "description": p.all, "input_schema": map[string]any{"type": "object", "description": p.all}}}
	})
	p.append("prompts/customer-support/system-prompt.txt", "\n"+harmlessBraces(p.all)+"\n")
	p.append("incipit.yaml", "  providers: {"+quoted(x[3])+": echo}\n") // under tests, which is last
	p.append("tests/customer-support.yaml", "  - description: "+quoted(harmlessBraces(p.all))+"\n    vars: {customer_message: "+quoted(x[5])+"}\n    assert: [{type: equals, value: "+quoted(x[6])+"}]\n")
	names := strings.NewReplacer("<", "‹", ">", "›", "\n", " ").Replace(p.all) // git takes out what is none
	p.env = append(p.env, "GIT_AUTHOR_NAME="+names+" \"onload=ran()", "GIT_AUTHOR_EMAIL=x\"onmouseover=ran()@example.com", "GIT_COMMITTER_NAME="+names)
	p.git("commit", "-qm", p.all, "incipit.yaml", "tests")
	p.run("release", "customer-support", "--minor", "-m", p.all)
	p.run("release", "data-extraction", "--major", "-m", p.all)
	p.forge()

	p.origin = filepath.Join(p.t.TempDir(), "origin.git")
	p.git("clone", "-q", "--bare", ".", p.origin)
	p.git("-C", p.origin, "branch", "-m", "main", branchOfTexts)
	p.git("-C", p.origin, "symbolic-ref", "HEAD", "refs/heads/"+branchOfTexts)
	p.refuse(true)
}

// metadata changes that of a prompt.
func (p *poisoned) metadata(id string, change func(map[string]any)) {
	name := "prompts/" + id + "/.prompt-metadata.json"
	var meta map[string]any
	if err := json.Unmarshal([]byte(p.read(name)), &meta); err != nil {
		p.t.Fatal(err)
	}
	change(meta)
	text, err := json.MarshalIndent(meta, "", "  ")
	if err != nil {
		p.t.Fatal(err)
	}
	p.write(name, string(text)+"\n")
}

// harmlessBraces are the texts without what would be variables.
func harmlessBraces(text string) string { return strings.ReplaceAll(text, "{{", "{ {") }

// forge makes the tag of a release that none is: what is wrong with it is said.
// Others have names that no release has.
func (p *poisoned) forge() {
	const at = "prompts/data-extraction/.prompt-metadata.json"
	p.edit(at, `"version": "2.0.0"`, `"version": `+quoted(p.texts[11]))
	p.git("commit", "-qam", "no release")
	p.git("tag", "-a", "data-extraction@6.6.6", "-m", p.texts[12]+"\n\nPrompt: "+p.texts[13]+"\nVersion: "+p.texts[14]+"\nDigest: "+p.texts[15]+"\nTests: "+p.texts[16])
	p.git("reset", "-q", "--hard", "HEAD^")
	for _, x := range p.texts {
		for _, name := range []string{"customer-support@" + x, x + "@1.0.0"} {
			_ = p.try("git", "update-ref", "refs/tags/"+name, "HEAD") // many are none that git allows
		}
	}
}

// refuse has the repository of the server refuse what is pushed, by a text: to
// its branch always, and to others for now.
func (p *poisoned) refuse(others bool) {
	which := "refs/heads/" + branchOfTexts
	if others {
		which = ""
	}
	p.script(filepath.Join(p.origin, "hooks", "pre-receive"), `#!/bin/sh
[ -n "$MAY_PUSH" ] && exit 0
grep -q -F '`+which+`' || exit 0
cat >&2 <<'END'
`+p.texts[11]+"\n"+p.texts[12]+`
END
exit 1
`)
}

// people have names and grants; each was made by the one before.
func (p *poisoned) people() {
	maker := p.admin
	for _, x := range p.texts {
		grants := everything(x)
		var made struct{ Secret string }
		answer := p.must(maker, "POST", "/v1/keys", object("kind", "admin", "person", true, "name", x, "grants", grants))
		if err := json.Unmarshal([]byte(answer), &made); err != nil {
			p.t.Fatal(err)
		}
		maker = made.Secret
		p.keys = append(p.keys, maker)
		p.must(maker, "PUT", "/v1/people/"+url.PathEscape(strings.ToLower(x)+"@example.com"), object("grants", grants))
	}
}

// changes have reasons, approvals and evidence, and those who made them.
func (p *poisoned) changes() {
	const place = "/v1/environments/%s/prompts/customer-support/%s"
	deploy := func(n int, env, version string, more ...any) {
		p.must(p.by(n), "POST", fmt.Sprintf(place, env, "deploy"), object(append(more, "version", version, "reason", p.texts[n%len(p.texts)], "confirm", env)...))
	}
	for n, x := range p.texts {
		deploy(n, "dev", []string{"1.0.0", "1.1.0"}[n%2])
		p.must(p.by(n), "POST", "/v1/approvals", object("prompt", "customer-support", "environment", "production", "version", "1.1.0", "reason", x))
		p.must(p.by(n+1), "POST", "/v1/evidence", object("prompt", "customer-support", "version", "1.1.0", "kind", fmt.Sprintf("review-%d", n), "passed", n%2 == 0, "note", x))
	}
	p.must(p.by(2), "POST", "/v1/evidence", p.statement())
	for _, env := range []string{"staging", "production"} {
		deploy(3, env, "1.0.0")
	}
	deploy(4, "production", "1.1.0", "strategy", "canary", "steps", []string{"20", "50"})
	status, answer := p.as(p.by(6), "POST", fmt.Sprintf(place, "dev", "deploy"), object("version", "1.0.0", "reason", p.all), "Idempotency-Key", "once")
	if status != http.StatusOK {
		p.t.Fatal(status, answer)
	}
	deploy(5, "staging", "", "strategy", "experiment", "arms", []any{map[string]any{"name": "b", "version": "1.1.0", "share": "25"}})
	for n, x := range p.texts {
		p.must(p.by(n), "POST", fmt.Sprintf(place, "production", "hold"), object("resume", n%2 == 1, "reason", x))
	}
}

// calls say something of themselves, and people of them, also before they come.
func (p *poisoned) calls() {
	for n, x := range p.texts {
		p.must(p.by(n), "POST", "/v1/calls", object("calls", []any{map[string]any{
			"prompt": "customer-support", "version": "1.1.0", "environment": "dev", "started_at": now(), "latency_ms": 5, "outcome": "error", "error_class": "provider",
			"model": x, "response_id": x, "finish_reason": x, "rollout": x, "subject": x, "input": x, "output": p.all, "tags": map[string]string{"note": x},
		}}))
		for _, ref := range []string{"resp-0", x, "later " + x} {
			p.must(p.by(n), "POST", "/v1/calls/"+url.PathEscape(ref)+"/feedback", object("name", fmt.Sprintf("n%d", n), "value", 0.1, "comment", p.all))
		}
	}
	p.must(p.by(7), "POST", "/v1/calls", object("calls", []any{map[string]any{
		"prompt": "customer-support", "version": "1.1.0", "environment": "dev", "started_at": now(), "latency_ms": 5, "outcome": "ok", "response_id": "resp-0", "input": p.all, "output": p.all,
	}}))
}
