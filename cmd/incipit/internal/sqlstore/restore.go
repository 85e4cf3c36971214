package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/incipit-dev/incipit/internal/registry"
)

// Restore puts a backup in the place of a database, all of it or nothing. The
// generation grows, so that what was seen of the old one is replaced
// everywhere, and the audit log tells of it. No server may use the target
// directory; replicas on PostgreSQL go on, with what was restored.
//
// What was there before is kept: as a file beside the database, or beside the
// backup where the database is PostgreSQL.
func Restore(ctx context.Context, file string, target Config) (Manifest, error) {
	var m Manifest
	var err error
	if target.URL != "" {
		m, err = restorePostgres(ctx, file, target)
	} else {
		m, err = restoreFile(ctx, file, target)
	}
	if err != nil {
		return Manifest{}, fmt.Errorf("nothing was restored: %w", err)
	}
	return m, nil
}

// renew makes a restored database a new generation, after the one it replaces.
func (s *Store) renew(ctx context.Context, tx *tx, file string, replaced int64) error {
	g, err := generation(ctx, tx)
	if err != nil {
		return err
	}
	next := max(g, replaced) + 1
	if _, err := tx.ExecContext(ctx, `UPDATE meta SET number = $1 WHERE name = 'generation'`, next); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE meta SET number = number + 1 WHERE name = 'keys'`); err != nil {
		return err
	}
	e := registry.Event{Actor: "local", Source: "cli", Action: "restore", Detail: map[string]string{
		"file": filepath.Base(file), "generation": strconv.FormatInt(next, 10), "backup_generation": strconv.FormatInt(g, 10),
	}}
	if c, ok := registry.CallerOf(ctx); ok {
		e.Actor, e.Key, e.Source, e.Request = c.Name, c.Key, c.Source, c.Request
	}
	return s.append(ctx, tx, e)
}

func restorePostgres(ctx context.Context, file string, target Config) (Manifest, error) {
	dir, err := os.MkdirTemp("", "incipit-restore-")
	if err != nil {
		return Manifest{}, err
	}
	defer os.RemoveAll(dir)
	from, _, err := unpack(ctx, target, file, dir)
	if err != nil {
		return Manifest{}, err
	}
	defer from.Close()
	if _, err := from.manifest(ctx); err != nil { // reads all of it
		return Manifest{}, err
	}
	to, err := Open(ctx, target)
	if err != nil {
		return Manifest{}, err
	}
	defer to.Close()
	old, err := to.Generation(ctx)
	if err != nil {
		return Manifest{}, err
	}
	_, replaced, err := to.Revisions(ctx)
	if err != nil {
		return Manifest{}, err
	}
	kept := ""
	if events, err := to.Events(ctx, 0, 1); err != nil {
		return Manifest{}, err
	} else if len(events) > 0 {
		kept = file + ".before-restore-" + stamp(to.now())
		if _, err := Backup(ctx, to, kept); err != nil {
			return Manifest{}, err
		}
	}
	err = to.once(ctx, func(tx *tx) error {
		if _, err := from.copyInto(ctx, to, tx); err != nil {
			return err
		}
		return to.renew(ctx, tx, file, old)
	})
	if err != nil {
		return Manifest{}, err
	}
	m, err := to.manifest(ctx)
	m.Kept, m.Replaced = kept, replaced
	return m, err
}

// unknownGenerations is how many generations to skip where the database that
// is replaced cannot be read any more: it may have been restored before.
const unknownGenerations = 100

func restoreFile(ctx context.Context, file string, target Config) (Manifest, error) {
	held, err := LockDir(target.Dir)
	if err != nil {
		return Manifest{}, err
	}
	defer held.Close()
	d := newSQLite(target)
	done, err := d.begin(ctx) // nobody opens what is there until it is replaced
	if err != nil {
		return Manifest{}, err
	}
	defer done()

	dir, err := os.MkdirTemp(filepath.Dir(d.path), ".restore-")
	if err != nil {
		return Manifest{}, err
	}
	defer os.RemoveAll(dir)
	next, _, err := unpack(ctx, target, file, dir)
	if err != nil {
		return Manifest{}, err
	}
	old, err := d.retire(ctx)
	if err != nil {
		return Manifest{}, errors.Join(err, next.Close())
	}
	m, err := next.manifest(ctx)
	if err == nil {
		err = next.once(ctx, func(tx *tx) error { return next.renew(ctx, tx, file, old.generation) })
	}
	if err == nil {
		m, err = next.manifest(ctx)
	}
	if err == nil {
		err = next.single(ctx)
	}
	if err = errors.Join(err, next.Close()); err != nil {
		return Manifest{}, err
	}
	m.Replaced = old.revisions
	m.Kept, err = d.swap(filepath.Join(dir, fileName), old)
	return m, err
}

// A retired database is one that will be replaced.
type retired struct {
	exists, damaged bool
	generation      int64
	revisions       map[string]int64
}

// retire reads what there is to know of the file that will be replaced, and
// brings its write-ahead log into it. It reports ErrConflict if another process
// uses it.
func (d *sqliteFile) retire(ctx context.Context) (retired, error) {
	info, err := os.Stat(d.path)
	if errors.Is(err, os.ErrNotExist) || err == nil && info.Size() == 0 {
		return retired{}, nil
	}
	if err != nil {
		return retired{}, err
	}
	w, err := d.pool("immediate", 1)
	if err != nil {
		return retired{}, err
	}
	s := &Store{cfg: d.cfg, d: d, w: w, r: w}
	old := retired{exists: true}
	old.generation, old.revisions, err = s.Revisions(ctx)
	if err == nil {
		_, err = w.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		f := d.faultOf(err)
		if f != corrupt && f != noFault && f != diskError {
			return old, d.explain(err)
		}
		return retired{exists: true, damaged: true, generation: unknownGenerations}, nil
	}
	if _, err := os.Stat(d.path + "-shm"); err == nil { // the last to close it removes this
		return old, registry.WithFix(registry.Errorf(registry.ErrConflict, "another process uses %s", d.path), "end it first")
	}
	return old, nil
}

// swap puts a database in the place of the one that is there, which is kept
// under the name that it returns. At each moment one of the two has the name.
func (d *sqliteFile) swap(next string, old retired) (kept string, err error) {
	dir := filepath.Dir(d.path)
	if old.exists {
		kept = d.path + ".before-restore-" + stamp(d.cfg.Now())
		if err := os.Link(d.path, kept); err != nil {
			return "", err
		}
		// A log that does not belong to the new file must not lie beside it.
		for _, suffix := range []string{"-wal", "-shm"} {
			if err := os.Rename(d.path+suffix, kept+suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
				return "", err
			}
		}
		if err := syncDir(dir); err != nil {
			return "", err
		}
	}
	if err := os.Rename(next, d.path); err != nil {
		return "", err
	}
	return kept, syncDir(dir)
}
