package lifecycle

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

func importing(data string, edit ...func(*registry.ImportRequest)) registry.ImportRequest {
	req := registry.ImportRequest{Name: "other.json", Data: []byte(data)}
	for _, e := range edit {
		e(&req)
	}
	return req
}

const wholeImport = `{
  "support": {"name": "Support", "current_version": "1.3.0", "deployments": {"dev": {"version": "1.1.0", "deployed_at": "2025-01-01T00:00:00Z"}, "production": {"version": "1.0.0", "deployed_at": "2025-01-01T00:00:00Z"}}},
  "billing/refunds": {"name": "Refunds", "current_version": "1.3.0", "deployments": {"dev": {"version": "1.2.0", "deployed_at": "2025-01-01T00:00:00Z"}}}
}`

func TestAnImportIsTakenInWholeOrNotAtAll(t *testing.T) {
	envs := []registry.Environment{{Name: "dev"}, {Name: "production", Protected: true}}
	each(t, envs, func(_ *testing.T, r *rig) {
		yes := func(req *registry.ImportRequest) { req.Confirm = []string{"production"} }
		ctx := by(r, "bob@example.com")
		nothing := func(what string) {
			r.Helper()
			for _, env := range []string{"dev", "production"} {
				if st, err := r.store.State(r.Context(), "support", env); err != nil || st.Revision != 0 || len(st.Track) > 0 {
					r.Errorf("%s: %s is at revision %d, %v", what, env, st.Revision, err)
				}
			}
		}
		for _, c := range []struct {
			what string
			req  registry.ImportRequest
			kind error
		}{
			{"an environment that is not confirmed", importing(wholeImport), registry.ErrUnconfirmed},
			{"a release that there is not", importing(strings.Replace(wholeImport, `"version": "1.2.0"`, `"version": "7.0.0"`, 1), yes), registry.ErrNotFound},
			{"an environment that there is not", importing(strings.Replace(wholeImport, `"dev": {"version": "1.2.0"`, `"qa": {"version": "1.2.0"`, 1), yes), registry.ErrNotFound},
			{"no registry", importing(`[]`, yes), prompt.ErrInvalid},
			{"half a registry", importing(wholeImport[:100], yes), prompt.ErrInvalid},
		} {
			if _, err := r.Import(ctx, c.req); !errors.Is(err, c.kind) {
				r.Errorf("%s: %v", c.what, err)
			}
			nothing(c.what)
		}
		dry, err := r.Import(ctx, importing(wholeImport, func(req *registry.ImportRequest) { req.DryRun = true }))
		if err != nil || !slices.Equal(dry.Prompts, []prompt.ID{"billing/refunds", "support"}) {
			r.Errorf("a dry run: %+v, %v", dry, err)
		}
		nothing("a dry run")

		got, err := r.Import(ctx, importing(wholeImport, yes))
		if err != nil || !slices.Equal(got.Prompts, dry.Prompts) {
			r.Fatalf("%+v, %v", got, err)
		}
		r.check("dev", "1.1.0")
		r.check("production", "1.0.0")
		st, err := r.store.State(r.Context(), "support", "dev")
		if err != nil || st.Revision != 2 || len(st.Track) != 1 || st.Track[0].Reason != "imported from other.json" || st.Track[0].By != "bob@example.com" {
			r.Errorf("%+v, %v", st, err)
		}
		if again, err := r.Import(ctx, importing(wholeImport)); err != nil || len(again.Prompts) != 0 || again.Prompts == nil {
			r.Errorf("again: %+v, %v", again, err)
		}
		r.done(deploying("dev", "1.2.0", canary))
		if _, err := r.Import(ctx, importing(wholeImport)); err != nil { // 1.1.0 is the stable release still
			r.Error(err)
		}
		if _, err := r.Import(ctx, importing(`{"support": {"name": "x", "deployments": {"dev": {"version": "1.3.0"}}}}`)); !errors.Is(err, registry.ErrConflict) {
			r.Errorf("over an open rollout: %v", err)
		}
		if r.shared != nil {
			r.audited()
		}
	})
}

func TestAnImportThatComesAgainIsAnsweredAsBefore(t *testing.T) {
	eachShared(t, []registry.Environment{{Name: "dev"}, {Name: "production"}}, func(t *testing.T, r *rig) {
		again := func(req *registry.ImportRequest) { req.Once = registry.Once{Caller: "ci", Key: "k", Hash: "h"} }
		ctx := by(t, "ci")
		first, err := r.Import(ctx, importing(wholeImport, again))
		if err != nil || len(first.Prompts) != 2 {
			t.Fatalf("%+v, %v", first, err)
		}
		r.done(deploying("dev", "1.3.0"))
		second, err := replica(t, r.config, nil).Import(ctx, importing(wholeImport, again))
		if err != nil || jsonOf(t, second) != jsonOf(t, first) {
			t.Errorf("told %+v, and first %+v, %v", second, first, err)
		}
		r.check("dev", "1.3.0")
		dry := func(req *registry.ImportRequest) {
			req.DryRun, req.Once = true, registry.Once{Caller: "ci", Key: "k2", Hash: "h"}
		}
		for range 2 {
			if got, err := r.Import(ctx, importing(wholeImport, dry)); err != nil || !slices.Equal(got.Prompts, []prompt.ID{"support"}) {
				t.Errorf("a dry run: %+v, %v", got, err)
			}
		}
		r.audited()
	})
}

// What is exported has the lesson's shape, with our own fields beside it, and
// says the same whichever store it comes from.
func TestAnExportIsTheFileThatOthersRead(t *testing.T) {
	exports := make(map[string]string)
	each(t, []registry.Environment{{Name: "dev"}, {Name: "production"}}, func(t *testing.T, r *rig) {
		r.done(deploying("dev", "1.0.0"))
		r.done(deploying("dev", "1.1.0", canary, because("try")))
		r.done(deploying("production", "1.2.0"))
		r.done(deploying("production", "1.3.0"))
		r.done(ask(registry.Rollback, "production", ""))
		r.done(deploying("dev", "1.0.0", of("billing/refunds")))
		r.done(ask(registry.Retire, "dev", "", of("billing/refunds")))
		data, err := r.Export(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		type lesson struct {
			Name           string `json:"name"`
			CurrentVersion string `json:"current_version"`
			Model          string `json:"model"`
			Deployments    map[string]struct {
				Version    string           `json:"version"`
				DeployedAt string           `json:"deployed_at"`
				History    []map[string]any `json:"history"`
			} `json:"deployments"`
		}
		var read map[prompt.ID]lesson
		if err := json.Unmarshal(data, &read); err != nil {
			t.Fatal(err)
		}
		s, b := read["support"], read["billing/refunds"]
		if len(read) != 2 || s.CurrentVersion != "1.3.0" || s.Model != "model-a" || s.Deployments["dev"].Version != "1.0.0" || s.Deployments["production"].Version != "1.2.0" ||
			!strings.HasPrefix(s.Deployments["production"].DeployedAt, "2026-01-05T") || b.Deployments["dev"].Version != "" {
			t.Errorf("%s", data)
		}
		if strings.Contains(string(data), `"revision"`) {
			t.Errorf("revisions belong to a database:\n%s", data)
		}
		for id := range read { // times and commits are each run's own, the rest is not
			for _, in := range read[id].Deployments {
				for _, d := range in.History {
					delete(d, "at")
				}
			}
			for env, in := range read[id].Deployments {
				exports[t.Name()[strings.LastIndex(t.Name(), "/"):]] += jsonOf(t, []any{id, env, in.Version, in.History}) + "\n"
			}
		}
		// And it can be taken in elsewhere: what runs there is what ran here.
		if got, err := r.Import(by(t, "ci"), importing(string(data))); err != nil || len(got.Prompts) != 0 {
			t.Errorf("taken in where it comes from it changes %+v, %v", got, err)
		}
	})
	sorted := func(s string) string {
		lines := strings.Split(s, "\n")
		slices.Sort(lines)
		return strings.Join(lines, "\n")
	}
	for name, text := range exports {
		if sorted(text) != sorted(exports["/file"]) {
			t.Errorf("%s exports\n%s\nand a file\n%s", name, sorted(text), sorted(exports["/file"]))
		}
	}
}
