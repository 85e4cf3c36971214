package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/report"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/suite"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// lastFailed is the file that names the cases which did not pass the last time
// they were asked.
const lastFailed = stateDir + "/last-failed.json"

// A failedCase is found again by its key, or, if its text was changed since, by
// its place.
type failedCase struct {
	Key    string `json:"key"`
	File   string `json:"file"`
	Number int    `json:"number"`
}

// stateDir is where a directory keeps what is its user's alone. It is reached
// through the directory, so that a link in a repository leads nowhere else.
const stateDir = ".incipit"

// keepFailed writes down, for --only-failed, which cases did not pass: those of
// the report, and those from before that it did not ask. dir is the workspace's,
// "" where nothing is kept.
func keepFailed(r *report.Report, dir string) error {
	if dir == "" {
		return nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.MkdirAll(stateDir, 0o700); err != nil {
		return err
	}
	ignore := stateDir + "/.gitignore"
	if _, err := root.Lstat(ignore); errors.Is(err, fs.ErrNotExist) {
		if err := root.WriteFile(ignore, []byte("*\n"), 0o600); err != nil {
			return err
		}
	}
	before, err := readFailed(dir)
	if err != nil {
		before = nil // what cannot be read is written anew
	}
	data, err := json.Marshal(failedCases(r, before))
	if err != nil {
		return err
	}
	const tmp = lastFailed + ".incipit-tmp"
	if err := root.WriteFile(tmp, data, 0o600); err != nil {
		return err
	}
	return root.Rename(tmp, lastFailed)
}

func failedCases(r *report.Report, before []failedCase) []failedCase {
	runs := slices.Clone(r.Configs)
	for _, p := range r.Prompts {
		if p.Run != nil {
			runs = append(runs, *p.Run)
		}
	}
	type place struct {
		file   string
		number int
	}
	asked := make(map[place]bool)
	out := []failedCase{}
	for _, run := range runs {
		for _, c := range run.Cases {
			asked[place{c.File, c.Number}] = true
			if now := (failedCase{c.Key, c.File, c.Number}); c.Outcome != report.Pass && !slices.Contains(out, now) {
				out = append(out, now)
			}
		}
	}
	for _, c := range before {
		if !asked[place{c.File, c.Number}] {
			out = append(out, c)
		}
	}
	return out
}

// readFailed reads what keepFailed wrote; nothing, if it wrote nothing yet.
func readFailed(dir string) ([]failedCase, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	data, err := root.ReadFile(lastFailed)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []failedCase
	if err := json.Unmarshal(data, &out); err != nil {
		return nil, registry.WithFix(fmt.Errorf("%s cannot be read: %w", lastFailed, err), "run it once without --only-failed")
	}
	return out, nil
}

// onlyFailed keeps the cases that did not pass the last time. It reports an
// error if there are none.
func onlyFailed(dir string) (func(suite.Case) bool, error) {
	failed, err := readFailed(dir)
	if err != nil {
		return nil, err
	}
	if len(failed) == 0 {
		return nil, registry.Errorf(registry.ErrNotFound, "no case is known to have failed: every case passed the last time, or nothing was tested yet")
	}
	return func(c suite.Case) bool {
		return slices.ContainsFunc(failed, func(f failedCase) bool {
			return f.Key == c.Key || f.File == c.File && f.Number == c.Number
		})
	}, nil
}

// answersIn is a hash over the recorded answers to requests, by their keys. One
// that is not there counts, too: that it comes is a change.
func answersIn(files fs.FS, dir string, keys []string) string {
	h := sha256.New()
	for _, key := range keys {
		data, err := fs.ReadFile(files, path.Join(dir, key[:min(2, len(key))], key+".json"))
		fmt.Fprintf(h, "%s %t %x\n", key, err == nil, sha256.Sum256(data))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// findingsOf are the findings of an error that lists them.
func findingsOf(err error) ([]prompt.Finding, bool) {
	if e, ok := errors.AsType[*suite.Error](err); ok {
		return e.Findings, true
	}
	return nil, false
}

func isNotFound(err error) bool {
	return errors.Is(err, registry.ErrNotFound) || errors.Is(err, fs.ErrNotExist)
}
