package ui

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A wordForm is a form that takes a person's word and moves nobody: to pause a
// rollout, to let it go on, to approve a release.
type wordForm struct {
	Place   registry.Place
	Verb    string
	Path    string
	Return  string
	Hidden  map[string]string
	Effect  string // what comes of it
	Facts   []words.Fact
	Command string
	Reason  string
	Refused *api.Problem
	Problem *api.Problem
}

// Hold is the form that pauses a rollout, or lets it go on, and what does it.
func (u *UI) Hold(resume bool) Handler {
	verb, button, effect := "pause", "Pause", "Nothing moves until somebody lets it go on: not by the guard, whatever the evidence says."
	if resume {
		verb, button, effect = "resume", "Resume", "The guard goes on from where the rollout stands, and answers what it asked with yes."
	}
	return func(r *http.Request) (*Page, error) {
		at, err := placeOf(r)
		if err != nil {
			return nil, err
		}
		report, err := u.service.Rollout(r.Context(), at, 0)
		if err != nil {
			return nil, err
		}
		f := wordForm{
			Place: at, Verb: button, Path: placePath(at.Environment, at.Prompt, verb), Effect: effect, Reason: strings.TrimSpace(r.FormValue("reason")),
			Return: back(cmp.Or(r.FormValue("return"), placePath(at.Environment, at.Prompt, "rollout"))),
			Facts:  []words.Fact{{Name: "now", Text: words.Sides(report) + " at " + report.Share.String() + ": " + words.Stance(report)}, {Name: "why", Text: words.Why(report)}},
		}
		f.Command = "incipit rollout " + verb + " " + string(at.Prompt) + " --env " + at.Environment
		f.refuse(r, registry.MayDeploy)
		if r.Method != http.MethodPost {
			return f.page(0), nil
		}
		_, err = u.service.HoldRollout(r.Context(), registry.HoldRequest{Place: at, Resume: resume, Reason: f.Reason})
		return f.answer(err)
	}
}

// Approve is the form by which a person gives their word for a release, and
// what takes it.
func (u *UI) Approve(r *http.Request) (*Page, error) {
	at, err := placeOf(r)
	if err != nil {
		return nil, err
	}
	version, err := prompt.ParseVersion(r.FormValue("version"))
	if err != nil {
		return nil, err
	}
	release, err := u.service.Release(r.Context(), at.Prompt, version)
	if err != nil {
		return nil, err
	}
	f := wordForm{
		Place: at, Verb: "Approve", Path: placePath(at.Environment, at.Prompt, "approve"), Reason: strings.TrimSpace(r.FormValue("reason")),
		Effect: "Your word holds for this text and for one deploy of it. It does not count for what you wrote or deploy yourself.",
		Return: back(cmp.Or(r.FormValue("return"), placePath(at.Environment, at.Prompt, "deploy")+"?"+url.Values{"version": {version.String()}}.Encode())),
		Hidden: map[string]string{"version": version.String(), "digest": release.Digest},
		Facts: []words.Fact{
			{Name: "release", Text: release.Tag}, {Name: "written by", Text: words.Name(release.Author)}, {Name: "notes", Text: release.Notes}, {Name: "digest", Text: release.Digest},
		},
		Command: "incipit approve " + release.Tag + " --env " + at.Environment,
	}
	f.refuse(r, registry.MayApprove)
	if r.Method != http.MethodPost {
		return f.page(0), nil
	}
	_, err = u.service.Approve(r.Context(), registry.Approval{
		Prompt: at.Prompt, Environment: at.Environment, Version: version.String(), Digest: r.PostFormValue("digest"), Reason: f.Reason,
	})
	return f.answer(err)
}

// refuse says why the person may not, if so.
func (f *wordForm) refuse(r *http.Request, p registry.Permission) {
	who, _ := registry.CallerOf(r.Context())
	if err := who.May(p, f.Place.Environment, f.Place.Prompt); err != nil {
		f.Refused = problem(err, http.StatusForbidden)
	}
}

// answer goes on, or shows the form again with what is in its way.
func (f *wordForm) answer(err error) (*Page, error) {
	switch {
	case err == nil:
		return &Page{To: f.Return}, nil
	case !mendable(err):
		return nil, err
	}
	f.Problem = problem(err, http.StatusUnprocessableEntity)
	return f.page(http.StatusUnprocessableEntity), nil
}

func (f *wordForm) page(status int) *Page {
	return &Page{
		View: "word", Title: f.Verb + " " + string(f.Place.Prompt) + " in " + f.Place.Environment, Here: AtRollouts, Status: status, Body: f,
		Crumbs: []Crumb{{"Rollouts", "/rollouts"}, {f.Place.String(), placePath(f.Place.Environment, f.Place.Prompt, "rollout")}},
	}
}
