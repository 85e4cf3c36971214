package auth

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"go.uber.org/goleak"

	"github.com/incipit-dev/incipit/internal/registry"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

const (
	clientID     = "incipit-client"
	clientSecret = "incipitcanary-client-secret"
)

// issuerKey is one for all tests: making it takes a tenth of a second.
var issuerKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// A fakeIssuer is an OpenID provider at which everybody is signed in already.
// Its fields are what a hostile or careless one would do differently.
type fakeIssuer struct {
	*httptest.Server
	key *rsa.PrivateKey

	mu       sync.Mutex
	claims   map[string]any // over the right ones
	alg      jose.SignatureAlgorithm
	signer   any // instead of key
	sign     func(payload []byte) string
	discover func(doc map[string]any)
	status   int      // of the discovery, instead of 200
	methods  []string // of a client to authenticate; in the header if nil
	token    func(w http.ResponseWriter) bool
	codes    map[string]url.Values
	issued   []string // identity tokens and codes, which nobody may see
	found    int
	now      func() time.Time
}

func newFakeIssuer(t *testing.T, now func() time.Time) *fakeIssuer {
	t.Helper()
	key, err := issuerKey()
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeIssuer{key: key, alg: jose.RS256, codes: map[string]url.Values{}, now: now}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", f.discovery)
	mux.HandleFunc("GET /jwks", f.jwks)
	mux.HandleFunc("GET /authorize", f.authorize)
	mux.HandleFunc("POST /token", f.exchange)
	f.Server = httptest.NewTLSServer(mux)
	t.Cleanup(f.Close)
	return f
}

func (f *fakeIssuer) discovery(w http.ResponseWriter, _ *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.found++
	if f.status != 0 {
		http.Error(w, "incipitcanary-body of an error", f.status)
		return
	}
	doc := map[string]any{
		"issuer": f.URL, "authorization_endpoint": f.URL + "/authorize", "token_endpoint": f.URL + "/token", "jwks_uri": f.URL + "/jwks",
		"id_token_signing_alg_values_supported": []string{"RS256", "none", "HS256"}, "response_types_supported": []string{"code"},
	}
	if f.discover != nil {
		f.discover(doc)
	}
	answer(w, doc)
}

func (f *fakeIssuer) jwks(w http.ResponseWriter, _ *http.Request) {
	answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: f.key.Public(), KeyID: "k1", Algorithm: "RS256", Use: "sig"}}})
}

func (f *fakeIssuer) authorize(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	q := r.URL.Query()
	if q.Get("client_id") != clientID || q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || q.Get("nonce") == "" || q.Get("state") == "" {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	code := "incipitcanary-code-" + rand.Text()
	f.codes[code], f.issued = q, append(f.issued, code)
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {f.URL}}.Encode(), http.StatusFound)
}

func (f *fakeIssuer) exchange(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.token != nil && f.token(w) {
		return
	}
	id, secret, basic := r.BasicAuth()
	if !basic && slices.Contains(f.methods, "client_secret_post") {
		id, secret = r.FormValue("client_id"), r.FormValue("client_secret")
	}
	if slices.Contains(f.methods, "none") && r.FormValue("client_secret") == "" {
		id, secret = r.FormValue("client_id"), clientSecret
	}
	began, ok := f.codes[r.FormValue("code")]
	delete(f.codes, r.FormValue("code")) // a code is good once
	sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	if !ok || id != clientID || secret != clientSecret || r.FormValue("redirect_uri") != began.Get("redirect_uri") ||
		base64.RawURLEncoding.EncodeToString(sum[:]) != began.Get("code_challenge") {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": "invalid_grant", "error_description": "incipitcanary-description " + secret})
		return
	}
	token := f.identityToken(began.Get("nonce"))
	f.issued = append(f.issued, token)
	answer(w, map[string]any{"access_token": "incipitcanary-access", "token_type": "Bearer", "id_token": token, "expires_in": 300})
}

func (f *fakeIssuer) identityToken(nonce string) string {
	claims := map[string]any{
		"iss": f.URL, "aud": clientID, "sub": "4711", "nonce": nonce, "exp": f.now().Add(time.Minute).Unix(), "iat": f.now().Unix(),
		"email": "Ann@Example.com", "email_verified": true, "name": "Ann",
	}
	maps.Copy(claims, f.claims)
	for k, v := range claims {
		if v == nil {
			delete(claims, k)
		}
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	if f.sign != nil {
		return f.sign(payload)
	}
	var key any = f.key
	if f.signer != nil {
		key = f.signer
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: f.alg, Key: jose.JSONWebKey{Key: key, KeyID: "k1"}}, nil)
	if err != nil {
		panic(err)
	}
	jws, err := s.Sign(payload)
	if err != nil {
		panic(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return text
}

func (f *fakeIssuer) with(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// A site is a server with a SignIn, an issuer, a store, and a clock.
type site struct {
	*SignIn
	issuer *fakeIssuer
	store  *fakeStore
	server *httptest.Server
	log    *lockedLog
	secret []string // keys of sessions

	mu    sync.Mutex
	clock time.Time
}

func (s *site) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clock
}

func (s *site) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock = s.clock.Add(d)
}

type lockedLog struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newSite(t *testing.T, more func(*SignInConfig)) *site {
	t.Helper()
	s := &site{store: newFakeStore(), log: &lockedLog{}, clock: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)}
	s.issuer = newFakeIssuer(t, s.now)
	s.store.people["ann@example.com"] = mayRead()
	s.server = s.serve(t)
	s.SignIn = s.signIn(t, s.server.URL, more)
	return s
}

// serve starts a server whose handlers are those of s.SignIn.
func (s *site) serve(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+LoginPath, func(w http.ResponseWriter, r *http.Request) { s.Login(w, r) })
	mux.HandleFunc("GET "+CallbackPath, func(w http.ResponseWriter, r *http.Request) { s.Callback(w, r) })
	mux.HandleFunc("POST "+TokenPath, func(w http.ResponseWriter, r *http.Request) { s.Token(w, r) })
	mux.HandleFunc("POST "+KeyPath, func(w http.ResponseWriter, r *http.Request) { s.Key(w, r) })
	mux.HandleFunc(LogoutPath, func(w http.ResponseWriter, r *http.Request) { s.Logout(w, r) })
	srv := httptest.NewTLSServer(mux)
	t.Cleanup(srv.Close)
	return srv
}

func (s *site) signIn(t *testing.T, at string, more func(*SignInConfig)) *SignIn {
	t.Helper()
	log := slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c := SignInConfig{
		URL: at, Issuer: s.issuer.URL, ClientID: clientID, ClientSecret: Conceal(clientSecret),
		HTTPClient: s.issuer.Client(), Now: s.now, Random: rand.Reader, Log: log,
		SealKey:    Conceal(strings.Repeat("incipitcanary-seal-", 2)),
		Verifier:   s.store.verifier(func(c *VerifierConfig) { c.Now, c.Log = s.now, log }),
		NewSession: s.newSession, Person: s.store.Person,
		EndSession: func(_ context.Context, c registry.Caller) error { s.store.revoke(c.Key, s.now()); return nil },
	}
	if more != nil {
		more(&c)
	}
	made, err := NewSignIn(c)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func (s *site) newSession(_ context.Context, mail, _ string) (Secret, time.Time, error) {
	secret, key, err := New(Person, rand.Reader)
	if err != nil {
		return Secret{}, time.Time{}, err
	}
	key.Name, key.ExpiresAt = mail, s.now().Add(SessionAge)
	s.store.change(func() { s.store.keys[key.ID] = key })
	s.secret = append(s.secret, strings.Split(secret.Reveal(), "_")[3])
	return secret, key.ExpiresAt, nil
}

// sessions is how many keys of persons there are.
func (s *site) sessions() (n int) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	for _, k := range s.store.keys {
		if k.Kind == Person {
			n++
		}
	}
	return n
}

// caller is who a request with the browser's cookies would be.
func (s *site) caller(t *testing.T, b *browser) (registry.Caller, error) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, s.server.URL, http.NoBody)
	for _, c := range b.Jar.Cookies(mustURL(t, s.server.URL)) {
		r.AddCookie(c)
	}
	header, _ := s.Credential(r)
	return s.config.Verifier.Authenticate(t.Context(), header, netip.MustParseAddr("192.0.2.1"), "ui")
}

// assertNothingLeaked looks for secrets in the log and in what browsers saw.
func (s *site) assertNothingLeaked(t *testing.T, shown string) {
	t.Helper()
	secrets := append([]string{clientSecret, "incipitcanary-"}, s.secret...)
	s.issuer.with(func() {
		secrets = append(secrets, slices.DeleteFunc(s.issuer.issued, func(s string) bool { return s == "" })...)
	})
	assertSilent(t, "the log", s.log.String(), secrets...)
	assertSilent(t, "the page", shown, secrets...)
}

// A browser keeps cookies, trusts the tests' certificates, and remembers where
// it was sent.
type browser struct {
	*http.Client
	trail []*url.URL
	stop  func(*url.URL) bool // before it goes there
}

func newBrowser(t *testing.T, servers ...*httptest.Server) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: x509.NewCertPool()}}
	for _, s := range servers {
		if s.Certificate() != nil {
			transport.TLSClientConfig.RootCAs.AddCert(s.Certificate())
		}
	}
	b.Client = &http.Client{Jar: jar, Transport: transport, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		b.trail = append(b.trail, r.URL)
		if b.stop != nil && b.stop(r.URL) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return b
}

func (s *site) browser(t *testing.T) *browser {
	t.Helper()
	return newBrowser(t, s.server, s.issuer.Server)
}

// open gets a page.
func (b *browser) open(t *testing.T, at string) (reply, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	return b.do(t, r)
}

func (b *browser) post(t *testing.T, at, kind, body string) (reply, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	return b.do(t, r)
}

// A reply is an answer that was read to its end.
type reply struct {
	Status     string
	StatusCode int
	Header     http.Header
	cookies    []*http.Cookie
}

func (r reply) Cookies() []*http.Cookie { return r.cookies }

func (b *browser) do(t *testing.T, r *http.Request) (reply, string) {
	t.Helper()
	resp, err := b.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.Status, resp.StatusCode, resp.Header, resp.Cookies()}, string(body)
}

func mustURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
