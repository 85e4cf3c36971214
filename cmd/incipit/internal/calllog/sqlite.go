package calllog

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
)

// sqliteDir is the dialect of SQLite: a directory with common.db and a file for
// each day. One process has it open at a time.
type sqliteDir struct {
	cfg  Config
	dir  string
	lock io.Closer

	common *sqliteFile
	mu     sync.Mutex
	files  map[day]*sqliteFile // of the live days

	// For whoever has the turn:
	texts    map[textKey]string
	seq      int64 // the last number that was given out
	reserved int64 // what common.db says: no larger one was
	floor    day   // days before it are retired

	last atomic.Int64 // the last number that was committed
}

func newSQLite(cfg Config) *sqliteDir {
	dir := filepath.Join(cfg.Dir, "calls")
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return &sqliteDir{cfg: cfg, dir: dir, files: make(map[day]*sqliteFile), texts: make(map[textKey]string), floor: common}
}

func (s *sqliteDir) together() bool { return false }

func (s *sqliteDir) open(ctx context.Context) error {
	var err error
	if s.lock, err = sqlstore.LockDir(s.dir); err != nil {
		return err
	}
	if s.common, err = openFile(ctx, filepath.Join(s.dir, "common.db"), sqliteWords(commonTables)); err != nil {
		return err
	}
	if _, err := s.common.w.ExecContext(ctx, `INSERT INTO call_head (id, seq, floor, schema, compatible) VALUES (1, 0, 0, $1, $1) ON CONFLICT (id) DO NOTHING`, schema); err != nil {
		return err
	}
	var floor, compatible, waiting int64
	if err := s.common.w.QueryRowContext(ctx, `SELECT seq, floor, compatible, (SELECT COALESCE(MAX(seq), 0) FROM feedback_waiting) FROM call_head WHERE id = 1`).
		Scan(&s.seq, &floor, &compatible, &waiting); err != nil {
		return err
	}
	s.reserved = s.seq
	s.seq = max(s.seq, waiting)
	if err := sound(compatible); err != nil {
		return err
	}
	if floor != 0 {
		if s.floor, err = dayNumbered(floor); err != nil {
			return err
		}
	}
	if err := s.adopt(ctx); err != nil {
		return err
	}
	live, err := liveDays(ctx, s.common.w)
	if err != nil {
		return err
	}
	for _, d := range live {
		if err := s.openDay(ctx, d); err != nil {
			return err
		}
	}
	if s.reserved == 0 && s.seq > 0 { // by a program that did not, or in a file that is gone
		s.seq += reserve
	}
	s.last.Store(s.seq)
	return nil
}

// reserve is how many numbers are reserved at a time.
const reserve = 1 << 16

// keepAhead notes in common.db that n more numbers may be given out. Not every
// number leaves a row: that of what was erased does not. Given out again after a
// restart, whoever reads on from it would miss what has it then.
func (s *sqliteDir) keepAhead(ctx context.Context, n int64) error {
	if s.seq+n <= s.reserved {
		return nil
	}
	to := s.seq + n + reserve
	if _, err := s.common.w.ExecContext(ctx, `UPDATE call_head SET seq = $1 WHERE id = 1`, to); err != nil {
		return s.common.at(err)
	}
	s.reserved = to
	return nil
}

// adopt takes files of days in that common.db does not know: we were killed
// between making one and noting it, or common.db was damaged and moved away.
func (s *sqliteDir) adopt(ctx context.Context) error {
	names, err := filepath.Glob(filepath.Join(s.dir, "[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9].db"))
	if err != nil {
		return err
	}
	for _, name := range names {
		n, err := strconv.ParseInt(strings.TrimSuffix(filepath.Base(name), ".db"), 10, 64)
		if err != nil {
			return err
		}
		if d, err := dayNumbered(n); err != nil || d < s.floor {
			continue // none of ours, or what dropDay left
		}
		if _, err := s.common.w.ExecContext(ctx, `INSERT INTO call_day (day, retired, schema) VALUES ($1, FALSE, $2) ON CONFLICT (day) DO NOTHING`, n, schema); err != nil {
			return err
		}
	}
	return nil
}

// openDay opens the file of a live day as the log is opened, and learns its
// last number.
func (s *sqliteDir) openDay(ctx context.Context, d day) error {
	if _, err := os.Stat(s.path(d)); errors.Is(err, os.ErrNotExist) {
		s.cfg.Log.Error("a file of the call log is gone: its calls and figures are lost", "file", s.path(d))
	}
	f, err := openFile(ctx, s.path(d), d.sql(sqliteWords(dayTables)))
	if err != nil {
		return err
	}
	s.files[d] = f
	last, err := lastOf(ctx, f.w, d)
	f.last.Store(last)
	s.seq = max(s.seq, last)
	return err
}

func (s *sqliteDir) path(d day) string { return filepath.Join(s.dir, d.String()+".db") }

func (s *sqliteDir) close() error {
	var err error
	s.mu.Lock()
	for _, f := range s.files {
		err = errors.Join(err, f.close())
	}
	clear(s.files)
	s.mu.Unlock()
	if s.common != nil {
		err = errors.Join(err, s.common.close())
	}
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
	}
	return err
}

func (s *sqliteDir) makeDay(ctx context.Context, d day) error {
	if d < s.floor {
		return errRetired
	}
	s.mu.Lock()
	_, there := s.files[d]
	s.mu.Unlock()
	if there {
		return nil
	}
	f, err := openFile(ctx, s.path(d), d.sql(sqliteWords(dayTables)))
	if err != nil {
		return err
	}
	if _, err := s.common.w.ExecContext(ctx, `INSERT INTO call_day (day, retired, schema) VALUES ($1, FALSE, $2) ON CONFLICT (day) DO NOTHING`, d.number(), schema); err != nil {
		return errors.Join(err, f.close())
	}
	s.mu.Lock()
	s.files[d] = f
	s.mu.Unlock()
	return nil
}

func (s *sqliteDir) dropDay(ctx context.Context, d day) error {
	// A connection that is opened while the files go would find some of them, and
	// miss what is in the others. So nobody may be reading.
	err := s.shut(d)
	for n := 1; errors.Is(err, errInUse) && n < 8; n++ { // half a second in all
		if err := pause(ctx, n%5); err != nil {
			return err
		}
		err = s.shut(d)
	}
	if errors.Is(err, errInUse) {
		return err
	}
	for _, suffix := range []string{"-wal", "-shm", "-journal", ""} {
		if e := os.Remove(s.path(d) + suffix); !errors.Is(e, os.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	if err == nil {
		err = syncDir(s.dir)
	}
	if err == nil {
		_, err = s.common.w.ExecContext(ctx, `DELETE FROM call_day WHERE day = $1 AND retired`, d.number())
	}
	return err
}

// shut closes the file of a day for good. It reports errInUse if somebody reads
// it still; nobody begins to any more.
func (s *sqliteDir) shut(d day) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.files[d]
	if f == nil {
		return nil
	}
	f.gone = true
	if f.users > 0 {
		return errInUse
	}
	delete(s.files, d)
	return f.close()
}

// errGone is of a day whose file went while a view was looked at.
var errGone = errors.New("the day was deleted meanwhile")

func (s *sqliteDir) gone(err error) bool { return errors.Is(err, errGone) }

// use keeps a file open until it is left.
func (s *sqliteDir) use(d day) (f *sqliteFile, leave func(), err error) {
	if d == common {
		return s.common, func() {}, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f = s.files[d]
	if f == nil || f.gone {
		return nil, nil, errGone
	}
	f.users++
	return f, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		f.users--
	}, nil
}

func (s *sqliteDir) view(ctx context.Context, fn func(*view) error) error {
	v := &view{last: s.last.Load(), on: s.readDay}
	return s.readDay(ctx, common, func(q querier) (err error) {
		v.common = q
		if v.live, err = liveDays(ctx, q); err != nil {
			return err
		}
		return fn(v)
	})
}

// readDay shows fn one state of a file.
func (s *sqliteDir) readDay(ctx context.Context, d day, fn func(querier) error) error {
	f, leave, err := s.use(d)
	if err != nil {
		return err
	}
	defer leave()
	if err := f.same(); err != nil {
		return err
	}
	t, err := f.r.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return f.at(err)
	}
	defer func() { _ = t.Rollback() }()
	return f.at(fn(t))
}

func (s *sqliteDir) latest(context.Context) (int64, error) { return s.last.Load(), nil }

// stirred asks no file: nobody else writes to them.
func (s *sqliteDir) stirred(_ context.Context, v *view, after int64) ([]day, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []day
	for _, d := range v.live {
		if f := s.files[d]; f == nil || f.last.Load() > after { // whoever reads one that is gone is told
			out = append(out, d)
		}
	}
	return out, nil
}

func (s *sqliteDir) begin(ctx context.Context, d day, n int) (*tx, error) {
	if d != common && d < s.floor {
		return nil, errRetired
	}
	f, leave, err := s.use(d)
	if errors.Is(err, errGone) {
		err = errRetired
	}
	if err != nil {
		return nil, err
	}
	defer leave() // the day is retired by whoever has the turn, and dropped after that
	if err := f.broken; err != nil {
		return nil, err
	}
	if err := f.prepare(ctx); err != nil {
		return nil, f.at(err)
	}
	// On the common tables, none can be reserved any more once this has begun: so
	// there are some for each feedback of a group.
	if err := s.keepAhead(ctx, int64(n)+2*groupRows); err != nil {
		return nil, err
	}
	conn, err := f.w.Conn(ctx)
	if err != nil {
		return nil, f.at(err)
	}
	t, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return nil, errors.Join(f.at(err), conn.Close())
	}
	s.seq += int64(max(n, 1))
	out := &tx{
		Tx: t, conn: conn, last: s.seq,
		more: func(ctx context.Context, n int) (int64, error) {
			if d != common {
				if err := s.keepAhead(ctx, int64(n)); err != nil {
					return 0, err
				}
			}
			s.seq += int64(n)
			return s.seq, nil
		},
		on: func(ctx context.Context, on day, fn func(querier) error) error {
			if on == d {
				return fn(t)
			}
			return s.readDay(ctx, on, fn)
		},
		prepared: f.statement,
		spelled:  unnumbered,
		texts:    s.texts,
	}
	out.settle = func() error { return s.commit(out, f) }
	return out, nil
}

func (s *sqliteDir) commit(t *tx, f *sqliteFile) error {
	err := f.same()
	if err == nil {
		f.last.Store(s.seq) // before: perhaps there is a commit though we are told of an error
		err = t.Commit()
	}
	if err != nil {
		err = f.at(err)
		if v := s.verdict(err); v.Unsafe {
			f.broken = v.Err
		}
		return err
	}
	s.floor = max(s.floor, t.floor)
	s.last.Store(s.seq) // whoever has the turn commits, so nothing before is under way
	return nil
}

// verdict of an error, which names the file that it is of.
func (s *sqliteDir) verdict(err error) sqlstore.Verdict {
	where := s.dir
	if e, ok := errors.AsType[*fileError](err); ok {
		where = e.path
	}
	v := sqlstore.Judge(err, where, "incipit restore FILE --data "+s.cfg.Dir)
	if v.Damaged {
		v.Err = damaged(v.Err, where)
	}
	return v
}
