package sqlstore

import (
	"context"
	"errors"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A fault is what an error of a database means for us.
type fault int

const (
	noFault    fault = iota // not the database's: the caller's, or a bug
	busy                    // others were faster or hold a lock: try again
	severed                 // the connection is gone
	offline                 // nobody answers, or does not let us in
	taken                   // a unique key is taken
	badText                 // the text cannot be stored
	full                    // no space
	readOnly                // may not be written
	diskError               // the disk cannot be read or written
	diskFailed              // what was written may not be on disk
	corrupt                 // what is read is not what was written
	replaced                // the file is not the one that was opened
)

// passing reports whether it is worth another try.
func (f fault) passing() bool { return f == busy || f == severed || f == offline || f == taken }

// A brokenError stands for a store that must not be written to any more.
type brokenError struct{ err error }

func (e *brokenError) Error() string { return e.err.Error() }
func (e *brokenError) Unwrap() error { return e.err }

// A corruptError says that a row is not what was written.
type corruptError struct{ what string }

func (e *corruptError) Error() string { return e.what + " is not what was written" }

// fixes say what to try, for each fault.
func fixes(f fault, restore string) string {
	switch f {
	case busy, taken:
		return "try again"
	case severed, offline:
		return "look whether the database runs and can be reached, then try again"
	case full:
		return "make space on the volume of the database; reads go on meanwhile, and nothing needs a restart"
	case readOnly:
		return "make the volume and the database writable for this user; reads go on meanwhile"
	case diskError:
		return "look at the disk and the system's log"
	case diskFailed:
		return "look at the disk, then restart the server: it checks the database as it starts"
	case corrupt:
		return "restore the last backup: " + restore
	case replaced:
		return "put the file back, or restart the server to use the one that is there"
	default:
		return ""
	}
}

// explained is an error of a database in words: what happened, and what to do.
// Errors that are none of the database's are returned as they are.
func explained(err error, f fault, where, restore string) error {
	var words string
	switch f {
	case noFault:
		return err
	case badText:
		return registry.Errorf(prompt.ErrInvalid, "a text holds a character that cannot be stored: %v", err)
	case busy:
		words = "is busy"
	case taken:
		words = "was changed by others at the same moment"
	case severed:
		words = "broke off the connection"
	case offline:
		words = "cannot be reached"
	case full:
		words = "has no space left"
	case readOnly:
		words = "cannot be written"
	case diskError:
		words = "cannot be read or written"
	case diskFailed:
		words = "could not be brought to disk"
	case corrupt:
		words = "is damaged"
	case replaced:
		words = "was moved, deleted or replaced under the running server"
	}
	return registry.WithFix(&unavailableError{err, "the database " + where + " " + words + ": " + err.Error(), "the database " + words}, "%s", fixes(f, restore))
}

// An unavailableError is an ErrUnavailable that keeps its cause.
type unavailableError struct {
	cause  error
	text   string
	public string // the same without hosts, users and paths
}

func (e *unavailableError) Error() string   { return e.text }
func (e *unavailableError) Public() string  { return e.public }
func (e *unavailableError) Unwrap() []error { return []error{registry.ErrUnavailable, e.cause} }

// ours reports whether an error was explained before, or is the caller's.
func ours(err error) bool {
	return errors.Is(err, registry.ErrUnavailable) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
