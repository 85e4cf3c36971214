package storetest

import (
	"context"
	"database/sql"
	"errors"
	"syscall"
	"testing"
)

// Installed reports why no PostgreSQL can be started here, nil if one can.
func Installed() error {
	_, err := programs()
	return err
}

// Database makes an empty database on the server, and returns its address.
func (p *Server) Database(tb testing.TB, name string) string {
	tb.Helper()
	if err := p.Command(`CREATE DATABASE ` + name); err != nil {
		tb.Fatal(err)
	}
	return database(p.URL, name)
}

// Command runs a statement on the server's own database.
func (p *Server) Command(statement string) error { return command(p.URL, statement) }

// KillBackend ends the processes that serve the connections of incipit, as the
// kernel does when memory runs out: by SIGKILL. The server then ends all others
// and recovers. It returns how many it killed.
func (p *Server) KillBackend() (int, error) {
	db, err := sql.Open("pgx", p.URL)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	ctx := context.Background()
	rows, err := db.QueryContext(ctx, `SELECT pid FROM pg_stat_activity WHERE application_name = 'incipit' ORDER BY state = 'idle in transaction' DESC, state = 'active' DESC LIMIT 1`)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		var pid int
		if err := rows.Scan(&pid); err != nil {
			return n, err
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return n, err
		}
		n++
	}
	return n, rows.Err()
}
