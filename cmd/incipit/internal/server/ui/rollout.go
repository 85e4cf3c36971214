package ui

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/rollout"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A rolloutView is what is known of a rollout.
type rolloutView struct {
	Place    registry.Place
	Report   *registry.RolloutReport // nil: nobody watches, or there was none
	Running  *registry.Deployment    // nil: nothing runs
	Missing  string                  // why there is no report
	Sides    string
	Strategy registry.Strategy
	Share    registry.Share // the candidate's, or that of all arms beside the stable one
	Stance   string
	Kind     string
	Why      string
	Next     string
	Open     bool
	Paused   bool
	Asking   bool
	Way      []stop
	Arms     []armView
	Metrics  []metricView
	Calls    string // how many were compared, and how many are needed
	Contest  *contestView
	Facts    []words.Fact
	Course   *course
	Log      []logLine
	Actions  []button
	Refused  string // why the person may change nothing
}

// A stop is a share on the way of a rollout.
type stop struct {
	Text       string
	Here, Past bool
}

// An armView is an arm with its share.
type armView struct {
	Name, Version string
	Share         registry.Share
}

// A button is one that opens the form of a change.
type button struct{ Text, Href, Class string }

// Rollout is the page of a rollout: the newest of its place, or the one that
// the query names.
func (u *UI) Rollout(r *http.Request) (*Page, error) {
	at, err := placeOf(r)
	if err != nil {
		return nil, err
	}
	opened := 0
	if asked := r.URL.Query().Get("rollout"); asked != "" {
		if opened, err = strconv.Atoi(asked); err != nil || opened < 1 {
			return nil, registry.Errorf(prompt.ErrInvalid, "%q is no number of a rollout", prompt.Clip(asked, 20))
		}
	}
	_, track, err := u.trackOf(r, at)
	if err != nil {
		return nil, err
	}
	v := &rolloutView{Place: at}
	if now, ok := track.Current(); ok {
		v.Running = &now
	}
	report, err := u.service.Rollout(r.Context(), at, opened)
	switch {
	case err == nil:
		v.known(report)
	case opened == 0 && errors.Is(err, registry.ErrNotFound):
		v.unknown(err)
	default:
		return nil, err
	}
	v.act(r, track, opened)
	return &Page{
		View: "rollout", Title: at.String(), Here: AtRollouts, Body: v,
		Crumbs: []Crumb{{"Rollouts", "/rollouts"}, {string(at.Prompt), promptPath(at.Prompt)}},
	}, nil
}

// known fills in what a report says.
func (v *rolloutView) known(r registry.RolloutReport) {
	v.Report, v.Open, v.Share = &r, r.Open(), r.Share
	v.Sides, v.Stance, v.Kind, v.Why, v.Next = words.Sides(r), words.Stance(r), kindOf(r), words.Why(r), words.Plain(r.Next)
	v.Strategy, v.Facts = r.Strategy, words.Rollout(r)
	v.Paused, v.Asking = r.Phase == string(rollout.Paused), r.Phase == string(rollout.Asking)
	v.Log, v.Course = logOf(r), courseOf(r)
	if evidence, ok := words.Evidence(r); ok {
		v.Metrics, v.Calls = metricViews(evidence), callsOf(r, evidence)
	}
	if contest, ok := words.Contest(r); ok {
		v.Contest = contestOf(contest)
	}
	if r.Strategy != registry.Experiment && r.Phase != registry.PhaseSteady {
		for _, s := range words.Stops(r) {
			v.Way = append(v.Way, stop{s.String(), s == r.Share && v.Open, s < r.Share})
		}
		promoted := !v.Open && words.End(r).Kind == registry.DecisionPromote
		v.Way = append(v.Way, stop{Text: "promoted", Here: promoted})
	}
	v.divide()
}

// unknown fills in what runs where the guard follows no rollout.
func (v *rolloutView) unknown(err error) {
	v.Missing, v.Kind, v.Stance = problem(err, http.StatusNotFound).Detail, "none", "not watched"
	if v.Running == nil {
		return
	}
	v.Sides = v.Running.Version.String() + " for everybody"
	if r := v.Running.Rollout; r != nil {
		v.Open, v.Share, v.Why, v.Strategy = true, r.Beside(), unwatched, r.Strategy
		v.Sides = v.Running.Version.String() + " → " + r.Candidate().Version.String()
		if r.Strategy == registry.Experiment {
			v.Sides = v.Running.Version.String() + " beside its arms"
		}
	}
	v.divide()
}

// divide fills in who is served what, while the rollout is open.
func (v *rolloutView) divide() {
	if v.Running == nil || v.Running.Rollout == nil || !v.Open {
		return
	}
	for _, a := range v.Running.Rollout.Arms {
		v.Arms = append(v.Arms, armView{a.Name, a.Version.String(), a.Share()})
	}
}

// act fills in what the person may do. One who may not is told why.
func (v *rolloutView) act(r *http.Request, t registry.Track, opened int) {
	if began, open := t.Began(); opened != 0 && (!open || began.Seq != opened) {
		return // it is history
	}
	at := v.Place
	who, _ := registry.CallerOf(r.Context())
	if err := who.May(registry.MayDeploy, at.Environment, at.Prompt); err != nil {
		v.Refused = problem(err, http.StatusForbidden).Detail
		return
	}
	link := func(verb string, pairs ...string) string {
		q := url.Values{"return": {without(r.URL, "did")}}
		for i := 0; i+1 < len(pairs); i += 2 {
			q.Set(pairs[i], pairs[i+1])
		}
		return placePath(at.Environment, at.Prompt, verb) + "?" + q.Encode()
	}
	add := func(text, class, href string) { v.Actions = append(v.Actions, button{text, href, class}) }
	if v.Running == nil || v.Running.Rollout == nil {
		add("Deploy…", "primary", link("deploy"))
		if v.Running != nil && len(t) > 1 {
			add("Roll back…", "danger", link("rollback"))
		}
		return
	}
	if v.Report != nil && (v.Paused || v.Asking) {
		add("Resume…", "primary", link("resume"))
	}
	if v.Report != nil && !v.Paused {
		add("Pause…", "", link("pause"))
	}
	if next, ok := nextStep(v); ok {
		add("Advance to "+next.String()+"…", "", link("shift", "to", next.Number()))
	}
	add("Shift…", "", link("shift"))
	add("Promote…", "", link("promote"))
	add("Roll back…", "danger", link("rollback"))
}

// nextStep is the share after the one where a rollout stands.
func nextStep(v *rolloutView) (registry.Share, bool) {
	if v.Strategy == registry.Experiment {
		return 0, false
	}
	if v.Report != nil {
		i := slices.IndexFunc(v.Report.Steps, func(s registry.Share) bool { return s > v.Share })
		if i < 0 {
			return 0, false
		}
		return v.Report.Steps[i], true
	}
	return v.Running.Rollout.NextStep()
}
