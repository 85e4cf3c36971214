package cli

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/lifecycle"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A backend answers what runs and changes it: near by *lifecycle.Service, over
// the workspace, and far by *api.Client. A command cannot tell which.
type backend interface {
	Environments(ctx context.Context) ([]registry.Environment, error)
	List(ctx context.Context, env string) ([]registry.Row, error)
	History(ctx context.Context, id prompt.ID, env string) (map[string]registry.Track, error)
	Snapshot(ctx context.Context, env string, ids ...prompt.ID) (*registry.Snapshot, error)
	WhatRan(ctx context.Context, env string, at time.Time) (registry.WhatRan, error)

	Release(ctx context.Context, id prompt.ID, v prompt.Version) (registry.Release, error)
	Releases(ctx context.Context, id prompt.ID) ([]registry.Release, error)
	Released(ctx context.Context, r registry.Release) (prompt.Draft, error)

	Plan(ctx context.Context, req registry.Request) (*registry.Plan, error)
	Replan(ctx context.Context, seen *registry.Plan) (*registry.Plan, error)
	Do(ctx context.Context, req registry.Request) (*registry.Receipt, error)
	Apply(ctx context.Context, seen *registry.Plan) (*registry.Receipt, error)

	Import(ctx context.Context, req registry.ImportRequest) (*registry.Imported, error)
	Export(ctx context.Context) ([]byte, error)
}

// service is the backend of the commands that read or change what runs: the
// server that --server, INCIPIT_SERVER or incipit.yaml names, else the
// workspace.
func (e *env) service(ctx context.Context) (backend, error) {
	far, err := e.remote(ctx)
	if err != nil {
		return nil, err
	}
	if far != nil {
		return far, nil
	}
	ws, err := e.workspace(ctx)
	if err != nil {
		return nil, err
	}
	if err := e.trust(ws); err != nil {
		return nil, err
	}
	store := source.Store{Workspace: ws}
	return lifecycle.New(lifecycle.Config{
		Store: store, Catalog: store, Bucketing: ws.Config.Bucketing, Author: ws.Author, Now: e.now, Keys: ws.Config.EvidenceKeys,
	}), nil
}

// remote is the client of the server that keeps the registry, nil if the
// workspace does.
func (e *env) remote(ctx context.Context) (*api.Client, error) {
	if e.far != nil {
		return e.far, nil
	}
	server := e.server
	if server == "" {
		ws, err := e.workspace(ctx)
		if errors.Is(err, source.ErrNoWorkspace) {
			return nil, nil // whoever needs one says so
		}
		if err != nil {
			return nil, err
		}
		server = ws.Config.Server
	}
	if server == "" || server == nearby {
		return nil, nil
	}
	key, err := e.key(server)
	if err != nil {
		return nil, err
	}
	e.far, err = api.NewClient(api.ClientConfig{Server: server, Key: key, Once: newOnce})
	return e.far, err
}

// nearby is the value of --server that stands for the workspace, whatever
// incipit.yaml says.
const nearby = "none"

// getenv is a variable of the environment that the program was started with.
func (e *env) getenv(name string) string {
	for _, kv := range e.environ {
		if value, ok := strings.CutPrefix(kv, name+"="); ok {
			return value
		}
	}
	return ""
}
