package ui

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/auth"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/lifecycle"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A keyList is the page of the API keys.
type keyList struct {
	Refused *refusal
	Keys    []keyRow
	Form    url.Values
	Grants  grantForm
	Kinds   []string
	Ages    []age
	Once    string
	Made    *api.CreatedKey // just now; its secret is shown this once
	Problem *api.Problem
}

// A keyRow is a key in words.
type keyRow struct {
	registry.Key
	May   string
	State keyState
	Mine  bool // it is the one that asks
}

// A keyState is whether a key opens.
type keyState struct {
	Kind, Word string
	Good       bool
}

// An age is how long a new key lasts.
type age struct{ Value, Text string }

// Keys is the API keys, without their secrets.
func (u *UI) Keys(r *http.Request) (*Page, error) {
	return u.keyPage(r, &keyList{Form: url.Values{"expires": {"90d"}, "kind": {auth.SDK}}, Grants: grantFormOf(nil)})
}

// CreateKey makes a key, and answers with the page that shows its secret: it
// stands in no address, and nobody keeps it.
func (u *UI) CreateKey(r *http.Request) (*Page, error) {
	form := r.PostForm
	req := lifecycle.KeyRequest{Kind: form.Get("kind"), Name: form.Get("name"), Once: form.Get("once")}
	var err error
	if req.Grants, err = readGrants(form); err == nil && form.Get("expires") != "" {
		req.TTL, err = api.ParseAge(form.Get("expires"))
	}
	body := &keyList{Form: url.Values{"expires": {"90d"}, "kind": {auth.SDK}}, Grants: grantFormOf(nil)}
	if err == nil {
		var made api.CreatedKey
		made.Secret, made.Key, err = u.service.CreateKey(r.Context(), req)
		body.Made = &made
	}
	if err == nil {
		return u.keyPage(r, body)
	}
	body.Made, body.Form, body.Grants = nil, form, typedGrants(form)
	page, failed := u.keyPage(r, body)
	if failed != nil {
		return nil, failed
	}
	return page, page.mend(err, &body.Problem)
}

func (u *UI) keyPage(r *http.Request, body *keyList) (*Page, error) {
	var err error
	if body.Once, err = u.once(); err != nil {
		return nil, err
	}
	body.Kinds = []string{auth.SDK, auth.CI, auth.Admin}
	body.Ages = []age{{"1d", "a day"}, {"7d", "7 days"}, {"30d", "30 days"}, {"90d", "90 days"}, {"365d", "a year"}, {"", "never"}}
	page := &Page{View: "keys", Title: "Keys", Here: AtSettings, Crumbs: []Crumb{{"Settings", "/settings"}}, Body: body}
	if body.Refused = refuse(r.Context()); body.Refused != nil {
		return page, nil
	}
	keys, err := u.service.Keys(r.Context())
	if err != nil {
		return nil, err
	}
	c, _ := registry.CallerOf(r.Context())
	for _, k := range slices.Backward(keys) { // the newest first
		body.Keys = append(body.Keys, u.keyRow(k, c))
	}
	return page, nil
}

func (u *UI) keyRow(k registry.Key, c registry.Caller) keyRow {
	row := keyRow{Key: k, May: registry.GrantWords(k.Grants), State: keyState{"good", "good", true}, Mine: c.Key == k.ID && k.ID != ""}
	if k.Kind == auth.Person && k.Person && row.May == "" {
		row.May = "what the person may"
	}
	switch {
	case !k.RevokedAt.IsZero():
		row.State = keyState{"bad", "revoked", false}
	case !k.ExpiresAt.IsZero() && k.ExpiresAt.Before(u.config.Now()):
		row.State = keyState{"none", "expired", false}
	case !k.ExpiresAt.IsZero() && k.ExpiresAt.Before(u.config.Now().Add(7*24*time.Hour)):
		row.State = keyState{"warn", "ends soon", true}
	}
	return row
}

// RevokeKey asks whether a key is to end.
func (u *UI) RevokeKey(r *http.Request) (*Page, error) {
	k, err := u.service.FindKey(r.Context(), r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	c, _ := registry.CallerOf(r.Context())
	return &Page{
		View: "keyrevoke", Title: "Revoke a key", Here: AtSettings, Crumbs: []Crumb{{"Settings", "/settings"}, {"Keys", "/settings/keys"}}, Body: u.keyRow(k, c),
	}, nil
}

// EndKey ends a key.
func (u *UI) EndKey(r *http.Request) (*Page, error) {
	if err := u.service.RevokeKey(r.Context(), r.PathValue("id")); err != nil {
		return nil, err
	}
	return &Page{To: "/settings/keys"}, nil
}
