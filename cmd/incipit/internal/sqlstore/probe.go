package sqlstore

import (
	"context"
)

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	_, err := s.Generation(ctx)
	return err
}

// Probe writes a row and so finds out whether a change could be recorded now.
// What it reports is ErrUnavailable and says what is the matter: no space, not
// writable, damaged, gone, replaced.
func (s *Store) Probe(ctx context.Context) error {
	return s.write(ctx, func(tx *tx) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO probe (id, at_us) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET at_us = excluded.at_us`, toMicros(s.now()))
		return err
	})
}
