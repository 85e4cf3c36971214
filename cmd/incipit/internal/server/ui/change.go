package ui

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A changeForm is a form that changes what runs of a prompt in an environment.
// It shows the effect before anything is changed.
type changeForm struct {
	Place       registry.Place
	Action      registry.Action
	Verb        string // on the button
	Path        string // of the form
	Return      string // where to go on
	Environment registry.Environment
	Track       registry.Track
	Typed       url.Values // what the person filled in
	Request     registry.Request
	Refused     *api.Problem // why the person may not
	Problem     *api.Problem // what went wrong with the change
	Moved       []moved      // what changed since they looked
	Once        string
	Plan        *planView
	Deploy      *deployFields
	Targets     []string // versions to go back to
	Arms        []armField
}

// A moved is a record that came after the one that a person saw.
type moved struct {
	What string
	registry.Deployment
}

// An armField is an arm of an experiment with the share that is asked for.
type armField struct{ Name, Version, Share string }

// verbs are what is done, on buttons and in headings.
func verbs(a registry.Action) (button, heading string) {
	switch a {
	case registry.Deploy:
		return "Deploy", "Deploy"
	case registry.Shift:
		return "Shift", "Shift the rollout of"
	case registry.Promote:
		return "Promote", "Promote"
	case registry.Rollback:
		return "Roll back", "Roll back"
	}
	return "Retire", "Retire"
}

// Change is the form of an action, for GET, and what makes the change, for POST.
func (u *UI) Change(a registry.Action) Handler {
	return func(r *http.Request) (*Page, error) {
		typed := r.URL.Query()
		typed.Del("confirm") // it is typed, and not followed from a link
		if r.Method == http.MethodPost {
			typed = r.PostForm
		}
		f, err := u.changeForm(r, a, typed)
		if err != nil {
			return nil, err
		}
		if r.Method != http.MethodPost {
			return f.page(0), u.explain(r, f)
		}
		return u.change(r, f)
	}
}

// changeForm reads what a person filled in.
func (u *UI) changeForm(r *http.Request, a registry.Action, typed url.Values) (*changeForm, error) {
	at, err := placeOf(r)
	if err != nil {
		return nil, err
	}
	f := &changeForm{Place: at, Action: a, Typed: typed, Path: placePath(at.Environment, at.Prompt, string(a))}
	if f.Environment, f.Track, err = u.trackOf(r, at); err != nil {
		return nil, err
	}
	f.Verb, _ = verbs(a)
	f.Return = back(cmp.Or(typed.Get("return"), placePath(at.Environment, at.Prompt, "rollout")))
	if f.Once, err = u.once(); err != nil {
		return nil, err
	}
	if who, _ := registry.CallerOf(r.Context()); who.May(registry.MayDeploy, at.Environment, at.Prompt) != nil {
		f.Refused = problem(who.May(registry.MayDeploy, at.Environment, at.Prompt), http.StatusForbidden)
	}
	if err := u.choices(r, f); err != nil {
		return nil, err
	}
	if f.Request, err = f.request(); err != nil {
		f.Problem = problem(err, http.StatusUnprocessableEntity)
	}
	return f, nil
}

// change makes the change, or shows the form again with what is in its way.
func (u *UI) change(r *http.Request, f *changeForm) (*Page, error) {
	if f.Problem != nil {
		return f.page(http.StatusUnprocessableEntity), u.explain(r, f)
	}
	who, _ := registry.CallerOf(r.Context())
	f.Request.Once = onceOf(who, r.URL.Path, f.Typed)
	receipt, err := u.apply(r, f)
	if err != nil && !mendable(err) {
		return nil, err
	}
	if err == nil && receipt.Already == "" {
		return &Page{To: withDid(f.Return, f.Place, receipt.Deployment.Seq)}, nil
	}
	status := 0
	if err != nil {
		status = http.StatusUnprocessableEntity
		f.Problem = problem(err, status)
		f.since(f.Typed.Get("seen_seq"))
	}
	return f.page(status), u.explain(r, f)
}

// apply makes the change, if what the person saw still holds.
func (u *UI) apply(r *http.Request, f *changeForm) (*registry.Receipt, error) {
	if seen := f.seen(); seen != nil {
		return u.service.Apply(r.Context(), seen)
	}
	return u.service.Do(r.Context(), f.Request)
}

// explain works out what the form would do.
func (u *UI) explain(r *http.Request, f *changeForm) error {
	if f.Request.Action == "" { // what was typed cannot be read
		return nil
	}
	if f.Action == registry.Deploy && f.Request.Version == "" {
		return nil
	}
	p, err := u.service.Plan(r.Context(), f.Request)
	switch {
	case err != nil && !mendable(err):
		return err
	case err != nil:
		f.Plan = &planView{Problem: problem(err, http.StatusUnprocessableEntity)}
		return nil
	}
	f.Plan, err = u.planView(r, f, p)
	return err
}

func (f *changeForm) page(status int) *Page {
	_, heading := verbs(f.Action)
	return &Page{
		View: "change", Title: heading + " " + string(f.Place.Prompt) + " in " + f.Place.Environment, Here: AtRollouts, Status: status, Body: f,
		Crumbs: []Crumb{{"Rollouts", "/rollouts"}, {f.Place.String(), placePath(f.Place.Environment, f.Place.Prompt, "rollout")}},
	}
}

// Ready reports whether the change can be made as it stands.
func (f *changeForm) Ready() bool {
	return f.Refused == nil && f.Plan != nil && f.Plan.Plan != nil && f.Plan.Already == "" && !words.Held(f.Plan.Plan)
}

// mendable reports whether a person can do something about an error in the form
// that they filled in.
func mendable(err error) bool {
	for _, kind := range []error{prompt.ErrInvalid, registry.ErrConflict, registry.ErrGate, registry.ErrUnconfirmed, registry.ErrNotFound} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// problem is an error as a form shows it.
func problem(err error, status int) *api.Problem {
	p := api.NewProblem(err, status, "")
	return &p
}
