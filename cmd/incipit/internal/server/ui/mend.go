package ui

import (
	"net/http"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
)

// mend has the page show an error that the person can do something about, with
// what they typed: it sets *at, and the status 422. Other errors, which have a
// page of their own, it returns.
func (p *Page) mend(err error, at **api.Problem) error {
	if err == nil {
		return nil
	}
	problem := api.NewProblem(err, 0, "")
	switch problem.Status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusConflict, http.StatusNotFound, http.StatusForbidden, http.StatusServiceUnavailable:
		*at, p.Status = &problem, http.StatusUnprocessableEntity
		return nil
	}
	return err
}
