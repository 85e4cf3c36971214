package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
)

// TestFaultsOfTheServer lets incipit serve meet what can go wrong: kills of the
// server and of its database at random moments and at system calls, full and
// failing disks, damaged and missing files, two replicas, lost answers, a Git
// that is away. It runs a sample; with INCIPIT_FAULTS set to a directory it runs
// all, and writes faults_server.json there.
//
// The law is that of TestFaults: a change that was acknowledged is there, once,
// with the numbers that the answer told; one that was not is there whole or not
// at all; sent again with its key, it counts once. Revisions and numbers have
// no gaps, each change has one event in the audit log, and the log verifies.
func TestFaultsOfTheServer(t *testing.T) {
	h := newHarness(t)
	h.servedTemplates(t)
	pg := &postgresAtHand{}
	t.Cleanup(pg.stop)
	on := func(where func(f *fault) *database, run func(*fault, *database)) func(*fault) {
		return func(f *fault) { run(f, where(f)) }
	}
	faults := []struct {
		id, name string
		run      func(f *fault)
	}{
		{"F04", "the server is killed under four writers, SQLite", on(sqliteAtHand, killedServers)},
		{"F04", "the server is killed under four writers, PostgreSQL", on(pg.database, killedServers)},
		{"F04", "the server is killed at its writes to SQLite", killedAtWrites},
		{"F29", "backends of PostgreSQL are killed under four writers", killedBackends},
		{"F29", "PostgreSQL is restarted under four writers", restartedPostgres},
		{"F30", "PostgreSQL has few connections", fewConnections},
		{"F15", "two replicas deploy one prompt at once", on(pg.database, twoReplicas)},
		{"F12", "a replica is stopped for a while and goes on", on(pg.database, pausedReplica)},
		{"F11", "SIGTERM under load with open streams", on(sqliteAtHand, terminatedServers)},
		{"F16", "the answer to a change is lost", on(sqliteAtHand, lostAnswers)},
		{"F17", "the disk of the database is full", fullDatabase},
		{"F17", "the database cannot be written", readOnlyDatabase},
		{"F20", "fsync of the database fails", failingDatabaseSync},
		{"F24", "a byte of the database flips", flippedBytes},
		{"F25", "the write-ahead log is cut while the server is down", cutLogs},
		{"F26", "the database is deleted or replaced under the server", replacedDatabase},
		{"F27", "a second server on the same database file", secondServer},
		{"F40", "the Git remote is away, and then rejects the mirror", rejectedMirror},
		{"P16", "rollback --local, with the server down and beside it", breakGlass},
		{"F08", "backup is killed, beside four writers", killedBackups},
		{"F32", "backup under four writers, restored into the other database", func(f *fault) { restoredBackups(f, pg) }},
		{"F45", "the server is killed under 100 clients of the SDK", on(sqliteAtHand, killedUnderClients)},
	}
	t.Run("all", func(t *testing.T) {
		for _, f := range faults {
			t.Run(f.id+" "+f.name, func(t *testing.T) {
				t.Parallel()
				one := &fault{T: t, harness: h, outcome: outcome{ID: f.id, Name: f.name}}
				t.Cleanup(func() { h.note(one) })
				f.run(one)
			})
		}
	})
	h.report(t, "faults_server.json")
}

// A wares is a prompt of the served repository, in the two versions that the
// writers deploy in turn.
type wares struct{ id, first, second string }

func served() []wares {
	return []wares{
		{"customer-support", "1.0.0", "1.0.1"},
		{"data-extraction", "1.0.0", "1.0.1"},
		{"greeting", "0.1.0", "0.1.1"},
		{"farewell", "0.1.0", "0.1.1"},
	}
}

// servedTemplates makes the bare repository that the servers serve.
func (h *harness) servedTemplates(t *testing.T) {
	t.Helper()
	f := &fault{T: t, harness: h}
	from := &shop{fault: f, dir: filepath.Join(h.dir, "shop")}
	s := from.copyTo("served")
	s.gitOut("reset", "-q", "--hard")
	for _, w := range served() {
		if w.first == "0.1.0" {
			f.must(s.run("new", w.id))
			f.must(s.run("release", w.id, "--minor", "-m", "first"))
		}
		s.append("prompts/"+w.id+"/system-prompt.txt", "Be kind.\n")
		f.must(s.run("release", w.id, "--patch", "-m", "kind"))
	}
	s.gitOut("clone", "-q", "--bare", s.dir, filepath.Join(h.dir, "served.git"))
}

// A database is where a server keeps its data.
type database struct {
	dir string // SQLite's; "" for PostgreSQL
	url string
}

func (d *database) flags() []string {
	if d.dir != "" {
		return []string{"--data", d.dir}
	}
	return []string{"--database", d.url}
}

func (d *database) file() string { return filepath.Join(d.dir, "incipit.db") }

// sqliteAtHand is a directory that no server has used yet.
func sqliteAtHand(f *fault) *database {
	f.Helper()
	f.mu.Lock()
	f.rounds++
	dir := filepath.Join(f.dir, fmt.Sprintf("data-%d", f.rounds))
	f.mu.Unlock()
	return &database{dir: dir}
}

// postgresAtHand is one PostgreSQL for all faults that leave it alone. It is
// started when the first one asks for it.
type postgresAtHand struct {
	mu     sync.Mutex
	server *storetest.Server
	free   []func()
	n      int
}

// holder lets a helper of one test make what outlives it: what it would clean
// up is done by stop.
type holder struct {
	testing.TB
	p *postgresAtHand
}

func (h holder) Cleanup(fn func()) { h.p.free = append(h.p.free, fn) }

func (p *postgresAtHand) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, free := range slices.Backward(p.free) {
		free()
	}
}

func (p *postgresAtHand) database(f *fault) *database {
	f.Helper()
	needsPostgres(f)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.server == nil {
		p.server = storetest.NewServer(holder{f.T, p})
	}
	p.n++
	return &database{url: p.server.Database(f.T, fmt.Sprintf("served_%d", p.n))}
}

// needsPostgres skips a fault on a desk without PostgreSQL.
func needsPostgres(f *fault) {
	f.Helper()
	if err := storetest.Installed(); err != nil {
		if os.Getenv("CI") == "true" {
			f.Fatal(err)
		}
		f.Skip(err)
	}
}
