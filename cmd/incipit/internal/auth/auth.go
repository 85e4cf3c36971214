// Package auth decides who asks: it makes and checks API keys, signs people in
// by OpenID Connect, and keeps their sessions. What a caller may do is not
// decided here: that is registry.Caller.May, the one policy.
//
// A session is an API key of the kind person in a cookie, so there is one thing
// that can be revoked and one place that checks it, the Verifier. The package
// knows neither the store nor the router: both enter as small functions.
package auth

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// ErrUnauthenticated says that nobody known asks: no key, or one that is
// malformed, unknown, revoked or expired; which of them, only the log tells.
// It is a registry.ErrForbidden, and over HTTP a 401.
var ErrUnauthenticated = registry.Errorf(registry.ErrForbidden, "not signed in")

// ErrTooMany says that an address failed to sign in too often. It is a
// registry.ErrUnavailable, and over HTTP a 429; TooManyError has the delay.
var ErrTooMany = registry.Errorf(registry.ErrUnavailable, "too many failed attempts to sign in")

// A TooManyError is an ErrTooMany that knows when to try again.
type TooManyError struct {
	After time.Duration
}

func (e *TooManyError) Error() string {
	return ErrTooMany.Error() + ": try again in " + strconv.Itoa(e.RetryAfter()) + " s"
}

// Unwrap is ErrTooMany.
func (e *TooManyError) Unwrap() error { return ErrTooMany }

// RetryAfter is the delay in whole seconds, at least 1, as the header
// Retry-After wants it.
func (e *TooManyError) RetryAfter() int {
	return max(1, int((e.After+time.Second-1)/time.Second))
}

// Status is the HTTP status for err where this package has an opinion that the
// table of the server has not, and 0 otherwise.
func Status(err error) int {
	switch {
	case errors.Is(err, ErrUnauthenticated):
		return http.StatusUnauthorized
	case errors.Is(err, ErrTooMany):
		return http.StatusTooManyRequests
	}
	return 0
}

// unauthenticated is the one answer to every key that does not open.
func unauthenticated() error {
	return registry.WithFix(registry.Errorf(ErrUnauthenticated, "the key is not valid: it is unknown, revoked or expired"),
		"sign in again with incipit login, or ask an administrator for a new key")
}

// nobody is the answer to a request that brings no key.
func nobody() error {
	return registry.WithFix(registry.Errorf(ErrUnauthenticated, "this needs a key"),
		"send it as Authorization: Bearer incipit_…, or sign in with incipit login")
}

func invalid(format string, args ...any) error {
	return registry.Errorf(prompt.ErrInvalid, format, args...)
}
