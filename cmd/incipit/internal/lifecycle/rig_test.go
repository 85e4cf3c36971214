package lifecycle

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore/storetest"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A rig is a service over a store that knows the releases of the tests.
type rig struct {
	testing.TB
	*Service
	shared *Shared         // nil where the store is a file
	db     *sqlstore.Store // likewise
	config storetest.Database
	clock  *storetest.Clock
}

// each runs a test over a file and over both databases.
func each(t *testing.T, envs []registry.Environment, f func(t *testing.T, r *rig)) {
	t.Helper()
	t.Run("file", func(t *testing.T) {
		clock := new(storetest.Clock)
		ws, err := source.Open(t.Context(), repository(t, false, envs, known("{}")), source.Options{Now: clock.Now})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := ws.Close(); err != nil {
				t.Error(err)
			}
		})
		store := source.Store{Workspace: ws}
		f(t, &rig{TB: t, clock: clock, Service: New(Config{
			Store: store, Catalog: store, Bucketing: ws.Config.Bucketing, Now: clock.Now,
			Author: func(ctx context.Context) (string, error) {
				c, _ := registry.CallerOf(ctx)
				return c.Name, nil
			},
		})})
	})
	eachShared(t, envs, f)
}

// eachShared runs a test over both databases.
func eachShared(t *testing.T, envs []registry.Environment, f func(t *testing.T, r *rig)) {
	t.Helper()
	storetest.EachDatabase(t, func(t *testing.T, d storetest.Database) { f(t, over(t, d, envs)) })
}

func over(t testing.TB, d storetest.Database, envs []registry.Environment) *rig {
	t.Helper()
	return overWith(t, d, envs, nil)
}

func overWith(t testing.TB, d storetest.Database, envs []registry.Environment, edit func(*SharedConfig)) *rig {
	t.Helper()
	r := replica(t, d, edit)
	for _, e := range envs {
		if err := r.shared.SetEnvironment(by(t, "admin"), e); err != nil {
			t.Fatal(err)
		}
	}
	var rows []sqlstore.IndexedRelease
	for _, m := range releases() {
		rows = append(rows, m.indexed(t))
	}
	if _, problems, err := r.db.AddReleases(t.Context(), rows); err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	return r
}

// replica is a service over a database that may have others.
func replica(t testing.TB, d storetest.Database, edit func(*SharedConfig)) *rig {
	t.Helper()
	db := d.Open(t)
	c := SharedConfig{Store: db, Now: d.Clock.Now, Random: d.Config.Random, Log: slog.New(slog.DiscardHandler)}
	if edit != nil {
		edit(&c)
	}
	shared := NewShared(c)
	return &rig{TB: t, Service: shared.Service, shared: shared, db: db, config: d, clock: d.Clock}
}

// by is a context that says who asks: a name with an @ is a person.
func by(t testing.TB, name string) context.Context {
	t.Helper()
	return registry.WithCaller(t.Context(), registry.Caller{Name: name, Key: "k-" + name, Person: strings.Contains(name, "@"), Source: "api", Request: "r-1"})
}

// A change is a request for support in an environment.
func ask(action registry.Action, env, version string, edit ...func(*registry.Request)) registry.Request {
	req := registry.Request{Action: action, Prompt: "support", Environment: env, Version: version}
	for _, e := range edit {
		e(&req)
	}
	return req
}

func deploying(env, version string, edit ...func(*registry.Request)) registry.Request {
	return ask(registry.Deploy, env, version, edit...)
}

func canary(r *registry.Request) {
	r.Strategy, r.Steps = registry.Canary, []registry.Share{5_000, 50_000}
}
func supersede(r *registry.Request) { r.Supersede = true }
func cleared(r *registry.Request)   { r.Quarantined = true }

func because(why string) func(*registry.Request) { return func(r *registry.Request) { r.Reason = why } }

func confirm(name string) func(*registry.Request) {
	return func(r *registry.Request) { r.Confirm = name }
}

func share(s registry.Share) func(*registry.Request) {
	return func(r *registry.Request) { r.Share = s }
}

func once(key, hash string) func(*registry.Request) {
	return func(r *registry.Request) { r.Once = registry.Once{Caller: "ci", Key: key, Hash: hash} }
}

func at(revision int64) func(*registry.Request) {
	return func(r *registry.Request) { r.Revision = &revision }
}

func of(id prompt.ID) func(*registry.Request) { return func(r *registry.Request) { r.Prompt = id } }

// done makes a change that must be made.
func (r *rig) done(req registry.Request) *registry.Receipt {
	r.Helper()
	return r.doneBy("bob@example.com", req)
}

func (r *rig) doneBy(name string, req registry.Request) *registry.Receipt {
	r.Helper()
	receipt, err := r.Do(by(r, name), req)
	if err != nil {
		r.Fatalf("%s %s in %s: %v", req.Action, req.Version, req.Environment, err)
	}
	return receipt
}

// refused asks for a change that must not be made, and changes nothing: neither
// doing it nor a plan of it, which for a rule that does not hold says so.
func (r *rig) refused(kind error, says string, req registry.Request) {
	r.Helper()
	r.refusedBy("bob@example.com", kind, says, req)
}

func (r *rig) refusedBy(name string, kind error, says string, req registry.Request) {
	r.Helper()
	before, err := r.store.State(r.Context(), req.Prompt, req.Environment)
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		r.Fatal(err)
	}
	_, err = r.Do(by(r, name), req)
	if !errors.Is(err, kind) || !strings.Contains(err.Error(), says) {
		r.Errorf("%s %s in %s: %v, want %v about %q", req.Action, req.Version, req.Environment, err, kind, says)
	}
	after, _ := r.store.State(r.Context(), req.Prompt, req.Environment)
	if len(after.Track) != len(before.Track) || after.Revision != before.Revision {
		r.Errorf("%s %s in %s was refused and recorded", req.Action, req.Version, req.Environment)
	}
	if errors.Is(err, registry.ErrGate) {
		fix, ok := errors.AsType[*registry.FixError](err)
		if !ok || fix.Fix == "" {
			r.Errorf("%v: and nothing to try", err)
		}
		p, err := r.Plan(by(r, name), req)
		held := false
		if err == nil {
			for _, c := range p.Checks {
				held = held || !c.OK && strings.Contains(c.Name, says) && c.Fix != ""
			}
		}
		if !held {
			r.Errorf("a plan of %s %s in %s says nothing of %q: %+v, %v", req.Action, req.Version, req.Environment, says, p, err)
		}
	}
}

// runs is what runs of support in an environment: 1.0.0, or 1.0.0>1.1.0@5 % while
// a rollout is open.
func (r *rig) runs(env string) string {
	r.Helper()
	st, err := r.store.State(r.Context(), "support", env)
	if err != nil {
		r.Fatal(err)
	}
	now, ok := st.Track.Current()
	switch {
	case !ok:
		return "nothing"
	case now.Rollout != nil:
		return now.Version.String() + ">" + now.Rollout.Candidate().Version.String() + "@" + now.Rollout.Candidate().Share().String()
	}
	return now.Version.String()
}

func (r *rig) check(env, want string) {
	r.Helper()
	if got := r.runs(env); got != want {
		r.Errorf("%s runs %s, want %s", env, got, want)
	}
}

// audited fails the test unless each change has its event, the chain holds and
// revisions have no gap. It returns the events.
func (r *rig) audited() []registry.Event {
	r.Helper()
	ctx := r.Context()
	n, err := r.shared.VerifyAudit(ctx)
	if err != nil {
		r.Fatal(err)
	}
	events, err := r.shared.Events(ctx, 0, 100_000)
	if err != nil || int64(len(events)) != n {
		r.Fatalf("%d events of %d: %v", len(events), n, err)
	}
	if _, err := registry.CheckChain(registry.Event{}, events); err != nil {
		r.Error(err)
	}
	told := make(map[string]int) // by environment
	for _, e := range events {
		switch registry.Action(e.Action) {
		case registry.Deploy, registry.Shift, registry.Promote, registry.Rollback, registry.Retire:
			told[e.Environment]++
		}
	}
	_, revisions, err := r.shared.Revisions(ctx)
	if err != nil {
		r.Fatal(err)
	}
	for env, revision := range revisions {
		records, err := r.db.Since(ctx, env, 0, 100_000)
		if err != nil || int64(len(records)) != revision || told[env] != len(records) {
			r.Errorf("%s is at revision %d, with %d records and %d events: %v", env, revision, len(records), told[env], err)
		}
		for i, d := range records {
			if d.Revision != int64(i)+1 {
				r.Errorf("%s: record %d has revision %d", env, i+1, d.Revision)
			}
		}
	}
	return events
}
