package sqlstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A Manifest says what is in a backup, or what was restored.
type Manifest struct {
	Schema      int64            `json:"schema"`
	Instance    string           `json:"instance"`
	Generation  int64            `json:"generation"`
	Revisions   map[string]int64 `json:"revisions"`
	Rows        map[string]int64 `json:"rows"` // by table
	AuditEvents int64            `json:"audit_events"`
	Digest      string           `json:"digest"` // of the file: sha256:…

	// Kept is where a restore put what was there before, "" if there was
	// nothing; Replaced are the revisions it had, if they could be read.
	Kept     string           `json:"kept,omitempty"`
	Replaced map[string]int64 `json:"replaced,omitempty"`
}

// A backup is a SQLite file with one line behind it, by which a single bit that
// flipped is noticed. SQLite does not mind the line.
const (
	sealPrefix = "\nincipit backup 1 sha256:"
	sealLength = len(sealPrefix) + 2*sha256.Size + 1
)

// Backup writes all data into a file, as it is at one moment, while the
// database is at work. The file has its name only when it is complete, on disk
// and verified. It holds digests of keys, and no key that opens anything; the
// secret by which subjects are hashed is in it (see Secret).
func Backup(ctx context.Context, src *Store, file string) (Manifest, error) {
	if src.schema > src.known {
		return Manifest{}, registry.WithFix(registry.Errorf(registry.ErrUnavailable, "the database %s has schema %d, and this program knows those up to %d", src.Name(), src.schema, src.known),
			"make the backup with the newer incipit")
	}
	dir, err := os.MkdirTemp(filepath.Dir(file), ".incipit-backup-")
	if err != nil {
		return Manifest{}, backupError(file, err)
	}
	defer os.RemoveAll(dir)
	counts, err := copyToFile(ctx, src, dir)
	if err != nil {
		return Manifest{}, backupError(file, err)
	}
	built := filepath.Join(dir, fileName)
	digest, err := sealFile(built)
	if err != nil {
		return Manifest{}, backupError(file, err)
	}
	m, err := verifyInto(ctx, src.cfg, built, filepath.Join(dir, "verify"))
	if err != nil {
		return Manifest{}, backupError(file, err)
	}
	for t, n := range counts {
		if m.Rows[t] != n {
			return Manifest{}, backupError(file, fmt.Errorf("table %s has %d rows, and %d were copied", t, m.Rows[t], n))
		}
	}
	m.Digest = digest
	if err := os.Rename(built, file); err != nil {
		return Manifest{}, backupError(file, err)
	}
	return m, syncDir(filepath.Dir(file))
}

func backupError(file string, err error) error { return fmt.Errorf("backup %s: %w", file, err) }

// copyToFile makes a database in dir, one file without anything beside it.
func copyToFile(ctx context.Context, src *Store, dir string) (map[string]int64, error) {
	to, err := Open(ctx, Config{Dir: dir, Now: src.cfg.Now, Random: src.cfg.Random, migrations: src.cfg.migrations})
	if err != nil {
		return nil, err
	}
	counts, err := Copy(ctx, src, to)
	if err == nil {
		err = to.single(ctx)
	}
	return counts, errors.Join(err, to.Close())
}

// single brings what is in the write-ahead log into the file and goes on
// without one. Nobody else has the file open.
func (s *Store) single(ctx context.Context) error {
	err := s.r.Close()
	if err == nil {
		_, err = s.w.ExecContext(ctx, `PRAGMA journal_mode = DELETE`)
	}
	return err
}

// sealFile appends the line that tells whether the file is as it was written,
// and brings it to disk.
func sealFile(path string) (string, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	_, err = io.Copy(h, f)
	digest := hex.EncodeToString(h.Sum(nil))
	if err == nil {
		_, err = f.WriteString(sealPrefix + digest + "\n")
	}
	if err == nil {
		err = f.Sync()
	}
	return "sha256:" + digest, errors.Join(err, f.Close())
}

// VerifyBackup reads a backup and reports, with ErrInvalid, one that is not as
// it was written. It needs room for a copy in the directory for temporary
// files.
func VerifyBackup(ctx context.Context, file string, cfg Config) (Manifest, error) {
	dir, err := os.MkdirTemp("", "incipit-verify-")
	if err != nil {
		return Manifest{}, err
	}
	defer os.RemoveAll(dir)
	return verifyInto(ctx, cfg, file, dir)
}

// verifyInto unpacks a backup as the database of dir, and reads all of it.
func verifyInto(ctx context.Context, cfg Config, file, dir string) (Manifest, error) {
	s, digest, err := unpack(ctx, cfg, file, dir)
	if err != nil {
		return Manifest{}, err
	}
	m, err := s.manifest(ctx)
	m.Digest = digest
	return m, errors.Join(err, s.integrity(ctx), s.Close())
}

// integrity has SQLite compare all tables with their indexes.
func (s *Store) integrity(ctx context.Context) error {
	var said string
	if err := s.r.QueryRowContext(ctx, `PRAGMA integrity_check(1)`).Scan(&said); err != nil {
		return s.d.explain(err)
	}
	if said != "ok" {
		return s.d.explain(&corruptError{"the file (" + said + ")"})
	}
	return nil
}

// unpack checks the seal of a backup and opens a copy of it.
func unpack(ctx context.Context, cfg Config, file, dir string) (*Store, string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, "", err
	}
	digest, err := unseal(file, filepath.Join(dir, fileName))
	if err != nil {
		return nil, "", err
	}
	s, err := Open(ctx, Config{Dir: dir, Now: cfg.Now, Random: cfg.Random, migrations: cfg.migrations})
	if err != nil {
		return nil, "", fmt.Errorf("backup %s: %w", file, err)
	}
	if s.schema > s.known {
		err = registry.WithFix(registry.Errorf(prompt.ErrInvalid, "backup %s has schema %d, and this program knows those up to %d", file, s.schema, s.known),
			"restore it with the newer incipit that made it")
		return nil, "", errors.Join(err, s.Close())
	}
	return s, digest, nil
}

// unseal copies a backup without its last line, and reports one that is not as
// it was written.
func unseal(file, to string) (string, error) {
	in, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return "", err
	}
	size := info.Size() - int64(sealLength)
	line := make([]byte, sealLength)
	if size > 0 {
		_, err = in.ReadAt(line, size)
	}
	if err != nil {
		return "", err
	}
	if size <= 0 || !bytes.HasPrefix(line, []byte(sealPrefix)) {
		return "", registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%s is no complete backup of incipit", file), "name a file that incipit backup wrote")
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	_, err = io.Copy(io.MultiWriter(out, h), io.LimitReader(in, size))
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return "", err
	}
	return "sha256:" + sum(h), damaged(file, line, h)
}

func sum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

func damaged(file string, line []byte, h hash.Hash) error {
	if string(line) == sealPrefix+sum(h)+"\n" {
		return nil
	}
	return registry.WithFix(registry.Errorf(prompt.ErrInvalid, "backup %s is damaged: its bytes are not those that were written", file), "use another backup")
}

// manifest reads every row, and says what there is.
func (s *Store) manifest(ctx context.Context) (Manifest, error) {
	m := Manifest{Schema: s.schema, Rows: make(map[string]int64)}
	m, err := getAll(ctx, s, func(q querier) (Manifest, error) {
		for _, t := range tables() {
			var n int64
			if err := q.QueryRowContext(ctx, `SELECT COUNT(*) FROM `+t).Scan(&n); err != nil {
				return m, err
			}
			m.Rows[t] = n
		}
		var err error
		if m.AuditEvents, err = verifyAudit(ctx, q); err != nil {
			return m, err
		}
		if err := deployments(ctx, q, func(string, registry.Record) {}, ``); err != nil {
			return m, err
		}
		if err := allReleases(ctx, q); err != nil {
			return m, err
		}
		return m, gapless(ctx, q)
	})
	if err != nil {
		return m, err
	}
	if m.Instance, err = s.Instance(ctx); err != nil {
		return m, err
	}
	m.Generation, m.Revisions, err = s.Revisions(ctx)
	return m, err
}

// stamp is a time in the name of a file.
func stamp(t time.Time) string {
	return strings.ReplaceAll(t.UTC().Format("20060102T150405.000Z"), ".", "")
}

// syncDir brings a new name in a directory to disk.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
