//go:build unix

package sqlstore

import (
	"errors"
	"os"
	"strconv"
	"syscall"
)

// tryLock locks a file until it is closed, and reports whether another process
// holds it.
func tryLock(f *os.File) (held bool, err error) {
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	return errors.Is(err, syscall.EWOULDBLOCK), err
}

// gone reports whether there is no such process any more.
func gone(pid string) bool {
	n, err := strconv.Atoi(pid)
	return err == nil && n > 0 && errors.Is(syscall.Kill(n, 0), syscall.ESRCH)
}
