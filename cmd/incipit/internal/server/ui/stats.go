package ui

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/cmd/incipit/internal/words"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// maxLines bounds what a chart draws: more lines cannot be told apart.
const maxLines = 5

// A statsPage is how the calls of a prompt fared over time.
type statsPage struct {
	ID           prompt.ID
	Form         statsForm
	Problem      *api.Problem
	Environments []statsChoice
	Periods      []statsChoice
	Bys          []statsChoice
	Steps        []string
	From, To     time.Time
	Step         string
	Lines        []statsLine
	Charts       []chart
	Undrawn      int // lines that are in the table alone
	Marks        []statsMark
	Longer       string // the longest of the periods
	Example      string // the command that records a call
	Calls        string // the page of the calls themselves
}

// A statsChoice is a link that shows other figures.
type statsChoice struct {
	Text, Href string
	Here       bool
}

// A statsLine is the figures of a version, or of an arm of it, in the whole
// period.
type statsLine struct {
	Name                 string // in the charts
	Environment          string
	Version, VersionHref string
	Arm                  string
	Calls, CallsHref     string
	ErrorRate, Classes   string
	Cancelled            string
	Average              string
	P50, P95, P99        string
	FirstToken           string
	Tokens, Cost, Each   string
	Satisfaction         string
	Ratings              string
}

// A statsMark is a deployment in the period.
type statsMark struct {
	Number      int
	At          time.Time
	Environment string
	Words       string
	By, Reason  string
	Href        string
}

// Stats is the page of how the calls of a prompt fare.
func (u *UI) Stats(r *http.Request) (*Page, error) {
	id, err := prompt.ParseID(r.PathValue("prompt"))
	if err != nil {
		return nil, err
	}
	f := statsFormOf(r.URL.Query())
	if clean := promptPath(id, "/stats", f.href()); !f.bare(r.URL.Query()) {
		return &Page{To: clean}, nil
	}
	body := statsPage{ID: id, Form: f, Example: exampleCall(u.config.Now(), id), Calls: callForm{Prompt: string(id), Environment: f.Environment}.href("")}
	p := &Page{View: "stats", Title: "Statistics", Here: AtHome, Crumbs: []Crumb{{"Prompts", "/"}, {string(id), promptPath(id)}}}
	q, err := f.query(id, u.config.Now())
	if err == nil {
		var s registry.Series
		if s, err = u.service.Series(r.Context(), q); err == nil {
			body.show(s)
		}
	}
	if body.Problem = refused(err); body.Problem != nil {
		p.Status, err = http.StatusUnprocessableEntity, nil
	}
	if err != nil {
		return nil, err
	}
	choices, err := u.service.CallChoices(r.Context(), id)
	body.choose(choices.Environments)
	p.Body = body
	return p, err
}

// choose makes the links to other figures.
func (b *statsPage) choose(envs []string) {
	link := func(text string, here bool, change func(*statsForm)) statsChoice {
		f := b.Form
		change(&f)
		return statsChoice{text, promptPath(b.ID, "/stats", f.href()), here}
	}
	b.Environments = append(b.Environments, link("all", b.Form.Environment == "", func(f *statsForm) { f.Environment = "" }))
	for _, env := range envs {
		b.Environments = append(b.Environments, link(env, b.Form.Environment == env, func(f *statsForm) { f.Environment = env }))
	}
	for _, since := range []string{"1h", "24h", "7d", "30d"} {
		to := link(since, b.Form.since() == since, func(f *statsForm) { f.Since, f.From, f.To, f.Step = since, "", "", "" })
		b.Periods, b.Longer = append(b.Periods, to), to.Href
	}
	for _, by := range []string{"version", "arm"} {
		b.Bys = append(b.Bys, link(by, cmp.Or(b.Form.By, "version") == by, func(f *statsForm) { f.By = by }))
	}
}

// show takes in the figures.
func (b *statsPage) show(s registry.Series) {
	b.From, b.To, b.Step = s.From, s.To, stepWords(time.Duration(s.Step))
	for _, step := range registry.SeriesSteps() {
		if n := s.To.Sub(s.From) / step; n > 0 && n <= mostOnPage {
			b.Steps = append(b.Steps, stepWords(step))
		}
	}
	names := lineNames(s.Lines)
	for i, l := range s.Lines {
		b.Lines = append(b.Lines, b.line(names[i], l))
	}
	for i, m := range s.Marks {
		b.Marks = append(b.Marks, statsMark{i + 1, m.At, m.Environment, words.Mark(m), words.Name(m.By), m.Reason, placePath(m.Environment, b.ID, "rollout")})
	}
	drawn := drawnLines(s.Lines)
	b.Undrawn = len(s.Lines) - len(drawn)
	b.Charts = chartsOf(s, drawn, names)
}

func (b *statsPage) line(name string, l registry.SeriesLine) statsLine {
	f := l.Figures
	var of []string
	for _, c := range classes() {
		if n := f.ErrorsByClass[c]; n > 0 {
			of = append(of, c+" "+words.Thousands(n))
		}
	}
	calls := callForm{Prompt: string(b.ID), Environment: l.Environment, Version: l.Version, Arm: l.Arm, From: b.From.Format(momentField), To: b.To.Format(momentField)}
	return statsLine{
		Name: name, Environment: l.Environment, Version: l.Version, VersionHref: promptPath(b.ID, "?version="+l.Version), Arm: l.Arm,
		Calls: words.Thousands(f.TotalCalls), CallsHref: calls.href(""), ErrorRate: words.Percent(f.ErrorRate), Classes: strings.Join(of, ", "),
		Cancelled: words.Thousands(f.Cancelled), Average: words.Milliseconds(f.AvgLatencyMS),
		P50: words.Milliseconds(f.P50LatencyMS), P95: words.Milliseconds(f.P95LatencyMS), P99: words.Milliseconds(f.P99LatencyMS),
		FirstToken: words.Milliseconds(f.P50FirstTokenMS),
		Tokens:     words.Tokens(f.TotalTokens), Cost: words.Dollars(f.CostUSD), Each: words.Dollars(f.AvgCostUSD),
		Satisfaction: words.Rating(f.AvgSatisfaction), Ratings: words.Count(int(f.Ratings), "rating"),
	}
}

// lineNames are what lines are called in a chart: as short as tells them apart.
func lineNames(all []registry.SeriesLine) []string {
	several := slices.ContainsFunc(all, func(l registry.SeriesLine) bool { return l.Environment != all[0].Environment })
	out := make([]string, len(all))
	for i, l := range all {
		out[i] = l.Version
		if l.Arm != "" {
			out[i] += " " + l.Arm
		}
		if several {
			out[i] += " in " + l.Environment
		}
	}
	return out
}

// drawnLines are the indices of the lines with the most calls, in their order.
func drawnLines(all []registry.SeriesLine) []int {
	out := make([]int, len(all))
	for i := range all {
		out[i] = i
	}
	slices.SortStableFunc(out, func(a, b int) int { return cmp.Compare(all[b].TotalCalls, all[a].TotalCalls) })
	out = out[:min(maxLines, len(out))]
	slices.Sort(out)
	return out
}
