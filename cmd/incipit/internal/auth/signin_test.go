package auth

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func TestAPersonSignsInAndOut(t *testing.T) {
	s := newSite(t, nil)
	b := s.browser(t)
	resp, page := b.open(t, s.server.URL+"/auth/login?return="+url.QueryEscape("/prompts/billing%2Frefunds?tab=history"))
	if resp.StatusCode != http.StatusOK || !strings.Contains(page, "signed in as ann@example.com") {
		t.Fatalf("%s\n%s", resp.Status, page)
	}
	if !strings.Contains(page, `content="0;url=/prompts/billing%2Frefunds?tab=history"`) {
		t.Errorf("the page does not lead on:\n%s", page)
	}
	for _, h := range []struct{ name, want string }{{"Cache-Control", "no-store"}, {"Referrer-Policy", "no-referrer"}} {
		if resp.Header.Get(h.name) != h.want {
			t.Errorf("%s is %q", h.name, resp.Header.Get(h.name))
		}
	}
	var session *http.Cookie
	for _, c := range resp.Cookies() {
		if c.Name == "__Host-incipit" {
			session = c
		}
	}
	if session == nil || !session.Secure || !session.HttpOnly || session.SameSite != http.SameSiteStrictMode || session.Path != "/" ||
		session.Domain != "" || session.MaxAge != int(SessionAge.Seconds()) {
		t.Fatalf("the cookie is %v", session)
	}
	c, err := s.caller(t, b)
	if err != nil || c.Name != "ann@example.com" || !c.Person || len(c.Grants) != 1 || c.Source != "ui" {
		t.Fatalf("%+v %v", c, err)
	}
	began := b.trail[0].Query()
	if began.Get("code_challenge_method") != "S256" || len(began.Get("nonce")) < 40 || len(began.Get("state")) < 40 || began.Get("redirect_uri") != s.server.URL+"/auth/callback" {
		t.Errorf("the issuer was asked %v", began)
	}

	s.pass(SessionAge - time.Second)
	if _, err := s.caller(t, b); err != nil {
		t.Errorf("before 12 h: %v", err)
	}
	if resp, _ := b.open(t, s.server.URL+LogoutPath); resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("a link signs out: %s", resp.Status)
	}
	b.stop = func(u *url.URL) bool { return u.Path == "/" }
	stolen := b.Jar.Cookies(mustURL(t, s.server.URL))
	if resp, _ := b.post(t, s.server.URL+LogoutPath, "application/x-www-form-urlencoded", ""); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("signing out: %s", resp.Status)
	}
	if _, err := s.caller(t, b); !errors.Is(err, ErrUnauthenticated) {
		t.Errorf("signed out: %v", err)
	}
	s.pass(5 * time.Second)
	b.Jar.SetCookies(mustURL(t, s.server.URL), stolen)
	if _, err := s.caller(t, b); !errors.Is(err, ErrUnauthenticated) {
		t.Errorf("a copy of the cookie outlived the session: %v", err)
	}
	s.assertNothingLeaked(t, page)
}

func TestASessionEndsAfterTwelveHours(t *testing.T) {
	s := newSite(t, nil)
	b := s.browser(t)
	b.open(t, s.server.URL+LoginPath)
	if _, err := s.caller(t, b); err != nil {
		t.Fatal(err)
	}
	s.pass(SessionAge)
	if _, err := s.caller(t, b); !errors.Is(err, ErrUnauthenticated) {
		t.Errorf("%v", err)
	}
}

func TestWhoIsGrantedNothingIsSignedInAndToldSo(t *testing.T) {
	s := newSite(t, nil)
	s.issuer.with(func() {
		s.issuer.claims = map[string]any{"email": "bob@example.com", "name": "<script>alert(1)</script>"}
	})
	b := s.browser(t)
	resp, page := b.open(t, s.server.URL+LoginPath)
	if resp.StatusCode != http.StatusOK || !strings.Contains(page, "Nothing is granted to you") || strings.Contains(page, "http-equiv") {
		t.Errorf("%s\n%s", resp.Status, page)
	}
	c, err := s.caller(t, b)
	if err != nil || len(c.Grants) != 0 || c.May(registry.MayRead, registry.Every, "") == nil {
		t.Errorf("%+v %v", c, err)
	}
}

// TestIdentitiesThatDoNotFitAreRefused signs in at an issuer whose token is
// wrong in one thing at a time.
func TestIdentitiesThatDoNotFitAreRefused(t *testing.T) {
	s := newSite(t, nil)
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(s.issuer.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	now := s.now()
	claim := func(k string, v any) func() { return func() { s.issuer.claims = map[string]any{k: v} } }
	cases := map[string]struct {
		do     func()
		status int
	}{
		"another nonce":            {claim("nonce", "another"), 401},
		"no nonce":                 {claim("nonce", nil), 401},
		"another audience":         {claim("aud", "another-client"), 401},
		"no audience":              {claim("aud", nil), 401},
		"two audiences":            {claim("aud", []string{clientID, "another"}), 401},
		"issued to another party":  {claim("azp", "another-client"), 401},
		"another issuer":           {claim("iss", "https://accounts.example.com"), 401},
		"an issuer with a slash":   {claim("iss", s.issuer.URL+"/"), 401},
		"no issuer":                {claim("iss", nil), 401},
		"expired":                  {claim("exp", now.Add(-time.Second).Unix()), 401},
		"no expiry":                {claim("exp", nil), 401},
		"issued in the future":     {claim("iat", now.Add(time.Hour).Unix()), 401},
		"not valid yet":            {claim("nbf", now.Add(4*time.Minute).Unix()), 401},
		"mail not verified":        {claim("email_verified", false), 403},
		"verified left out":        {claim("email_verified", nil), 403},
		"verified is a number":     {claim("email_verified", 1), 403},
		"verified is another word": {claim("email_verified", "yes"), 403},
		"no mail":                  {claim("email", nil), 401},
		"mail is a name":           {claim("email", "admin"), 401},
		"mail with a display name": {claim("email", "Admin <root@example.com>"), 401},
		"mail with a look-alike":   {claim("email", "\u212Aate@example.com"), 401}, // the Kelvin sign becomes k
		"mail with a line feed":    {claim("email", "ann@example.com\nbcc"), 401},
		"mail is a list":           {claim("email", []string{"ann@example.com"}), 401},
		"signed by another key":    {func() { s.issuer.signer = other }, 401},
		"signed with the public key": {func() {
			s.issuer.alg, s.issuer.signer = jose.HS256, public
		}, 401},
		"alg none": {func() {
			s.issuer.sign = func(payload []byte) string {
				e := base64.RawURLEncoding.EncodeToString
				return e([]byte(`{"alg":"none","kid":"k1"}`)) + "." + e(payload) + "."
			}
		}, 401},
		"no token at all": {func() { s.issuer.sign = func([]byte) string { return "" } }, 401},
		"an algorithm that was not announced": {func() {
			s.issuer.alg = jose.RS512
		}, 401},
		"the token endpoint fails with a page": {func() {
			s.issuer.token = func(w http.ResponseWriter) bool {
				http.Error(w, "incipitcanary-body "+clientSecret, http.StatusInternalServerError)
				return true
			}
		}, 401},
		"the token endpoint redirects": {func() {
			s.issuer.token = func(w http.ResponseWriter) bool {
				w.Header().Set("Location", s.issuer.URL+"/jwks")
				w.WriteHeader(http.StatusTemporaryRedirect)
				return true
			}
		}, 401},
		"the token endpoint floods": {func() {
			s.issuer.token = func(w http.ResponseWriter) bool {
				_, _ = w.Write([]byte(`"` + strings.Repeat("a", 2*maxAnswer) + `"`))
				return true
			}
		}, 503},
	}
	var pages strings.Builder
	for what, c := range cases {
		s.issuer.with(func() {
			s.issuer.claims, s.issuer.signer, s.issuer.sign, s.issuer.token, s.issuer.alg = nil, nil, nil, nil, jose.RS256
			c.do()
		})
		b := s.browser(t)
		resp, page := b.open(t, s.server.URL+LoginPath)
		pages.WriteString(page)
		if resp.StatusCode != c.status {
			t.Errorf("%s: %s\n%s", what, resp.Status, page)
		}
		if _, err := s.caller(t, b); !errors.Is(err, ErrUnauthenticated) {
			t.Errorf("%s: signed in: %v", what, err)
		}
	}
	if s.sessions() != 0 {
		t.Errorf("%d sessions were made", s.sessions())
	}
	s.assertNothingLeaked(t, pages.String())

	s.issuer.with(func() { // all of this is as it should be
		s.issuer.sign, s.issuer.signer, s.issuer.token, s.issuer.alg = nil, nil, nil, jose.RS256
		s.issuer.claims = map[string]any{
			"aud": []string{clientID, "another"}, "azp": clientID, "email_verified": "true", "iat": now.Add(time.Minute).Unix(), "nbf": float64(now.Unix()) + 0.5,
		}
	})
	b := s.browser(t)
	if resp, page := b.open(t, s.server.URL+LoginPath); resp.StatusCode != http.StatusOK {
		t.Errorf("%s\n%s", resp.Status, page)
	}
}

func TestACallbackIsGoodOnceAndInItsBrowserAlone(t *testing.T) {
	s := newSite(t, nil)
	atCallback := func(u *url.URL) bool { return u.Path == CallbackPath }
	begin := func() (*browser, string) {
		b := s.browser(t)
		b.stop = atCallback
		b.open(t, s.server.URL+LoginPath)
		at := b.trail[len(b.trail)-1]
		if !atCallback(at) {
			t.Fatalf("the issuer sent the browser to %s", at)
		}
		return b, at.String()
	}
	refused := func(what string, b *browser, at string) {
		t.Helper()
		before := s.sessions()
		resp, page := b.open(t, at)
		if resp.StatusCode != http.StatusUnauthorized || s.sessions() != before {
			t.Errorf("%s: %s, %d sessions\n%s", what, resp.Status, s.sessions()-before, page)
		}
		s.assertNothingLeaked(t, page)
	}
	change := func(at, key, value string) string {
		u := mustURL(t, at)
		q := u.Query()
		q.Set(key, value)
		u.RawQuery = q.Encode()
		return u.String()
	}

	b, at := begin()
	if resp, page := b.open(t, at); resp.StatusCode != http.StatusOK {
		t.Fatalf("%s\n%s", resp.Status, page)
	}
	refused("a second time", b, at)

	victim, _ := begin()
	_, attackers := begin()
	refused("the attacker's state and code in the victim's browser", victim, attackers)

	_, at = begin()
	refused("a browser that began nothing", s.browser(t), at)
	_, others := begin()
	mine, own := begin()
	refused("another's code under one's own state", mine, change(own, "code", mustURL(t, others).Query().Get("code")))
	mine, own = begin()
	refused("no state", mine, change(own, "state", ""))
	mine, own = begin()
	refused("another state", mine, change(own, "state", "x"))
	mine, own = begin()
	refused("no code", mine, change(own, "code", ""))
	mine, own = begin()
	refused("another issuer", mine, change(own, "iss", "https://accounts.example.com"))
	mine, own = begin()
	refused("the issuer refused", mine, change(own, "error", "access_denied"))
	mine, own = begin()
	s.pass(signInAge)
	refused("too late", mine, own)

	// The cookie cannot be made or changed: it is sealed.
	b, at = begin()
	for _, c := range b.Jar.Cookies(mustURL(t, s.server.URL)) {
		raw, err := base64.RawURLEncoding.DecodeString(c.Value)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(raw), "State") {
			t.Error("the cookie can be read")
		}
		raw[len(raw)/2] ^= 1
		c.Value = base64.RawURLEncoding.EncodeToString(raw)
		c.Path = "/"
		b.Jar.SetCookies(mustURL(t, s.server.URL), []*http.Cookie{c})
	}
	refused("a changed cookie", b, at)
}

func TestASignInBegunAtOneReplicaEndsAtAnother(t *testing.T) {
	s := newSite(t, nil)
	b := s.browser(t)
	b.stop = func(u *url.URL) bool { return u.Path == CallbackPath }
	b.open(t, s.server.URL+LoginPath)
	s.SignIn = s.signIn(t, s.server.URL, nil) // the other replica, or the same after a restart
	if resp, page := b.open(t, b.trail[len(b.trail)-1].String()); resp.StatusCode != http.StatusOK {
		t.Errorf("%s\n%s", resp.Status, page)
	}
	b = s.browser(t)
	b.stop = func(u *url.URL) bool { return u.Path == CallbackPath }
	b.open(t, s.server.URL+LoginPath)
	s.SignIn = s.signIn(t, s.server.URL, func(c *SignInConfig) { c.SealKey = Secret{} })
	if resp, _ := b.open(t, b.trail[len(b.trail)-1].String()); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a replica with another key: %s", resp.Status)
	}
}

func TestReturnLeadsNowhereElse(t *testing.T) {
	s := newSite(t, nil)
	key, _ := s.store.add(t, SDK, "app", nil)
	for _, to := range []string{
		"//evil.example", "///evil.example", `/\evil.example`, `\\evil.example`, `/\/evil.example`, "https:evil.example", "https://evil.example/",
		"http:/evil.example", "javascript:alert(1)", "/\tevil", "/\n/evil.example", "\t//evil.example", " //evil.example", "//evil.example@host/", "evil", "",
		"/%2f/evil.example", "/a//b", "/%5cevil.example", "/./\\evil", "/%zz", "/é", "/" + strings.Repeat("a", maxReturn), "/auth/login", "/auth/logout", "data:text/html,x",
	} {
		if got, ok := localPath(to); ok {
			t.Errorf("%q is taken for %q", to, got)
		}
		if to == "" {
			continue // the start page
		}
		b := s.browser(t)
		resp, page := b.open(t, s.server.URL+LoginPath+"?return="+url.QueryEscape(to))
		if resp.StatusCode != http.StatusBadRequest || len(b.trail) > 0 {
			t.Errorf("%q: %s\n%s", to, resp.Status, page)
		}
		form := url.Values{"key": {key}, "return": {to}}
		if resp, _ := b.post(t, s.server.URL+KeyPath, "application/x-www-form-urlencoded", form.Encode()); resp.StatusCode != http.StatusBadRequest || len(resp.Cookies()) > 0 {
			t.Errorf("%q by form: %s", to, resp.Status)
		}
	}
	for _, to := range []string{"/", "/a", "/a/b?c=https://example.com//x#d", "/prompts/billing%2Frefunds"} {
		if got, ok := localPath(to); !ok || got != to {
			t.Errorf("%q is refused", to)
		}
	}
}

func TestTheServerStartsWhileTheIssuerIsDown(t *testing.T) {
	s := newSite(t, nil)
	down := func(status int) { s.issuer.with(func() { s.issuer.status = status }) }
	down(http.StatusBadGateway)
	b := s.browser(t)
	for range 5 {
		resp, page := b.open(t, s.server.URL+LoginPath)
		if resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(page, "sign in with a key") {
			t.Errorf("%s\n%s", resp.Status, page)
		}
		s.assertNothingLeaked(t, page)
	}
	if s.issuer.found != 1 {
		t.Errorf("the issuer that is down was asked %d times at once", s.issuer.found)
	}
	down(0)
	s.pass(askAgain)
	if resp, page := b.open(t, s.server.URL+LoginPath); resp.StatusCode != http.StatusOK {
		t.Fatalf("it is up again: %s\n%s", resp.Status, page)
	}
	down(http.StatusBadGateway)
	s.pass(rediscover)
	if resp, page := b.open(t, s.server.URL+LoginPath); resp.StatusCode != http.StatusOK {
		t.Errorf("its description is gone, and was known: %s\n%s", resp.Status, page)
	}
}

func TestAnIssuerThatLeadsElsewhereIsNotUsed(t *testing.T) {
	for what, do := range map[string]func(doc map[string]any){
		"another issuer":               func(d map[string]any) { d["issuer"] = "https://accounts.example.com" },
		"a token endpoint by http":     func(d map[string]any) { d["token_endpoint"] = "http://169.254.169.254/token" },
		"a login that is a script":     func(d map[string]any) { d["authorization_endpoint"] = "javascript:alert(1)" },
		"a login by http":              func(d map[string]any) { d["authorization_endpoint"] = "http://127.0.0.1/authorize" },
		"a token endpoint of a file":   func(d map[string]any) { d["token_endpoint"] = "file:///etc/passwd" },
		"a token endpoint with a user": func(d map[string]any) { d["token_endpoint"] = "https://a:b@example.com/token" },
		"no endpoints":                 func(d map[string]any) { clear(d) },
	} {
		s := newSite(t, nil)
		s.issuer.with(func() { s.issuer.discover = do })
		b := s.browser(t)
		resp, page := b.open(t, s.server.URL+LoginPath)
		if resp.StatusCode != http.StatusServiceUnavailable || len(b.trail) > 0 {
			t.Errorf("%s: %s\n%s", what, resp.Status, page)
		}
	}
	s := newSite(t, nil)
	s.issuer.with(func() { s.issuer.discover = func(d map[string]any) { d["jwks_uri"] = "http://127.0.0.1:1/jwks" } })
	if resp, _ := s.browser(t).open(t, s.server.URL+LoginPath); resp.StatusCode == http.StatusOK || s.sessions() > 0 {
		t.Errorf("keys by http: %s", resp.Status)
	}
}

func TestTheIssuersClientDialsNeitherTheMachineNorItsCloud(t *testing.T) {
	public, near := reachable(false), reachable(true)
	for _, a := range []string{
		"169.254.169.254:80", "[fe80::1%eth0]:443", "[::ffff:169.254.169.254]:80", "0.0.0.0:443", "[::]:443", "127.0.0.1:443", "[::1]:443", "[::ffff:7f00:1]:443",
		"224.0.0.1:443", "[fd00:ec2::254]:80", "localhost:443",
	} {
		if public("tcp", a, nil) == nil {
			t.Errorf("%s may be dialed", a)
		}
	}
	for _, a := range []string{"192.0.2.1:443", "10.1.2.3:443", "[2001:db8::1]:443"} {
		if err := public("tcp", a, nil); err != nil {
			t.Errorf("%s: %v", a, err)
		}
	}
	if near("tcp", "127.0.0.1:80", nil) != nil || near("tcp", "169.254.169.254:80", nil) == nil {
		t.Error("an issuer on the loopback is for trials, and for nothing else")
	}
	// and it is the control of the client that is used when none is given
	hit := false
	trap := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hit = true }))
	defer trap.Close()
	client := outbound(nil, mustURL(t, "https://accounts.example.com"))
	defer client.CloseIdleConnections()
	for _, at := range []string{trap.URL, strings.Replace(trap.URL, "http:", "https:", 1), strings.Replace(trap.URL, "http://127.0.0.1", "https://localhost", 1)} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := client.Do(r); err == nil {
			t.Errorf("%s was reached: %v", at, resp.Body.Close())
		}
	}
	if hit {
		t.Error("the machine itself was asked")
	}
}

func TestTheIssuersClientFollowsNothing(t *testing.T) {
	seen := map[string]int{}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen[r.URL.Path]++
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
	plain, tls := httptest.NewServer(handler), httptest.NewTLSServer(handler)
	defer plain.Close()
	defer tls.Close()
	ask := func(method, issuer, at string) (int, error) {
		own := tls.Client()
		r, err := http.NewRequestWithContext(t.Context(), method, at, strings.NewReader("client_secret=incipitcanary"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := outbound(own, mustURL(t, issuer)).Do(r)
		if err != nil {
			return 0, err
		}
		return resp.StatusCode, resp.Body.Close()
	}
	if status, err := ask(http.MethodPost, tls.URL, tls.URL+"/token"); err != nil || status != http.StatusTemporaryRedirect {
		t.Errorf("%d %v", status, err)
	}
	if _, err := ask(http.MethodGet, tls.URL, tls.URL+"/jwks"); err == nil {
		t.Error("a redirect was taken for keys")
	}
	if _, err := ask(http.MethodPost, tls.URL, plain.URL+"/plain"); err == nil || seen["/plain"] > 0 {
		t.Errorf("the secret went by http: %v", err)
	}
	if seen["/elsewhere"] > 0 || seen["/token"] != 1 || seen["/jwks"] != 1 {
		t.Errorf("asked were %v", seen)
	}
}

func TestConfigurationsThatAreNotSafeAreRefused(t *testing.T) {
	v := newFakeStore().verifier(nil)
	mint := func(context.Context, string, string) (Secret, time.Time, error) { return Secret{}, time.Time{}, nil }
	good := SignInConfig{URL: "https://incipit.example.com/", Issuer: "https://accounts.example.com", ClientID: "a", NewSession: mint, Verifier: v, Now: time.Now, Random: rand.Reader}
	if _, err := NewSignIn(good); err != nil {
		t.Fatal(err)
	}
	for what, do := range map[string]func(*SignInConfig){
		"http to the world":       func(c *SignInConfig) { c.URL = "http://incipit.example.com" },
		"no address":              func(c *SignInConfig) { c.URL = "" },
		"an address with a path":  func(c *SignInConfig) { c.URL = "https://example.com/incipit" },
		"an address with a user":  func(c *SignInConfig) { c.URL = "https://a:b@example.com" },
		"an issuer by http":       func(c *SignInConfig) { c.Issuer = "http://accounts.example.com" },
		"an issuer with a user":   func(c *SignInConfig) { c.Issuer = "https://a:incipitcanary@accounts.example.com" },
		"an issuer with a query":  func(c *SignInConfig) { c.Issuer = "https://accounts.example.com?a=b" },
		"no client id":            func(c *SignInConfig) { c.ClientID = "" },
		"no way to make sessions": func(c *SignInConfig) { c.NewSession = nil },
		"a short seal":            func(c *SignInConfig) { c.SealKey = Conceal("incipitcanary-short") },
	} {
		c := good
		do(&c)
		_, err := NewSignIn(c)
		if !errors.Is(err, prompt.ErrInvalid) {
			t.Errorf("%s: %v", what, err)
			continue
		}
		assertSilent(t, what, err.Error(), "incipitcanary")
	}
}

func TestAKeySignsInToTheUI(t *testing.T) {
	s := newSite(t, nil)
	text, id := s.store.add(t, Admin, "root", nil)
	s.secret = append(s.secret, strings.Split(text, "_")[3])
	b := s.browser(t)
	b.stop = func(*url.URL) bool { return true }
	body, err := json.Marshal(map[string]string{"key": text})
	if err != nil {
		t.Fatal(err)
	}
	resp, page := b.post(t, s.server.URL+KeyPath, "application/json", string(body))
	if c, err := s.caller(t, b); resp.StatusCode != http.StatusOK || err != nil || c.Key != id || c.Kind != Admin {
		t.Fatalf("%s %+v %v\n%s", resp.Status, c, err, page)
	}
	s.assertNothingLeaked(t, page)
	resp, _ = b.post(t, s.server.URL+LogoutPath, "application/json", "")
	if _, err := s.caller(t, b); resp.StatusCode != http.StatusSeeOther || !errors.Is(err, ErrUnauthenticated) {
		t.Errorf("signing out: %s %v", resp.Status, err)
	}
	s.pass(5 * time.Second)
	if _, err := s.config.Verifier.Authenticate(t.Context(), "Bearer "+text, home(), "cli"); err != nil {
		t.Errorf("signing out took the person's own key: %v", err)
	}
	form := url.Values{"key": {text}, "return": {"/prompts"}}
	if resp, _ := b.post(t, s.server.URL+KeyPath, "application/x-www-form-urlencoded", "key=x&return=/"); resp.StatusCode != http.StatusUnauthorized || len(resp.Cookies()) > 0 {
		t.Errorf("a wrong key by form: %s", resp.Status)
	}
	if resp, _ := b.post(t, s.server.URL+KeyPath, "application/x-www-form-urlencoded", "key="+strings.Repeat("x", maxBody)); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a large form: %s", resp.Status)
	}
	resp, _ = b.post(t, s.server.URL+KeyPath, "application/x-www-form-urlencoded", form.Encode())
	if _, err := s.caller(t, b); resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/prompts" || err != nil {
		t.Errorf("by form: %s %v", resp.Status, err)
	}
}

func TestKeysThatDoNotOpenDoNotSignIn(t *testing.T) {
	s := newSite(t, nil)
	b := s.browser(t)
	post := func(kind, body string) int {
		resp, page := b.post(t, s.server.URL+KeyPath, kind, body)
		assertSilent(t, "the page", page, canary[:8], "pg_sleep")
		if len(resp.Cookies()) > 0 {
			t.Errorf("a cookie was set for %.40q", body)
		}
		return resp.StatusCode
	}
	for _, body := range []string{
		`{"key": 1}`, `{"key": "a"`, `{"key": "a"} x`, `{"key": "a", "key": "b"}`, `{"Key": "a"}`, `{}`, `{"key": null x}`, `{"key": "a", "x": 1}`, `[]`, `null x`, "",
		`{"key": "` + strings.Repeat("a", maxBody) + `"}`, "{\"key\": \"\xff\"}",
	} {
		if status := post("application/json", body); status != 400 {
			t.Errorf("%.60q: %d", body, status)
		}
	}
	good, _ := s.store.add(t, SDK, "app", nil)
	for _, kind := range []string{"text/plain", "multipart/form-data", "", "application/jsonp"} {
		if status := post(kind, `{"key": "`+good+`"}`); status != 400 {
			t.Errorf("%s: %d", kind, status)
		}
	}
	for range failureBurst {
		if status := post("application/json", `{"key": "`+keyText(SDK, "abcdefghij23", canary)+`"}`); status != 401 {
			t.Fatalf("a guess: %d", status)
		}
	}
	resp, _ := b.post(t, s.server.URL+KeyPath, "application/json", `{"key": "`+good+`"}`)
	if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") != "1" {
		t.Errorf("after %d guesses: %s, Retry-After %q", failureBurst, resp.Status, resp.Header.Get("Retry-After"))
	}
	s.assertNothingLeaked(t, "")
}

func TestWhereOnlyTheIssuerSignsInNoKeyDoes(t *testing.T) {
	s := newSite(t, func(c *SignInConfig) { c.OnlyIssuer = true })
	text, _ := s.store.add(t, Admin, "root", nil)
	b := s.browser(t)
	resp, page := b.post(t, s.server.URL+KeyPath, "application/json", `{"key": "`+text+`"}`)
	if resp.StatusCode != http.StatusForbidden || len(resp.Cookies()) > 0 {
		t.Errorf("%s\n%s", resp.Status, page)
	}
	for _, mark := range []string{minted, brought, ""} { // a cookie written by hand
		b.Jar.SetCookies(mustURL(t, s.server.URL), []*http.Cookie{{Name: "__Host-incipit", Value: mark + text, Path: "/", Secure: true}})
		if c, err := s.caller(t, b); !errors.Is(err, ErrUnauthenticated) {
			t.Errorf("%q and a key in the cookie: %+v %v", mark, c, err)
		}
	}
	if resp, _ := b.open(t, s.server.URL+LoginPath); resp.StatusCode != http.StatusOK {
		t.Errorf("the issuer: %s", resp.Status)
	}
	if c, err := s.caller(t, b); err != nil || c.Name != "ann@example.com" {
		t.Errorf("the issuer: %+v %v", c, err)
	}
}

func TestAClientAuthenticatesAsTheIssuerWants(t *testing.T) {
	for what, c := range map[string]struct {
		methods []string
		secret  Secret
	}{
		"by post":         {[]string{"client_secret_post"}, Conceal(clientSecret)},
		"a public client": {[]string{"none"}, Secret{}},
		"by either":       {[]string{"client_secret_post", "client_secret_basic"}, Conceal(clientSecret)},
	} {
		s := newSite(t, func(conf *SignInConfig) { conf.ClientSecret = c.secret })
		s.issuer.with(func() {
			s.issuer.discover = func(d map[string]any) { d["token_endpoint_auth_methods_supported"] = c.methods }
			s.issuer.methods = c.methods
		})
		if resp, page := s.browser(t).open(t, s.server.URL+LoginPath); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %s\n%s", what, resp.Status, page)
		}
	}
}

func TestTheTextOfAnUnknownErrorIsNotShown(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		shown  bool
	}{
		{errors.New("incipitcanary"), 500, false},
		{registry.Errorf(registry.ErrConflict, "incipitcanary"), 500, false},
		{registry.Errorf(registry.ErrForbidden, "not you"), 403, true},
		{registry.Errorf(registry.ErrUnavailable, "later"), 503, true},
		{registry.Errorf(registry.ErrNotFound, "nothing"), 404, true},
		{registry.WithFix(&TooManyError{1500 * time.Millisecond}, "wait"), 429, true},
		{unauthenticated(), 401, true},
		{invalid("so not"), 400, true},
	} {
		w := httptest.NewRecorder()
		orFail(nil)(w, nil, c.err)
		if w.Code != c.status || strings.Contains(w.Body.String(), c.err.Error()) != c.shown {
			t.Errorf("%v: %d %s", c.err, w.Code, w.Body)
		}
		if after := w.Header().Get("Retry-After"); (after == "2") != (c.status == http.StatusTooManyRequests) {
			t.Errorf("%v: Retry-After %q", c.err, after)
		}
	}
}

func TestWithoutAnIssuerOnlyKeysSignIn(t *testing.T) {
	s := newSite(t, func(c *SignInConfig) { c.Issuer, c.NewSession = "", nil })
	b := s.browser(t)
	if resp, _ := b.open(t, s.server.URL+LoginPath); resp.StatusCode != http.StatusNotFound {
		t.Errorf("login: %s", resp.Status)
	}
	if resp, _ := b.open(t, s.server.URL+CallbackPath+"?code=a&state=b"); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("callback: %s", resp.Status)
	}
}

func TestTheCookieIsSecureButOnPlainLoopback(t *testing.T) {
	for at, want := range map[string]string{
		"https://incipit.example.com": "__Host-incipit", "https://127.0.0.1:7878": "__Host-incipit",
		"http://127.0.0.1:7878": "incipit", "http://localhost:7878": "incipit", "http://[::1]:7878": "incipit",
	} {
		s := newSite(t, nil)
		s.SignIn = s.signIn(t, at, nil)
		text, id := s.store.add(t, SDK, "app", nil)
		w := httptest.NewRecorder()
		if _, err := s.establishSession(t.Context(), w, proof{way: byKey, key: Conceal(text)}); err != nil {
			t.Fatal(err)
		}
		c := w.Result().Cookies()[0]
		if c.Name != want || c.Secure != strings.HasPrefix(want, "__Host-") || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode {
			t.Errorf("%s: %v", at, c.Name)
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, at, http.NoBody)
		for _, name := range []string{"incipit", "__Host-incipit"} { // who can set one cannot set the other
			r.AddCookie(&http.Cookie{Name: name, Value: brought + map[bool]string{true: text, false: "planted"}[name == want]})
		}
		header, fromCookie := s.Credential(r)
		caller, err := s.config.Verifier.Authenticate(t.Context(), header, home(), "ui")
		if err != nil || caller.Key != id || !fromCookie {
			t.Errorf("%s: %+v %v", at, caller, err)
		}
		r.Header.Set("Authorization", "Bearer x")
		if header, fromCookie := s.Credential(r); header != "Bearer x" || fromCookie {
			t.Error("the header does not go before the cookie")
		}
	}
}

func TestAProofOfNoWayIsNoSession(t *testing.T) {
	s := newSite(t, nil)
	if _, err := s.establishSession(t.Context(), httptest.NewRecorder(), proof{}); !errors.Is(err, ErrUnauthenticated) {
		t.Errorf("%v", err)
	}
}

func TestAStoreThatIsDownIsSaidSo(t *testing.T) {
	s := newSite(t, func(c *SignInConfig) {
		c.NewSession = func(context.Context, string, string) (Secret, time.Time, error) {
			return Secret{}, time.Time{}, registry.Errorf(registry.ErrUnavailable, "the database does not answer")
		}
	})
	b := s.browser(t)
	if resp, page := b.open(t, s.server.URL+LoginPath); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%s\n%s", resp.Status, page)
	}
}
