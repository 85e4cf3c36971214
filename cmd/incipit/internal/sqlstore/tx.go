package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/incipit-dev/incipit/internal/registry"
)

// A querier reads, in a transaction or outside of one.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// A tx is a transaction that writes.
type tx struct {
	*sql.Tx
	event registry.Event // the last audit event in it, by which it is known again
}

// A finalError is an error of a caller's function, which is not the
// database's: it is returned as it is.
type finalError struct{ error }

func (e finalError) Unwrap() error { return e.error }

// attempts bounds how often a transaction is tried: 6 seconds if the database
// is away, which is longer than a restart of PostgreSQL takes.
const attempts = 12

// pause is how long to wait before attempt n, from 1.
func pause(ctx context.Context, n int) error {
	t := time.NewTimer(min(5*time.Millisecond<<min(n, 8), time.Second))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// write runs fn in a transaction, again if others were in the way. Once it
// returns nil, the change is on disk.
//
// A connection that is lost during the commit leaves it open whether there was
// one. The audit event tells: if it is there, all of the change is.
func (s *Store) write(ctx context.Context, fn func(*tx) error) error {
	var maybe registry.Event // of a commit that was not answered
	for n := 1; ; n++ {
		done, err := s.landed(ctx, maybe)
		if done {
			return nil
		}
		if err == nil {
			maybe, err = s.attempt(ctx, fn)
		}
		if err == nil {
			return nil
		}
		if final, ok := errors.AsType[finalError](err); ok {
			return final.error
		}
		f := s.d.faultOf(err)
		if f == diskFailed {
			s.broken.CompareAndSwap(nil, &brokenError{s.d.explain(err)})
		}
		if n == attempts || !f.passing() || pause(ctx, n) != nil {
			if maybe.Hash != "" {
				return registry.WithFix(registry.Errorf(registry.ErrUnavailable, "the database did not say whether the change was recorded: %v", s.d.explain(err)),
					"look at what runs before you try again; with the same idempotency key it is safe")
			}
			return s.d.explain(err)
		}
	}
}

// attempt runs the transaction once. If the commit was not answered, it returns
// the event by which to find out.
func (s *Store) attempt(ctx context.Context, fn func(*tx) error) (registry.Event, error) {
	if b := s.broken.Load(); b != nil {
		return registry.Event{}, b
	}
	// Until the commit begins, the end of ctx ends all of it; from then on it
	// does not, since nobody would know how the commit ended.
	whole, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	detach := context.AfterFunc(ctx, cancel)
	defer detach()
	t, err := s.w.BeginTx(whole, nil)
	if err != nil {
		return registry.Event{}, orDone(ctx, err)
	}
	tx := &tx{Tx: t}
	defer func() { _ = t.Rollback() }() // does nothing after a commit
	if err := fn(tx); err != nil {
		return registry.Event{}, orDone(ctx, err)
	}
	if err := s.d.same(); err != nil {
		return registry.Event{}, err
	}
	if !detach() {
		return registry.Event{}, ctx.Err()
	}
	err = t.Commit()
	if err != nil && s.d.faultOf(err) == severed {
		return tx.event, err
	}
	return registry.Event{}, err
}

// orDone is why ctx ended, if it did: what a database says of that is noise.
func orDone(ctx context.Context, err error) error {
	if done := ctx.Err(); done != nil && !errors.Is(err, done) {
		if _, ok := errors.AsType[finalError](err); !ok {
			return done
		}
	}
	return err
}

// landed reports whether the transaction that wrote e was committed. It waits
// for it: a transaction holds the audit log's head to its end.
func (s *Store) landed(ctx context.Context, e registry.Event) (bool, error) {
	if e.Hash == "" {
		return false, nil
	}
	t, err := s.w.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer func() { _ = t.Rollback() }()
	if _, err := t.ExecContext(ctx, `UPDATE audit_head SET seq = seq WHERE id = 1`); err != nil {
		return false, err
	}
	var n int
	err = t.QueryRowContext(ctx, `SELECT COUNT(*) FROM audit WHERE seq = $1 AND hash = $2`, e.Seq, e.Hash).Scan(&n)
	return n > 0, err
}

// get runs fn on one connection or another: for a single statement.
func get[T any](ctx context.Context, s *Store, fn func(querier) (T, error)) (T, error) {
	var out T
	err := s.reading(ctx, func() (err error) {
		out, err = fn(s.r)
		return err
	})
	return out, err
}

// getAll runs fn on one state of all tables.
func getAll[T any](ctx context.Context, s *Store, fn func(querier) (T, error)) (T, error) {
	var out T
	err := s.reading(ctx, func() error {
		t, err := s.r.BeginTx(ctx, s.d.snapshot())
		if err != nil {
			return err
		}
		defer func() { _ = t.Rollback() }()
		out, err = fn(t)
		return err
	})
	return out, err
}

// reading tries a second and a third time if a connection was lost: those of
// the pool may all be from before a restart.
func (s *Store) reading(ctx context.Context, fn func() error) error {
	for n := 1; ; n++ {
		err := s.d.same()
		if err == nil {
			err = fn()
		}
		if err == nil {
			return nil
		}
		if n == 3 || !s.d.faultOf(err).passing() || pause(ctx, n) != nil {
			return s.d.explain(err)
		}
	}
}

// rows calls scan for each row.
func rows(ctx context.Context, q querier, scan func(*sql.Rows) error, query string, args ...any) error {
	rs, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rs.Close()
	for rs.Next() {
		if err := scan(rs); err != nil {
			return err
		}
	}
	return rs.Err()
}
