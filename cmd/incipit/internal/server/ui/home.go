package ui

import (
	"net/http"

	"github.com/incipit-dev/incipit/internal/registry"
)

// A home is the matrix of what runs where.
type home struct {
	Environments []registry.Environment
	Rows         []registry.Row
}

// Home is the first page.
func (u *UI) Home(r *http.Request) (*Page, error) {
	envs, err := u.service.Environments(r.Context())
	if err != nil {
		return nil, err
	}
	rows, err := u.service.List(r.Context(), "")
	if err != nil {
		return nil, err
	}
	return &Page{View: "home", Title: "Prompts", Here: AtHome, Body: home{envs, rows}}, nil
}
