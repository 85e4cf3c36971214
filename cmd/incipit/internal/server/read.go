package server

import (
	"cmp"
	"context"
	"net/http"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// caller is who asks; the door has put them there.
func caller(ctx context.Context) registry.Caller {
	c, _ := registry.CallerOf(ctx)
	return c
}

func (s *Server) me(ctx context.Context, _ *struct{}) (*reply[registry.Caller], error) {
	return &reply[registry.Caller]{caller(ctx)}, nil
}

func (s *Server) endSession(ctx context.Context, _ *struct{}) (*struct{}, error) {
	return nil, s.service.EndSession(ctx, caller(ctx))
}

type promptsInput struct {
	Paging
	Environment string `query:"environment" doc:"Only what runs there" maxLength:"64"`
}

func (s *Server) prompts(ctx context.Context, in *promptsInput) (*reply[api.Page[registry.Row]], error) {
	rows, err := s.service.List(ctx, in.Environment)
	if err != nil {
		return nil, err
	}
	return answered(page(rows, in.Paging, func(r registry.Row) string { return string(r.Prompt) }))
}

func (s *Server) overview(ctx context.Context, _ *struct{}) (*reply[registry.Overview], error) {
	return answered(s.service.Overview(ctx))
}

type searchInput struct {
	Q     string `query:"q" doc:"Words: each hit holds all of them, in any order" maxLength:"200"`
	Limit int    `query:"limit" minimum:"1" maximum:"100" default:"20"`
}

func (s *Server) search(ctx context.Context, in *searchInput) (*reply[api.Page[registry.Hit]], error) {
	found, err := s.service.Search(ctx, in.Q, in.Limit)
	return answered(api.Page[registry.Hit]{Items: found}, err)
}

// InPrompt is the prompt of a path.
type InPrompt struct {
	Prompt string `path:"prompt" maxLength:"300"`
}

type releasesInput struct {
	InPrompt
	Paging
}

func (s *Server) releases(ctx context.Context, in *releasesInput) (*reply[api.Page[registry.Release]], error) {
	id, err := prompt.ParseID(in.Prompt)
	if err != nil {
		return nil, err
	}
	all, err := s.service.Releases(ctx, id)
	if err == nil && len(all) == 0 {
		_, err = s.service.History(ctx, id, "") // tells a prompt that has none from one that does not exist
	}
	if err != nil {
		return nil, err
	}
	return answered(page(all, in.Paging, func(r registry.Release) string { return r.Version.String() }))
}

type releaseInput struct {
	InPrompt
	Version string `path:"version" maxLength:"64"`
}

func (s *Server) release(ctx context.Context, in *releaseInput) (*reply[api.Release], error) {
	id, err := prompt.ParseID(in.Prompt)
	if err != nil {
		return nil, err
	}
	v, err := prompt.ParseVersion(in.Version)
	if err != nil {
		return nil, err
	}
	r, err := s.service.Release(ctx, id, v)
	if err != nil {
		return nil, err
	}
	d, err := s.service.Released(ctx, r)
	return answered(api.Release{Release: r, Content: d.Prompt, Metadata: d.Metadata, Pins: d.Pins}, err)
}

type historyInput struct {
	InPrompt
	Environment string `query:"environment" maxLength:"64"`
}

func (s *Server) history(ctx context.Context, in *historyInput) (*reply[map[string]registry.Track], error) {
	id, err := prompt.ParseID(in.Prompt)
	if err != nil {
		return nil, err
	}
	return answered(s.service.History(ctx, id, in.Environment))
}

func (s *Server) environments(ctx context.Context, in *Paging) (*reply[api.Page[registry.Environment]], error) {
	all, err := s.service.Environments(ctx)
	if err != nil {
		return nil, err
	}
	c := caller(ctx)
	visible := all[:0]
	for _, e := range all {
		if c.MayAny(registry.MayRead, e.Name, registry.Every) {
			visible = append(visible, e)
		}
	}
	return answered(page(visible, *in, func(e registry.Environment) string { return e.Name }))
}

// snapshot is what an environment runs, from memory.
func (s *Server) snapshot(w *answer, r *http.Request) error {
	env := r.PathValue("environment")
	sees := w.caller.Patterns(env, maySee()...)
	f, err := s.hub.feed(r.Context(), env)
	if err != nil {
		return err
	}
	now := f.now.Load()
	if asked := r.URL.Query()["prompt"]; len(asked) > 0 {
		if sees, err = s.only(r.Context(), now, sees, asked); err != nil {
			return err
		}
	}
	v := now.view(sees)
	h := w.Header()
	h.Set("Cache-Control", "private, no-cache")
	h.Set("Etag", v.tag)
	h.Add("Vary", "Accept-Encoding, Authorization, Cookie")
	if matches(r.Header.Get("If-None-Match"), v.tag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	body := v.json
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") && len(body) > 1<<10 {
		h.Set("Content-Encoding", "gzip")
		body = v.gzip()
	}
	return w.json(body)
}

// only are the patterns of the prompts that were asked for. Each must run.
func (s *Server) only(ctx context.Context, now *state, sees registry.Patterns, asked []string) (registry.Patterns, error) {
	var out registry.Patterns
	for _, name := range asked {
		if _, err := prompt.ParseID(name); err != nil {
			return nil, err
		}
		e := now.entries[prompt.ID(name)]
		switch {
		case !sees.Fit(name):
			return nil, registry.Errorf(registry.ErrForbidden, "you may not see %s in %s", name, now.env)
		case e == nil || e.Removed:
			_, err := s.service.Snapshot(ctx, now.env, prompt.ID(name)) // says why
			return nil, cmp.Or(err, registry.Errorf(registry.ErrUnavailable, "%s was deployed in %s just now", name, now.env))
		}
		out = append(out, name)
	}
	return out, nil
}

// matches reports whether a header If-None-Match holds the tag.
func matches(header, tag string) bool {
	for one := range strings.SplitSeq(header, ",") {
		if one = strings.TrimPrefix(strings.TrimSpace(one), "W/"); one == tag {
			return true
		}
	}
	return false
}

func (s *Server) export(w *answer, r *http.Request) error {
	w.unhurried(s.config.Now())
	data, err := s.service.Export(r.Context())
	if err != nil {
		return err
	}
	return w.json(data)
}

// document is the OpenAPI document.
func (s *Server) document(w *answer, r *http.Request) error {
	tag := `"` + short(string(s.openAPI)) + `"`
	w.Header().Set("Etag", tag)
	w.Header().Set("Cache-Control", "no-cache")
	if matches(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	return w.json(s.openAPI)
}
