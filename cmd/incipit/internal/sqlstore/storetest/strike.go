package storetest

import (
	"context"
	"database/sql"
	"syscall"
	"testing"
	"time"
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

// KillBackend ends a process that serves a connection of incipit, one that is
// at work if there is one, as the kernel does when memory runs out: by SIGKILL.
// The server then ends all others and recovers; while it does, KillBackend
// waits. It returns how many it killed.
func (p *Server) KillBackend() (int, error) {
	db, err := sql.Open("pgx", p.URL)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		var pid int
		err := db.QueryRowContext(ctx, `
			SELECT pid FROM pg_stat_activity WHERE application_name = 'incipit'
			ORDER BY state = 'idle in transaction' DESC, state = 'active' DESC LIMIT 1`).Scan(&pid)
		if err == nil {
			err = syscall.Kill(pid, syscall.SIGKILL)
		}
		if err == nil || ctx.Err() != nil {
			return 1, err
		}
		time.Sleep(20 * time.Millisecond)
	}
}
