package ui

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A callForm is by what calls are chosen, as the address of the page says it
// and a person typed it.
type callForm struct {
	Prompt, Environment, Version, Arm string
	Outcome, ErrorClass, Score        string
	From, To                          string // of the start, in UTC
	After                             string // the page of the list
	Ref                               string // what a call is looked for by
}

func callFormOf(v url.Values) callForm {
	var f callForm
	for name, to := range f.fields() {
		*to = strings.TrimSpace(v.Get(name))
	}
	f.Ref = strings.TrimSpace(v.Get("ref"))
	return f
}

// fields are those that the address of a list holds, by their names there.
func (f *callForm) fields() map[string]*string {
	return map[string]*string{
		"prompt": &f.Prompt, "environment": &f.Environment, "version": &f.Version, "arm": &f.Arm,
		"outcome": &f.Outcome, "error_class": &f.ErrorClass, "score": &f.Score, "from": &f.From, "to": &f.To, "after": &f.After,
	}
}

// Chosen reports whether the form leaves calls out.
func (f callForm) Chosen() bool {
	f.After, f.Prompt = "", ""
	return f != callForm{}
}

// ID is the prompt whose tabs are shown, "" for none.
func (f callForm) ID() prompt.ID {
	id, err := prompt.ParseID(f.Prompt)
	if err != nil {
		return ""
	}
	return id
}

// All is the list of the same prompt, without the other filters.
func (f callForm) All() string { return callForm{Prompt: f.Prompt}.href("") }

// href is the address of the list, from a call on.
func (f callForm) href(after string) string {
	f.After = after
	q := make(url.Values)
	for name, v := range f.fields() {
		if *v != "" {
			q.Set(name, *v)
		}
	}
	if len(q) == 0 {
		return "/calls"
	}
	return "/calls?" + q.Encode()
}

// bare reports whether an address holds nothing that says nothing.
func (f callForm) bare(v url.Values) bool {
	for name := range f.fields() {
		if v.Has(name) && strings.TrimSpace(v.Get(name)) == "" {
			return false
		}
	}
	return true
}

// query is what the form asks for. It reports prompt.ErrInvalid.
func (f callForm) query() (registry.CallQuery, error) {
	q := registry.CallQuery{
		Environment: f.Environment, Version: f.Version, Arm: f.Arm, Outcome: registry.Outcome(f.Outcome), ErrorClass: f.ErrorClass, Newest: true,
	}
	var err error
	if f.Prompt != "" {
		if q.Prompt, err = prompt.ParseID(f.Prompt); err != nil {
			return q, err
		}
	}
	if q.Score, err = registry.ParseScoreBounds(f.Score); err != nil {
		return q, err
	}
	if q.From, err = parseMoment("from", f.From); err != nil {
		return q, err
	}
	if q.To, err = parseMoment("to", f.To); err != nil {
		return q, err
	}
	if f.After != "" {
		if q.After, err = strconv.ParseInt(f.After, 10, 64); err != nil || q.After < 1 {
			return q, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "the list has no place %q", prompt.Clip(f.After, 40)), "begin with the newest calls")
		}
	}
	return q, nil
}

// parseMoment reads a time as a field for one sends it, in UTC, or with its zone;
// the zero time if there is none. It reports prompt.ErrInvalid.
func parseMoment(field, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%s is %q, which is no time", field, prompt.Clip(text, 40)), "write one such as 2026-01-31T15:04, in UTC")
}
