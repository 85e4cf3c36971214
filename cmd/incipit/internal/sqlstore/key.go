package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

const keyColumns = `id, kind, name, person, grants, created_us, created_by, expires_us, revoked_us, hash, seal, used_us`

// AddKey adds an API key. Its id is the caller's to choose, and must be new.
func (s *Store) AddKey(ctx context.Context, k registry.Key, event registry.Event) error {
	if k.ID == "" || len(k.Hash) == 0 {
		return registry.Errorf(prompt.ErrInvalid, "a key needs an id and the digest of its secret")
	}
	grants, err := encodeGrants(k.Grants)
	if err != nil {
		return err
	}
	if k.CreatedAt.IsZero() {
		k.CreatedAt = s.now()
	}
	if err := storable(k.ID, k.Kind, k.Name, k.CreatedBy); err != nil {
		return err
	}
	return s.writeKeys(ctx, event, func(tx *tx) error {
		res, err := tx.ExecContext(ctx, `
			INSERT INTO api_key (`+keyColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (id) DO NOTHING`,
			k.ID, k.Kind, k.Name, k.Person, grants, toMicros(k.CreatedAt), k.CreatedBy, toMicros(k.ExpiresAt), toMicros(k.RevokedAt), k.Hash, seal(keySealed(k, grants)...), toMicros(k.UsedAt))
		return one(res, err, registry.Errorf(registry.ErrConflict, "there is a key %s already", prompt.Clip(k.ID, 80)))
	})
}

// RevokeKey ends a key. It reports ErrNotFound for one that is unknown, and
// does nothing to one that was revoked before.
func (s *Store) RevokeKey(ctx context.Context, id string, event registry.Event) error {
	return s.writeKeys(ctx, event, func(tx *tx) error {
		res, err := tx.ExecContext(ctx, `
			UPDATE api_key SET revoked_us = CASE WHEN revoked_us = 0 THEN $1 ELSE revoked_us END WHERE id = $2`, toMicros(s.now()), id)
		return one(res, err, unknownKey(id))
	})
}

// KeysUsed keeps when keys last opened, by id. Unknown ones and what is older
// than is known change nothing; no event tells of it, and KeysVersion stays.
func (s *Store) KeysUsed(ctx context.Context, at map[string]time.Time) error {
	return s.write(ctx, func(tx *tx) error {
		for _, id := range slices.Sorted(maps.Keys(at)) { // in one order: two replicas never wait for each other
			if _, err := tx.ExecContext(ctx, `UPDATE api_key SET used_us = $1 WHERE id = $2 AND used_us < $1`, toMicros(at[id]), id); err != nil {
				return err
			}
		}
		return nil
	})
}

// Key finds a key, also one that is revoked or has expired.
func (s *Store) Key(ctx context.Context, id string) (registry.Key, error) {
	return get(ctx, s, func(q querier) (registry.Key, error) {
		k, err := scanKey(q.QueryRowContext(ctx, `SELECT `+keyColumns+` FROM api_key WHERE id = $1`, id).Scan)
		if errors.Is(err, sql.ErrNoRows) {
			err = unknownKey(id)
		}
		return k, err
	})
}

func unknownKey(id string) error {
	return registry.WithFix(fmt.Errorf("key %s is %w", prompt.Clip(id, 80), registry.ErrNotFound), "list the keys there are: incipit keys list")
}

// Keys lists all keys, the oldest first.
func (s *Store) Keys(ctx context.Context) ([]registry.Key, error) {
	return get(ctx, s, func(q querier) (out []registry.Key, err error) {
		err = rows(ctx, q, func(rs *sql.Rows) error {
			k, err := scanKey(rs.Scan)
			out = append(out, k)
			return err
		}, `SELECT `+keyColumns+` FROM api_key ORDER BY created_us, id`)
		return out, err
	})
}

// keySealed is all of a key but when it was revoked and used.
func keySealed(k registry.Key, grants string) []string {
	return []string{k.ID, k.Kind, k.Name, strconv.FormatBool(k.Person), grants, itoa(toMicros(k.CreatedAt)), k.CreatedBy, itoa(toMicros(k.ExpiresAt)), string(k.Hash)}
}

func scanKey(scan func(...any) error) (registry.Key, error) {
	var k registry.Key
	var grants string
	var created, expires, revoked, used int64
	var sum []byte
	if err := scan(&k.ID, &k.Kind, &k.Name, &k.Person, &grants, &created, &k.CreatedBy, &expires, &revoked, &k.Hash, &sum, &used); err != nil {
		return k, err
	}
	k.CreatedAt, k.ExpiresAt, k.RevokedAt, k.UsedAt = fromMicros(created), fromMicros(expires), fromMicros(revoked), fromMicros(used)
	what := "key " + prompt.Clip(k.ID, 80)
	err := sealed(what, sum, keySealed(k, grants)...)
	if err != nil {
		return registry.Key{}, err
	}
	if k.Grants, err = decodeGrants(grants); err != nil {
		err = fmt.Errorf("%w: %w", &corruptError{what}, err)
	}
	return k, err
}

// KeysVersion grows with every change of a key or a person: whoever keeps them
// in memory asks for it to learn that one was revoked.
func (s *Store) KeysVersion(ctx context.Context) (int64, error) {
	return get(ctx, s, func(q querier) (n int64, err error) {
		err = q.QueryRowContext(ctx, `SELECT number FROM meta WHERE name = 'keys'`).Scan(&n)
		return n, err
	})
}

// writeKeys changes who may do what, with its audit event.
func (s *Store) writeKeys(ctx context.Context, event registry.Event, fn func(*tx) error) error {
	return s.write(ctx, func(tx *tx) error {
		if err := fn(tx); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE meta SET number = number + 1 WHERE name = 'keys'`); err != nil {
			return err
		}
		return s.append(ctx, tx, event)
	})
}

// one reports otherwise unless exactly one row was written.
func one(res sql.Result, err, otherwise error) error {
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err == nil && n != 1 {
		err = otherwise
	}
	return err
}

func encodeGrants(grants []registry.Grant) (string, error) {
	for _, g := range grants {
		if err := g.Validate(); err != nil {
			return "", err
		}
	}
	raw, err := json.Marshal(grants)
	return string(raw), err
}

// decodeGrants refuses what it does not understand, rather than grant it.
func decodeGrants(text string) ([]registry.Grant, error) {
	var grants []registry.Grant
	if err := json.Unmarshal([]byte(text), &grants); err != nil {
		return nil, err
	}
	for _, g := range grants {
		if err := g.Validate(); err != nil {
			return nil, err
		}
	}
	return grants, nil
}
