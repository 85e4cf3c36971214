package server

import (
	"html"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/incipit-dev/incipit/internal/registry"
)

// A visitor is somebody in a browser that runs no scripts.
type visitor struct {
	*rig
	cookie string
}

// visit signs in with a key, by the form.
func (r *rig) visit(key string) visitor {
	r.Helper()
	g := r.send("POST", "/auth/key", "", url.Values{"key": {key}, "return": {"/settings"}}.Encode(), "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin", "Accept", "text/html")
	cookie := g.header.Get("Set-Cookie")
	if g.status != 303 || g.header.Get("Location") != "/settings" || cookie == "" {
		r.Fatalf("%d %v %.300s", g.status, g.header, g.body)
	}
	for _, want := range []string{"HttpOnly", "SameSite=Strict", "Path=/"} {
		if !strings.Contains(cookie, want) {
			r.Errorf("the session's cookie is not %s: %s", want, strings.Split(cookie, ";")[1:])
		}
	}
	value, _, _ := strings.Cut(cookie, ";")
	return visitor{r, value}
}

// opens is a page as it is shown.
func (v visitor) opens(path string) got {
	v.Helper()
	return v.send("GET", path, "", "", "Cookie", v.cookie, "Accept", "text/html")
}

// posts sends a form.
func (v visitor) posts(path string, form url.Values) got {
	v.Helper()
	return v.send("POST", path, "", form.Encode(), "Cookie", v.cookie, "Accept", "text/html", "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin")
}

// shows reports a page that is not as it should be. What should be missing has
// a ! before it.
func (v visitor) shows(g got, status int, texts ...string) {
	v.Helper()
	page := html.UnescapeString(string(g.body))
	if g.status != status || status != 303 && !strings.HasPrefix(g.header.Get("Content-Type"), "text/html") {
		v.Fatalf("%d %s, want %d: %.2000s", g.status, g.header.Get("Content-Type"), status, page)
	}
	for _, text := range texts {
		text, no := strings.CutPrefix(text, "!")
		if strings.Contains(page, text) == no {
			v.Errorf("that it shows %q is not %v:\n%s", text, !no, page[max(0, strings.Index(page, "<main")):])
		}
	}
}

var hiddenField = regexp.MustCompile(`<input type="hidden" name="(once|seen)" value="([^"]*)">`)

// field is a hidden field of a page.
func field(g got, name string) string {
	for _, m := range hiddenField.FindAllStringSubmatch(string(g.body), -1) {
		if m[1] == name {
			return html.UnescapeString(m[2])
		}
	}
	return ""
}

func TestAKeyThatIsMadeOnThePageIsShownOnceAndMadeOnce(t *testing.T) {
	r := documented(t)
	v := r.visit(r.admin)
	before := len(keysOf(r))
	page := v.opens("/settings/keys")
	v.shows(page, 200, "Make a key", "test key", "yours now")
	form := url.Values{"once": {field(page, "once")}, "name": {"<script>x</script>"}, "kind": {"sdk"}, "expires": {"30d"}, "allow": {"resolve", "record"}, "prompts": {"billing/*"}, "environments": {"production"}, "more": {"read on * in dev"}}
	made := v.posts("/settings/keys", form)
	v.shows(made, 200, "it is shown this once", "incipit_sdk_", "resolve,record on billing/* in production; read on * in dev")
	if strings.Contains(string(made.body), "<script>x") || made.header.Get("Location") != "" || !strings.Contains(made.header.Get("Cache-Control"), "no-store") {
		t.Errorf("%v", made.header)
	}
	secret := regexp.MustCompile(`incipit_sdk_[a-z2-7]{12}_[0-9a-f]{64}_[0-9a-f]{8}`).FindString(string(made.body))
	if g := r.send("GET", "/v1/me", secret, ""); g.status != 200 {
		t.Errorf("the key that is shown does not open: %d", g.status)
	}
	again := v.posts("/settings/keys", form)
	v.shows(again, 422, "was sent already", "<script>x</script>", "!"+secret)
	v.shows(v.opens("/settings/keys"), 200, "!"+secret)
	if after := len(keysOf(r)); after != before+1 {
		t.Errorf("%d keys were made", after-before)
	}
	if strings.Contains(r.log.String(), secret) {
		t.Error("the log holds the secret")
	}
}

func keysOf(r *rig) []registry.Key {
	all, err := r.service.Keys(r.asRoot())
	if err != nil {
		r.Fatal(err)
	}
	return all
}

func TestAFormThatCannotBeTakenKeepsWhatWasTyped(t *testing.T) {
	r := documented(t)
	v := r.visit(r.admin)
	for name, tt := range map[string]struct {
		path string
		form url.Values
		says []string
	}{
		"a key that may nothing":        {"/settings/keys", url.Values{"name": {"typed name"}, "kind": {"ci"}, "prompts": {"typed/*"}}, []string{"needs a grant", "typed name", "typed/*"}},
		"a key of a permission unknown": {"/settings/keys", url.Values{"name": {"typed name"}, "kind": {"ci"}, "allow": {"fly"}, "prompts": {"*"}, "environments": {"*"}}, []string{`"fly" is no permission`, "typed name"}},
		"other grants that are none":    {"/settings/keys", url.Values{"name": {"n"}, "kind": {"ci"}, "more": {"typed nonsense"}}, []string{"is no grant", "typed nonsense", "such as"}},
		"a key that lasts strangely":    {"/settings/keys", url.Values{"name": {"typed name"}, "kind": {"ci"}, "allow": {"read"}, "prompts": {"*"}, "environments": {"*"}, "expires": {"soon"}}, []string{"is no time", "typed name"}},
		"a person without an address":   {"/settings/people", url.Values{"mail": {"typed"}, "allow": {"read"}, "prompts": {"typed/*"}, "environments": {"*"}}, []string{"is no mail address", "typed/*"}},
		"a webhook at home":             {"/settings/webhooks", url.Values{"url": {"http://127.0.0.1/typed"}, "kinds": {"rollout.*"}}, []string{"http://127.0.0.1/typed", "rollout.*", "Try:"}},
		"a webhook of no kind":          {"/settings/webhooks", url.Values{"url": {"https://hooks.example.com/typed"}, "kinds": {"nothing"}}, []string{"no notice is of the kind", "https://hooks.example.com/typed"}},
		"rules that cannot be kept":     {"/settings/environments/dev", url.Values{"approvals": {"11"}, "require": {"typed"}}, []string{"0 to 10", "typed"}},
		"a freeze that is none":         {"/settings/environments/dev", url.Values{"freeze": {"typed freeze"}}, []string{"is no freeze", "typed freeze"}},
		"a number that is none":         {"/settings/environments/dev", url.Values{"guard.alpha": {"typed"}, "guard.bake": {"17m"}}, []string{`guard: alpha: "typed" is no number`, "17m"}},
		"a time that is none":           {"/settings/environments/dev", url.Values{"guard.bake": {"typed"}}, []string{"is no time", `value="typed"`}},
		"JSON that is none":             {"/settings/environments/dev", url.Values{"guard.prompts": {`{"typed`}}, []string{"no JSON", `{"typed`}},
		"rules that are none":           {"/settings/environments/dev", url.Values{"guard.prompts": {`{"typed/*": {"fly": 1}}`}}, []string{`unknown field "fly"`, "typed/*"}},
		"an environment with a space":   {"/settings/new-environment", url.Values{"name": {"typed name"}}, []string{"is no name of an environment", "typed name"}},
		"one that there is":             {"/settings/new-environment", url.Values{"name": {"production"}}, []string{"there is an environment production already"}},
	} {
		t.Run(name, func(t *testing.T) {
			events := r.events()
			v.shows(v.posts(tt.path, tt.form), 422, append(tt.says, `role="alert"`)...)
			if r.events() != events {
				t.Error("something was changed")
			}
		})
	}
}

func TestRulesThatSomebodyElseChangedAreNotOverwritten(t *testing.T) {
	r := documented(t)
	v := r.visit(r.admin)
	page := v.opens("/settings/environments/production")
	v.shows(page, 200, "Rules of production", "protected", "canary steps 5 %, 25 %, 50 %, 95 %")
	mine := url.Values{"seen": {field(page, "seen")}, "protected": {"on"}, "approvals": {"2"}, "require": {"tests, review"}, "freeze": {"fri 16:00-24:00 Europe/Berlin: the weekend"}, "guard.bake": {"17m"}, "guard.steps": {"10, 50"}, "guard.max_error_increase": {"0.02"}, "guard.prompts": {`{"billing/*":{"policy":"off"}}`}}
	if err := r.service.SetEnvironment(r.asRoot(), registry.Environment{Name: "production", Protected: true, Reason: true}); err != nil {
		t.Fatal(err)
	}
	conflict := v.posts("/settings/environments/production", mine)
	v.shows(conflict, 422, "somebody else changed the rules", "asks for a reason", "tests, review", "17m")
	mine.Set("seen", field(conflict, "seen")) // who saves again has seen both
	v.shows(v.posts("/settings/environments/production", mine), 303)
	v.shows(v.posts("/settings/environments/production", mine), 303) // a double click
	v.shows(v.opens("/settings"), 200, "2 approvals", "evidence of tests, review", "frozen fri 16:00–24:00 Europe/Berlin: the weekend", "canary steps 10 %, 50 %", "each healthy for 17m at least", "1 patterns of prompts otherwise")
	// What is shown is what is kept: sent back as it stands, nothing is another.
	e, err := r.service.Environment(r.asRoot(), "production")
	if err != nil || e.Guard == nil || e.Guard.Prompts["billing/*"].Policy != "off" || *e.Guard.MaxErrorIncrease != 0.02 {
		t.Errorf("%+v, %v", e, err)
	}
	v.shows(v.opens("/settings/environments/production"), 200, `value="17m"`, `value="10, 50"`, `value="0.02"`, `"policy": "off"`)
}

func TestWhatAPersonMayDoIsSaidAndNotOverwritten(t *testing.T) {
	r := documented(t)
	v := r.visit(r.admin)
	v.shows(v.posts("/settings/people", url.Values{"mail": {"Eve@Example.com"}, "allow": {"read", "approve"}, "prompts": {"*"}, "environments": {"*"}}), 303)
	page := v.opens("/settings/people?mail=eve@example.com")
	v.shows(page, 200, "read,approve on * in *", "What eve@example.com may do")
	if field(page, "seen") != "read,approve on * in *" {
		t.Error(field(page, "seen"))
	}
	conflict := v.posts("/settings/people", url.Values{"mail": {"eve@example.com"}, "seen": {""}, "allow": {"deploy"}, "prompts": {"*"}, "environments": {"*"}})
	v.shows(conflict, 422, "somebody else changed what eve@example.com may do: read,approve on * in *")
	v.shows(v.posts("/settings/people", url.Values{"mail": {"eve@example.com"}, "seen": {field(conflict, "seen")}}), 303)
	v.shows(v.opens("/settings/people"), 200, "nothing", " by test key")
}

func TestAWebhookIsAddedTriedAndRemovedOnItsPages(t *testing.T) {
	r := documented(t)
	v := r.visit(r.admin)
	added := v.posts("/settings/webhooks", url.Values{"url": {"https://hooks.example.com/incipit?token=hidden"}, "format": {"json"}, "kinds": {"rollout.*, ping"}, "environments": {"*"}, "prompts": {"*"}})
	v.shows(added, 200, "whsec_", "it is shown this once", "!token=hidden")
	hooks, err := r.service.Webhooks(r.asRoot())
	if err != nil || len(hooks) != 1 {
		t.Fatal(hooks, err)
	}
	at := "/settings/webhooks/" + hooks[0].ID
	v.shows(v.opens("/settings/webhooks"), 200, "!whsec_", "rollout.*, ping")
	v.shows(v.posts(at+"/ping", nil), 303)
	page := v.opens(at)
	v.shows(page, 200, "waiting", "ping", "Send it again", "every 2s")
	v.shows(v.opens(at+"/remove"), 200, "1 notices that wait")
	v.shows(v.posts(at+"/remove", nil), 303)
	v.shows(v.opens(at), 404)
	v.shows(v.posts("/settings/deliveries/msg_none/redeliver", nil), 404)
}

func TestWhoeverMayNotIsToldWhyAndSeesTheRest(t *testing.T) {
	r := documented(t)
	v := r.visit(r.key([]registry.Permission{registry.MayRead}, "dev", "*"))
	v.shows(v.opens("/settings"), 200, "dev", "See", "!production", "!Sync now", "!Add an environment")
	for _, path := range []string{"/settings/keys", "/settings/people", "/settings/webhooks"} {
		v.shows(v.opens(path), 200, "You may not see this", "may not admin", "ask an administrator", "read on * in dev", "!<form method=\"post\" action=\"/settings")
	}
	v.shows(v.opens("/settings/environments/dev"), 200, "cannot change them", "!<textarea")
	v.shows(v.opens("/settings/environments/production"), 403)
	for _, path := range []string{"/settings/keys", "/settings/people", "/settings/webhooks", "/settings/environments/dev", "/settings/new-environment", "/settings/sync", "/settings/keys/x/revoke"} {
		v.shows(v.posts(path, url.Values{"name": {"x"}}), 403)
	}
}
