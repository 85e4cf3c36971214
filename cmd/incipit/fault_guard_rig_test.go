package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A guarded is a prompt that is called all the time, and rolled out again and
// again, over servers that may be killed.
type guarded struct {
	*fault
	ledger *ledger
	place  registry.Place
	to     atomic.Pointer[string] // the server that calls go to
	fails  atomic.Int64           // how many of 100 calls of the candidate
	n      atomic.Int64           // subjects so far
	keys   atomic.Int64
	opened []int // the deployments by which rollouts began
}

// guarded sets rules by which a rollout takes seconds, and deploys the first
// release to everybody.
func (f *fault) guarded(v *serving) *guarded {
	f.Helper()
	w := served()[0]
	g := &guarded{fault: f, ledger: f.ledger(), place: registry.Place{Prompt: prompt.ID(w.id), Environment: servedIn}}
	g.callsGoTo(v)
	rules := registry.GuardRules{
		Metrics: []string{"errors"}, MaxErrorIncrease: new(.3),
		Bake: new(registry.Duration(300 * time.Millisecond)), HoldFor: new(registry.Duration(0)),
	}
	if err := v.client(nil).Send(f.Context(), http.MethodPut, "/v1/environments/"+servedIn, api.EnvironmentRules{Guard: &registry.Guard{GuardRules: rules}}, nil); err != nil {
		f.Fatal(err)
	}
	g.change(v, registry.Request{Action: registry.Deploy, Version: w.first})
	return g
}

func (g *guarded) callsGoTo(v *serving) { g.to.Store(new(v.url())) }

// ask asks for a change, with a key of its own.
func (g *guarded) ask(v *serving, req registry.Request) (*registry.Receipt, error) {
	req.Prompt, req.Environment = g.place.Prompt, g.place.Environment
	key := fmt.Sprint("person-", g.keys.Add(1))
	if req.Reason == "" {
		req.Reason = key
	}
	return clientOf(g.fault, v.url(), func() string { return key }).Do(g.Context(), req)
}

func (g *guarded) change(v *serving, req registry.Request) *registry.Receipt {
	g.Helper()
	r, err := g.ask(v, req)
	if err != nil {
		g.Fatal(err)
	}
	g.Acked++
	return r
}

// begin starts a rollout, whose candidate fails so many of 100 calls, and waits
// until the guard follows it.
func (g *guarded) begin(v *serving, fails int64, steps ...registry.Share) (opened int) {
	g.Helper()
	g.fails.Store(fails)
	r := g.change(v, registry.Request{Action: registry.Deploy, Version: served()[0].second, Strategy: registry.Canary, Steps: steps, Quarantined: true})
	opened = r.Deployment.Seq
	g.opened = append(g.opened, opened)
	g.until("the guard follows the rollout", func() bool { rep, ok := g.report(v, opened); return ok && len(rep.Decisions) > 0 })
	return opened
}

// report is where a rollout stands, and false if the server cannot tell now.
func (g *guarded) report(v *serving, opened int) (registry.RolloutReport, bool) {
	ctx, cancel := context.WithTimeout(g.Context(), 10*time.Second)
	defer cancel()
	r, err := v.client(nil).Rollout(ctx, g.place, opened)
	return r, err == nil
}

func (g *guarded) hasEnded(v *serving, opened int) bool {
	r, ok := g.report(v, opened)
	return ok && !r.Open()
}

// flowing lets calls flow while do runs: each is made with what the server says
// that runs, and sent until it is taken.
func (g *guarded) flowing(do func()) {
	g.Helper()
	ctx, stop := context.WithCancel(g.Context())
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	all.Go(func() {
		for ctx.Err() == nil {
			if err := g.parcel(ctx, 100); err != nil {
				pauseFor(ctx, 20*time.Millisecond)
			}
			pauseFor(ctx, 50*time.Millisecond)
		}
	})
	do()
}

// parcel makes calls and brings them to the server.
func (g *guarded) parcel(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	snap, err := clientOf(g.fault, *g.to.Load(), nil).Snapshot(ctx, g.place.Environment, g.place.Prompt)
	if err != nil {
		return err
	}
	body, err := json.Marshal(g.calls(&snap.Prompts[g.place.Prompt].Rollout, n))
	if err != nil {
		return err
	}
	key := fmt.Sprint("parcel-", g.keys.Add(1))
	for {
		status, err := post(ctx, *g.to.Load()+"/v1/calls", key, body, new(registry.Intake))
		if err == nil && status == http.StatusOK || ctx.Err() != nil {
			return err
		}
		pauseFor(ctx, 20*time.Millisecond)
	}
}

func (g *guarded) calls(r *registry.Rollout, n int) []registry.WireCall {
	all := make([]registry.WireCall, n)
	for i := range all {
		subject := fmt.Sprint("user-", g.n.Add(1))
		arm := r.Assign(subject)
		c := registry.WireCall{
			Prompt: g.place.Prompt, Version: arm.Version.String(), Environment: g.place.Environment, Arm: arm.Name, Rollout: r.Salt,
			Subject: subject, StartedAt: time.Now().UTC().Truncate(time.Microsecond), LatencyMS: float64(400 + rand.N(800)), Outcome: registry.OK,
		}
		c.ID = registry.NewCallID(c.StartedAt, [10]byte(fmt.Appendf(nil, "%10d", rand.N(1_000_000_000))))
		// Without its share a call of whoever had not heard of the rollout yet
		// would be taken for one of it.
		c.Share = new(float64(arm.Share()) / (registry.Scale / 100))
		if arm.Name == registry.CandidateArm && rand.N(int64(100)) < g.fails.Load() {
			c.Outcome, c.ErrorClass = registry.Failed, registry.PromptError
		}
		all[i] = c
	}
	return all
}

// hold holds what the server says against itself: each step of each rollout is
// there once, in order, and decisions and deployments tell of each other.
func (g *guarded) hold(v *serving) {
	g.Helper()
	g.ledger.read(v)
	tracks, err := v.client(nil).History(g.Context(), g.place.Prompt, g.place.Environment)
	if err != nil {
		g.Fatal(err)
	}
	told := make(map[int]registry.Decision) // by deployment
	for _, opened := range g.opened {
		r, err := v.client(nil).Rollout(g.Context(), g.place, opened)
		if err != nil {
			g.Fatal(err)
		}
		g.logged(r, tracks[g.place.Environment], told)
	}
	for _, d := range tracks[g.place.Environment] {
		if t, ok := told[d.Seq]; !ok && (d.Rollout != nil || d.By == registry.GuardName) {
			g.Lost++
			g.Errorf("deployment %d, %s by %s, is in no log of a rollout", d.Seq, d.Action, d.By)
		} else if ok && t.By != d.By && t.Kind != registry.DecisionBegin {
			g.Errorf("deployment %d was made by %s, and the log says %s", d.Seq, d.By, t.By)
		}
	}
	if open, err := v.client(nil).Rollouts(g.Context(), g.place.Environment); err != nil || len(open) != 0 {
		g.Errorf("open rollouts: %+v, %v", open, err)
	}
	if g.Failed() {
		g.Fatalf("the server said:\n%s", tail(v.said()))
	}
}

// logged holds the log of a rollout that has ended against the track, and notes
// the deployments that it tells of.
func (g *guarded) logged(r registry.RolloutReport, track registry.Track, told map[int]registry.Decision) {
	g.Helper()
	actions := map[string]registry.Action{
		registry.DecisionBegin: registry.Deploy, registry.DecisionAdvance: registry.Shift, registry.DecisionShift: registry.Shift,
		registry.DecisionPromote: registry.Promote, registry.DecisionRollback: registry.Rollback, registry.DecisionEnd: registry.Deploy,
	}
	next := r.Opened
	var share registry.Share
	for i, d := range r.Decisions {
		if d.Seq != i+1 {
			g.Errorf("decision %d of rollout %d has the number %d", i+1, r.Opened, d.Seq)
		}
		if d.Deployment == 0 {
			continue
		}
		if d.Deployment != next || d.Deployment > len(track) {
			g.Dup++
			g.Errorf("rollout %d: %s tells of deployment %d, and the next one is %d: %s", r.Opened, d.Kind, d.Deployment, next, logOf(r))
			return
		}
		is := track[d.Deployment-1]
		if is.Action != actions[d.Kind] || is.Action == registry.Shift && (is.Rollout.Candidate().Share() != d.Share || d.Kind == registry.DecisionAdvance && d.Share <= share) {
			g.Errorf("rollout %d: %s to %s tells of deployment %d, which is %s: %s", r.Opened, d.Kind, d.Share, d.Deployment, is.Action, logOf(r))
		}
		share = d.Share
		if d.Kind != registry.DecisionEnd { // the deployment that took its place begins the log of another
			told[d.Deployment] = d
		}
		next++
	}
	if r.Open() {
		g.Errorf("rollout %d has not ended: %s, %s", r.Opened, r.Phase, logOf(r))
	}
}

// logOf is a rollout's log in a line.
func logOf(r registry.RolloutReport) string {
	all := make([]string, len(r.Decisions))
	for i, d := range r.Decisions {
		all[i] = d.Kind + " " + d.Share.Number()
		if d.By != registry.GuardName {
			all[i] += " by " + d.By
		}
	}
	return strings.Join(all, ", ")
}

// went holds that the guard alone took a rollout through these steps.
func (g *guarded) went(v *serving, opened int, steps string) {
	g.Helper()
	r, ok := g.report(v, opened)
	if !ok {
		g.Fatal("the server does not answer")
	}
	var all []string
	for _, d := range r.Decisions {
		if d.Deployment > 0 {
			all = append(all, d.Kind+" "+d.Share.Number())
		}
	}
	if got := strings.Join(all, ", "); got != steps {
		g.Errorf("the rollout went %s, want %s\n%s", got, steps, tail(v.said()))
	}
}

const (
	wentWell  = "begin 20, advance 40, advance 70, advance 95, promote 95"
	wentWrong = "begin 20, rollback 20"
)

// steps are those of the rollouts here.
func guardedSteps() []registry.Share { return []registry.Share{20_000, 40_000, 70_000} }
