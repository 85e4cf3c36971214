package server

import (
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/auth"
	"github.com/incipit-dev/incipit/internal/registry"
)

const formType = "application/x-www-form-urlencoded"

// Whatever a page of another origin sends to a form of ours is refused, whoever
// is signed in.
func TestNoFormIsTakenFromAnotherOrigin(t *testing.T) {
	r := documented(t)
	v := r.visit(r.admin)
	forms, events := 0, r.events()
	for _, rt := range r.server.routes {
		if rt.method != "POST" || strings.HasPrefix(rt.path, "/v1/") {
			continue
		}
		forms++
		for name, headers := range map[string][]string{
			"another site":   {"Sec-Fetch-Site", "cross-site"},
			"another host":   {"Sec-Fetch-Site", "same-site"},
			"a null origin":  {"Origin", "null"},
			"another origin": {"Origin", "http://evil.test"},
		} {
			g := r.send("POST", at(rt.path), "", "a=b", append(headers, "Cookie", v.cookie, "Content-Type", formType, "Accept", "text/html")...)
			if g.status != 403 || g.header.Get("Set-Cookie") != "" {
				t.Errorf("%s takes a form from %s: %d %v", rt.path, name, g.status, g.header)
			}
		}
		if g := r.send("POST", at(rt.path), "", "a=b", "Cookie", v.cookie, "Content-Type", formType, "Accept", "text/html", "Host", "evil.test"); g.status != 421 {
			t.Errorf("%s is taken under another name: %d", rt.path, g.status)
		}
		if rt.policy.open == "" {
			if g := r.send("POST", at(rt.path), "", "a=b", "Cookie", v.cookie, "Content-Type", formType); g.status != 403 {
				t.Errorf("%s is taken of a browser that does not say which page asks: %d", rt.path, g.status)
			}
		}
	}
	if forms < 10 || r.events() != events {
		t.Errorf("%d forms, %d events and then %d", forms, events, r.events())
	}
}

func TestSigningInSaysWhatIsWrong(t *testing.T) {
	r := documented(t)
	try := func(key string) got {
		return r.send("POST", "/auth/key", "", url.Values{"key": {key}, "return": {"/audit?who=ada"}}.Encode(), "Content-Type", formType, "Sec-Fetch-Site", "same-origin", "Accept", "text/html")
	}
	v := visitor{rig: r}
	unknown := r.admin[:len(r.admin)-8] + "00000000"
	g := try(unknown)
	v.shows(g, 401, "unknown, revoked or expired", `value="/audit?who=ada"`, "!"+unknown, "API key")
	if g.header.Get("Set-Cookie") != "" {
		t.Error("somebody is signed in")
	}
	for range 40 {
		g = try("incipit_" + unknown)
	}
	v.shows(g, 429, "too many failed attempts", "try again in", " s", "API key")
	if g.header.Get("Retry-After") == "" {
		t.Error("it does not say when")
	}
}

func TestASignInThatWentWrongIsToldWhereItIsTriedAgain(t *testing.T) {
	r := documented(t)
	v := visitor{rig: r}
	g := r.send("GET", "/auth/callback?code=the-code&state=forged&return=/audit", "", "", "Accept", "text/html")
	v.shows(g, 401, "did not begin in this browser", "sign in again", "API key", `value="/"`, "!the-code")
	g = r.send("GET", "/auth/login?return=/audit", "", "", "Accept", "text/html")
	v.shows(g, 404, "this server has no issuer to sign in at", `value="/audit"`, "API key")
}

func TestWhoeverIsRevokedIsLedToSignIn(t *testing.T) {
	r := documented(t)
	key, id := r.keyOf(0, registry.Grant{Permissions: registry.Permissions(), Environments: []string{"*"}, Prompts: []string{"*"}})
	v := r.visit(key)
	v.shows(v.opens("/settings/keys"), 200)
	admin := r.visit(r.admin)
	admin.shows(admin.opens("/settings/keys/"+id+"/revoke"), 200, "Revoke the key")
	admin.shows(admin.posts("/settings/keys/"+id+"/revoke", nil), 303)
	until(t, func() bool { return v.opens("/settings/keys").status == 303 })
	if to := v.opens("/settings/keys?a=b").header.Get("Location"); to != "/login?return="+url.QueryEscape("/settings/keys?a=b") {
		t.Error(to)
	}
	v.shows(v.posts("/settings/keys", url.Values{"name": {"x"}}), 401)
	out := admin.posts("/auth/logout", nil)
	if out.status != 303 || !strings.Contains(out.header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("signing out: %d %v", out.status, out.header)
	}
}

func TestWhoeverComesBackFromTheIssuerArrivesOnAPageOfOurs(t *testing.T) {
	r := documented(t)
	for name, tt := range map[string]struct {
		arrival auth.Arrival
		want    []string
	}{
		"somebody who may something": {auth.Arrival{To: "/audit?a=b", Mail: "eve@example.com"}, []string{`content="0;url=/audit?a=b"`, "signed in as eve@example.com", "Go on"}},
		"somebody who may nothing":   {auth.Arrival{To: "/", Mail: "<b>eve@example.com", Nothing: true}, []string{"!http-equiv", "Nothing is granted to you yet", "<b>eve@example.com"}},
		"a place that is not ours":   {auth.Arrival{To: "//evil.test", Mail: "eve@example.com"}, []string{`content="0;url=/"`, "!evil.test"}},
	} {
		w, req := httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "GET", "/auth/callback?code=the-code", nil)
		w.Header().Set("Referrer-Policy", "no-referrer")
		Arrive(&answer{ResponseWriter: w, arrive: r.server.arrive}, req, tt.arrival)
		g := got{w.Code, w.Header(), w.Body.Bytes()}
		visitor{rig: r}.shows(g, 200, append(tt.want, "!the-code")...)
		if g.header.Get("Referrer-Policy") != "no-referrer" || !strings.HasPrefix(g.header.Get("Content-Security-Policy"), "default-src 'none'; script-src 'self'") || strings.Contains(string(g.body), "<b>eve") {
			t.Errorf("%s: %v", name, fmt.Sprint(g.header))
		}
	}
}

func TestAPageThatFailsIsOneToGoOnFrom(t *testing.T) {
	r := documented(t)
	v := r.visit(r.admin)
	v.shows(v.opens("/prompts/nothing"), 404, "is not found", `href="/rollouts"`, "Sign out", "data-follows")
	v = r.visit(r.key([]registry.Permission{registry.MayRecord}, "dev", "*"))
	v.shows(v.opens("/"), 403, "Sign out", "!data-follows")
}
