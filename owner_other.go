//go:build !unix

package incipit

import "io/fs"

// Where a file has no owner and mode in this sense, the directory's access
// list protects it: the user's cache directory is the user's alone.
func ownedByUs(fs.FileInfo) bool { return true }

func othersMayWrite(fs.FileInfo) bool { return false }
