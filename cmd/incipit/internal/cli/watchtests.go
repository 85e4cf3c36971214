package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// watchTests runs the tests, and again whenever a file changes, until it is
// interrupted. A run that failed is a result, and no end.
func (e *env) watchTests(ctx context.Context, r testRequest, once func(context.Context) error) error {
	dir := e.dir
	if ws, err := e.workspace(ctx); err == nil {
		dir = ws.Dir
	}
	ticks := time.NewTicker(300 * time.Millisecond)
	defer ticks.Stop()
	for {
		before, err := fingerprint(dir, r.dir)
		if err != nil {
			return err
		}
		if err := once(ctx); err != nil {
			if ctx.Err() != nil {
				return err
			}
			if _, ended := errors.AsType[exitError](err); !ended {
				e.printError(err)
			}
		}
		e.talk("\nWaiting for a file to change; Ctrl-C ends it.")
		for changed := false; !changed; {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-ticks.C:
			}
			now, err := fingerprint(dir, r.dir)
			if err != nil {
				return err
			}
			changed = now != before
		}
		if e.ws != nil { // its configuration may be another
			if err := e.ws.Close(); err != nil {
				return err
			}
			e.ws = nil
		}
	}
}

// fingerprint is what tells one state of the files from another: their names,
// sizes and times. What git and incipit keep for themselves does not count,
// nor what a run writes.
func fingerprint(dir, reports string) (string, error) {
	var b strings.Builder
	reports, err := filepath.Abs(reports)
	if err != nil {
		return "", err
	}
	err = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if d.IsDir() {
			base := d.Name()
			if abs, absErr := filepath.Abs(name); name != dir && (base == ".git" || base == ".incipit" || base == "cassettes" || base == "node_modules" || absErr == nil && abs == reports) {
				return fs.SkipDir
			}
			return nil
		}
		fi, err := os.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%s %d %d\n", name, fi.Size(), fi.ModTime().UnixNano())
		return nil
	})
	return b.String(), err
}
