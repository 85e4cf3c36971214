package sqlstore

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// secretBytes is how long a secret is.
const secretBytes = 32

// Secret is a secret of that name, of 32 random bytes: made when it is asked
// for first, and the same for all replicas from then on. Backups have it, so
// what was made with it is known again after a restore.
func (s *Store) Secret(ctx context.Context, name string) ([]byte, error) {
	row := "secret." + name
	if b, err := s.secret(ctx, row); err != nil || b != nil {
		return b, err
	}
	fresh := make([]byte, secretBytes)
	if _, err := io.ReadFull(s.cfg.Random, fresh); err != nil {
		return nil, fmt.Errorf("random bytes: %w", err)
	}
	// Another replica may be faster: then what it made is the secret.
	err := s.write(ctx, func(tx *tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO meta (name, number, text) VALUES ($1, 0, $2) ON CONFLICT (name) DO NOTHING`, row, hex.EncodeToString(fresh))
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.secret(ctx, row)
}

// secret is nil if there is none yet.
func (s *Store) secret(ctx context.Context, row string) ([]byte, error) {
	return get(ctx, s, func(q querier) ([]byte, error) {
		var text string
		err := q.QueryRowContext(ctx, `SELECT text FROM meta WHERE name = $1`, row).Scan(&text)
		if errors.Is(err, sql.ErrNoRows) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		b, err := hex.DecodeString(text)
		if err != nil || len(b) != secretBytes {
			return nil, &corruptError{"the " + row}
		}
		return b, nil
	})
}
