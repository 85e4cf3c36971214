package auth

import (
	"context"
	"crypto/subtle"
	"errors"
	"log/slog"
	"net/http"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

const (
	rediscover = time.Hour       // an issuer may move its endpoints
	skew       = 2 * time.Minute // that the issuer's clock may be ahead
	maxMail    = 254             // RFC 5321
	maxName    = 100             // characters
)

// An issuer is the OpenID provider that people sign in at. It is discovered when
// somebody first signs in, and again until it answers, so that a server starts
// and serves while its issuer is down.
type issuer struct {
	url      string
	clientID string
	secret   Secret
	redirect string
	client   *http.Client
	now      func() time.Time
	log      *slog.Logger

	mu       sync.Mutex
	found    *oidc.Provider
	at       time.Time
	failed   error
	failedAt time.Time
}

// identity is who the issuer says signed in.
type identity struct {
	Mail, Name string
}

// authURL is where the browser goes.
func (i *issuer) authURL(ctx context.Context, state, nonce, verifier string) (string, error) {
	p, err := i.provider(ctx)
	if err != nil {
		return "", err
	}
	return i.oauth(p).AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)), nil
}

// identify exchanges the code that the browser brought back, and believes the
// answer if all of it fits. Why it does not is for the log.
func (i *issuer) identify(ctx context.Context, code, nonce, verifier string) (identity, error) {
	p, err := i.provider(ctx)
	if err != nil {
		return identity{}, err
	}
	ctx = oidc.ClientContext(ctx, i.client)
	token, err := i.oauth(p).Exchange(ctx, code, oauth2.VerifierOption(verifier))
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(err, &refused):
		i.log.WarnContext(ctx, "the issuer refused a sign-in", "error", prompt.Clip(refused.ErrorCode, 60))
		return identity{}, again("the issuer did not accept the code of this sign-in")
	case err != nil:
		return identity{}, i.unreachable(ctx, err)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := p.Verifier(&oidc.Config{ClientID: i.clientID, Now: i.now}).Verify(ctx, raw)
	if err == nil {
		var who identity
		if who, err = i.believe(id, nonce); err == nil {
			return who, nil
		}
	}
	i.log.WarnContext(ctx, "an identity token is not to be believed", "why", prompt.Clip(err.Error(), 300))
	if errors.Is(err, errUnverified) {
		return identity{}, registry.WithFix(registry.Errorf(registry.ErrForbidden, "the issuer does not vouch for your mail address"), "verify the address there, then sign in again")
	}
	return identity{}, again("what the issuer said of you cannot be relied on")
}

var errUnverified = errors.New("the mail address is not verified")

// believe checks what the library leaves to us.
func (i *issuer) believe(id *oidc.IDToken, nonce string) (identity, error) {
	var claims struct {
		Mail     string  `json:"email"`
		Verified any     `json:"email_verified"` // some issuers write it as text
		Name     string  `json:"name"`
		Party    string  `json:"azp"`
		Before   float64 `json:"nbf"`
	}
	if err := id.Claims(&claims); err != nil {
		return identity{}, errors.New("its claims cannot be read")
	}
	latest := i.now().Add(skew)
	switch {
	case subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(nonce)) != 1:
		return identity{}, errors.New("its nonce is of another sign-in")
	case claims.Party != "" && claims.Party != i.clientID, claims.Party == "" && len(id.Audience) > 1:
		return identity{}, errors.New("it was issued to another client")
	case id.IssuedAt.After(latest), time.Unix(int64(claims.Before), 0).After(latest):
		return identity{}, errors.New("it is of the future")
	case claims.Verified != true && claims.Verified != "true":
		return identity{}, errUnverified
	}
	address, ok := mailAddress(claims.Mail)
	if !ok {
		return identity{}, errors.New("it has no mail address that could be used")
	}
	return identity{address, prompt.Clip(claims.Name, maxName)}, nil
}

// mailAddress is s in lower case, if it is a plain address in ASCII: other
// letters have look-alikes, and some become ASCII in lower case.
func mailAddress(s string) (string, bool) {
	if len(s) > maxMail || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", false
	}
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || a.Name != "" {
		return "", false
	}
	return strings.ToLower(s), true
}

// provider is the issuer's description, read now if it is not known. Requests
// that come meanwhile wait for the one that reads, at most outboundTimeout, and
// share what it comes to.
func (i *issuer) provider(ctx context.Context) (*oidc.Provider, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.found != nil && within(i.now(), i.at, rediscover) {
		return i.found, nil
	}
	if i.failed != nil && within(i.now(), i.failedAt, askAgain) {
		return nil, i.failed
	}
	// a browser that goes away must not spoil it for those who wait
	p, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), i.client), i.url)
	if err == nil {
		err = i.usable(p)
	}
	switch {
	case err == nil:
		i.found, i.at, i.failed = p, i.now(), nil
	case i.found == nil:
		i.failed, i.failedAt = i.unreachable(ctx, err), i.now()
		return nil, i.failed
	default:
		i.at = i.now() // an issuer that was known stays so while it is down
	}
	return i.found, nil
}

// usable reports addresses that nobody's browser or secret should go to.
func (i *issuer) usable(p *oidc.Provider) error {
	own, err := url.Parse(i.url)
	if err != nil {
		return err
	}
	for _, s := range []string{p.Endpoint().AuthURL, p.Endpoint().TokenURL} {
		if u, err := url.Parse(s); err != nil || !secure(u, own.Scheme == "http") {
			return errors.New("the issuer names an endpoint that is no https address")
		}
	}
	return nil
}

func (i *issuer) oauth(p *oidc.Provider) *oauth2.Config {
	var says struct {
		Methods []string `json:"token_endpoint_auth_methods_supported"`
	}
	endpoint := p.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInHeader // which is what an issuer that does not say wants
	if err := p.Claims(&says); err == nil && len(says.Methods) > 0 && !slices.Contains(says.Methods, "client_secret_basic") || i.secret.Empty() {
		endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{
		ClientID:     i.clientID,
		ClientSecret: i.secret.Reveal(),
		Endpoint:     endpoint,
		RedirectURL:  i.redirect,
		Scopes:       []string{oidc.ScopeOpenID, oidc.ScopeEmail, oidc.ScopeProfile},
	}
}

func (i *issuer) unreachable(ctx context.Context, err error) error {
	i.log.WarnContext(ctx, "the issuer cannot be used", "issuer", i.url, "why", prompt.Clip(err.Error(), 300))
	return registry.WithFix(registry.Errorf(registry.ErrUnavailable, "the issuer that people sign in at cannot be reached"), "try again in a moment, or sign in with a key")
}

// again is an ErrUnauthenticated after which a person can only start over.
func again(format string, args ...any) error {
	return registry.WithFix(registry.Errorf(ErrUnauthenticated, format, args...), "sign in again")
}
