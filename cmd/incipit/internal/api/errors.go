// Package api is how errors and answers cross a boundary: the one table of
// sentinel, code and exit status.
package api

import (
	"context"
	"errors"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// The exit statuses of the command line.
const (
	OK          = 0
	Failure     = 1
	Invalid     = 2 // usage or validation
	Gate        = 3
	Forbidden   = 4
	Conflict    = 5
	Unavailable = 6
	Unconfirmed = 7
	Pending     = 8
	Changes     = 10 // only where it was asked for
	Interrupted = 130
)

// A row ties a sentinel to its code and its exit status.
type row struct {
	err    error
	code   string
	status int
}

// table is in order of precedence: an error may wrap more than one sentinel.
func table() []row {
	return []row{
		{context.Canceled, "interrupted", Interrupted},
		{registry.ErrUnconfirmed, "unconfirmed", Unconfirmed},
		{registry.ErrConflict, "conflict", Conflict},
		{registry.ErrForbidden, "forbidden", Forbidden},
		{registry.ErrGate, "gate", Gate},
		{registry.ErrUnavailable, "unavailable", Unavailable},
		{prompt.ErrInvalid, "invalid", Invalid},
		{registry.ErrNotFound, "not-found", Failure},
	}
}

// Code is the stable word for an error, "failure" for one that has none.
func Code(err error) string {
	for _, r := range table() {
		if errors.Is(err, r.err) {
			return r.code
		}
	}
	return "failure"
}

// ExitStatus is the status that a command ends with.
func ExitStatus(err error) int {
	if err == nil {
		return OK
	}
	for _, r := range table() {
		if errors.Is(err, r.err) {
			return r.status
		}
	}
	return Failure
}
