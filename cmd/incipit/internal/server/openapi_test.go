package server

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/auth"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/webhook"
	"github.com/incipit-dev/incipit/internal/registry"
)

const hookSecret = "of the webhook"

// documented is a rig whose server has every route there is.
func documented(t *testing.T) *rig {
	t.Helper()
	return sqlite(t, func(c *Config) {
		c.WebhookSecrets = map[webhook.Kind][]byte{webhook.GitHub: []byte(hookSecret)}
		var err error
		if c.SignIn, err = auth.NewSignIn(auth.SignInConfig{URL: "http://127.0.0.1:7878", Verifier: c.Verifier, Now: time.Now, Random: rand.Reader, Fail: Fail}); err != nil {
			t.Fatal(err)
		}
	})
}

func TestTheDocumentDescribesEveryRouteAndNoOther(t *testing.T) {
	r := documented(t)
	g := r.send("GET", "/openapi.json", "", "")
	golden(t, "openapi.json", strings.Replace(string(g.body), `"version": "test"`, `"version": "0.0.0"`, 1))
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			OperationID string
			Security    []any
			Responses   map[string]any
		}
	}
	if err := json.Unmarshal(g.body, &doc); err != nil || doc.OpenAPI != "3.1.0" {
		t.Fatal(err, doc.OpenAPI)
	}
	n := 0
	for path, ops := range doc.Paths {
		for method, op := range ops {
			n++
			i := slices.IndexFunc(r.server.routes, func(rt route) bool {
				return rt.path == path && strings.EqualFold(rt.method, method) && rt.name == op.OperationID
			})
			if i < 0 || (r.server.routes[i].policy.open == "") != (len(op.Security) > 0) || op.Responses["default"] == nil || len(op.Responses) < 2 {
				t.Errorf("%s %s is not a route, or not described as it is: %+v", method, path, op)
			}
		}
	}
	pages := len(r.server.everyPage())
	if n != len(r.server.routes)-pages {
		t.Errorf("%d routes and %d pages, %d described", len(r.server.routes)-pages, pages, n)
	}
}

// described checks an answer against what the document says of it.
func (r *rig) described(rt route, g got) {
	r.Helper()
	item := r.server.spec.Paths[rt.path]
	op := map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PUT": item.Put, "DELETE": item.Delete}[rt.method]
	answer := op.Responses[fmt.Sprint(g.status)]
	if answer == nil {
		answer = op.Responses["default"]
	}
	kind, _, _ := strings.Cut(g.header.Get("Content-Type"), ";")
	if len(g.body) == 0 && answer.Content == nil {
		return
	}
	media := answer.Content[kind]
	if media == nil {
		r.Errorf("%s: %d %s is not described: %.200s", rt.name, g.status, kind, g.body)
		return
	}
	if kind == "text/plain" || kind == "text/event-stream" {
		return
	}
	r.fits(rt.name, media.Schema, g.body)
}

func (r *rig) fits(name string, s *huma.Schema, body []byte) {
	r.Helper()
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		r.Errorf("%s: %v", name, err)
	}
	res := &huma.ValidateResult{}
	huma.Validate(r.server.spec.Components.Schemas, s, huma.NewPathBuffer(nil, 0), huma.ModeReadFromServer, v, res)
	for _, err := range res.Errors {
		r.Errorf("%s: %v in %.300s", name, err, body)
	}
}

// TestAnswersAreWhatTheDocumentSays walks a story that makes every route answer
// well, and holds each answer against the document; then each answers badly.
func TestAnswersAreWhatTheDocumentSays(t *testing.T) {
	r := documented(t)
	route := func(name string) route {
		return r.server.routes[slices.IndexFunc(r.server.routes, func(rt route) bool { return rt.name == name })]
	}
	well := make(map[string]bool)
	ask := func(r *rig, name, path, body string, headers ...string) got {
		t.Helper()
		rt := route(name)
		g := r.send(rt.method, path, r.admin, body, headers...)
		r.described(rt, g)
		if g.status >= 400 {
			t.Errorf("%s: %d %s", name, g.status, g.body)
		}
		well[name] = true
		return g
	}
	do := func(name, path, body string, headers ...string) got {
		t.Helper()
		return ask(r, name, path, body, headers...)
	}
	const env, place = "/v1/environments/dev", "/v1/environments/dev/prompts/support/"
	until(t, func() bool { return r.send("GET", "/readyz", "", "").status == 200 })
	do("me", "/v1/me", "")
	do("set-environment", "/v1/environments/qa", `{"protected":true,"require":["tests"],"freeze":[{"days":["sun"],"start":"01:00","end":"02:00"}],"guard":{"bake":"10m","steps":["5","50"],"max_error_increase":0.02,"prompts":{"billing/*":{"policy":"off"}}}}`)
	do("list-environments", "/v1/environments", "")
	do("plan", place+"plan", `{"action":"deploy","version":"1.0.0"}`)
	do("deploy", place+"deploy", `{"version":"1.0.0"}`)
	do("deploy", place+"deploy", `{"version":"1.1.0","strategy":"canary","steps":["5","50"]}`)
	do("list-rollouts", "/v1/rollouts?environment=dev", "")
	do("rollout", place+"rollout", "")
	do("hold-rollout", place+"hold", `{"resume":false,"reason":"a look first"}`)
	do("replay-rollout", place+"replay", `{"rules":{"policy":"classic","alpha":0.001}}`)
	do("shift", place+"shift", `{"share":"50"}`)
	do("list-prompts", "/v1/prompts?limit=2", "")
	do("overview", "/v1/overview", "")
	do("search", "/v1/search?q=support", "")
	do("snapshot", env+"/snapshot", "")
	do("resolve", env+"/resolve", resolveBody)
	id := newID(time.Now())
	do("record", "/v1/calls", jsonText([]sent{aCall(sent{"id": id, "arm": "stable", "tags": sent{"a": "b"}, "satisfaction": 4}), aCall(sent{"outcome": "error"}), aCall(sent{"version": "9.9.9"})}))
	do("record-spans", "/v1/otlp/v1/traces", spansOf("support", "1.0.0"))
	do("rate", "/v1/calls/"+id+"/feedback", `{"name":"relevance","value":0.8,"comment":"fits"}`)
	do("list-calls", "/v1/calls?prompt=support", "")
	do("stats", "/v1/stats?prompt=support&by=version", "")
	do("stats", "/v1/stats?prompt=support&by=hour&environment=staging", "")
	do("series", "/v1/stats/series?prompt=support&since=2h&step=5m", "")
	do("trace", "/v1/trace/"+id, "")
	do("what-ran", env+"/ran", "")
	do("erase-calls", "/v1/calls/erase", `{"subject":"nobody"}`)
	do("promote", place+"promote", `{}`)
	do("rollback", place+"rollback", `{"reason":"why"}`)
	do("history", "/v1/prompts/support/history", "")
	releases := decode[api.Page[registry.Release]](t, do("list-releases", "/v1/prompts/support/releases?limit=2", ""))
	do("get-release", "/v1/prompts/support/releases/1.0.0", "")
	exported := do("export", "/v1/registry", "")
	do("import", "/v1/registry", `{"name":"registry.json","dry_run":true,"data":"`+base64.StdEncoding.EncodeToString(exported.body)+`"}`)
	do("retire", place+"retire", `{}`)
	do("sync-status", "/v1/sync", "")
	do("approve", "/v1/approvals", `{"prompt":"support","environment":"dev","version":"1.2.0","reason":"seen"}`, "Authorization", "Bearer "+r.person("grace@example.com"))
	do("end-session", "/v1/me", "", "Authorization", "Bearer "+r.person("grace@example.com"))
	do("list-approvals", "/v1/approvals?environment=dev", "")
	do("file-evidence", "/v1/evidence", `{"prompt":"support","digest":"`+releases.Items[0].Digest+`","kind":"tests","passed":true}`)
	do("list-evidence", "/v1/evidence?prompt=support", "")
	made := decode[api.CreatedKey](t, do("create-key", "/v1/keys", `{"kind":"sdk","name":"app","grants":[{"permissions":["resolve"],"environments":["*"],"prompts":["*"]}],"ttl_seconds":60}`))
	do("list-keys", "/v1/keys", "")
	do("revoke-key", "/v1/keys/"+made.Key.ID, "")
	do("set-person", "/v1/people/eve@example.com", `{"grants":[{"permissions":["read"],"environments":["*"],"prompts":["*"]}]}`)
	do("list-people", "/v1/people", "")
	hook := decode[api.CreatedWebhook](t, do("add-webhook", "/v1/webhooks", `{"url":"https://hooks.example.com/incipit","kinds":["rollout.*","ping"]}`))
	ping := decode[registry.Delivery](t, do("ping-webhook", "/v1/webhooks/"+hook.Webhook.ID+"/ping", ""))
	do("list-webhooks", "/v1/webhooks", "")
	do("list-deliveries", "/v1/webhooks/"+hook.Webhook.ID+"/deliveries?limit=5", "")
	do("redeliver", "/v1/deliveries/"+ping.ID+"/redeliver", "")
	do("remove-webhook", "/v1/webhooks/"+hook.Webhook.ID, "")
	do("audit", "/v1/audit?limit=3", "")
	do("verify-audit", "/v1/audit/verify", "")
	push := `{"ref":"refs/heads/main"}`
	mac := hmac.New(sha256.New, []byte(hookSecret))
	mac.Write([]byte(push))
	do("git-hook", "/v1/hooks/git/github", push, "X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)), "X-Github-Event", "push")
	t.Run("drafts", func(t *testing.T) { draftStory(t, ask) })
	for _, name := range []string{"healthz", "readyz"} {
		do(name, "/"+name, "")
	}
	do("metrics", "/metrics", "")
	do("openapi", "/openapi.json", "")
	if g := r.send("POST", "/v1/hooks/git/github", "", push, "X-Hub-Signature-256", "sha256="+strings.Repeat("0", 64)); g.status != 403 {
		t.Errorf("a hook with a wrong signature: %d %s", g.status, g.body)
	}
	l := r.listen("dev", r.admin)
	r.fits("snapshot event", r.server.spec.Components.Schemas.SchemaFromRef("#/components/schemas/Snapshot"), []byte(l.next().data))
	r.deploy("dev", "other", "1.0.0")
	r.fits("patch event", r.server.spec.Components.Schemas.SchemaFromRef("#/components/schemas/Patch"), []byte(l.next().data))
	for _, rt := range r.server.routes {
		if rt.page() {
			continue
		}
		if g := r.send(rt.method, at(strings.Replace(rt.path, "{environment}", "nowhere", 1)), "incipit_bad", `{}`); rt.policy.open == "" {
			r.described(rt, g)
			g.problem(t)
		}
		if !well[rt.name] && !strings.HasPrefix(rt.path, "/auth/") && rt.name != "stream" && rt.name != "sync" {
			t.Errorf("%s was not asked", rt.name)
		}
	}
}

// person is a key that speaks for a person.
func (r *rig) person(mail string) string {
	r.Helper()
	body := `{"kind":"person","name":"` + mail + `","person":true,"grants":[{"permissions":["read","approve"],"environments":["*"],"prompts":["*"]}]}`
	g := r.send(http.MethodPost, "/v1/keys", r.admin, body)
	r.send(http.MethodPut, "/v1/people/"+mail, r.admin, `{"grants":[{"permissions":["read","approve"],"environments":["*"],"prompts":["*"]}]}`)
	return decode[api.CreatedKey](r, g).Secret
}

// A browser's session may change something only from a page of this server.
func TestASessionChangesNothingUnlessItsPageIsKnown(t *testing.T) {
	r := documented(t)
	g := r.send("POST", "/auth/key", "", `{"key":"`+r.admin+`"}`, "Sec-Fetch-Site", "same-origin")
	cookie, _, _ := strings.Cut(g.header.Get("Set-Cookie"), ";")
	if g.status != 200 || cookie == "" {
		t.Fatalf("%d %v %s", g.status, g.header, g.body)
	}
	if g := r.send("GET", "/v1/me", "", "", "Cookie", cookie); g.status != 200 {
		t.Errorf("reading: %d %s", g.status, g.body)
	}
	for _, tt := range []struct {
		headers []string
		want    int
	}{{nil, 403}, {[]string{"Sec-Fetch-Site", "same-origin"}, 200}, {[]string{"Sec-Fetch-Site", "cross-site"}, 403}, {[]string{"Origin", r.url}, 200}, {[]string{"Origin", "http://evil.test"}, 403}} {
		if g := r.send("POST", deployPath, "", `{"version":"1.0.0"}`, append(tt.headers, "Cookie", cookie)...); g.status != tt.want {
			t.Errorf("%v: %d %s", tt.headers, g.status, g.body)
		}
	}
	for _, path := range []string{"/auth/logout", "/auth/key", "/auth/token"} {
		if g := r.send("POST", path, "", `{}`, "Sec-Fetch-Site", "cross-site", "Cookie", cookie); g.status != 403 {
			t.Errorf("%s from another site: %d", path, g.status)
		}
	}
}
