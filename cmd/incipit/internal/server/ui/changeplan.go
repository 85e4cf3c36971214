package ui

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/lifecycle"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/worddiff"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A planView is a plan as a person reads it, in the words of incipit plan.
type planView struct {
	*registry.Plan
	Title   string
	Nothing string // why nothing would change
	Facts   []words.Fact
	Held    bool
	Command string
	Problem *api.Problem // why there is no plan
	Changes []prompt.Change
	Texts   []planText
	Compare string // the page that shows all of it
	Approve string // the page to approve at, for whoever may

	Forecast *registry.Forecast // of a rollout that would be watched
	Expected string             // what it assumes, or why there is none
}

// StepRows is what to expect of each step.
func (v *planView) StepRows() [][]string { return words.ForecastRows(v.Forecast) }

// A planText is what changes in one message, shortened.
type planText struct {
	Message        string
	Added, Removed int
	Spans          []planSpan
}

// A planSpan is a run of text: kept, added or removed.
type planSpan struct{ Kind, Text string }

// deployFields are what one chooses in a deploy.
type deployFields struct {
	Version  string
	Versions []versionChoice // the newest first
	Strategy registry.Strategy
	Steps    string
	Running  bool // something runs, so that there can be a rollout
	Open     bool // a rollout is open
}

// A versionChoice is a release that can be deployed.
type versionChoice struct {
	registry.Release
	Runs bool
}

// planView puts a plan in words.
func (u *UI) planView(r *http.Request, f *changeForm, p *registry.Plan) (*planView, error) {
	v := &planView{Plan: p, Title: words.PlanTitle(p), Nothing: words.PlanAlready(p), Facts: words.PlanFacts(p), Held: words.Held(p), Command: words.Command(p)}
	who, _ := registry.CallerOf(r.Context())
	if f.Action == registry.Deploy && f.Environment.Approvals > 0 && v.Held && who.May(registry.MayApprove, p.Environment, p.Prompt) == nil {
		v.Approve = placePath(p.Environment, p.Prompt, "approve") + "?" + url.Values{"version": {p.Version}, "return": {f.self()}}.Encode()
	}
	var err error
	if v.Forecast, v.Expected, err = lifecycle.ForecastOf(r.Context(), u.service.Stats, f.Environment.GuardOf(p.Prompt), p, u.config.Now()); err != nil {
		return nil, err
	}
	if v.Forecast != nil {
		v.Expected = words.ForecastTitle(v.Forecast)
	} else if v.Expected != "" {
		v.Expected = "forecast: " + words.Plain(v.Expected)
	}
	if p.From == "" || p.From == p.To.String() || f.Action == registry.Shift || f.Action == registry.Retire {
		return v, nil
	}
	return v, u.compare(r, v)
}

// self is the form with what was filled in, as a link.
func (f *changeForm) self() string {
	q := url.Values{}
	for _, name := range []string{"version", "strategy", "steps", "manual", "supersede", "quarantined", "return"} {
		if s := f.Typed.Get(name); s != "" {
			q.Set(name, s)
		}
	}
	return f.Path + "?" + q.Encode()
}

// compare adds what a plan changes in the text. What cannot be read any more is
// left out: that is no reason not to go back.
func (u *UI) compare(r *http.Request, v *planView) error {
	from, err := prompt.ParseVersion(v.From)
	if err != nil {
		return nil //nolint:nilerr // it names several
	}
	v.Compare = promptPath(v.Prompt, "/diff?"+url.Values{"from": {v.From}, "to": {v.To.String()}}.Encode())
	var drafts [2]prompt.Draft
	for i, version := range []prompt.Version{from, v.To} {
		release, err := u.service.Release(r.Context(), v.Prompt, version)
		if err == nil {
			drafts[i], err = u.service.Released(r.Context(), release)
		}
		if err != nil && mendable(err) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	v.Changes = prompt.Compare(drafts[0].Prompt, drafts[1].Prompt)
	for _, t := range worddiff.Texts(drafts[0].Prompt.Messages, drafts[1].Prompt.Messages) {
		v.Texts = append(v.Texts, planText{t.Message, t.Added, t.Removed, excerpt(t.Spans)})
	}
	return nil
}

// excerpt keeps what changes and a little around it.
func excerpt(spans []worddiff.Span) []planSpan {
	const most = 200
	var out []planSpan
	for i, s := range spans {
		if len(out) >= most {
			return append(out, planSpan{"gap", " …"})
		}
		switch s.Op {
		case worddiff.Added:
			out = append(out, planSpan{"added", s.Text})
		case worddiff.Removed:
			out = append(out, planSpan{"removed", s.Text})
		default:
			out = append(out, planSpan{"kept", around(s.Text, i > 0, i < len(spans)-1)})
		}
	}
	return out
}

// around is a text that is kept, shortened to what stands beside a change before
// it and after it.
func around(text string, before, after bool) string {
	const near = 60 // characters
	all := []rune(text)
	if len(all) <= 2*near {
		return text
	}
	head, tail := string(all[:near]), string(all[len(all)-near:])
	if i := strings.LastIndexAny(head, " \n"); i > 0 {
		head = head[:i+1]
	}
	if i := strings.IndexAny(tail, " \n"); i >= 0 {
		tail = tail[i:]
	}
	switch {
	case before && after:
		return head + "…" + tail
	case before:
		return head + "…"
	case after:
		return "…" + tail
	}
	return text
}

// choices fills in what there is to choose from.
func (u *UI) choices(r *http.Request, f *changeForm) error {
	now, running := f.Track.Current()
	switch f.Action {
	case registry.Deploy:
		return u.releases(r, f, now, running)
	case registry.Rollback:
		for _, d := range slices.Backward(f.Track) {
			if v := d.Version.String(); (d.Version != now.Version || now.Rollout != nil) && !slices.Contains(f.Targets, v) {
				f.Targets = append(f.Targets, v)
			}
		}
	}
	if running && now.Rollout != nil && now.Rollout.Strategy == registry.Experiment {
		for _, a := range now.Rollout.Contenders() {
			share := a.Share().Number()
			if typed := f.Typed.Get("share." + a.Name); typed != "" {
				share = typed
			}
			f.Arms = append(f.Arms, armField{a.Name, a.Version.String(), share})
		}
	}
	return nil
}

func (u *UI) releases(r *http.Request, f *changeForm, now registry.Deployment, running bool) error {
	all, err := u.service.Releases(r.Context(), f.Place.Prompt)
	if err != nil {
		return err
	}
	d := &deployFields{
		Running: running, Open: running && now.Rollout != nil, Version: f.Typed.Get("version"),
		Strategy: registry.Strategy(cmp.Or(f.Typed.Get("strategy"), string(registry.Full))),
		Steps:    cmp.Or(f.Typed.Get("steps"), words.Steps(f.Environment.GuardOf(f.Place.Prompt).Steps)),
	}
	for _, release := range slices.Backward(all) {
		d.Versions = append(d.Versions, versionChoice{release, running && release.Version == now.Version})
	}
	if d.Version == "" && len(d.Versions) > 0 {
		d.Version = d.Versions[0].Version.String()
	}
	f.Deploy = d
	return nil
}
