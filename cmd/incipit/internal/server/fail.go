package server

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strconv"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/auth"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A statusError is an error that has another status than its kind.
type statusError struct {
	status int
	error
}

func (e *statusError) Unwrap() error { return e.error }

// Fail answers a request with an error: a problem document, or a page for who
// asks with a browser.
func Fail(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(w, err)
	maps.Copy(w.Header(), p.header)
	if a, ok := w.(*answer); ok && a.failPage != nil && wantsPage(r) {
		a.failPage(a, r, p)
		return
	}
	w.Header().Set("Content-Type", api.ProblemType)
	w.WriteHeader(p.Status)
	_, _ = w.Write(marshal(p.Problem))
}

// A problem is an error on its way out.
type problem struct {
	api.Problem
	header http.Header
}

func problemOf(w http.ResponseWriter, err error) *problem {
	status, request := auth.Status(err), ""
	if own, ok := errors.AsType[*statusError](err); ok {
		status = own.status
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = registry.WithFix(registry.Errorf(registry.ErrUnavailable, "it took too long"), "try again in a moment")
	}
	if _, ok := errors.AsType[*crowdedError](err); ok {
		status = http.StatusTooManyRequests
	}
	a, ok := w.(*answer)
	if ok {
		request = a.request
	}
	p := &problem{api.NewProblem(err, status, request), make(http.Header)}
	if ok && p.Status >= http.StatusInternalServerError {
		a.hidden = err
	}
	switch p.Status {
	case http.StatusUnauthorized:
		p.header.Set("Www-Authenticate", "Bearer")
	case http.StatusServiceUnavailable:
		p.header.Set("Retry-After", "1")
	case http.StatusTooManyRequests:
		p.header.Set("Retry-After", "1")
		if slow, ok := errors.AsType[*auth.TooManyError](err); ok {
			p.header.Set("Retry-After", strconv.Itoa(slow.RetryAfter()))
		}
		if crowd, ok := errors.AsType[*crowdedError](err); ok {
			p.header.Set("Retry-After", strconv.Itoa(crowd.seconds))
		}
	}
	return p
}
