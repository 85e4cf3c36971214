package lifecycle

import (
	"context"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/auth"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// NewSession makes a key for somebody who signed in. It opens what the person
// is granted at the time it is used, and not what they were at the time it was
// made.
func (s *Shared) NewSession(ctx context.Context, mail, _ string) (auth.Secret, time.Time, error) {
	mail = strings.ToLower(mail)
	if err := checkName(mail); err != nil {
		return auth.Secret{}, time.Time{}, err
	}
	secret, key, err := auth.New(auth.Person, s.config.Random)
	if err != nil {
		return auth.Secret{}, time.Time{}, err
	}
	key.Name, key.Person = mail, true
	key.CreatedAt, key.CreatedBy = s.config.Now().UTC(), mail
	key.ExpiresAt = key.CreatedAt.Add(auth.SessionAge)
	e := event(registry.WithCaller(ctx, registry.Caller{Name: mail, Key: key.ID, Source: "ui"}), "sign-in")
	return secret, key.ExpiresAt, s.db.AddKey(ctx, key, e)
}

// EndSession revokes the key of a session. A key that an administrator made is
// not the caller's to revoke.
func (s *Shared) EndSession(ctx context.Context, c registry.Caller) error {
	if c.Kind != auth.Person {
		return registry.WithFix(registry.Errorf(registry.ErrNotFound, "%s has no session to end", prompt.Clip(c.Name, 80)), "an administrator ends a key with incipit admin key revoke")
	}
	return s.RevokeKey(registry.WithCaller(ctx, c), c.Key)
}

// FindKey reads a key.
func (s *Shared) FindKey(ctx context.Context, id string) (registry.Key, error) {
	return s.db.Key(ctx, id)
}

// GrantsOf are what a person may do. It reports ErrNotFound for somebody of
// whom nothing was said.
func (s *Shared) GrantsOf(ctx context.Context, mail string) ([]registry.Grant, error) {
	p, err := s.db.Person(ctx, strings.ToLower(mail))
	if err == nil && !p.RevokedAt.IsZero() {
		return nil, registry.Errorf(registry.ErrNotFound, "%s may no longer sign in", p.Mail)
	}
	return p.Grants, err
}
