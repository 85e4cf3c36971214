package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
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
	own, err := r.written()
	if err != nil {
		return err
	}
	ticks := time.NewTicker(300 * time.Millisecond)
	defer ticks.Stop()
	for {
		before, err := fingerprint(dir, own)
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
			now, err := fingerprint(dir, own)
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

// written lists what a run writes for its user, as absolute names: a watch that
// saw these change would run for ever.
func (f *testFlags) written() ([]string, error) {
	var out []string
	for _, name := range append(slices.Clone(f.outputs), f.dir) {
		if name == "" { // no directory was asked for
			continue
		}
		abs, err := filepath.Abs(name)
		if err != nil {
			return nil, err
		}
		out = append(out, abs)
	}
	return out, nil
}

// fingerprint is what tells one state of the files from another: their names,
// sizes and times. What git and incipit keep for themselves does not count,
// nor what a run writes, which own names.
func fingerprint(dir string, own []string) (string, error) {
	var b strings.Builder
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	err = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case d.IsDir() && name != dir && (slices.Contains(own, name) || isKept(d.Name())):
			return fs.SkipDir
		case d.IsDir() || slices.Contains(own, name):
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

// isKept reports whether a directory of this name is not for people to edit.
func isKept(name string) bool {
	return slices.Contains([]string{".git", ".incipit", "cassettes", "node_modules"}, name)
}
