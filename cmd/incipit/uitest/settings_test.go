package uitest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

// A guarded site asks people who they are.
type guarded struct {
	*site
	admin string // a key that may do everything, which the command line uses, too
}

func newGuarded(t testing.TB, args ...string) guarded {
	t.Helper()
	s := newRepo(t)
	data := filepath.Join(s.dir, ".incipit")
	key := s.run("admin", "bootstrap", "--data", data)
	s.args = append([]string{"--data", data}, args...)
	s.serve("127.0.0.1:0")
	s.env = append(s.env, "INCIPIT_KEY="+key)
	return guarded{s, key}
}

// signIn signs in with a key, and comes to a page.
func (b *tab) signIn(url, key, path string) {
	b.t.Helper()
	b.open(url + path)
	b.until("it asks who is there", `document.querySelector("#key")`)
	b.fill("#key", key)
	b.click(`form[action="/auth/key"] button`)
	b.until("the page that was wanted is there", `location.pathname + location.search === `+quoted(path)+` && document.querySelector("[data-signed-in] main h1")`)
}

func TestAKeyIsMadeUsedAndRevoked(t *testing.T) {
	s := newGuarded(t)
	b := newTab(t)
	b.signIn(s.url, s.admin, "/settings/keys")
	b.sees("bootstrap")
	b.fill("#name", "reader")
	b.click(`input[name="allow"][value="read"]`)
	b.click(`input[name="allow"][value="audit"]`)
	b.press("Make the key")
	b.until("its secret is shown", `document.querySelector("#secret code")`)
	secret := b.text("#secret code")
	if !strings.HasPrefix(secret, "incipit_sdk_") || strings.Contains(b.at(), "incipit_") {
		t.Fatalf("no secret, or one in the address: %s", b.at())
	}
	b.open(s.url + "/settings/keys")
	if strings.Contains(b.body(), secret) {
		t.Error("the secret is shown again")
	}

	other := newTab(t)
	other.expect("401") // once the key is revoked
	other.expect("EventSource")
	other.signIn(s.url, secret, "/settings/keys")
	other.sees("You may not see this")
	other.open(s.url + "/audit")
	other.sees("key.create")

	hit(b, `//tr[contains(., "reader")]//a[contains(., "Revoke")]`)
	b.until("it asks again", `document.querySelector("dialog[open] form[action$='/revoke']")`)
	b.click(`dialog form[action$="/revoke"] button`)
	b.until("it is revoked", `[...document.querySelectorAll("#keys tr")].some(r => r.innerText.includes("reader") && r.innerText.includes("revoked"))`)
	other.until("the open page says so", `document.querySelector("#banner").innerText.includes("Your session has ended")`)
	other.open(s.url + "/audit")
	other.until("it is led to sign in", `location.pathname === "/login" && new URLSearchParams(location.search).get("return") === "/audit"`)

	b.open(s.url + "/audit")
	b.until("the log shows both", `document.querySelector("#log").innerText.includes("key.create") && document.querySelector("#log").innerText.includes("key.revoke")`)
	b.press("Sign out")
	b.until("nobody is signed in", `location.pathname === "/login"`)
}

func TestAWebhookIsAddedAndHears(t *testing.T) {
	heard := make(chan string, 10)
	listener := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // what is missing is not found below
		heard <- r.Header.Get("Webhook-Signature") + " " + string(body)
	}))
	t.Cleanup(listener.Close)
	s := newGuarded(t, "--webhook-allow", "127.0.0.1")
	b := newTab(t)
	b.signIn(s.url, s.admin, "/settings/webhooks")
	b.fill("#url", listener.URL+"/incipit")
	b.press("Add the webhook")
	b.until("its secret is shown", `document.querySelector("#secret code")?.innerText.startsWith("whsec_")`)
	b.fits()
	b.press("Try it with a ping")
	b.until("it was told", `[...document.querySelectorAll("#deliveries tr")].some(r => r.innerText.includes("ping") && r.innerText.includes("delivered") && r.innerText.includes("HTTP 200"))`)
	b.fits()
	if said := <-heard; !strings.HasPrefix(said, "v1,") || !strings.Contains(said, `"ping"`) {
		t.Errorf("the webhook heard %s", said)
	}
	b.press("Send again")
	b.until("it was told again", `[...document.querySelectorAll("#deliveries tr")].some(r => r.innerText.includes("delivered"))`)
	<-heard
	b.press("Remove")
	b.until("it asks", `document.querySelector("dialog[open] form[action$='/remove']")`)
	b.expect("404 (Not Found)") // the open page may look once more for what has just ended
	b.click(`dialog form[action$="/remove"] button`)
	b.sees("No webhooks yet")
	b.open(s.url + "/audit?action=webhook.*")
	for _, action := range []string{"webhook.add", "webhook.ping", "webhook.redeliver", "webhook.remove"} {
		b.sees(action)
	}
}

func TestTheAuditLogIsFollowedFilteredAndVerified(t *testing.T) {
	s := newGuarded(t)
	s.far("deploy", "customer-support@1.0.0", "--env", "dev", "--reason", "the first <b>one</b>")
	b := newTab(t)
	b.signIn(s.url, s.admin, "/audit")
	b.sees("the first <b>one</b>")
	b.click("#log tbody tr:first-child summary")
	b.until("the line is open", `document.querySelector("#log details[open] dl")`)
	b.fits()
	open := value[string](b, `document.querySelector("#log details[open]").closest("tr").id`)
	s.far("admin", "key", "create", "later", "--allow", "read")
	b.until("a new line comes by itself, and the open one stays open", `document.querySelector("#log tbody tr").innerText.includes("key.create") && document.querySelector("#`+open+` details").open`)
	b.fill("#action", "key.*")
	b.press("Filter")
	b.until("the filter stands in the address", `new URLSearchParams(location.search).get("action") === "key.*" && !document.querySelector("#log").innerText.includes("deploy")`)
	b.press("Clear")
	b.sees("customer-support")
	b.press("Verify the log")
	b.until("it is verified", `document.querySelector("dialog[open]")?.innerText.includes("The log is what was written")`)
	lines := value[string](b, `fetch("/audit/export").then(a => a.text())`)
	if n := strings.Count(lines, "\n"); n < 3 || !strings.Contains(lines, `"action":"deploy"`) {
		t.Errorf("the file has %d lines: %s", n, lines)
	}
}

func TestRulesAreChangedAndNotLost(t *testing.T) {
	s := newGuarded(t)
	b := newTab(t)
	b.signIn(s.url, s.admin, "/settings")
	b.sees("Every tag is what was released")
	b.fits()
	b.press("Sync now")
	b.sees("Git was read just now")
	b.open(s.url + "/settings/environments/production")
	b.fits()
	b.fill("#freeze", "fri 16:00-24:00 Europe/Berlin: before the weekend")
	b.fill("#approvals", "1")
	other := b.another()
	other.open(s.url + "/settings/environments/production")
	other.fill("#approvals", "2")
	other.press("Save the rules")
	other.until("they are saved", `location.pathname === "/settings" && document.body.innerText.includes("2 approvals")`)
	b.expect("422")
	b.press("Save the rules")
	b.sees("somebody else changed the rules of production meanwhile")
	b.until("what was typed is there still", `document.querySelector("#freeze").value.includes("before the weekend") && document.querySelector("#approvals").value === "1"`)
}

func TestTheSignInPageSaysWhatIsWrong(t *testing.T) {
	s := newGuarded(t)
	b := newTab(t)
	b.open(s.url + "/settings/keys?x=1")
	b.until("it asks who is there", `document.querySelector("#key")`)
	b.expect("401")
	b.fill("#key", "incipit_nonsense")
	b.click(`form[action="/auth/key"] button`)
	b.sees("unknown, revoked or expired")
	b.fits()
	b.fill("#key", s.admin)
	b.click(`form[action="/auth/key"] button`)
	b.until("one is where one wanted", `location.pathname + location.search === "/settings/keys?x=1"`)
	if cookies := value[string](b, `document.cookie`); strings.Contains(cookies, "incipit_") {
		t.Error("a script can read the session")
	}
	b.open(s.url + "/settings/people")
	b.fits()
	b.open(s.url + "/settings/keys")
	b.fits()
}
