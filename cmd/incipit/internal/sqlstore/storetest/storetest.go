// Package storetest gives each test a fresh database of each kind that the
// store supports: SQLite in a directory of its own, and PostgreSQL, of which
// one real server runs for a test binary.
//
// A package that uses it has
//
//	func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }
//
// INCIPIT_TEST_POSTGRES names a server to use instead of starting one, as a
// URL whose user may create databases. Where PostgreSQL is not installed, its
// tests are skipped on a desk and fail where CI=true.
package storetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
)

const (
	urlVariable      = "INCIPIT_TEST_POSTGRES"
	templateVariable = "INCIPIT_TEST_POSTGRES_TEMPLATE" // the database of this binary that tests clone
	missingVariable  = "INCIPIT_TEST_POSTGRES_MISSING"  // why there is none
)

// Main runs the tests of a package with a PostgreSQL server beside them, which
// it starts before and stops after them. It returns the status to exit with.
func Main(m *testing.M) int {
	stop, err := provide()
	if err != nil {
		fmt.Fprintln(os.Stderr, "storetest:", err)
		if os.Getenv("CI") == "true" {
			return 1
		}
		if err := os.Setenv(missingVariable, err.Error()); err != nil {
			return 1
		}
		return m.Run()
	}
	defer stop()
	return m.Run()
}

// provide makes the template database, on a server that is there or on one
// that it starts.
func provide() (stop func(), err error) {
	address := os.Getenv(urlVariable)
	end := func() {}
	if address == "" {
		dir, err := os.MkdirTemp("", "incipit-postgres-")
		if err != nil {
			return nil, err
		}
		p, err := startPostgres(dir)
		if err != nil {
			return nil, errors.Join(err, os.RemoveAll(dir))
		}
		end = func() {
			p.Stop()
			_ = os.RemoveAll(dir)
		}
		address = p.URL
		if err := os.Setenv(urlVariable, address); err != nil {
			end()
			return nil, err
		}
	}
	name := fmt.Sprintf("incipit_template_%d", os.Getpid())
	if err := makeTemplate(address, name); err != nil {
		end()
		return nil, err
	}
	if err := os.Setenv(templateVariable, name); err != nil {
		end()
		return nil, err
	}
	return func() {
		_ = command(address, `DROP DATABASE IF EXISTS `+name+` WITH (FORCE)`)
		end()
	}, nil
}

func makeTemplate(address, name string) error {
	if err := command(address, `CREATE DATABASE `+name); err != nil {
		return err
	}
	ctx := context.Background()
	s, err := sqlstore.Open(ctx, sqlstore.Config{URL: database(address, name), Now: (&Clock{}).Now, Random: Random(name)})
	if err != nil {
		return err
	}
	if err := s.Close(); err != nil {
		return err
	}
	// Each clone is a new database, not a copy of this one.
	db, err := sql.Open("pgx", database(address, name))
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, `UPDATE meta SET text = '' WHERE name = 'instance'`)
	return err
}

// command runs a statement on the server's own database.
func command(address, statement string) error {
	db, err := sql.Open("pgx", address)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(context.Background(), statement) //nolint:gosec // the names in it are ours
	return err
}

// database is the address of another database on the same server.
func database(address, name string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	u.Path = "/" + name
	return u.String()
}

// A Database is a fresh database of a test. Each Open opens it once more, as
// another replica or after a restart.
type Database struct {
	Postgres bool
	Config   sqlstore.Config
	Clock    *Clock
}

// Open opens the database and closes it when the test ends.
func (d Database) Open(tb testing.TB) *sqlstore.Store {
	tb.Helper()
	s, err := sqlstore.Open(tb.Context(), d.Config)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

// Each runs f as a subtest for each kind of database. open opens the test's
// own one; called again it opens the same one.
func Each(t *testing.T, f func(t *testing.T, open func() *sqlstore.Store)) {
	t.Helper()
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) {
			d := k.fresh(t)
			f(t, func() *sqlstore.Store { t.Helper(); return d.Open(t) })
		})
	}
}

// EachDatabase is Each for tests that need more than open stores.
func EachDatabase(t *testing.T, f func(t *testing.T, d Database)) {
	t.Helper()
	for _, k := range kinds() {
		t.Run(k.name, func(t *testing.T) { f(t, k.fresh(t)) })
	}
}

type kind struct {
	name  string
	fresh func(testing.TB) Database
}

func kinds() []kind { return []kind{{"sqlite", SQLite}, {"postgres", Postgres}} }

// SQLite is a fresh directory.
func SQLite(tb testing.TB) Database {
	tb.Helper()
	d := Database{Clock: new(Clock)}
	d.Config = sqlstore.Config{Dir: tb.TempDir(), Now: d.Clock.Now, Random: Random(tb.Name())}
	return d
}

// Postgres is a clone of the template database. It skips the test where there
// is no server, unless CI=true.
func Postgres(tb testing.TB) Database {
	tb.Helper()
	address, template := os.Getenv(urlVariable), os.Getenv(templateVariable)
	if why := os.Getenv(missingVariable); why != "" {
		tb.Skip("no PostgreSQL: " + why)
	}
	if template == "" {
		tb.Fatal("TestMain does not call storetest.Main")
	}
	d := Database{Postgres: true, Clock: new(Clock)}
	name := fmt.Sprintf("t_%d_%x", os.Getpid(), digest(tb.Name()))
	if err := command(address, `CREATE DATABASE `+name+` TEMPLATE `+template); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := command(address, `DROP DATABASE `+name+` WITH (FORCE)`); err != nil {
			tb.Error(err)
		}
	})
	d.Config = sqlstore.Config{URL: database(address, name), Now: d.Clock.Now, Random: Random(tb.Name())}
	return d
}

func digest(s string) uint64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, s)
	return h.Sum64()
}

// A Clock starts on 5 January 2026 and goes on by a millisecond each time it is
// asked.
type Clock struct {
	mu     sync.Mutex
	passed time.Duration
}

// Now is the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.passed += time.Millisecond
	return time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC).Add(c.passed)
}

// Advance moves the clock, also backwards.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.passed += d
}

// Random is a stream of bytes that depends on the seed alone.
func Random(seed string) io.Reader {
	var key [32]byte
	copy(key[:], strings.Repeat(seed, 32/max(len(seed), 1)+1))
	return &random{source: rand.NewChaCha8(key)}
}

type random struct {
	mu     sync.Mutex
	source *rand.ChaCha8
}

// Read fills p.
func (r *random) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.source.Read(p)
}
