package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

const personColumns = `mail, name, grants, created_us, created_by, revoked_us, seal`

// SetPerson adds a person, or changes the name and the grants of one, who may
// sign in again if that was revoked.
func (s *Store) SetPerson(ctx context.Context, p registry.Person, event registry.Event) error {
	p.Mail = strings.ToLower(strings.TrimSpace(p.Mail))
	if name, host, ok := strings.Cut(p.Mail, "@"); !ok || name == "" || host == "" {
		return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%q is no mail address", prompt.Clip(p.Mail, 80)), "write the address that the person signs in with")
	}
	grants, err := encodeGrants(p.Grants)
	if err != nil {
		return err
	}
	if p.CreatedAt.IsZero() {
		p.CreatedAt = s.now()
	}
	if err := storable(p.Mail, p.Name, p.CreatedBy); err != nil {
		return err
	}
	return s.writeKeys(ctx, event, func(tx *tx) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO person (`+personColumns+`) VALUES ($1, $2, $3, $4, $5, 0, $6)
			ON CONFLICT (mail) DO UPDATE SET name = excluded.name, grants = excluded.grants, revoked_us = 0, seal = excluded.seal`,
			p.Mail, p.Name, grants, toMicros(p.CreatedAt), p.CreatedBy, seal(p.Mail, p.Name, grants))
		return err
	})
}

// RevokePerson keeps a person from signing in, and ends what they are signed in
// to. It reports ErrNotFound for one who is unknown.
func (s *Store) RevokePerson(ctx context.Context, mail string, event registry.Event) error {
	mail = strings.ToLower(strings.TrimSpace(mail))
	return s.writeKeys(ctx, event, func(tx *tx) error {
		res, err := tx.ExecContext(ctx, `
			UPDATE person SET revoked_us = CASE WHEN revoked_us = 0 THEN $1 ELSE revoked_us END WHERE mail = $2`, toMicros(s.now()), mail)
		return one(res, err, unknownPerson(mail))
	})
}

// Person finds a person, also one who was revoked.
func (s *Store) Person(ctx context.Context, mail string) (registry.Person, error) {
	mail = strings.ToLower(strings.TrimSpace(mail))
	return get(ctx, s, func(q querier) (registry.Person, error) {
		p, err := scanPerson(q.QueryRowContext(ctx, `SELECT `+personColumns+` FROM person WHERE mail = $1`, mail).Scan)
		if errors.Is(err, sql.ErrNoRows) {
			err = unknownPerson(mail)
		}
		return p, err
	})
}

func unknownPerson(mail string) error {
	return fmt.Errorf("a person with the address %s is %w", prompt.Clip(mail, 80), registry.ErrNotFound)
}

// People lists all persons, the oldest first.
func (s *Store) People(ctx context.Context) ([]registry.Person, error) {
	return get(ctx, s, func(q querier) (out []registry.Person, err error) {
		err = rows(ctx, q, func(rs *sql.Rows) error {
			p, err := scanPerson(rs.Scan)
			out = append(out, p)
			return err
		}, `SELECT `+personColumns+` FROM person ORDER BY created_us, mail`)
		return out, err
	})
}

func scanPerson(scan func(...any) error) (registry.Person, error) {
	var p registry.Person
	var grants string
	var created, revoked int64
	var sum []byte
	if err := scan(&p.Mail, &p.Name, &grants, &created, &p.CreatedBy, &revoked, &sum); err != nil {
		return p, err
	}
	p.CreatedAt, p.RevokedAt = fromMicros(created), fromMicros(revoked)
	what := "person " + prompt.Clip(p.Mail, 80)
	err := sealed(what, sum, p.Mail, p.Name, grants)
	if err != nil {
		return registry.Person{}, err
	}
	if p.Grants, err = decodeGrants(grants); err != nil {
		err = fmt.Errorf("%w: %w", &corruptError{what}, err)
	}
	return p, err
}
