package incipit

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/incipit-dev/incipit/internal/registry"
)

// A diskCopy is the file that holds the last good snapshot of one environment
// of one server. Several processes may share it: each writes it whole.
type diskCopy struct {
	path  string
	limit int64 // bytes; a larger file is not ours
}

// newDiskCopy is nil where nothing is to be kept, or nowhere can be.
func newDiskCopy(o *Options, limit int) *diskCopy {
	dir := o.CacheDir
	switch dir {
	case "-":
		return nil
	case "":
		cache, err := os.UserCacheDir()
		if err != nil {
			o.Logger.Warn("incipit: no copy is kept on disk; set Options.CacheDir, or to \"-\" if that is right", "error", err)
			return nil
		}
		dir = filepath.Join(cache, "incipit")
	}
	sum := sha256.Sum256([]byte(o.Server + "\x00" + o.Environment))
	// Written by encoding/json, which escapes more, it may be larger than what came in.
	return &diskCopy{filepath.Join(dir, hex.EncodeToString(sum[:16])+".json"), 2 * int64(limit)}
}

// load reads the copy. A file that others could have written, that is damaged,
// or that is about another environment is an error, and so is none at all:
// fs.ErrNotExist.
func (d *diskCopy) load(env string) (*registry.Snapshot, time.Time, error) {
	refused := func(format string, args ...any) (*registry.Snapshot, time.Time, error) {
		return nil, time.Time{}, registry.Errorf(ErrInvalid, "%s %s; it is ignored, and written anew", d.path, fmt.Sprintf(format, args...))
	}
	before, err := os.Lstat(d.path)
	if err != nil {
		return nil, time.Time{}, err
	}
	if !before.Mode().IsRegular() { // opening a pipe would wait for its other end
		return refused("is no plain file")
	}
	f, err := os.Open(d.path)
	if err != nil {
		return nil, time.Time{}, err
	}
	defer f.Close()
	fi, err := f.Stat()
	switch {
	case err != nil:
		return nil, time.Time{}, err
	case !os.SameFile(before, fi):
		return refused("was replaced while it was opened")
	case !ownedByUs(fi):
		return refused("belongs to another user")
	case othersMayWrite(fi):
		return refused("may be written by others, with the mode %v", fi.Mode().Perm())
	case fi.Size() > d.limit:
		return refused("is larger than %d bytes", d.limit)
	}
	data, err := io.ReadAll(io.LimitReader(f, d.limit))
	if err != nil {
		return nil, time.Time{}, err
	}
	s, savedAt, err := registry.DecodeCopy(data)
	if err != nil {
		return refused("cannot be used: %v", err)
	}
	if s.Environment != env {
		return refused("is of the environment %q, not %q", s.Environment, env)
	}
	return s, savedAt, nil
}

// save replaces the copy. A process that is killed meanwhile leaves the old
// one: the new one is written beside it, and renamed once it is on the disk.
func (d *diskCopy) save(s *registry.Snapshot, savedAt time.Time) error {
	data, err := registry.EncodeCopy(s, savedAt)
	if err != nil {
		return err
	}
	dir, name := filepath.Split(d.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, name+".*.tmp") // with the mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), d.path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	if parent, err := os.Open(dir); err == nil { // where a directory can be synced, the new name is kept too
		_ = parent.Sync()
		_ = parent.Close()
	}
	return nil
}

// sweep removes what killed processes left behind.
func (d *diskCopy) sweep(now time.Time) {
	left, _ := filepath.Glob(d.path + ".*.tmp")
	for _, name := range left {
		if fi, err := os.Lstat(name); err == nil && fi.Mode().IsRegular() && now.Sub(fi.ModTime()) > time.Hour {
			_ = os.Remove(name)
		}
	}
}

// kept reads the copy at the start, and says in the log why there is none.
func (d *diskCopy) kept(o *Options, now time.Time) (*view, time.Time) {
	if d == nil {
		return nil, time.Time{}
	}
	d.sweep(now)
	s, savedAt, err := d.load(o.Environment)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			o.Logger.Warn("incipit: the copy on disk is not used", "error", err)
		}
		return nil, time.Time{}
	}
	v, refused := viewOf(s, fromDisk)
	for id, err := range refused {
		o.Logger.Warn("incipit: the copy on disk", "prompt", id, "error", err)
	}
	return v, savedAt
}
