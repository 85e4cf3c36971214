package ui

import (
	"net/url"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

const (
	statsSince  = "24h"              // what is shown if nothing is said
	fewOnPage   = 170                // points of a line, where the step is chosen
	mostOnPage  = 400                // and where it is asked for
	momentField = "2006-01-02T15:04" // how a field for a time writes it
)

// A statsForm is which figures are asked for, as the address of the page says it
// and a person typed it.
type statsForm struct{ Environment, By, From, To, Since, Step string }

func statsFormOf(v url.Values) statsForm {
	var f statsForm
	for name, to := range f.fields() {
		*to = strings.TrimSpace(v.Get(name))
	}
	return f
}

func (f *statsForm) fields() map[string]*string {
	return map[string]*string{"environment": &f.Environment, "by": &f.By, "from": &f.From, "to": &f.To, "since": &f.Since, "step": &f.Step}
}

// since is the period that is asked for by its length, "" if it is by its ends.
func (f statsForm) since() string {
	if f.Since == "" && f.From == "" && f.To == "" {
		return statsSince
	}
	return f.Since
}

// href is the query of the page, with its question mark if there is one.
func (f statsForm) href() string {
	q := make(url.Values)
	for name, v := range f.fields() {
		if *v != "" {
			q.Set(name, *v)
		}
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// bare reports whether an address holds nothing that says nothing.
func (f statsForm) bare(v url.Values) bool {
	for name := range f.fields() {
		if v.Has(name) && strings.TrimSpace(v.Get(name)) == "" {
			return false
		}
	}
	return true
}

// query is what the form asks for at a time. It reports prompt.ErrInvalid.
func (f statsForm) query(id prompt.ID, now time.Time) (registry.SeriesQuery, error) {
	q := registry.SeriesQuery{Prompt: id, Environment: f.Environment, By: f.By, To: now}
	var err error
	if f.To != "" {
		if q.To, err = parseMoment("to", f.To); err != nil {
			return q, err
		}
	}
	if q.From, err = f.begin(q.To); err != nil {
		return q, err
	}
	if f.Step != "" {
		q.Step, err = api.ParseAge(f.Step)
		return q, err
	}
	for _, q.Step = range registry.SeriesSteps() {
		if q.To.Sub(q.From)/q.Step <= fewOnPage {
			return q, nil
		}
	}
	return q, nil
}

func (f statsForm) begin(to time.Time) (time.Time, error) {
	if f.From != "" {
		if f.Since != "" {
			return time.Time{}, registry.Errorf(prompt.ErrInvalid, "from and since both say where to begin")
		}
		return parseMoment("from", f.From)
	}
	since := f.Since
	if since == "" {
		since = statsSince
	}
	back, err := api.ParseAge(since)
	return to.Add(-back), err
}

// stepWords is a step as it is asked for.
func stepWords(d time.Duration) string {
	return strings.TrimSuffix(strings.TrimSuffix(d.String(), "0s"), "0m")
}
