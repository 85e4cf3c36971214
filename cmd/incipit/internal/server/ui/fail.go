package ui

import (
	"net/http"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/internal/registry"
)

// Failed is the page of an error.
func (u *UI) Failed(p api.Problem) *Page {
	return &Page{View: "failed", Title: http.StatusText(p.Status), Status: p.Status, Body: p}
}

// A signIn is what the page to sign in shows.
type signIn struct {
	Keys, Issuer bool
	Return       string
	Problem      *api.Problem
}

// SignIn is the page to sign in at; problem says why the last try failed.
func (u *UI) SignIn(to string, problem *api.Problem) *Page {
	p := &Page{View: "signin", Title: "Sign in", Body: signIn{u.config.Keys, u.config.Issuer, back(to), problem}}
	if problem != nil {
		p.Status = problem.Status
	}
	return p
}

// Login is the page to sign in at, for somebody who was not sent here.
func (u *UI) Login(r *http.Request) (*Page, error) {
	to := back(r.URL.Query().Get("return"))
	if who, ok := registry.CallerOf(r.Context()); ok && who.Name != "" {
		return &Page{To: to}, nil
	}
	return u.SignIn(to, nil), nil
}

// An arrived is what the page after signing in at the issuer shows.
type arrived struct {
	To, Mail string
	Nothing  bool // is granted
}

// Arrived leads on to the page that somebody wanted who has just signed in;
// where nothing is granted to them, it says so instead.
func (u *UI) Arrived(to, mail string, nothing bool) *Page {
	return &Page{View: "arrived", Title: "Signed in", Body: arrived{back(to), mail, nothing}}
}
