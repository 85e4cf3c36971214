package auth

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/registry"
)

// How long a revoked key lasts: MaxAge, until the next look at the store, then
// Recheck, until an open stream asks again, then a slow answer. It is at most
// the 5 s that are promised.
const (
	defaultMaxAge = 3 * time.Second

	// Recheck is how often a stream that stays open asks Verifier.Valid.
	Recheck = time.Second

	askTimeout = time.Second // after that, the store counts as not available
	askAgain   = time.Second // after a failure; meanwhile nobody waits for the store

	// Grace is how long a key that was good still opens while the store cannot
	// be asked: the restart of a database must not cut the streams. Who has no
	// store can revoke nothing either, and such a caller is only served what
	// this server has in memory. A key that expires meanwhile has expired.
	Grace = 5 * time.Minute

	// rereadAfter bounds the trust in Version: a key that somebody revoked with
	// SQL by hand, without counting, is seen after this.
	rereadAfter = time.Minute

	keptKeys = 10_000
)

// VerifierConfig is what a Verifier needs. Find and Now are required.
type VerifierConfig struct {
	// Find reads a key. It reports ErrNotFound for an unknown id, and
	// ErrUnavailable while the store cannot be asked.
	Find func(ctx context.Context, id string) (registry.Key, error)

	// Version is a cheap number that is another one after every change of a key
	// or of a person's grants, made in the same transaction. With it a busy
	// server asks for one number per MaxAge instead of for every key. Without
	// it, every key is read again after MaxAge.
	Version func(ctx context.Context) (int64, error)

	// Person is what a person is granted now; ErrNotFound means nothing. With
	// it, the grants of a session follow those of the person; without it, they
	// are the session's own.
	Person func(ctx context.Context, mail string) ([]registry.Grant, error)

	Now    func() time.Time
	MaxAge time.Duration // of what the store said, at least 1 ms; 3 s if 0
	Log    *slog.Logger  // why a key was refused: its id and its caller's address, never its secret. Nothing if nil
}

// A Verifier checks keys against the store, and remembers the answers for a
// moment. Methods may be called at once.
type Verifier struct {
	config   VerifierConfig
	keys     *recent[string, standing]
	failures limiter
	used     usage
	version  *counter
}

// A standing is a key as the store had it. It is never changed, only replaced.
type standing struct {
	key     registry.Key
	version int64     // read before the key was
	at      time.Time // before it was read
}

// NewVerifier makes a Verifier. It asks the store for nothing yet.
func NewVerifier(c VerifierConfig) *Verifier {
	c.MaxAge = cmp.Or(c.MaxAge, defaultMaxAge)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Verifier{config: c, keys: newRecent[string, standing](keptKeys), failures: newLimiter(), version: newCounter(c)}
}

// Authenticate says who sent a request: header is its Authorization, remote its
// address, source the door it came through, which is kept in the caller.
//
// Every key that does not open gives the same ErrUnauthenticated. An address
// that failed too often gets a TooManyError, except for keys that were good
// before: who shares an address with an attacker is not locked out. While the
// store cannot be asked, keys that were good stay so for Grace, all others get
// ErrUnavailable.
func (v *Verifier) Authenticate(ctx context.Context, header string, remote netip.Addr, source string) (registry.Caller, error) {
	if strings.TrimSpace(header) == "" {
		return registry.Caller{}, nobody()
	}
	now := v.config.Now()
	p, malformed := bearer(header)
	s, known := v.keys.get(p.id)
	known = known && malformed == nil && p.opens(s.key)
	if after := v.failures.wait(remote, now); after > 0 && !known {
		return registry.Caller{}, registry.WithFix(&TooManyError{after}, "check the key, then wait")
	}
	if malformed != nil {
		return registry.Caller{}, v.refuse(ctx, remote, now, "", "malformed")
	}
	s, err := v.look(ctx, p.id)
	switch {
	case errors.Is(err, registry.ErrNotFound):
		p.opens(registry.Key{Hash: make([]byte, len(p.hash))}) // take as long as for a wrong secret
		return registry.Caller{}, v.refuse(ctx, remote, now, p.id, "unknown")
	case err != nil:
		return registry.Caller{}, err
	case !p.opens(s.key):
		return registry.Caller{}, v.refuse(ctx, remote, now, p.id, "wrong secret")
	}
	if why := over(s.key, v.config.Now()); why != "" {
		return registry.Caller{}, v.refuse(ctx, remote, now, p.id, why)
	}
	v.used.note(s.key, now)
	return callerOf(s.key, source), nil
}

// Valid reports whether the caller's key is still good, and who they are now:
// their grants may have changed. An open stream asks every Recheck, ends with
// ErrUnauthenticated, and asks May again with the caller that it gets.
func (v *Verifier) Valid(ctx context.Context, c registry.Caller) (registry.Caller, error) {
	if c.Key == "" {
		return registry.Caller{}, unauthenticated()
	}
	s, err := v.look(ctx, c.Key)
	if errors.Is(err, registry.ErrNotFound) {
		return registry.Caller{}, unauthenticated()
	}
	if err != nil {
		return registry.Caller{}, err
	}
	if over(s.key, v.config.Now()) != "" {
		return registry.Caller{}, unauthenticated()
	}
	v.used.note(s.key, v.config.Now())
	now := callerOf(s.key, c.Source)
	now.Request = c.Request
	return now, nil
}

// look is the key as the store has it, no older than MaxAge, or than Grace
// while the store cannot be asked.
func (v *Verifier) look(ctx context.Context, id string) (standing, error) {
	s, have := v.keys.get(id)
	version, err := v.version.read(ctx)
	now := v.config.Now()
	if err == nil {
		if have && v.current(s, version, now) {
			return s, nil
		}
		s, err = v.find(ctx, id, version, now)
		if err == nil || !errors.Is(err, registry.ErrUnavailable) {
			return s, err
		}
		s, have = v.keys.get(id)
	}
	if errors.Is(err, registry.ErrUnavailable) && have && within(now, v.confirmed(s), Grace) {
		return s, nil
	}
	return standing{}, err
}

func (v *Verifier) current(s standing, version int64, now time.Time) bool {
	if v.config.Version == nil {
		return within(now, s.at, v.config.MaxAge)
	}
	return s.version == version && within(now, s.at, rereadAfter)
}

// confirmed is when the store last said what s says.
func (v *Verifier) confirmed(s standing) time.Time {
	if n, at := v.version.last(); n == s.version && at.After(s.at) {
		return at
	}
	return s.at
}

// find reads a key from the store and keeps it, if it is one to keep.
func (v *Verifier) find(ctx context.Context, id string, version int64, now time.Time) (standing, error) {
	key, err := ask(ctx, func(ctx context.Context) (registry.Key, error) {
		key, err := v.config.Find(ctx, id)
		if err != nil || key.Kind != Person || v.config.Person == nil {
			return key, err
		}
		key.Grants, err = v.config.Person(ctx, key.Name)
		if errors.Is(err, registry.ErrNotFound) {
			key.Grants, err = nil, nil
		}
		return key, err
	})
	if errors.Is(err, registry.ErrNotFound) {
		v.keys.drop(id)
	}
	if err != nil {
		return standing{}, err
	}
	s := standing{key, version, now}
	if over(key, now) != "" {
		v.keys.drop(id)
	} else {
		v.keys.put(id, s)
	}
	return s, nil
}

func (v *Verifier) refuse(ctx context.Context, remote netip.Addr, now time.Time, id, why string) error {
	v.failures.fail(remote, now)
	v.config.Log.WarnContext(ctx, "key refused", "why", why, "key", id, "remote", remote.String())
	return unauthenticated()
}

// over says why a key no longer opens, or nothing. A key revoked by a clock
// that is ahead of ours is revoked.
func over(k registry.Key, now time.Time) string {
	switch {
	case !k.RevokedAt.IsZero():
		return "revoked"
	case !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt):
		return "expired"
	}
	return ""
}

func callerOf(k registry.Key, source string) registry.Caller {
	return registry.Caller{Name: k.Name, Key: k.ID, Kind: k.Kind, Person: k.Person, Grants: k.Grants, Source: source}
}

// bearer reads the key in a header Authorization.
func bearer(header string) (parsed, error) {
	word, text, _ := strings.Cut(header, " ")
	if !strings.EqualFold(word, scheme) {
		return parsed{}, invalid("the header Authorization is not of the kind %s", scheme)
	}
	return parse(strings.Trim(text, " "))
}

// within reports whether at is less than d away from now. A clock that was set
// back makes everything old, not everything new.
func within(now, at time.Time, d time.Duration) bool {
	age := now.Sub(at)
	return age < d && age > -d
}
