package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// What stands here is for rooms that keep tables of their own, so that they
// open databases and speak of their faults as the store does.

// A Verdict is what an error of a database means.
type Verdict struct {
	Err     error // in words, with what to do; the caller's own errors as they are
	Known   bool  // it is the database's
	Passing bool  // it is worth another try
	Unsafe  bool  // what was written may not be on disk: nothing more may be written
	Damaged bool  // what is read is not what was written
	Invalid bool  // a value cannot be stored
}

// Judge says what an error of SQLite or PostgreSQL means. where is the database,
// for people; restore is the command that brings back what is damaged.
func Judge(err error, where, restore string) Verdict {
	if err == nil || ours(err) {
		return Verdict{Err: err}
	}
	f := (&sqliteFile{}).faultOf(err)
	if f == noFault {
		f = (&postgres{}).faultOf(err)
	}
	return Verdict{
		Err: explained(err, f, where, restore), Known: f != noFault, Passing: f.passing(),
		Unsafe: f == diskFailed, Damaged: f == corrupt, Invalid: f == badText,
	}
}

// ErrReplaced is err as the fault of a file that was moved, deleted or replaced
// while it was open.
func ErrReplaced(err error) error { return errReplaced{err} }

// OpenPostgres opens two pools of a database, as the store opens its own, and
// says where it is, without user and password. It connects once.
func OpenPostgres(ctx context.Context, url string, writers, readers int) (w, r *sql.DB, where string, err error) {
	cfg, where, err := postgresConfig(url)
	if err != nil {
		return nil, nil, "", err
	}
	w, r = postgresPool(cfg, writers), postgresPool(cfg, readers)
	if err := w.PingContext(ctx); err != nil {
		return nil, nil, where, errors.Join(err, w.Close(), r.Close())
	}
	return w, r, where, nil
}

// postgresConfig reads an address, and says where it is.
func postgresConfig(url string) (*pgx.ConnConfig, string, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil { // it names no password
		return nil, "", registry.WithFix(registry.Errorf(prompt.ErrInvalid, "the address of the database is not valid: %v", err), "write postgres://user@host:5432/database")
	}
	for name, value := range map[string]string{
		"application_name":                    "incipit",
		"jit":                                 "off",   // our statements are short: planning would take longer than running
		"lock_timeout":                        "10000", // ms, as with SQLite
		"idle_in_transaction_session_timeout": "60000",
	} {
		if _, given := cfg.RuntimeParams[name]; !given {
			cfg.RuntimeParams[name] = value
		}
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = 5 * time.Second
	}
	return cfg, fmt.Sprintf("%s on %s", cfg.Database, cfg.Host), nil
}

func postgresPool(cfg *pgx.ConnConfig, conns int) *sql.DB {
	db := stdlib.OpenDB(*cfg)
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	db.SetConnMaxIdleTime(30 * time.Second) // a database may allow few, to all who use it
	db.SetConnMaxLifetime(time.Hour)
	return db
}
