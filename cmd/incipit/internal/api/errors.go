// Package api is how errors and answers cross a boundary: the one table of
// sentinel, code, HTTP status and exit status, the bodies of requests and
// answers, and the client of a server.
package api

import (
	"context"
	"errors"
	"net/http"

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

// A row ties a sentinel to its code, its exit status and its HTTP status.
type row struct {
	err    error
	code   string
	status int
	http   int
}

// statusGivenUp is the HTTP status of a request that was given up before there
// was an answer: by the client, or because the server stops.
const statusGivenUp = 499

// codeFailure is the code of an error that has no sentinel.
const codeFailure = "failure"

// table is in order of precedence: an error may wrap more than one sentinel.
func table() []row {
	return []row{
		{context.Canceled, "interrupted", Interrupted, statusGivenUp},
		{registry.ErrUnconfirmed, "unconfirmed", Unconfirmed, http.StatusPreconditionRequired},
		{registry.ErrConflict, "conflict", Conflict, http.StatusConflict},
		{registry.ErrForbidden, "forbidden", Forbidden, http.StatusForbidden},
		{registry.ErrGate, "gate", Gate, http.StatusUnprocessableEntity},
		{registry.ErrUnavailable, "unavailable", Unavailable, http.StatusServiceUnavailable},
		{prompt.ErrInvalid, "invalid", Invalid, http.StatusBadRequest},
		{registry.ErrNotFound, "not-found", Failure, http.StatusNotFound},
	}
}

// Code is the stable word for an error, "failure" for one that has none.
func Code(err error) string {
	for _, r := range table() {
		if errors.Is(err, r.err) {
			return r.code
		}
	}
	return codeFailure
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

// Sentinel is the error that a code stands for, nil for an unknown one.
func Sentinel(code string) error {
	for _, r := range table() {
		if r.code == code {
			return r.err
		}
	}
	return nil
}

// HTTPStatus is the status that an error is answered with.
func HTTPStatus(err error) int {
	for _, r := range table() {
		if errors.Is(err, r.err) {
			return r.http
		}
	}
	return http.StatusInternalServerError
}
