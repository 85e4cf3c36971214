//go:build unix

package sqlstore

import (
	"errors"
	"os"
	"syscall"
)

// tryLock locks a file until it is closed, and reports whether another process
// holds it.
func tryLock(f *os.File) (held bool, err error) {
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	return errors.Is(err, syscall.EWOULDBLOCK), err
}
