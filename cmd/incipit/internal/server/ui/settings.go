package ui

import (
	"context"
	"net/http"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/lifecycle"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A settingsHome is the first page of the settings: the server, and the
// environments.
type settingsHome struct {
	Facts        lifecycle.Facts
	KeepCalls    registry.Duration
	SyncEvery    registry.Duration
	Sync         *registry.SyncReport
	MaySync      bool
	Environments []environmentRow
	MayAdd       bool
	Synced       bool
	Problem      *api.Problem
}

// An environmentRow is an environment, and its rules in words.
type environmentRow struct {
	Name     string
	Revision int64
	Rules    []string
	Guard    []string
	Prompts  int // that have guard rules of their own
	MayEdit  bool
}

// Settings is the server, and the environments.
func (u *UI) Settings(r *http.Request) (*Page, error) {
	body, err := u.settingsHome(r.Context())
	if err != nil {
		return nil, err
	}
	body.Synced = r.URL.Query().Get("synced") != ""
	return &Page{View: "settings", Title: "Settings", Here: AtSettings, Body: body}, nil
}

// SyncNow has Git read now.
func (u *UI) SyncNow(r *http.Request) (*Page, error) {
	_, failed := u.service.Sync(r.Context())
	if failed == nil {
		return &Page{To: "/settings?synced=now#sync"}, nil
	}
	body, err := u.settingsHome(r.Context())
	if err != nil {
		return nil, err
	}
	page := &Page{View: "settings", Title: "Settings", Here: AtSettings, Body: body}
	return page, page.mend(failed, &body.Problem)
}

func (u *UI) settingsHome(ctx context.Context) (*settingsHome, error) {
	c, _ := registry.CallerOf(ctx)
	body := &settingsHome{MaySync: c.MaySome(registry.MaySync), MayAdd: c.May(registry.MayAdmin, registry.Every, registry.Every) == nil}
	var err error
	if body.Facts, err = u.service.Facts(ctx); err != nil {
		return nil, err
	}
	body.KeepCalls, body.SyncEvery = registry.Duration(body.Facts.KeepCalls), registry.Duration(body.Facts.SyncEvery)
	if body.Sync, err = u.service.SyncStatus(ctx); err != nil {
		return nil, err
	}
	envs, err := u.service.Environments(ctx)
	if err != nil {
		return nil, err
	}
	for _, e := range envs {
		if c.MayAny(registry.MayRead, e.Name, registry.Every) {
			body.Environments = append(body.Environments, environmentRowOf(e, body.Facts.Revisions[e.Name], c))
		}
	}
	return body, nil
}

func environmentRowOf(e registry.Environment, revision int64, c registry.Caller) environmentRow {
	row := environmentRow{
		Name: e.Name, Revision: revision, Rules: e.Rules(), Guard: e.GuardOf(registry.Every).Words(),
		MayEdit: c.May(registry.MayAdmin, e.Name, registry.Every) == nil,
	}
	if e.Guard != nil {
		row.Prompts = len(e.Guard.Prompts)
	}
	return row
}

// A refusal is why somebody is not shown a part of the settings, and what they
// may do instead.
type refusal struct {
	Me      registry.Caller
	Grants  string // theirs, in words
	Problem api.Problem
}

// refuse says why the caller is not shown what only an administrator of
// everything is; nil where they are shown it.
func refuse(ctx context.Context) *refusal {
	c, _ := registry.CallerOf(ctx)
	err := c.May(registry.MayAdmin, registry.Every, registry.Every)
	if err == nil {
		return nil
	}
	return &refusal{c, registry.GrantWords(c.Grants), api.NewProblem(err, 0, "")}
}
