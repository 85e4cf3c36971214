package sqlstore

import (
	"context"
	"database/sql"
	"errors"
)

// A Lease is what the database says of who does something. It is compared with
// what it was some time ago: while Beat grows, its holder lives. Clocks of
// different machines are never compared.
type Lease struct {
	Holder string
	Epoch  int64 // grows with each holder
	Beat   int64
}

// Lease reads a lease, the zero Lease if nobody ever had it.
func (s *Store) Lease(ctx context.Context, name string) (Lease, error) {
	return get(ctx, s, func(q querier) (l Lease, err error) {
		err = q.QueryRowContext(ctx, `SELECT holder, epoch, beat FROM lease WHERE name = $1`, name).Scan(&l.Holder, &l.Epoch, &l.Beat)
		if errors.Is(err, sql.ErrNoRows) {
			return Lease{}, nil
		}
		return l, err
	})
}

// TakeLease makes holder the holder, if the lease is still what it was seen as.
// It reports whether it is.
func (s *Store) TakeLease(ctx context.Context, name, holder string, seen Lease) (bool, error) {
	if seen == (Lease{}) {
		return s.moved(ctx, `INSERT INTO lease (name, holder, epoch, beat) VALUES ($1, $2, 1, 1) ON CONFLICT (name) DO NOTHING`, name, holder)
	}
	return s.moved(ctx, `UPDATE lease SET holder = $1, epoch = epoch + 1, beat = beat + 1 WHERE name = $2 AND epoch = $3 AND beat = $4`,
		holder, name, seen.Epoch, seen.Beat)
}

// KeepLease says that the holder lives. It reports false if another one has
// taken over.
func (s *Store) KeepLease(ctx context.Context, name, holder string) (bool, error) {
	return s.moved(ctx, `UPDATE lease SET beat = beat + 1 WHERE name = $1 AND holder = $2`, name, holder)
}

// FreeLease lets another one take over at once.
func (s *Store) FreeLease(ctx context.Context, name, holder string) error {
	_, err := s.moved(ctx, `UPDATE lease SET holder = '', epoch = epoch + 1 WHERE name = $1 AND holder = $2`, name, holder)
	return err
}

// moved runs a statement, and reports whether it changed a row.
func (s *Store) moved(ctx context.Context, query string, args ...any) (bool, error) {
	var n int64
	err := s.write(ctx, func(tx *tx) error {
		res, err := tx.ExecContext(ctx, query, args...)
		if err == nil {
			n, err = res.RowsAffected()
		}
		return err
	})
	return n > 0, err
}

// Alone reports that no other server can have this database open: a file is
// locked by its directory.
func (s *Store) Alone() bool { return s.cfg.URL == "" }
