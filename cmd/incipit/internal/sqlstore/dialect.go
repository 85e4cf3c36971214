package sqlstore

import (
	"context"
	"database/sql"
	"io/fs"
	"strings"

	"github.com/pressly/goose/v3"
)

// A dialect is what differs between the two databases.
type dialect interface {
	name() string // where it is, for people
	// begin keeps other programs from opening the same database until done is
	// called, and may look at what is there. A program that has the database
	// open goes on.
	begin(ctx context.Context) (done func(), err error)
	open(ctx context.Context) (w, r *sql.DB, err error)
	// exclusively runs a migration while nobody else does.
	exclusively(ctx context.Context, w *sql.DB, fn func() error) error
	// beforeMigration makes the copy that one goes back to.
	beforeMigration(ctx context.Context, w *sql.DB, from int64) error

	goose() goose.Dialect
	suffix() string           // of the migrations that the other one has differently
	tableExists() string      // SQL: counts the tables named $1
	snapshot() *sql.TxOptions // of a transaction that reads one state of all tables
	same() error              // the database is still the one that was opened
	faultOf(err error) fault  // what an error means
	explain(err error) error  // and how it is said
	restoreCommand() string
	// clear removes all rows, those that are otherwise never removed, too.
	clear(ctx context.Context, tx *tx) error
}

// migrations are the files for one dialect: those without the name of a
// dialect, and its own.
func migrationNames(files fs.FS, suffix string) (use, exclude []string, err error) {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return nil, nil, err
	}
	for _, n := range names {
		if parts := strings.Split(n, "."); len(parts) == 3 && parts[1] != suffix {
			exclude = append(exclude, n)
		} else {
			use = append(use, n)
		}
	}
	return use, exclude, nil
}
