package uitest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"time"
)

// statement is a request that files evidence with a statement that nobody signed.
func (p *poisoned) statement() string {
	var found struct {
		Release struct{ Digest string }
	}
	if err := json.Unmarshal([]byte(p.must(p.admin, "GET", "/v1/prompts/customer-support/releases/1.1.0", "")), &found); err != nil {
		p.t.Fatal(err)
	}
	digest := found.Release.Digest
	payload := object("format", 1, "prompt", "customer-support", "version", "1.1.0", "digest", digest,
		"kinds", map[string]string{"tests": "pass", "comparison": "not-regressed"}, "suite_hash", digest, "report_hash", digest,
		"base", map[string]string{"version": "1.0.0", "digest": digest, "environment": clip(p.texts[22], 64)},
		"mode", "replay", "tool", p.texts[1], "at", time.Now().UTC().Truncate(time.Second).Format(time.RFC3339))
	payload = strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(payload) // RFC 8785 writes them so
	envelope := map[string]any{
		"payloadType": "application/vnd.incipit.evidence+json", "payload": base64.StdEncoding.EncodeToString([]byte(payload)),
		"signatures": []any{map[string]string{"keyid": p.texts[2], "sig": "AAAA"}},
	}
	return object("prompt", "customer-support", "digest", digest, "kind", "tests", "passed", true, "statement", envelope)
}

// rules are those of an environment: why nothing is deployed at times that have
// passed, and which prompts are watched otherwise.
func (p *poisoned) rules() {
	var freezes []any
	guarded := make(map[string]any)
	for _, x := range p.texts {
		freezes = append(freezes, map[string]string{"from": "2020-01-01T00:00:00Z", "to": "2020-01-02T00:00:00Z", "why": x})
		guarded[wild(x)] = map[string]any{"bake": "1h"}
	}
	p.must(p.by(8), "PUT", "/v1/environments/staging", object("protected", false, "freeze", freezes, "guard", map[string]any{"prompts": guarded}))
}

// webhooks are at addresses that are texts, and at one that answers with them in
// the place of HTTP.
func (p *poisoned) webhooks() {
	listener, err := (&net.ListenConfig{}).Listen(p.t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = listener.Close() })
	var asked atomic.Int64
	go func() { // ends with the listener
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			n := int(asked.Add(1))
			_, _ = c.Read(make([]byte, 64<<10)) // or the answer may be lost
			_, _ = fmt.Fprintf(c, "HTTP/1.1 %s\r\n\r\n", p.texts[n%len(p.texts)])
			_ = c.Close()
		}
	}()
	var ids []string
	for n, x := range p.texts {
		wants := []any{"kinds", []string{"release.changed"}, "environments", []string{wild(x)}, "prompts", []string{wild(x)}}
		var made struct{ Webhook struct{ ID string } }
		answer := p.must(p.by(n), "POST", "/v1/webhooks", object(append(wants, "url", "http://"+listener.Addr().String()+"/"+url.PathEscape(x))...))
		if err := json.Unmarshal([]byte(answer), &made); err != nil {
			p.t.Fatal(err)
		}
		p.must(p.by(n), "POST", "/v1/webhooks/"+made.Webhook.ID+"/ping", "")
		ids = append(ids, made.Webhook.ID)
		if n%2 == 0 { // there may be 100
			p.as(p.by(n), "POST", "/v1/webhooks", object(append(wants, "url", "https://"+x)...)) // most are no addresses
		}
	}
	for _, id := range ids {
		p.eventually("webhook "+id+" was tried", func() bool {
			return strings.Contains(p.must(p.admin, "GET", "/v1/webhooks/"+id+"/deliveries", ""), `"error"`)
		})
	}
}

// drafts are written by many of the same prompt. The texts stand in each, and
// those of the first say what they would if they were variables.
func (p *poisoned) drafts() {
	var base struct {
		Base  struct{ Commit string }
		Files map[string]string
	}
	for n := range p.texts {
		if n == 0 {
			if err := json.Unmarshal([]byte(p.must(p.by(n), "GET", "/v1/prompts/customer-support/draft", "")), &base); err != nil {
				p.t.Fatal(err)
			}
		}
		files := map[string]string{
			"system-prompt.txt": base.Files["system-prompt.txt"] + p.all, "user-prompt.txt": base.Files["user-prompt.txt"] + p.all,
			"messages.json": p.all, ".prompt-metadata.json": base.Files[".prompt-metadata.json"],
		}
		if n > 0 { // can be proposed
			files["system-prompt.txt"] = base.Files["system-prompt.txt"] + harmlessBraces(p.all) + "\n"
			files["user-prompt.txt"] = base.Files["user-prompt.txt"] + harmlessBraces(p.all) + "\n"
			delete(files, "messages.json")
		}
		p.must(p.by(n), "PUT", "/v1/prompts/customer-support/draft", object("number", 0, "base_commit", base.Base.Commit, "files", files))
	}
}

// eventually waits for what the server does by itself.
func (s *site) eventually(what string, is func() bool) {
	s.t.Helper()
	for until := time.Now().Add(patience); !is(); time.Sleep(20 * time.Millisecond) { // polls: it tells nobody
		if time.Now().After(until) {
			s.t.Fatalf("waited in vain until %s", what)
		}
	}
}

// script writes a program that git runs.
func (s *site) script(path, text string) {
	s.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		s.t.Fatal(err)
	}
}

// try runs a program in the repository, which may fail.
func (s *site) try(name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = s.dir, s.env
	return cmd.Run()
}
