package gitrepo

import (
	"context"
	"path/filepath"
	"strings"
)

// HooksDir is where git looks for the hooks of the repository, and whether
// that is the repository's own directory: core.hooksPath may name another one,
// which others may share.
func (r *Repo) HooksDir(ctx context.Context) (dir string, own bool, err error) {
	out, err := r.read(ctx, "rev-parse", "--git-path", "hooks")
	if err != nil {
		return "", false, err
	}
	dir = filepath.FromSlash(strings.TrimSuffix(string(out), "\n"))
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(r.Dir, dir)
	}
	return dir, dir == filepath.Join(r.CommonDir, "hooks"), nil
}
