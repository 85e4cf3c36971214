package uitest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	issuerClient = "incipit-client"
	issuerSecret = "of-the-client"
)

// An issuer is an OpenID provider with a page of its own, on which a person says
// who they are. It goes by localhost, which to a browser is another site than
// the server's 127.0.0.1: what holds between sites holds here.
type issuer struct {
	t    *testing.T
	url  string
	key  *rsa.PrivateKey
	stop func()

	mu    sync.Mutex
	way   way // guarded by mu, as all below
	codes map[string]asked
}

// A way is what an issuer, or whoever stands between, makes of a sign-in.
type way string

const (
	honest     way = ""
	denies     way = "denies"      // says that it will not
	forged     way = "forged"      // comes back with a state that nobody was given
	otherNonce way = "other nonce" // vouches for another sign-in
	unverified way = "unverified"  // does not vouch for the address
	noToken    way = "no token"    // takes no code
	broken     way = "broken"      // answers what is none
)

// An asked is what the server asked, and who said that they are it.
type asked struct{ nonce, challenge, mail string }

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{t: t, key: key, codes: make(map[string]asked)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		says(w, map[string]any{
			"issuer": i.url, "authorization_endpoint": i.url + "/authorize", "token_endpoint": i.url + "/token", "jwks_uri": i.url + "/keys",
			"id_token_signing_alg_values_supported": []string{"RS256"}, "response_types_supported": []string{"code"},
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		says(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Algorithm: "RS256", Use: "sig"}}})
	})
	mux.HandleFunc("GET /authorize", i.page)
	mux.HandleFunc("POST /allow", i.allow)
	mux.HandleFunc("POST /token", i.token)
	srv := httptest.NewServer(mux)
	i.stop = srv.Close
	t.Cleanup(srv.Close)
	i.url = strings.Replace(srv.URL, "127.0.0.1", "localhost", 1)
	return i
}

func says(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // who asks is gone, or reads it
}

// goes makes the issuer go another way.
func (i *issuer) goes(w way) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.way = w
}

// page asks who is there, and sends a form: what comes back of it is a redirect
// from another site.
func (i *issuer) page(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("client_id") != issuerClient || q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || q.Get("nonce") == "" || q.Get("state") == "" {
		http.Error(w, "not how one asks", http.StatusBadRequest)
		return
	}
	page := template.Must(template.New("").Parse(`<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>Issuer</title><main><h1>Who are you?</h1>
<form method="post" action="/allow"><input id="mail" name="mail">{{range $k, $v := .}}<input type="hidden" name="{{$k}}" value="{{index $v 0}}">{{end}}<button>Go on</button></form></main>`))
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = page.Execute(w, q)
}

func (i *issuer) allow(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	code, state := rand.Text(), r.FormValue("state")
	i.codes[code] = asked{r.FormValue("nonce"), r.FormValue("code_challenge"), r.FormValue("mail")}
	back := url.Values{"code": {code}, "state": {state}, "iss": {i.url}}
	switch i.way {
	case denies:
		back = url.Values{"error": {"access_denied<img src=x onerror=ran=1>"}, "state": {state}}
	case forged:
		back.Set("state", rand.Text())
	}
	http.Redirect(w, r, r.FormValue("redirect_uri")+"?"+back.Encode(), http.StatusFound)
}

func (i *issuer) token(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	id, secret, _ := r.BasicAuth()
	began, ok := i.codes[r.FormValue("code")]
	delete(i.codes, r.FormValue("code"))
	sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	if !ok || id != issuerClient || secret != issuerSecret || base64.RawURLEncoding.EncodeToString(sum[:]) != began.challenge || i.way == noToken {
		w.WriteHeader(http.StatusBadRequest)
		says(w, map[string]string{"error": "invalid_grant"})
		return
	}
	if i.way == broken {
		_, _ = io.WriteString(w, "<img src=x onerror=ran=1>") // to whoever reads it
		return
	}
	if i.way == otherNonce {
		began.nonce = rand.Text()
	}
	at := time.Now()
	claims := map[string]any{
		"iss": i.url, "aud": issuerClient, "sub": "4711<img src=x onerror=ran=1>", "nonce": began.nonce, "iat": at.Unix(), "exp": at.Add(time.Minute).Unix(),
		"email": began.mail, "email_verified": i.way != unverified, "name": "<img src=x onerror=ran=1>", "groups": []string{"<img src=x onerror=ran=1>"},
	}
	says(w, map[string]any{"access_token": "none of ours", "token_type": "Bearer", "id_token": i.sign(claims), "expires_in": 60})
}

func (i *issuer) sign(claims map[string]any) string {
	payload, err := json.Marshal(claims)
	if err != nil {
		panic(err) // what this test writes can be
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: i.key, KeyID: "k"}}, nil)
	if err != nil {
		panic(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		panic(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return text
}
