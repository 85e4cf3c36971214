package auth

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// Where the handlers of a SignIn belong in the map of routes.
const (
	LoginPath    = "/auth/login"    // GET
	CallbackPath = "/auth/callback" // GET, registered at the issuer
	TokenPath    = "/auth/token"    //nolint:gosec // a path: POST, JSON
	KeyPath      = "/auth/key"      // POST, JSON or a form
	LogoutPath   = "/auth/logout"   // POST
)

const (
	signInAge = 10 * time.Minute // that a person may take at the issuer
	codeAge   = time.Minute      // of the command line's code
	maxReturn = 2000             // bytes
	maxBody   = 8 << 10          // bytes
)

// SignInConfig says how people sign in. URL, Verifier, Now and Random are
// required; the issuer's part only where there is one, then NewSession as well.
type SignInConfig struct {
	// URL is where people reach the server: https://prompts.example.com. Plain
	// http is taken on the loopback alone, and its cookies are not Secure.
	URL string

	Issuer       string // an https URL, exactly as the issuer writes it; "": only keys
	ClientID     string
	ClientSecret Secret       // none for a public client
	HTTPClient   *http.Client // asks the issuer; with nil, one that never dials the machine itself or its cloud's metadata
	OnlyIssuer   bool         // nobody signs in to the UI with a key

	// SealKey, 32 bytes or more, is the same on every replica, so that a sign-in
	// can begin at one and end at another. With none, one is made up, and a
	// restart ends the sign-ins under way.
	SealKey Secret

	Verifier *Verifier
	Now      func() time.Time
	Random   io.Reader    // crypto/rand.Reader
	Log      *slog.Logger // nothing if nil

	// NewSession makes a key of kind Person for the mail address, good for
	// SessionAge at most.
	NewSession func(ctx context.Context, mail, name string) (Secret, time.Time, error)
	// Person is what a person is granted. ErrNotFound means nothing: they are
	// signed in, and told so. May be nil.
	Person func(ctx context.Context, mail string) ([]registry.Grant, error)
	// EndSession revokes the key of a session that NewSession made. Without it,
	// Logout only makes the browser forget.
	EndSession func(ctx context.Context, c registry.Caller) error

	// Fail answers a request with an error. Plain text if nil.
	Fail func(w http.ResponseWriter, r *http.Request, err error)
	// Arrive answers whoever comes back from the issuer. A plain page if nil.
	Arrive func(w http.ResponseWriter, r *http.Request, a Arrival)
	// Remote is the address of who asks, for whoever sits behind a proxy. The
	// connection's if nil.
	Remote func(*http.Request) netip.Addr
}

// A SignIn has the handlers by which people sign in and out. Against forged
// requests of other origins it relies on the server's
// http.CrossOriginProtection.
type SignIn struct {
	config   SignInConfig
	plain    bool    // http on the loopback: no Secure cookies
	issuer   *issuer // nil: only keys
	sealer   sealer
	redeemed *recent[[sha256.Size]byte, struct{}] // codes of the command line, on this replica
}

// NewSignIn makes a SignIn. It asks the issuer for nothing yet.
func NewSignIn(c SignInConfig) (*SignIn, error) {
	base, err := ownURL(c.URL)
	if err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Fail, c.Arrive = orFail(c.Fail), orArrive(c.Arrive)
	if c.Remote == nil {
		c.Remote = remote
	}
	s := &SignIn{config: c, plain: base.Scheme == "http", redeemed: newRecent[[sha256.Size]byte, struct{}](10_000)}
	if s.sealer, err = newSealer(c.SealKey, c.Random, c.Now); err != nil || c.Issuer == "" {
		return s, err
	}
	at, err := url.Parse(c.Issuer)
	if err != nil || !secure(at, true) || at.RawQuery != "" || at.Fragment != "" || c.ClientID == "" || c.NewSession == nil {
		return nil, registry.WithFix(invalid("the issuer that people sign in at needs an https URL and a client id"), "set both as the issuer shows them")
	}
	s.issuer = &issuer{
		url: c.Issuer, clientID: c.ClientID, secret: c.ClientSecret, redirect: base.String() + CallbackPath,
		client: outbound(c.HTTPClient, at), now: c.Now, log: c.Log,
	}
	return s, nil
}

// ownURL reads the address of a server, without a slash at its end.
func ownURL(text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSuffix(text, "/"))
	if err != nil || !secure(u, true) || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, registry.WithFix(invalid("the server's address is not one to sign in at"),
			"write it as https://host, or http://127.0.0.1:port on this machine")
	}
	return u, nil
}

// TakesKeys reports whether people may sign in with a key; a nil SignIn signs
// nobody in.
func (s *SignIn) TakesKeys() bool { return s != nil && !s.config.OnlyIssuer }

// HasIssuer reports whether there is an issuer to sign in at.
func (s *SignIn) HasIssuer() bool { return s != nil && s.issuer != nil }

// started is what a browser carries from Login to Callback, sealed.
type started struct {
	State, Nonce, Verifier string
	Return                 string // a local path
	Port                   int    // of the command line's listener; 0: a browser signs in
	Challenge              string // of the command line
}

// Login sends a browser to the issuer. return is the local path to come back
// to; cli and challenge are the command line's port and S256 challenge.
func (s *SignIn) Login(w http.ResponseWriter, r *http.Request) {
	private(w)
	if s.issuer == nil {
		s.config.Fail(w, r, registry.WithFix(registry.Errorf(registry.ErrNotFound, "this server has no issuer to sign in at"), "sign in with a key"))
		return
	}
	st, err := readStart(r.URL.Query())
	if err != nil {
		s.config.Fail(w, r, err)
		return
	}
	for _, into := range []*string{&st.State, &st.Nonce, &st.Verifier} {
		if *into, err = randomText(s.config.Random); err != nil {
			s.config.Fail(w, r, err)
			return
		}
	}
	to, err := s.issuer.authURL(r.Context(), st.State, st.Nonce, st.Verifier)
	if err != nil {
		s.config.Fail(w, r, err)
		return
	}
	sealed, err := s.sealer.seal(forSignIn, st, signInAge)
	if err != nil {
		s.config.Fail(w, r, err)
		return
	}
	s.setCookie(w, signInCookie, sealed, http.SameSiteLaxMode, signInAge)
	http.Redirect(w, r, to, http.StatusFound)
}

func readStart(q url.Values) (started, error) {
	if !q.Has("cli") {
		to, ok := localPath(cmp.Or(q.Get("return"), "/"))
		if !ok {
			return started{}, registry.WithFix(invalid("the place to return to is not on this server"), "use a path that begins with one slash")
		}
		return started{Return: to}, nil
	}
	port, err := strconv.ParseUint(q.Get("cli"), 10, 16)
	raw, bad := base64.RawURLEncoding.Strict().DecodeString(q.Get("challenge"))
	if err != nil || port < 1024 || bad != nil || len(raw) != sha256.Size || q.Has("return") {
		return started{}, registry.WithFix(invalid("this is not how the command line asks to sign in"), "run incipit login")
	}
	return started{Port: int(port), Challenge: q.Get("challenge")}, nil
}

// Callback is where the issuer sends the browser back to.
func (s *SignIn) Callback(w http.ResponseWriter, r *http.Request) {
	private(w)
	st, who, err := s.comeBack(w, r)
	if err != nil {
		s.config.Fail(w, returning(r, st.Return), err)
		return
	}
	if st.Port != 0 {
		s.handOver(w, r, st, who)
		return
	}
	if _, err := s.establishSession(r.Context(), w, proof{way: byIssuer, who: who}); err != nil {
		s.config.Fail(w, returning(r, st.Return), err)
		return
	}
	s.config.Arrive(w, r, Arrival{To: st.Return, Mail: who.Mail, Nothing: s.nothingGranted(r.Context(), who.Mail)})
}

// returning is r for Fail: of what the issuer sent it holds nothing, and as
// return, as at LoginPath, where this browser wanted to go.
func returning(r *http.Request, to string) *http.Request {
	out, at := *r, *r.URL
	at.RawQuery = ""
	if to != "" {
		at.RawQuery = url.Values{"return": {to}}.Encode()
	}
	out.URL = &at
	return &out
}

// comeBack checks that this browser began this sign-in, once, and asks the
// issuer who it was. What was begun it tells with an error, too.
func (s *SignIn) comeBack(w http.ResponseWriter, r *http.Request) (started, identity, error) {
	strange := again("this sign-in did not begin in this browser, or took more than %d minutes", int(signInAge.Minutes()))
	c, err := r.Cookie(s.cookieName(signInCookie))
	if err != nil || s.issuer == nil {
		return started{}, identity{}, strange
	}
	s.setCookie(w, signInCookie, "", http.SameSiteLaxMode, 0)
	var st started
	q := r.URL.Query()
	if !s.sealer.open(forSignIn, c.Value, &st) || subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(st.State)) != 1 {
		return started{}, identity{}, strange
	}
	if q.Has("error") {
		return st, identity{}, again("the issuer says: %s", prompt.Clip(q.Get("error"), 60))
	}
	if iss := q.Get("iss"); iss != "" && iss != s.config.Issuer { // RFC 9207
		return st, identity{}, again("another issuer answered")
	}
	who, err := s.issuer.identify(r.Context(), q.Get("code"), st.Nonce, st.Verifier)
	return st, who, err
}

func (s *SignIn) nothingGranted(ctx context.Context, mail string) bool {
	if s.config.Person == nil {
		return false
	}
	grants, err := s.config.Person(ctx, mail)
	return len(grants) == 0 && (err == nil || isNotFound(err))
}

// localPath is s if a browser takes it for a path on this server: neither
// //host, which names another, nor /\host, which browsers read the same way,
// nor anything with a scheme.
func localPath(s string) (string, bool) {
	u, err := url.Parse(s)
	switch {
	case err != nil, len(s) > maxReturn, !strings.HasPrefix(s, "/"),
		strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '\\' }),
		u.Scheme != "", u.Host != "", u.User != nil, strings.Contains(u.Path, "//"), strings.Contains(u.Path, "\\"),
		strings.HasPrefix(u.Path, "/auth/"):
		return "", false
	}
	return s, true
}

// randomText is 32 random bytes that fit into a URL.
func randomText(random io.Reader) (string, error) {
	b := make([]byte, 32)
	if _, err := io.ReadFull(random, b); err != nil {
		return "", fmt.Errorf("signing in: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}

func remote(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr()
}
