package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func TestTheCommandLineSignsInThroughTheBrowser(t *testing.T) {
	s := newSite(t, nil)
	b := s.browser(t)
	var shown string
	login, err := LoginFlow(t.Context(), LoginConfig{
		Server: s.server.URL + "/", HTTPClient: b.Client, Random: rand.Reader,
		OpenBrowser: func(at string) error {
			resp, page := b.open(t, at)
			shown = page
			if resp.StatusCode != http.StatusOK || !strings.Contains(page, "back to the terminal") {
				t.Errorf("%s\n%s", resp.Status, page)
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if login.Name != "ann@example.com" || !login.ExpiresAt.Equal(s.now().Add(SessionAge)) {
		t.Errorf("%+v", login)
	}
	c, err := s.config.Verifier.Authenticate(t.Context(), "Bearer "+login.Key.Reveal(), home(), "cli")
	if err != nil || c.Name != "ann@example.com" || !c.Person {
		t.Errorf("%+v %v", c, err)
	}
	if _, err := s.caller(t, b); !errors.Is(err, ErrUnauthenticated) {
		t.Error("the browser was signed in too")
	}
	last := b.trail[len(b.trail)-1]
	if last.Hostname() != "127.0.0.1" || last.Scheme != "http" {
		t.Errorf("the code went to %s", last.Host)
	}
	s.assertNothingLeaked(t, shown)
	assertSilent(t, "the log", s.log.String(), last.Query().Get("code"))
}

// commandLine signs in up to the code that the browser brings.
func commandLine(t *testing.T, s *site, verifier string) string {
	t.Helper()
	b := s.browser(t)
	b.stop = func(u *url.URL) bool { return u.Scheme == "http" }
	b.open(t, s.server.URL+LoginPath+"?"+url.Values{"cli": {"49152"}, "challenge": {challenge(verifier)}}.Encode())
	at := b.trail[len(b.trail)-1]
	if at.Host != "127.0.0.1:49152" || at.Query().Get("state") != challenge(verifier) {
		t.Fatalf("the browser was sent to %s", at.Host)
	}
	return at.Query().Get("code")
}

func TestACodeIsGoodForItsVerifierOnceAndForAMinute(t *testing.T) {
	s := newSite(t, nil)
	b := s.browser(t)
	redeem := func(code, verifier string) int {
		before := s.sessions()
		resp, page := b.post(t, s.server.URL+TokenPath, "application/json", `{"code": "`+code+`", "verifier": "`+verifier+`"}`)
		if made := s.sessions() - before; made != map[bool]int{true: 1}[resp.StatusCode == http.StatusOK] {
			t.Errorf("%s, and %d sessions were made", resp.Status, made)
		}
		if resp.StatusCode != http.StatusOK {
			assertSilent(t, "the page", page, "incipit_person", strings.Repeat("v", 43))
		}
		if len(resp.Cookies()) > 0 || resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("the answer has %v", resp.Header)
		}
		return resp.StatusCode
	}
	mine := strings.Repeat("v", 43)
	code := commandLine(t, s, mine)
	if resp, _ := b.post(t, s.server.URL+TokenPath, "application/x-www-form-urlencoded", "code="+code+"&verifier="+mine); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a form, which any page can send: %s", resp.Status)
	}
	for what, c := range map[string]struct{ code, verifier string }{
		"another verifier":  {code, strings.Repeat("w", 43)},
		"no verifier":       {code, ""},
		"the challenge":     {code, challenge(mine)},
		"no code":           {"", mine},
		"a code cut off":    {code[:len(code)-4], mine},
		"a changed code":    {code[:20] + "AAAA" + code[24:], mine},
		"a very long code":  {strings.Repeat("A", maxSealed+4), mine},
		"a code in plain":   {"e30", mine},
		"a code not base64": {"!", mine},
	} {
		if status := redeem(c.code, c.verifier); status != 401 {
			t.Errorf("%s: %d", what, status)
		}
	}
	if status := redeem(code, mine); status != 200 {
		t.Errorf("the right one: %d", status)
	}
	if status := redeem(code, mine); status != 401 {
		t.Errorf("the same again: %d", status)
	}
	code = commandLine(t, s, mine)
	s.pass(codeAge)
	if status := redeem(code, mine); status != 401 {
		t.Errorf("after a minute: %d", status)
	}
	code = commandLine(t, s, mine)
	s.SignIn = s.signIn(t, s.server.URL, nil)
	if status := redeem(code, mine); status != 200 {
		t.Errorf("at another replica: %d", status)
	}
	// A token that was sealed for something else is no code.
	sealed, err := s.sealer.seal(forSignIn, handed{identity{"eve@example.com", ""}, challenge(mine)}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if status := redeem(sealed, mine); status != 401 {
		t.Errorf("the cookie of a sign-in as a code: %d", status)
	}
	s.assertNothingLeaked(t, "")
}

func TestACodeIsNotLostWhenTheStoreIsDown(t *testing.T) {
	s := newSite(t, nil)
	mine := strings.Repeat("v", 43)
	code := commandLine(t, s, mine)
	works := s.config.NewSession
	s.config.NewSession = func(context.Context, string, string) (Secret, time.Time, error) {
		return Secret{}, time.Time{}, registry.Errorf(registry.ErrUnavailable, "the database does not answer")
	}
	b := s.browser(t)
	body := `{"code": "` + code + `", "verifier": "` + mine + `"}`
	if resp, _ := b.post(t, s.server.URL+TokenPath, "application/json", body); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%s", resp.Status)
	}
	s.config.NewSession = works
	if resp, _ := b.post(t, s.server.URL+TokenPath, "application/json", body); resp.StatusCode != http.StatusOK {
		t.Errorf("%s", resp.Status)
	}
}

func TestLoginTakesOnlyWhatTheCommandLineSends(t *testing.T) {
	s := newSite(t, nil)
	good := challenge("v")
	queries := []url.Values{
		{"cli": {"49152"}},
		{"cli": {"49152"}, "challenge": {"x"}},
		{"cli": {"49152"}, "challenge": {good + "A"}},
		{"cli": {"49152"}, "challenge": {good}, "return": {"/"}},
	}
	for _, port := range []string{"80", "65536", "-1", "", "49152@evil.example", "49152/", "٤٩١٥٢"} {
		queries = append(queries, url.Values{"cli": {port}, "challenge": {good}})
	}
	for _, q := range queries {
		b := s.browser(t)
		if resp, _ := b.open(t, s.server.URL+LoginPath+"?"+q.Encode()); resp.StatusCode != http.StatusBadRequest || len(b.trail) > 0 {
			t.Errorf("%v: %s", q, resp.Status)
		}
	}
}

// listening begins a LoginFlow and returns where the browser would be sent.
func listening(t *testing.T, ctx context.Context, server string, client *http.Client, browse func(port int, state string)) (Login, error) { //nolint:revive // t is what a reader expects first
	t.Helper()
	return LoginFlow(ctx, LoginConfig{Server: server, HTTPClient: client, Random: rand.Reader, OpenBrowser: func(at string) error {
		q := mustURL(t, at).Query()
		port, err := strconv.Atoi(q.Get("cli"))
		if err != nil {
			t.Errorf("the port is %q", q.Get("cli"))
		}
		browse(port, q.Get("challenge"))
		return nil
	}})
}

func TestTheListenerTurnsStrangersAway(t *testing.T) {
	const good = "incipitcanary-code"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if !strings.Contains(string(body), good) {
			t.Errorf("another code was exchanged: %s", body)
		}
		answer(w, tokenAnswer{Key: keyText(Person, "abcdefghij23", canary), Name: "ann@example.com"})
	}))
	defer server.Close()
	b := newBrowser(t, server)
	login, err := listening(t, t.Context(), server.URL, server.Client(), func(port int, state string) {
		base := "http://127.0.0.1:" + strconv.Itoa(port)
		for _, q := range []string{"/", "/?code=evil", "/?code=evil&state=x", "/?code=&state=" + state, "/x?code=evil&state=" + state, "/favicon.ico"} {
			if resp, _ := b.open(t, base+q); resp.StatusCode != http.StatusBadRequest {
				t.Errorf("%s: %s", q, resp.Status)
			}
		}
		if resp, _ := b.post(t, base+"/?code=evil&state="+state, "text/plain", ""); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("POST: %s", resp.Status)
		}
		for range 3 { // a browser may ask twice
			if resp, page := b.open(t, base+"/?code="+good+"&state="+state); resp.StatusCode != http.StatusOK || strings.Contains(page, good) {
				t.Errorf("the right one: %s", resp.Status)
			}
		}
	})
	if err != nil || login.Name != "ann@example.com" {
		t.Errorf("%+v %v", login, err)
	}
}

func TestLoginFlowSaysWhyItFailed(t *testing.T) {
	reply := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://evil.example/auth/token")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for what, c := range map[string]struct {
		server http.HandlerFunc
		kind   error
		says   string
	}{
		"refused with a problem":   {reply(401, `{"detail": "the code was used already"}`), ErrUnauthenticated, "the code was used already"},
		"refused with a page":      {reply(403, "<html>incipitcanary"), ErrUnauthenticated, "status 403"},
		"too many":                 {reply(429, "incipitcanary"), registry.ErrUnavailable, "status 429"},
		"redirected":               {reply(307, "incipitcanary"), registry.ErrUnavailable, "status 307"},
		"a page":                   {reply(200, "<html>incipitcanary"), registry.ErrUnavailable, "not that of an incipit server"},
		"a key that is none":       {reply(200, `{"key": "incipitcanary"}`), prompt.ErrInvalid, "no key of incipit"},
		"a key with a wrong check": {reply(200, `{"key": "`+keyText(Person, "abcdefghij23", canary)+`0"}`), prompt.ErrInvalid, "check"},
	} {
		server := httptest.NewServer(c.server)
		b := newBrowser(t, server)
		_, err := listening(t, t.Context(), server.URL, server.Client(), func(port int, state string) {
			b.open(t, "http://127.0.0.1:"+strconv.Itoa(port)+"/?code=incipitcanary-code&state="+state)
		})
		server.Close()
		if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", what, err)
			continue
		}
		assertSilent(t, what, err.Error(), "incipitcanary", canary[:8])
	}

	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	b := newBrowser(t, gone)
	_, err := listening(t, t.Context(), gone.URL, nil, func(port int, state string) {
		b.open(t, "http://127.0.0.1:"+strconv.Itoa(port)+"/?code=incipitcanary-code&state="+state)
	})
	if !errors.Is(err, registry.ErrUnavailable) || strings.Contains(err.Error(), "incipitcanary") {
		t.Errorf("nobody there: %v", err)
	}
}

func TestLoginFlowEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var port int
	_, err := listening(t, ctx, "https://incipit.example.com", nil, func(p int, _ string) { port = p; cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if resp, err := http.Get("http://127.0.0.1:" + strconv.Itoa(port)); err == nil { //nolint:noctx,bodyclose // it must not answer
		t.Errorf("it still listens: %s", resp.Status)
	}
	no := errors.New("there is no browser")
	if _, err := LoginFlow(t.Context(), LoginConfig{Server: "https://incipit.example.com", Random: rand.Reader, OpenBrowser: func(string) error { return no }}); !errors.Is(err, no) {
		t.Errorf("%v", err)
	}
	for _, server := range []string{"http://incipit.example.com", "", "incipit.example.com", "https://a:b@incipit.example.com"} {
		if _, err := LoginFlow(t.Context(), LoginConfig{Server: server, Random: rand.Reader}); !errors.Is(err, prompt.ErrInvalid) {
			t.Errorf("%q: %v", server, err)
		}
	}
}
