package ui

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// An environmentForm is the page on which the rules of an environment are
// changed.
type environmentForm struct {
	Row     environmentRow
	New     bool
	Form    url.Values // as it was typed, or the rules as they are
	Guard   []guardField
	Others  []string // environments that it may come after
	Kinds   []string // of evidence, to choose from
	Why     string   // it cannot be changed by who asks
	Problem *api.Problem
}

// Environment is the rules of an environment.
func (u *UI) Environment(r *http.Request) (*Page, error) {
	e, err := u.service.Environment(r.Context(), r.PathValue("environment"))
	if err != nil {
		return nil, err
	}
	form, err := formOf(e)
	if err != nil {
		return nil, err
	}
	return u.environmentPage(r, e, form)
}

// NewEnvironment is the page on which one is added.
func (u *UI) NewEnvironment(r *http.Request) (*Page, error) {
	return u.environmentPage(r, registry.Environment{}, url.Values{"approvals": {"0"}})
}

// SetEnvironment takes the form of Environment.
func (u *UI) SetEnvironment(r *http.Request) (*Page, error) {
	was, err := u.service.Environment(r.Context(), r.PathValue("environment"))
	if err != nil {
		return nil, err
	}
	return u.saveEnvironment(r, was, was.Name)
}

// AddEnvironment takes the form of NewEnvironment.
func (u *UI) AddEnvironment(r *http.Request) (*Page, error) {
	return u.saveEnvironment(r, registry.Environment{}, r.PostForm.Get("name"))
}

// saveEnvironment saves the form in the place of was, which is the zero value
// for an environment that is new.
func (u *UI) saveEnvironment(r *http.Request, was registry.Environment, name string) (*Page, error) {
	e, err := readEnvironment(r.PostForm, name)
	if err == nil {
		err = u.service.ReplaceEnvironment(r.Context(), r.PostForm.Get("seen"), e)
	}
	if err == nil {
		return &Page{To: "/settings#environments"}, nil
	}
	if errors.Is(err, registry.ErrConflict) && was.Name != "" {
		r.PostForm.Set("seen", was.Seen()) // the page shows them beside what was typed: to save again is to have seen both
	}
	page, failed := u.environmentPage(r, was, r.PostForm)
	if failed != nil {
		return nil, failed
	}
	return page, page.mend(err, &page.Body.(*environmentForm).Problem) //nolint:errcheck // environmentPage has made it
}

func (u *UI) environmentPage(r *http.Request, e registry.Environment, form url.Values) (*Page, error) {
	c, _ := registry.CallerOf(r.Context())
	envs, err := u.service.Environments(r.Context())
	if err != nil {
		return nil, err
	}
	body := &environmentForm{Row: environmentRowOf(e, 0, c), New: e.Name == "", Form: form, Guard: guardFields(form), Kinds: []string{registry.KindTests, registry.KindComparison, "review"}}
	for _, other := range envs {
		if other.Name != e.Name && c.MayAny(registry.MayRead, other.Name, registry.Every) {
			body.Others = append(body.Others, other.Name)
		}
	}
	if err := c.May(registry.MayAdmin, e.Name, registry.Every); err != nil {
		body.Why = err.Error()
	}
	title := e.Name
	if body.New {
		title = "New environment"
	}
	return &Page{View: "environment", Title: title, Here: AtSettings, Crumbs: []Crumb{{"Settings", "/settings"}}, Body: body}, nil
}

// formOf are the rules of an environment as the form has them.
func formOf(e registry.Environment) (url.Values, error) {
	form := url.Values{"name": {e.Name}, "seen": {e.Seen()}, "after": {e.After}, "require": {strings.Join(e.Require, ", ")}, "approvals": {strconv.Itoa(e.Approvals)}}
	if e.Protected {
		form.Set("protected", "on")
	}
	if e.Reason {
		form.Set("reason", "on")
	}
	lines := make([]string, len(e.Freeze))
	for i, f := range e.Freeze {
		lines[i] = f.String()
	}
	form.Set("freeze", strings.Join(lines, "\n"))
	return form, guardForm(e.Guard, form)
}

// readEnvironment reads the form.
func readEnvironment(form url.Values, name string) (registry.Environment, error) {
	e := registry.Environment{
		Name: strings.TrimSpace(name), Protected: form.Get("protected") != "", Reason: form.Get("reason") != "",
		After: form.Get("after"), Require: registry.SplitList(form.Get("require")),
	}
	var err error
	if e.Approvals, err = strconv.Atoi(orZero(form.Get("approvals"))); err != nil {
		return e, registry.Errorf(prompt.ErrInvalid, "approvals: %q is no number", prompt.Clip(form.Get("approvals"), 20))
	}
	if e.Freeze, err = registry.ParseFreezes(form.Get("freeze")); err != nil {
		return e, err
	}
	e.Guard, err = readGuard(form)
	return e, err
}

func orZero(s string) string {
	if s = strings.TrimSpace(s); s == "" {
		return "0"
	}
	return s
}
