package uitest

import (
	"net"
	"testing"
)

// withIssuer is a guarded site at which people sign in at an issuer. Ada may
// read and audit; of others nothing was said.
func withIssuer(t *testing.T) (guarded, *issuer) {
	t.Helper()
	i := newIssuer(t)
	free, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	s := newRepo(t)
	key := s.run("admin", "bootstrap", "--data", ".incipit")
	s.env = append(s.env, "INCIPIT_OIDC_SECRET="+issuerSecret)
	s.args = []string{"--data", ".incipit", "--url", "http://" + address, "--oidc-issuer", i.url, "--oidc-client", issuerClient}
	s.serve(address)
	s.env = append(s.env, "INCIPIT_KEY="+key)
	s.must(key, "PUT", "/v1/people/ada@example.com", object("grants", []any{map[string]any{"permissions": []string{"read", "audit"}, "environments": []string{"*"}, "prompts": []string{"*"}}}))
	return guarded{s, key}, i
}

// atIssuer goes from a page to the issuer, and says there who one is.
func (b *tab) atIssuer(url, mail string) {
	b.t.Helper()
	b.open(url)
	b.press("Sign in with your organization")
	b.sees("Who are you?")
	b.fill("#mail", mail)
	b.press("Go on")
}

func TestPeopleSignInAtTheirIssuer(t *testing.T) {
	s, _ := withIssuer(t)
	b := newTab(t)
	b.atIssuer(s.url+"/audit?actor=ada", "Ada@Example.com")
	b.until("one is where one wanted to be", `location.pathname + location.search === "/audit?actor=ada" && document.querySelector("[data-signed-in] main h1")`)
	b.sees("ada@example.com")
	b.clean("the page after signing in")
	if cookies := value[string](b, `document.cookie`); cookies != "" {
		t.Errorf("a script can read %s", cookies)
	}
	b.open(s.url + "/audit?action=sign-in")
	b.sees("ada@example.com")
	b.clean("the audit log")
	b.open(s.url + "/settings/keys")
	b.sees("You may not see this")
	b.open(s.url + "/prompts/customer-support/edit")
	b.sees("ada@example.com has no permission propose")

	other := b.another()
	other.expect("401 (Unauthorized)") // what it asks for once nobody is signed in
	other.open(s.url + "/")
	other.sees("customer-support")
	b.press("Sign out")
	b.until("nobody is signed in", `location.pathname === "/login"`)
	b.open(s.url + "/audit")
	b.until("it asks who is there", `location.pathname === "/login"`)
	other.open(s.url + "/")
	other.until("the other window is signed out, too", `location.pathname === "/login"`)
}

func TestWhoeverMayNothingIsToldSoAfterSigningIn(t *testing.T) {
	s, _ := withIssuer(t)
	b := newTab(t)
	b.atIssuer(s.url+"/", "eve@example.com")
	b.sees("You are signed in as eve@example.com")
	b.sees("Nothing is granted to you yet. Ask an administrator")
	b.fits()
	b.accessible()
	b.expect("403 (Forbidden)")
	b.press("Go on")
	b.sees("eve@example.com may not")
	b.sees("Sign out")
	b.clean("the page of somebody who may nothing")
	s.must(s.admin, "PUT", "/v1/people/eve@example.com", object("grants", everything("x")))
	s.eventually("what is granted counts", func() bool { return value[bool](b, `fetch("/").then((a) => a.ok)`) })
	b.open(s.url + "/")
	b.sees("customer-support")
}

func TestASignInThatGoesWrongSaysHowAndIsTriedAgain(t *testing.T) {
	s, i := withIssuer(t)
	s.mayLog = "route=login-callback status=503"
	for _, tt := range []struct {
		way  way
		says string
	}{
		{forged, "this sign-in did not begin in this browser, or took more than 10 minutes"},
		{denies, "the issuer says: access_denied"},
		{otherNonce, "what the issuer said of you cannot be relied on"},
		{unverified, "the issuer does not vouch for your mail address"},
		{noToken, "the issuer did not accept the code of this sign-in"},
		{broken, "the issuer that people sign in at cannot be reached"},
	} {
		t.Run(string(tt.way), func(t *testing.T) {
			b := newTab(t)
			for _, status := range []string{"401 (", "403 (", "503 ("} {
				b.expect(status)
			}
			i.goes(tt.way)
			b.atIssuer(s.url+"/audit?actor=ada", "ada@example.com")
			b.sees(tt.says)
			b.sees("Try:")
			b.clean("the page of what went wrong")
			b.fits()
			b.accessible()
			if value[bool](b, `document.body.hasAttribute("data-signed-in")`) {
				t.Error("somebody is signed in")
			}
			i.goes(honest)
			b.press("Sign in with your organization") // on that very page
			b.fill("#mail", "ada@example.com")
			b.press("Go on")
			wanted := "/audit?actor=ada"
			if tt.way == forged { // it is not known whose sign-in this was
				wanted = "/"
			}
			b.until("one is where one wanted to be", `document.querySelector("[data-signed-in] main h1") && location.pathname + location.search === "`+wanted+`"`)
		})
	}
	t.Run("an issuer that is away", func(t *testing.T) {
		fresh, gone := withIssuer(t) // which it has not met
		fresh.mayLog = "route=login status=503"
		gone.stop()
		b := newTab(t)
		b.expect("503 (")
		b.open(fresh.url + "/audit")
		b.press("Sign in with your organization")
		b.sees("the issuer that people sign in at cannot be reached")
		b.sees("sign in with a key")
		b.fill("#key", fresh.admin)
		b.click(`form[action="/auth/key"] button`)
		b.until("one is where one wanted to be", `location.pathname === "/audit" && document.querySelector("[data-signed-in]")`)
	})
}
