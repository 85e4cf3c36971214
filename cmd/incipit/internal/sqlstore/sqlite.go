package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"
	"github.com/rogpeppe/go-internal/lockedfile"
	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// fileName of the database in its directory.
const fileName = "incipit.db"

// busyTimeout is how long SQLite waits for another process, in milliseconds.
const busyTimeout = 10_000

// sqliteFile is the dialect of SQLite.
//
// Nothing in this program opens the database's file but SQLite itself: closing
// any descriptor of it would drop all locks that the process holds on it.
type sqliteFile struct {
	cfg  Config
	path string
	info os.FileInfo // of the file that was opened
}

func newSQLite(cfg Config) *sqliteFile {
	dir := cfg.Dir
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return &sqliteFile{cfg: cfg, path: filepath.Join(dir, fileName)}
}

func (d *sqliteFile) name() string         { return d.path }
func (d *sqliteFile) suffix() string       { return "sqlite" }
func (d *sqliteFile) goose() goose.Dialect { return goose.DialectSQLite3 }
func (d *sqliteFile) tableExists() string {
	return `SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = $1`
}

// snapshot of SQLite: each transaction reads one state from its first
// statement on.
func (d *sqliteFile) snapshot() *sql.TxOptions { return &sql.TxOptions{ReadOnly: true} }

func (d *sqliteFile) restoreCommand() string {
	return "incipit restore FILE --data " + filepath.Dir(d.path)
}

// begin takes the lock under which databases are made, checked and migrated.
func (d *sqliteFile) begin(context.Context) (func(), error) {
	if err := os.MkdirAll(filepath.Dir(d.path), 0o700); err != nil {
		return nil, err
	}
	unlock, err := lockedfile.MutexAt(filepath.Join(filepath.Dir(d.path), "open.lock")).Lock()
	if err != nil {
		return nil, err
	}
	return unlock, nil
}

func (d *sqliteFile) open(ctx context.Context) (w, r *sql.DB, err error) {
	before, err := os.Stat(d.path)
	if errors.Is(err, os.ErrNotExist) {
		err = makeEmpty(d.path)
	}
	if err != nil {
		return nil, nil, err
	}
	if before != nil && before.Size() > 0 && !d.cfg.Unchecked {
		if err := d.check(ctx, before.Size()); err != nil {
			return nil, nil, err
		}
	}
	if w, err = d.pool("immediate", 1, "journal_mode(WAL)"); err != nil {
		return nil, nil, err
	}
	if r, err = d.pool("deferred", readersOf(d.cfg), "query_only(1)"); err != nil {
		return w, nil, err
	}
	if err = w.PingContext(ctx); err == nil { // WAL, before anyone reads
		d.info, err = os.Stat(d.path)
	}
	return w, r, err
}

func makeEmpty(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

func readersOf(cfg Config) int {
	if cfg.MaxConns > 0 {
		return cfg.MaxConns
	}
	return 4
}

// pool opens the file, which must exist: SQLite would make an empty one in
// place of one that was moved away.
func (d *sqliteFile) pool(txlock string, conns int, pragmas ...string) (*sql.DB, error) {
	q := url.Values{
		"mode": {"rw"}, "_txlock": {txlock}, "_dqs": {"0"}, "_defensive": {"1"}, "_error_rc": {"1"},
		"_pragma": append([]string{fmt.Sprintf("busy_timeout(%d)", busyTimeout), "foreign_keys(1)", "synchronous(FULL)", "cell_size_check(1)"}, pragmas...),
	}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: d.path, RawQuery: q.Encode()}).String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db, nil
}

// thoroughly is the size of a file, in bytes, up to which tables are compared
// with their indexes, too: about a second.
const thoroughly = 256 << 20

// check reads all of the file, and reports a page that cannot be as it is. What
// a page says is not checked here: rows have seals.
func (d *sqliteFile) check(ctx context.Context, size int64) error {
	pragma := `PRAGMA integrity_check(1)`
	if size > thoroughly {
		pragma = `PRAGMA quick_check(1)`
	}
	db, err := d.pool("deferred", 1)
	if err != nil {
		return err
	}
	defer db.Close()
	var said string
	if err := db.QueryRowContext(ctx, pragma).Scan(&said); err != nil {
		return err
	}
	if said != "ok" {
		return &corruptError{"a page of " + d.path + " (" + said + ")"}
	}
	return nil
}

// exclusively: begin has the lock already.
func (d *sqliteFile) exclusively(_ context.Context, _ *sql.DB, fn func() error) error { return fn() }

// same compares the file at our path with the one that was opened: what is
// written to a file that nobody finds again is lost.
func (d *sqliteFile) same() error {
	if d.info == nil {
		return nil
	}
	now, err := os.Stat(d.path)
	if err != nil {
		return errReplaced{err}
	}
	if !os.SameFile(d.info, now) {
		return errReplaced{errors.New("there is another file in its place")}
	}
	return nil
}

type errReplaced struct{ error }

func (d *sqliteFile) explain(err error) error {
	if err == nil || ours(err) {
		return err
	}
	return explained(err, d.faultOf(err), d.path, d.restoreCommand())
}

func (d *sqliteFile) faultOf(err error) fault {
	if _, ok := errors.AsType[errReplaced](err); ok {
		return replaced
	}
	if _, ok := errors.AsType[*corruptError](err); ok {
		return corrupt
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return sqliteFault(e.Code())
	}
	return noFault
}

func sqliteFault(code int) fault {
	switch code {
	case lib.SQLITE_READONLY_DBMOVED:
		return replaced
	case lib.SQLITE_CONSTRAINT_UNIQUE, lib.SQLITE_CONSTRAINT_PRIMARYKEY:
		return taken
	case lib.SQLITE_IOERR_FSYNC, lib.SQLITE_IOERR_DIR_FSYNC:
		return diskFailed
	case lib.SQLITE_IOERR_SHMSIZE:
		return full
	case lib.SQLITE_IOERR_SHORT_READ, lib.SQLITE_IOERR_CORRUPTFS:
		return corrupt
	}
	switch code & 0xff {
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED:
		return busy
	case lib.SQLITE_FULL:
		return full
	case lib.SQLITE_READONLY, lib.SQLITE_PERM:
		return readOnly
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		return corrupt
	case lib.SQLITE_IOERR:
		return diskError
	case lib.SQLITE_CANTOPEN:
		return offline
	}
	return noFault
}

// clear is for a fresh file: of another one, the triggers keep the rows.
func (d *sqliteFile) clear(ctx context.Context, tx *tx) error { return deleteAll(ctx, tx) }

// beforeMigration makes the backup that one goes back to.
func (d *sqliteFile) beforeMigration(ctx context.Context, w *sql.DB, from int64) error {
	file := fmt.Sprintf("%s.before-schema-%d-%s", d.path, from+1, stamp(d.cfg.Now()))
	part := file + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if _, err := w.ExecContext(ctx, `VACUUM INTO $1`, part); err != nil {
		return err
	}
	if _, err := sealFile(part); err != nil {
		return err
	}
	if err := os.Rename(part, file); err != nil {
		return err
	}
	return syncDir(filepath.Dir(file))
}
