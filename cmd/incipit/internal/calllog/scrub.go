package calllog

import (
	"context"
	"errors"
)

// scrub empties the write-ahead log of a file of SQLite: what was overwritten in
// the file is still in there. PostgreSQL has nothing like it: it overwrites old
// rows when it vacuums, and its own log goes as it is told to.
//
// Whoever reads or writes just then keeps it from being emptied, and never waits
// for it. It is tried again, and at last left to the moment when nobody has used
// the file for a while.
func (l *Log) scrub(ctx context.Context, d day) error {
	s, ok := l.d.(*sqliteDir)
	if !ok {
		return nil
	}
	f, leave, err := s.use(d)
	if errors.Is(err, errGone) {
		return nil
	}
	if err != nil {
		return err
	}
	defer leave()
	own, err := openPool(f.path, "deferred", 1, "busy_timeout(0)")
	if err != nil {
		return err
	}
	defer own.Close()
	for n := 1; ; n++ {
		var busy, frames, moved int
		if err := own.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &frames, &moved); err != nil {
			return l.d.verdict(f.at(err)).Err
		}
		if busy == 0 {
			return nil
		}
		if n == attempts {
			l.cfg.Log.Warn("what was erased is still in the write-ahead log, which is in use: it goes once nobody has used the file for a minute", "file", f.path+"-wal")
			return nil
		}
		if err := pause(ctx, n); err != nil {
			return err
		}
	}
}
