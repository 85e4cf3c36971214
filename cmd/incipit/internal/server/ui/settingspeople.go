package ui

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A peopleList is the page of those who sign in.
type peopleList struct {
	Refused *refusal
	Issuer  bool // there is one to sign in at
	People  []personRow
	Mail    string
	Seen    string // what they may do as the form was made, in words
	Known   bool   // the person of the form
	Grants  grantForm
	Problem *api.Problem
}

// A personRow is a person, and what they may do in words.
type personRow struct {
	registry.Person
	May string
}

// People is who may do what; with the parameter mail the form holds that
// person's grants.
func (u *UI) People(r *http.Request) (*Page, error) {
	body := &peopleList{Mail: strings.ToLower(r.URL.Query().Get("mail")), Grants: grantFormOf(nil)}
	page, err := u.peoplePage(r, body)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(body.People, func(p personRow) bool { return p.Mail == body.Mail }); i >= 0 {
		body.Known, body.Seen, body.Grants = true, body.People[i].May, grantFormOf(body.People[i].Grants)
	}
	return page, nil
}

// SetPerson says what a person may do from now on.
func (u *UI) SetPerson(r *http.Request) (*Page, error) {
	form := r.PostForm
	grants, err := readGrants(form)
	if err == nil {
		err = u.service.ReplacePerson(r.Context(), form.Get("seen"), registry.Person{Mail: form.Get("mail"), Grants: grants})
	}
	if err == nil {
		return &Page{To: "/settings/people"}, nil
	}
	body := &peopleList{Mail: form.Get("mail"), Seen: form.Get("seen"), Grants: typedGrants(form)}
	page, failed := u.peoplePage(r, body)
	if failed != nil {
		return nil, failed
	}
	i := slices.IndexFunc(body.People, func(p personRow) bool { return p.Mail == strings.ToLower(strings.TrimSpace(body.Mail)) })
	if i >= 0 && errors.Is(err, registry.ErrConflict) {
		body.Known, body.Seen = true, body.People[i].May // the page shows it: to save again is to have seen it
	}
	return page, page.mend(err, &body.Problem)
}

func (u *UI) peoplePage(r *http.Request, body *peopleList) (*Page, error) {
	body.Issuer = u.config.Issuer
	page := &Page{View: "people", Title: "People", Here: AtSettings, Crumbs: []Crumb{{"Settings", "/settings"}}, Body: body}
	if body.Refused = refuse(r.Context()); body.Refused != nil {
		return page, nil
	}
	people, err := u.service.People(r.Context())
	for _, p := range people {
		body.People = append(body.People, personRow{p, registry.GrantWords(p.Grants)})
	}
	return page, err
}
