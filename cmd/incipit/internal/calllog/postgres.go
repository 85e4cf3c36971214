package calllog

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
)

// dayLock is the advisory lock under which tables are made and dropped: the
// first eight bytes of "incicall".
const dayLock = 0x696e636963616c6c

// postgres is the dialect of PostgreSQL: tables of each day, in the schema that
// the connection's search path names. Replicas share them.
//
// Whoever writes updates the row of call_head first, and so holds its lock to
// the end of the transaction. A transaction reads what was committed before it
// got the lock, since each of its statements sees what was committed before
// that statement.
type postgres struct {
	cfg   Config
	where string
	w, r  *sql.DB

	texts map[textKey]string // for whoever has the turn

	mu   sync.Mutex
	made map[day]bool // whose tables were there when we looked
}

func (p *postgres) together() bool { return true }

func (p *postgres) open(ctx context.Context) error {
	var err error
	if p.w, p.r, p.where, err = sqlstore.OpenPostgres(ctx, p.cfg.URL, 2, 4); err != nil {
		return err
	}
	if err := p.alone(ctx, func(t *sql.Tx) error {
		if _, err := t.ExecContext(ctx, postgresWords(commonTables)); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx, `INSERT INTO call_head (id, seq, floor, schema, compatible) VALUES (1, 0, 0, $1, $1) ON CONFLICT (id) DO NOTHING`, schema)
		return err
	}); err != nil {
		return err
	}
	var compatible int64
	if err := p.w.QueryRowContext(ctx, `SELECT compatible FROM call_head WHERE id = 1`).Scan(&compatible); err != nil {
		return err
	}
	return sound(compatible)
}

func (p *postgres) close() error {
	var err error
	for _, db := range []*sql.DB{p.w, p.r} {
		if db != nil {
			err = errors.Join(err, db.Close())
		}
	}
	return err
}

// alone runs fn while no other replica makes or drops tables.
func (p *postgres) alone(ctx context.Context, fn func(*sql.Tx) error) error {
	t, err := p.w.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = t.Rollback() }()
	if _, err := t.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(dayLock)); err != nil {
		return err
	}
	if err := fn(t); err != nil {
		return err
	}
	return t.Commit()
}

func (p *postgres) makeDay(ctx context.Context, d day) error {
	p.mu.Lock()
	there := p.made[d]
	p.mu.Unlock()
	if there {
		return nil
	}
	if err := p.alone(ctx, func(t *sql.Tx) error {
		var floor int64
		if err := t.QueryRowContext(ctx, `SELECT floor FROM call_head WHERE id = 1`).Scan(&floor); err != nil {
			return err
		}
		if d.number() < floor {
			return errRetired
		}
		if _, err := t.ExecContext(ctx, d.sql(postgresWords(dayTables))); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx, `INSERT INTO call_day (day, retired, schema) VALUES ($1, FALSE, $2) ON CONFLICT (day) DO NOTHING`, d.number(), schema)
		return err
	}); err != nil {
		return err
	}
	p.mu.Lock()
	p.made[d] = true
	p.mu.Unlock()
	return nil
}

// dropDay waits for nobody who writes: no writer has a lock on tables of a
// retired day. It gives up after half a second if somebody reads them.
func (p *postgres) dropDay(ctx context.Context, d day) error {
	p.mu.Lock()
	delete(p.made, d)
	p.mu.Unlock()
	return p.alone(ctx, func(t *sql.Tx) error {
		// While it waits for who reads, whoever begins to read waits behind it.
		if _, err := t.ExecContext(ctx, `SET LOCAL lock_timeout = '500ms'`); err != nil {
			return err
		}
		if _, err := t.ExecContext(ctx, d.sql(`DROP TABLE IF EXISTS call_{day}, origin_{day}, rollup_{day}, feedback_{day}`)); err != nil {
			if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == "55P03" { // lock timeout
				return errInUse
			}
			return err
		}
		_, err := t.ExecContext(ctx, `DELETE FROM call_day WHERE day = $1 AND retired`, d.number())
		return err
	})
}

// gone: the table is not there.
func (p *postgres) gone(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code == "42P01"
}

func (p *postgres) view(ctx context.Context, fn func(*view) error) error {
	t, err := p.r.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead})
	if err != nil {
		return err
	}
	defer func() { _ = t.Rollback() }()
	v := &view{common: t, on: func(_ context.Context, _ day, fn func(querier) error) error { return fn(t) }}
	if err := t.QueryRowContext(ctx, `SELECT seq FROM call_head WHERE id = 1`).Scan(&v.last); err != nil {
		return err
	}
	if v.live, err = liveDays(ctx, t); err != nil {
		return err
	}
	return fn(v)
}

func (p *postgres) latest(ctx context.Context) (last int64, err error) {
	err = p.r.QueryRowContext(ctx, `SELECT seq FROM call_head WHERE id = 1`).Scan(&last)
	return last, err
}

// stirred asks all days in one statement, which looks twice into each. It asks
// for the last numbers: whether there is a larger one than another, the planner
// would find out from the beginning of the table.
func (p *postgres) stirred(ctx context.Context, v *view, after int64) ([]day, error) {
	if len(v.live) == 0 {
		return nil, nil
	}
	var text strings.Builder
	for i, d := range v.live {
		if i > 0 {
			text.WriteString(` UNION ALL `)
		}
		text.WriteString(d.sql(`SELECT CAST({day} AS BIGINT) WHERE (SELECT MAX(seq) FROM call_{day}) > $1 OR (SELECT MAX(seq) FROM feedback_{day}) > $1`))
	}
	var out []day
	err := rows(ctx, v.common, func(rs *sql.Rows) error {
		var n int64
		if err := rs.Scan(&n); err != nil {
			return err
		}
		d, err := dayNumbered(n)
		out = append(out, d)
		return err
	}, text.String(), after)
	return out, err
}

func (p *postgres) begin(ctx context.Context, d day, n int) (*tx, error) {
	conn, err := p.w.Conn(ctx)
	if err != nil {
		return nil, err
	}
	t, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	out := &tx{
		Tx: t, conn: conn,
		more: func(ctx context.Context, n int) (int64, error) {
			last, _, err := advance(ctx, t, n)
			return last, err
		},
		on:       func(_ context.Context, _ day, fn func(querier) error) error { return fn(t) },
		settle:   t.Commit,
		prepared: func(string) *sql.Stmt { return nil }, // pgx does it
		spelled:  func(text string) string { return text },
		texts:    p.texts,
	}
	var floor int64
	// Each writer takes a number at least: so others see that somebody wrote.
	if out.last, floor, err = advance(ctx, t, max(n, 1)); err == nil && d != common && d.number() < floor {
		err = errRetired
	}
	if err != nil {
		out.end()
		return nil, err
	}
	return out, nil
}

// advance takes the lock of all writers, and n numbers.
func advance(ctx context.Context, t *sql.Tx, n int) (last, floor int64, err error) {
	err = t.QueryRowContext(ctx, `UPDATE call_head SET seq = seq + $1 WHERE id = 1 RETURNING seq, floor`, n).Scan(&last, &floor)
	return last, floor, err
}

func (p *postgres) verdict(err error) sqlstore.Verdict {
	return sqlstore.Judge(err, p.where, "the one that your database's backups have")
}
