package calllog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"modernc.org/sqlite"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
	"github.com/incipit-dev/incipit/internal/registry"
)

const (
	// checkpointPages is how long the write-ahead log grows, in pages of 4 KiB,
	// until it is brought into the file: a page that many groups change is
	// written there once.
	checkpointPages = 8192
	// cacheKiB is how much of a file whoever writes keeps in memory, at most:
	// the index of responses is written all over.
	cacheKiB = 32 << 10
)

// writePool is the one connection that writes to a file. What is deleted is
// overwritten: a person's calls are gone once they are erased.
func writePool(path string) (*sql.DB, error) {
	return openPool(path, "immediate", 1, "journal_mode(WAL)", "secure_delete(1)", "temp_store(2)",
		fmt.Sprintf("wal_autocheckpoint(%d)", checkpointPages), fmt.Sprintf("cache_size(-%d)", cacheKiB))
}

// readPool are connections that read. Those of a day that nobody asks for go.
func readPool(path string) (*sql.DB, error) {
	return openPool(path, "deferred", 4, "query_only(1)")
}

// openPool opens a file, which must exist: SQLite would make an empty one in
// place of one that was moved away.
func openPool(path, txlock string, conns int, pragmas ...string) (*sql.DB, error) {
	q := url.Values{
		"mode": {"rw"}, "_txlock": {txlock}, "_dqs": {"0"}, "_defensive": {"1"}, "_error_rc": {"1"},
		"_pragma": append([]string{"busy_timeout(10000)", "synchronous(FULL)", "cell_size_check(1)"}, pragmas...),
	}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	db.SetConnMaxIdleTime(time.Minute)
	return db, nil
}

// damaged says what to do with a file that is: there are no copies of it.
func damaged(err error, path string) error {
	return registry.WithFix(err, "stop the server and move %s away: the calls in it are lost, and nothing else is", path)
}

// syncDir brings a new name in a directory to disk.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// A fileError is an error of SQLite with the file.
type fileError struct {
	error
	path string
}

func (e *fileError) Unwrap() error { return e.error }

// sqliteFile is an open file.
//
// Nothing in this program opens it but SQLite itself: closing any descriptor of
// it would drop all locks that the process holds on it.
type sqliteFile struct {
	path string
	w, r *sql.DB
	info os.FileInfo  // of the file that was opened
	last atomic.Int64 // no call and no feedback in it has a larger number

	// For whoever has the turn:
	broken   error                // why nothing more may be written
	prepared map[string]*sql.Stmt // what is run often; nil is not prepared yet

	users int  // with sqliteDir.mu
	gone  bool // it is to be deleted: nobody begins to use it
}

// openFile opens a file, and makes it and its tables if they are not there.
func openFile(ctx context.Context, path, tables string) (*sqliteFile, error) {
	e, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err == nil {
		err = e.Close()
	}
	if err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	f := &sqliteFile{path: path, prepared: make(map[string]*sql.Stmt)}
	if f.w, err = writePool(path); err != nil {
		return nil, err
	}
	if f.r, err = readPool(path); err != nil {
		return nil, errors.Join(err, f.close())
	}
	if _, err = f.w.ExecContext(ctx, "BEGIN IMMEDIATE;"+tables+"COMMIT;"); err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err == nil {
		f.info, err = os.Stat(path)
	}
	if err != nil {
		return nil, errors.Join(f.at(err), f.close())
	}
	return f, nil
}

// prepare prepares what was asked for in the transactions before: it is of the
// pool, which has its one connection free now.
func (f *sqliteFile) prepare(ctx context.Context) error {
	for text, s := range f.prepared {
		if s == nil {
			var err error
			if f.prepared[text], err = f.w.PrepareContext(ctx, unnumbered(text)); err != nil {
				return err
			}
		}
	}
	return nil
}

// unnumbered writes ? for $1, $2 and so on, if they stand in order. SQLite takes
// what follows a dollar for a name, and the driver asks for the name of each
// when it binds it: with 500 of them that takes longer than all the rest.
func unnumbered(text string) string {
	numbered := text
	var b strings.Builder
	for n := 1; ; n++ {
		before, after, more := strings.Cut(text, "$")
		b.WriteString(before)
		if !more {
			return b.String()
		}
		digits := len(after) - len(strings.TrimLeft(after, "0123456789"))
		if after[:digits] != strconv.Itoa(n) {
			return numbered
		}
		b.WriteByte('?')
		text = after[digits:]
	}
}

// statement is the prepared one of a text. One that is not yet will be next
// time.
func (f *sqliteFile) statement(text string) *sql.Stmt {
	s, asked := f.prepared[text]
	if !asked {
		f.prepared[text] = nil
	}
	return s
}

func (f *sqliteFile) close() error {
	var err error
	if f.r != nil {
		err = f.r.Close()
	}
	if f.w != nil {
		err = errors.Join(err, f.w.Close()) // the last to go: it checkpoints
	}
	return err
}

// at names the file in an error of SQLite.
func (f *sqliteFile) at(err error) error {
	if err == nil {
		return nil
	}
	if _, named := errors.AsType[*fileError](err); named {
		return err
	}
	if _, ok := errors.AsType[*sqlite.Error](err); !ok {
		return err
	}
	return &fileError{err, f.path}
}

// same compares the file at our path with the one that was opened: what is
// written to a file that nobody finds again is lost.
func (f *sqliteFile) same() error {
	now, err := os.Stat(f.path)
	if err == nil && !os.SameFile(f.info, now) {
		err = errors.New("there is another file in its place")
	}
	if err != nil {
		return &fileError{sqlstore.ErrReplaced(err), f.path}
	}
	return nil
}
