package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pressly/goose/v3"
)

// migrationLock is the advisory lock under which a database is migrated: the
// first eight bytes of "incipit.".
const migrationLock = 0x696e63697069742e

// postgres is the dialect of PostgreSQL.
type postgres struct {
	cfg   Config
	where string
}

func (d *postgres) name() string                          { return d.where }
func (d *postgres) suffix() string                        { return "postgres" }
func (d *postgres) goose() goose.Dialect                  { return goose.DialectPostgres }
func (d *postgres) same() error                           { return nil }
func (d *postgres) restoreCommand() string                { return "incipit restore FILE --database URL" }
func (d *postgres) begin(context.Context) (func(), error) { return func() {}, nil }
func (d *postgres) tableExists() string {
	return `SELECT COUNT(*) FROM pg_catalog.pg_class c WHERE c.oid = to_regclass($1)`
}

func (d *postgres) snapshot() *sql.TxOptions {
	return &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead}
}

func (d *postgres) open(ctx context.Context) (w, r *sql.DB, err error) {
	cfg, where, err := postgresConfig(d.cfg.URL)
	if err != nil {
		return nil, nil, err
	}
	d.where = where
	conns := d.cfg.MaxConns
	if conns == 0 {
		conns = 10
	}
	// Reads have connections of their own: a decision reads releases while its
	// change holds a connection, and all changes together may hold all of them.
	w, r = postgresPool(cfg, max(2, conns/2)), postgresPool(cfg, max(1, conns-conns/2)) // 2: a migration locks with one and works with another
	return w, r, w.PingContext(ctx)
}

// exclusively holds a lock of a session of its own: it falls if we are killed.
func (d *postgres) exclusively(ctx context.Context, w *sql.DB, fn func() error) error {
	conn, err := w.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, `SET lock_timeout = 0`); err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock($1)`, int64(migrationLock)); err != nil {
		return err
	}
	err = fn()
	after := context.WithoutCancel(ctx)
	_, unlock := conn.ExecContext(after, `SELECT pg_advisory_unlock($1)`, int64(migrationLock))
	_, reset := conn.ExecContext(after, `RESET lock_timeout`)
	return errors.Join(err, unlock, reset)
}

// beforeMigration does nothing: a migration of PostgreSQL is one transaction
// for each step, and backups of a database with replicas are its operator's.
func (d *postgres) beforeMigration(context.Context, *sql.DB, int64) error { return nil }

// clear deletes row by row: whoever reads meanwhile sees the old rows to the
// end of their transaction, which after a TRUNCATE would see none.
func (d *postgres) clear(ctx context.Context, tx *tx) error {
	guarded := []string{"deployment", "audit", "release", "decision"}
	for _, t := range guarded {
		if _, err := tx.ExecContext(ctx, `ALTER TABLE `+t+` DISABLE TRIGGER USER`); err != nil {
			return err
		}
	}
	if err := deleteAll(ctx, tx); err != nil {
		return err
	}
	for _, t := range guarded {
		if _, err := tx.ExecContext(ctx, `ALTER TABLE `+t+` ENABLE TRIGGER USER`); err != nil {
			return err
		}
	}
	return nil
}

func (d *postgres) explain(err error) error {
	if err == nil || ours(err) {
		return err
	}
	return explained(err, d.faultOf(err), d.where, d.restoreCommand())
}

func (d *postgres) faultOf(err error) fault {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return noFault
	}
	if _, ok := errors.AsType[*corruptError](err); ok {
		return corrupt
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return postgresFault(e.Code)
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return offline
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return severed
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, driver.ErrBadConn) ||
		errors.Is(err, net.ErrClosed) || err != nil && strings.Contains(err.Error(), "conn closed") {
		return severed
	}
	return noFault
}

// postgresFault reads an SQLSTATE.
func postgresFault(code string) fault {
	switch code {
	case "40001", "40P01", "55P03": // serialization, deadlock, lock timeout
		return busy
	case "23505": // unique violation
		return taken
	case "22021", "22P05": // not in the repertoire: a zero byte
		return badText
	case "53100": // disk full
		return full
	case "25006": // a standby, or default_transaction_read_only
		return readOnly
	case "57P01", "57P02": // shut down, crashed
		return severed
	case "57P03", "53300", "3D000": // starting up, too many connections, no such database
		return offline
	case "XX001", "XX002": // data, index corrupted
		return corrupt
	}
	switch {
	case strings.HasPrefix(code, "08"):
		return severed
	case strings.HasPrefix(code, "28"):
		return offline
	case strings.HasPrefix(code, "58"):
		return diskError
	}
	return noFault
}
