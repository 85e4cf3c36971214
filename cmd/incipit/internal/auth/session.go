package auth

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/registry"
)

// SessionAge is how long a person stays signed in.
const SessionAge = 12 * time.Hour

// The cookies. Where people come by https their names begin with __Host-, so
// that no other host of the domain can set them.
const (
	sessionCookie = "incipit"
	signInCookie  = "incipit-signin"
)

// What the session cookie says of its key: minted for the session, which ends
// with it, or brought by a person, who keeps it.
const (
	minted  = "s."
	brought = "k."
)

// A proof is how somebody showed who they are.
type proof struct {
	way way
	who identity // by the issuer
	key Secret   // by a key, which the Verifier has accepted
}

// A way is a road to a session. Each new one passes establishSession.
type way int

const (
	byIssuer way = iota + 1 // in a browser
	byCLI                   // at the issuer too, for the command line
	byKey                   // a key typed into the browser
)

// A session is what came of a proof.
type session struct {
	key   Secret
	until time.Time
}

// establishSession makes a session of a proof. It is the only way to one: a
// rule about who may sign in, and how, stands here and nowhere else. The
// session of the command line is handed over, that of a browser is a cookie.
func (s *SignIn) establishSession(ctx context.Context, w http.ResponseWriter, p proof) (session, error) {
	made, mark := session{key: p.key, until: s.config.Now().Add(SessionAge)}, brought
	switch p.way {
	case byKey:
		if s.config.OnlyIssuer {
			return session{}, registry.WithFix(registry.Errorf(registry.ErrForbidden, "people sign in at the issuer here, not with a key"), "open /auth/login")
		}
	case byIssuer, byCLI:
		key, until, err := s.config.NewSession(ctx, p.who.Mail, p.who.Name)
		if err != nil {
			return session{}, err
		}
		made.key, mark = key, minted
		if until.Before(made.until) {
			made.until = until
		}
	default:
		return session{}, unauthenticated()
	}
	if p.way != byCLI {
		s.setCookie(w, sessionCookie, mark+made.key.Reveal(), http.SameSiteStrictMode, made.until.Sub(s.config.Now()))
	}
	return made, nil
}

// Credential is what Verifier.Authenticate wants of a request: its header
// Authorization, else the key in its session cookie, which it then tells.
// Whoever sets a cookie did not send the request by hand: such a request may
// change something only if it is of the same origin.
func (s *SignIn) Credential(r *http.Request) (header string, cookie bool) {
	if h := r.Header.Get("Authorization"); h != "" {
		return h, false
	}
	key, _, ok := s.sessionOf(r)
	if !ok {
		return "", false
	}
	return scheme + " " + key, true
}

func (s *SignIn) sessionOf(r *http.Request) (key string, own, ok bool) {
	c, err := r.Cookie(s.cookieName(sessionCookie))
	if err != nil {
		return "", false, false
	}
	if key, own = strings.CutPrefix(c.Value, minted); own {
		// somebody can write this cookie by hand, around establishSession
		return key, true, !s.config.OnlyIssuer || strings.HasPrefix(key, prefix+Person+"_")
	}
	key, ok = strings.CutPrefix(c.Value, brought)
	return key, false, ok && !s.config.OnlyIssuer
}

// endSession makes the browser forget, and says whose session it was.
func (s *SignIn) endSession(w http.ResponseWriter, r *http.Request) (key string, own bool) {
	key, own, _ = s.sessionOf(r)
	s.setCookie(w, sessionCookie, "", http.SameSiteStrictMode, 0)
	return key, own
}

// setCookie sets a cookie that no script can read and that goes to this host
// alone; with no age it removes it.
func (s *SignIn) setCookie(w http.ResponseWriter, name, value string, site http.SameSite, age time.Duration) {
	seconds := int(age / time.Second)
	if seconds <= 0 {
		seconds = -1
	}
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // not Secure where there is no TLS: http on the loopback
		Name: s.cookieName(name), Value: value, Path: "/", MaxAge: seconds,
		Secure: !s.plain, HttpOnly: true, SameSite: site,
	})
}

func (s *SignIn) cookieName(name string) string {
	if s.plain {
		return name
	}
	return "__Host-" + name
}
