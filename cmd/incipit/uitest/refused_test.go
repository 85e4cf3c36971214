package uitest

import (
	"net/url"
	"strings"
)

// A refusal is a request that would store a text where a column holds names.
type refusal struct {
	what         string // it would have to be
	method, path string // {x} is the text
	body         func(x string) string
}

// refusals are of each kind of name that textColumns says is refused.
func refusals() []refusal {
	with := func(pairs ...any) func(string) string {
		return func(x string) string {
			body := make([]any, len(pairs))
			for i, v := range pairs {
				body[i] = v
				if v == theText {
					body[i] = x
				}
			}
			return object(body...)
		}
	}
	change := func(pairs ...any) func(string) string {
		return with(append(pairs, "reason", "a test", "confirm", "dev")...)
	}
	return []refusal{
		{anEnvironment, "PUT", "/v1/environments/{x}", with("protected", false)},
		{anEnvironment, "PUT", "/v1/environments/dev", with("protected", false, "after", theText)},
		{aKind, "PUT", "/v1/environments/dev", func(x string) string { return object("protected", false, "require", []string{x}) }},
		{"a time zone", "PUT", "/v1/environments/dev", func(x string) string {
			return object("protected", false, "freeze", []any{map[string]any{"days": []string{"mon"}, "zone": x}})
		}},
		{"a day", "PUT", "/v1/environments/dev", func(x string) string {
			return object("protected", false, "freeze", []any{map[string]any{"days": []string{x}}})
		}},
		{"a metric", "PUT", "/v1/environments/dev", func(x string) string {
			return object("protected", false, "guard", map[string]any{"metrics": []string{x}})
		}},
		{aPrompt, "POST", "/v1/environments/dev/prompts/{x}/deploy", change("version", "1.0.0")},
		{anEnvironment, "POST", "/v1/environments/{x}/prompts/customer-support/deploy", change("version", "1.0.0")},
		{aVersion, "POST", inDev + "deploy", change("version", theText)},
		{aStrategy, "POST", inDev + "deploy", change("version", "1.0.0", "strategy", theText)},
		{"a bucketing", "POST", inDev + "deploy", change("version", "1.0.0", "strategy", "canary", "bucketing", theText)},
		{"the metric that decides", "POST", inDev + "deploy", change("strategy", "experiment", "primary", theText, "arms", []any{map[string]any{"name": "b", "version": "1.0.0", "share": "5"}})},
		{anArm, "POST", inDev + "deploy", func(x string) string {
			return object("strategy", "experiment", "reason", "a test", "arms", []any{map[string]any{"name": x, "version": "1.0.0", "share": "5"}})
		}},
		{anArm, "POST", "/v1/environments/staging/prompts/customer-support/shift", func(x string) string {
			return object("reason", "a test", "shares", map[string]any{x: "5"})
		}},
		{aVersion, "POST", "/v1/approvals", with("prompt", "customer-support", "environment", "dev", "version", theText)},
		{aPrompt, "POST", "/v1/approvals", with("prompt", theText, "environment", "dev", "version", "1.0.0")},
		{anEnvironment, "POST", "/v1/approvals", with("prompt", "customer-support", "environment", theText, "version", "1.0.0")},
		{aDigest, "POST", "/v1/approvals", with("prompt", "customer-support", "environment", "dev", "version", "1.0.0", "digest", theText)},
		{aKind, "POST", "/v1/evidence", with("prompt", "customer-support", "version", "1.0.0", "passed", true, "kind", theText)},
		{aDigest, "POST", "/v1/evidence", with("prompt", "customer-support", "digest", theText, "passed", true, "kind", "tests")},
		{aPrompt, "POST", "/v1/evidence", with("prompt", theText, "version", "1.0.0", "passed", true, "kind", "tests")},
		{aKindOfKey, "POST", "/v1/keys", with("kind", theText, "name", "x", "grants", everything("x"))},
		{"a permission", "POST", "/v1/keys", func(x string) string {
			return object("kind", "sdk", "name", "x", "grants", []any{map[string]any{"permissions": []string{x}, "environments": []string{"*"}, "prompts": []string{"*"}}})
		}},
		{aFormat, "POST", "/v1/webhooks", with("url", "http://127.0.0.1:9/", "format", theText)},
		{"a kind of notice", "POST", "/v1/webhooks", func(x string) string { return object("url", "http://127.0.0.1:9/", "kinds", []string{x}) }},
		{aPrompt, "PUT", "/v1/prompts/{x}/draft", with("number", 0, "files", map[string]string{})},
		{"the name of a file", "PUT", "/v1/prompts/data-extraction/draft", func(x string) string {
			return object("number", 0, "files", map[string]string{x: "text"})
		}},
		{aCommit, "PUT", "/v1/prompts/data-extraction/draft", with("number", 0, "base_commit", theText, "files", map[string]string{})},
		{aName, "POST", "/v1/calls/resp-0/feedback", with("name", theText, "value", 1)},
		{aName, "POST", "/v1/calls/not-there-yet/feedback", with("name", theText, "value", 1)},
	}
}

// inDev is what is done to a prompt in an environment.
const inDev = "/v1/environments/dev/prompts/customer-support/"

// theText stands in a body for the text.
const theText = "\x00"

// refused tries to store each of the texts where names are. What is not refused
// but left out is shown by columns: nothing of it is there.
func (p *poisoned) refused() {
	tried := map[string]bool{aTag: true} // by inGit
	for _, r := range refusals() {
		tried[r.what] = true
		for n, x := range p.texts {
			path := strings.ReplaceAll(r.path, "{x}", url.PathEscape(x))
			if status, answer := p.as(p.by(n), r.method, path, r.body(x)); status < 400 || status >= 500 {
				p.t.Errorf("%s: %s %s answers %d %s", r.what, r.method, path, status, clip(answer, 300))
			}
		}
	}
	for n, x := range p.texts {
		for what, field := range map[string]string{aPrompt: "prompt", aVersion: "version", anEnvironment: "environment", anArm: "arm", "an outcome": "outcome", "a class of errors": "error_class", "an id": "id", "a tag of a call": "tags"} {
			call := map[string]any{"prompt": "customer-support", "version": "1.1.0", "environment": "dev", "started_at": now(), "latency_ms": 5, "outcome": "error"}
			if call[field] = x; field == "tags" {
				call[field] = map[string]string{x: "1"}
			}
			status, answer := p.as(p.by(n), "POST", "/v1/calls", object("calls", []any{call}))
			if status >= 500 || status < 400 && !strings.Contains(answer, `"accepted":0`) {
				p.t.Errorf("a call with %s %s: %d %s", what, x, status, clip(answer, 300))
			}
		}
		deploy := object("version", "1.0.0", "reason", "a test")
		if status, answer := p.as(p.by(n), "POST", inDev+"deploy", deploy, "Idempotency-Key", x); status != 400 {
			p.t.Errorf("%s that is %s: %d %s", aOnce, x, status, answer)
		}
		// An id of a request is not refused: another one is made.
		if status, answer := p.as(p.by(n), "POST", "/v1/approvals", object("prompt", "customer-support", "environment", "staging", "version", "1.0.0"), "X-Request-Id", x); status != 200 {
			p.t.Errorf("%s that is %s: %d %s", aRequest, x, status, answer)
		}
	}
	tried[aOnce], tried[aRequest] = true, true
	for table, columns := range textColumns() {
		for column, why := range columns {
			if why != written && why != ours && !tried[why] {
				p.t.Errorf("%s.%s would have to be %s, and nobody tries", table, column, why)
			}
		}
	}
}
