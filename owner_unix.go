//go:build unix

package incipit

import (
	"io/fs"
	"os"
	"syscall"
)

// ownedByUs reports whether the file is the user's own.
func ownedByUs(fi fs.FileInfo) bool {
	st, ok := fi.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}

func othersMayWrite(fi fs.FileInfo) bool { return fi.Mode().Perm()&0o022 != 0 }
