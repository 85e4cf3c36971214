package ui

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// auditLines is how many events a page of the audit log shows.
const auditLines = 50

// An auditLog is the page of the audit log.
type auditLog struct {
	Form         url.Values // the filter, as it was typed
	Environments []string
	Sources      []string
	Filtered     bool
	Past         bool // older events than the newest
	Lines        []auditLine
	Older        string // where they go on; "" at the begin of the log
	Newest       string
	Export       string
	MayVerify    bool
	Problem      *api.Problem
}

// An auditLine is an event, and where what it tells of is found.
type auditLine struct {
	registry.Event
	Commit  string // of the release; "" where it is not known
	Rollout string // the page of what was decided; "" where there is none
	Details []eventDetail
}

type eventDetail struct{ Name, Text string }

// Audit is who did what, the newest first.
func (u *UI) Audit(r *http.Request) (*Page, error) {
	q := r.URL.Query()
	c, _ := registry.CallerOf(r.Context())
	body := auditLog{
		Form: q, Sources: registry.EventSources(), MayVerify: c.May(registry.MayAudit, registry.Every, registry.Every) == nil,
		Past: q.Get("before") != "", Newest: auditPath("/audit", q, 0), Export: auditPath("/audit/export", q, 0),
	}
	page := &Page{View: "audit", Title: "Audit log", Here: AtAudit, Body: &body}
	envs, err := u.service.Environments(r.Context())
	if err != nil {
		return nil, err
	}
	for _, e := range envs {
		if c.MayAny(registry.MayAudit, e.Name, registry.Every) {
			body.Environments = append(body.Environments, e.Name)
		}
	}
	filter, before, err := AuditQuery(q)
	body.Filtered = filter != registry.EventFilter{}
	if err == nil {
		err = u.auditLines(r.Context(), &body, filter, before)
	}
	return page, page.mend(err, &body.Problem)
}

func (u *UI) auditLines(ctx context.Context, body *auditLog, f registry.EventFilter, before int64) error {
	events, next, err := u.service.PastAudit(ctx, f, before, auditLines)
	if err != nil {
		return err
	}
	if next > 0 {
		body.Older = auditPath("/audit", body.Form, next)
	}
	commits := make(map[string]string)
	for _, e := range events {
		body.Lines = append(body.Lines, u.auditLine(ctx, e, commits))
	}
	return nil
}

func (u *UI) auditLine(ctx context.Context, e registry.Event, commits map[string]string) auditLine {
	line := auditLine{Event: e}
	for _, name := range slices.Sorted(maps.Keys(e.Detail)) {
		line.Details = append(line.Details, eventDetail{name, e.Detail[name]})
	}
	if e.Prompt != "" && e.Environment != "" {
		line.Rollout = placePath(e.Environment, e.Prompt, "rollout")
	}
	v, err := prompt.ParseVersion(e.Version)
	if e.Prompt == "" || err != nil {
		return line
	}
	tag := string(e.Prompt) + "@" + e.Version
	if _, known := commits[tag]; !known {
		commits[tag] = ""
		if release, err := u.service.Release(ctx, e.Prompt, v); err == nil { // else it is not known any more, and the line says the rest
			commits[tag] = release.Commit
		}
	}
	line.Commit = commits[tag]
	return line
}

// AuditQuery reads what a page of the audit log is asked for: the filter, and
// the number of the event before which it begins, 0 at the end.
func AuditQuery(q url.Values) (f registry.EventFilter, before int64, err error) {
	f = registry.EventFilter{Actor: q.Get("who"), Action: q.Get("action"), Prompt: q.Get("prompt"), Environment: q.Get("environment"), Source: q.Get("source")}
	if f.From, err = readTime(q.Get("from")); err != nil {
		return f, 0, err
	}
	if f.To, err = readTime(q.Get("to")); err != nil {
		return f, 0, err
	}
	if text := q.Get("before"); text != "" {
		if before, err = strconv.ParseInt(text, 10, 64); err != nil || before < 1 {
			return f, 0, registry.Errorf(prompt.ErrInvalid, "%q is no number of an event", prompt.Clip(text, 40))
		}
	}
	return f, before, f.Validate()
}

// readTime reads a time as a form has it: in UTC, unless it says a zone.
func readTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, registry.WithFix(registry.Errorf(prompt.ErrInvalid, "%q is no time", prompt.Clip(text, 40)), "write one such as 2026-01-31T16:30, in UTC")
}

// auditPath is a path with the filter of q, before an event if it is not 0.
func auditPath(path string, q url.Values, before int64) string {
	out := make(url.Values)
	for _, name := range []string{"who", "action", "prompt", "environment", "source", "from", "to"} {
		if text := q.Get(name); text != "" {
			out.Set(name, text)
		}
	}
	if before > 0 {
		out.Set("before", strconv.FormatInt(before, 10))
	}
	if len(out) == 0 {
		return path
	}
	return path + "?" + out.Encode()
}

// An auditVerdict is what came of verifying the audit log.
type auditVerdict struct {
	Events  int64
	Hash    string
	Problem *api.Problem
}

// VerifyAudit says whether the audit log is what was written.
func (u *UI) VerifyAudit(r *http.Request) (*Page, error) {
	var body auditVerdict
	page := &Page{View: "auditverify", Title: "Verify the audit log", Here: AtAudit, Crumbs: []Crumb{{"Audit log", "/audit"}}, Body: &body}
	var err error
	body.Events, body.Hash, err = u.service.VerifiedAudit(r.Context())
	err = page.mend(err, &body.Problem)
	page.Status = http.StatusOK // that is what was asked
	return page, err
}
