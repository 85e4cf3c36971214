package gitrepo

import (
	"context"
	"strings"
)

// A FileStatus is a file of the work tree that differs from HEAD.
type FileStatus struct {
	Path  string // relative to Dir, with slashes
	State FileState
	Mode  string // git's mode of the file in the work tree; "" for one that is new
}

// A FileState says how a file differs.
type FileState int

// The states.
const (
	Changed    FileState = iota // differs from HEAD, staged or not
	Added                       // staged, and not in HEAD
	Untracked                   // unknown to git
	Conflicted                  // left by a merge
)

// Status lists what differs from HEAD at paths, untracked files included.
func (r *Repo) Status(ctx context.Context, paths ...string) ([]FileStatus, error) {
	args := []string{"status", "--porcelain=v2", "-z", "--untracked-files=all", "--no-renames", "--"}
	out, err := r.read(ctx, append(args, literal(paths)...)...)
	if err != nil {
		return nil, err
	}
	var found []FileStatus
	for entry := range strings.SplitSeq(string(out), "\x00") {
		if s, ok := parseStatus(entry); ok {
			s.Path = strings.TrimPrefix(s.Path, r.Prefix)
			found = append(found, s)
		}
	}
	return found, nil
}

// parseStatus reads an entry of git status --porcelain=v2:
// 1 XY sub mHEAD mINDEX mTREE hHEAD hINDEX path, u … for a conflict, ? path.
func parseStatus(entry string) (FileStatus, bool) {
	switch {
	case strings.HasPrefix(entry, "? "):
		return FileStatus{Path: entry[2:], State: Untracked}, true
	case strings.HasPrefix(entry, "u "):
		f := strings.SplitN(entry, " ", 11)
		return FileStatus{Path: f[len(f)-1], State: Conflicted}, true
	case strings.HasPrefix(entry, "1 "):
		f := strings.SplitN(entry, " ", 9)
		if len(f) < 9 {
			return FileStatus{}, false
		}
		s := FileStatus{Path: f[8], Mode: f[5]}
		if f[3] == "000000" {
			s.State = Added
		}
		return s, true
	}
	return FileStatus{}, false
}
