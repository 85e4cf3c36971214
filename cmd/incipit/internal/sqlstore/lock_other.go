//go:build !unix

package sqlstore

import (
	"os"

	"github.com/incipit-dev/incipit/internal/registry"
)

// tryLock cannot keep a second server away here.
func tryLock(*os.File) (held bool, err error) {
	return false, registry.WithFix(registry.Errorf(registry.ErrUnavailable, "a server with its data in a directory needs a Unix"), "give --database postgres://…")
}

// gone reports whether there is no such process any more; here nobody knows.
func gone(string) bool { return false }
