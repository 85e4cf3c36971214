package sqlstore

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync/atomic"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// Config says which database to open. Dir or URL must be set, and Now and
// Random.
type Config struct {
	Dir string // of the SQLite file, which is incipit.db; made if it is not there
	URL string // postgres://user@host/database

	Now    func() time.Time
	Random io.Reader

	// Mirror has every deployment queued for registry.json.
	Mirror bool
	// MaxConns is how many connections of PostgreSQL are used, from 3; 0 is 10.
	// Half of them write, the others read. SQLite has one that writes, and this
	// many that read; 0 is 4.
	MaxConns int
	// Unchecked opens a SQLite file without reading all of it first.
	Unchecked bool

	migrations fs.FS // for tests of upgrades; nil is our own
}

// A Store is an open database. It may be used by many goroutines at once.
type Store struct {
	cfg    Config
	d      dialect
	w, r   *sql.DB // writes, and reads
	schema int64   // of the database
	known  int64   // the newest schema that this program knows
	broken atomic.Pointer[brokenError]
}

// Open opens a database, and makes or migrates it as needed. It reports
// ErrUnavailable for one that cannot be used now, with what to do.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.Now == nil || cfg.Random == nil {
		return nil, errors.New("sqlstore: Config.Now and Config.Random must be set")
	}
	var d dialect
	switch {
	case cfg.Dir != "" && cfg.URL == "":
		d = newSQLite(cfg)
	case cfg.URL != "" && cfg.Dir == "":
		d = &postgres{cfg: cfg}
	default:
		return nil, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "a server keeps its data in one place"), "give --data or --database, and not both")
	}
	s := &Store{cfg: cfg, d: d}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(s.d.explain(err), s.Close())
	}
	return s, nil
}

func (s *Store) open(ctx context.Context) error {
	done, err := s.d.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	if s.w, s.r, err = s.d.open(ctx); err != nil {
		return err
	}
	if s.schema, err = s.migrate(ctx); err != nil {
		return err
	}
	return s.nameInstance(ctx)
}

// Close ends all connections. What was acknowledged is on disk before.
func (s *Store) Close() error {
	var err error
	if s.r != nil && s.r != s.w {
		err = s.r.Close()
	}
	if s.w != nil {
		err = errors.Join(err, s.w.Close()) // the last to go: it checkpoints
	}
	return err
}

// Name says where the data is, without a password.
func (s *Store) Name() string { return s.d.name() }

// Kind is which database it is: sqlite or postgres.
func (s *Store) Kind() string { return s.d.suffix() }

// nameInstance gives a new database its id.
func (s *Store) nameInstance(ctx context.Context) error {
	if named, err := s.Instance(ctx); err != nil || named != "" {
		return err
	}
	id, err := s.newID()
	if err != nil {
		return err
	}
	return s.write(ctx, func(tx *tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE meta SET text = $1 WHERE name = 'instance' AND text = ''`, id)
		return err
	})
}

// Instance is the id of the database. A copy of it keeps the id.
func (s *Store) Instance(ctx context.Context) (string, error) {
	return get(ctx, s, func(q querier) (id string, err error) {
		err = q.QueryRowContext(ctx, `SELECT text FROM meta WHERE name = 'instance'`).Scan(&id)
		return id, err
	})
}

// newID makes an id of 128 random bits.
func (s *Store) newID() (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(s.cfg.Random, b[:]); err != nil {
		return "", fmt.Errorf("random bytes: %w", err)
	}
	return hex.EncodeToString(b[:]), nil
}

// now is the time as the database keeps it.
func (s *Store) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Microsecond) }

// fromMicros is the time of a column *_us; 0 is no time.
func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

func toMicros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}
