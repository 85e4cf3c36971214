package server

import (
	"html"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/internal/registry"
)

// callPage asks for a page as a browser does.
func (r *rig) callPage(method, path, key, form string) got {
	r.Helper()
	return r.send(method, path, key, form, "Accept", "text/html", "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin")
}

// tells reports whether a page shows a text.
func (g got) tells(text string) bool {
	return strings.Contains(html.UnescapeString(string(g.body)), text)
}

func TestTheListOfCallsShowsWhatItsAddressAsksFor(t *testing.T) {
	r := sqlite(t, nil)
	r.record(r.admin,
		aCall(sent{"response_id": "resp-ok"}), aCall(sent{"response_id": "resp-late", "outcome": "error", "error_class": "timeout", "arm": "stable"}),
		aCall(sent{"response_id": "resp-other", "prompt": "other", "satisfaction": 2, "environment": "staging"}),
	)
	tests := []struct {
		name, query string
		shown, not  []string
		status      int
	}{
		{"all", "", []string{"resp-ok", "resp-late", "resp-other"}, nil, 200},
		{"of a prompt, below its tabs", "?prompt=support", []string{"resp-ok", "resp-late", `aria-label="Pages of this prompt"`}, []string{"resp-other"}, 200},
		{"by outcome and class", "?error_class=timeout&outcome=error", []string{"resp-late"}, []string{"resp-ok", "resp-other"}, 200},
		{"by score", "?score=" + url.QueryEscape("satisfaction<=2"), []string{"resp-other"}, []string{"resp-ok"}, 200},
		{"by environment and version", "?environment=staging&version=1.0.0", []string{"resp-other"}, []string{"resp-ok"}, 200},
		{"by arm", "?arm=candidate", []string{"No such calls"}, []string{"resp-ok"}, 200},
		{"until a time", "?to=2026-01-01T00:00", []string{"No such calls"}, []string{"resp-ok"}, 200},
		{"a score that is none", "?score=<<", []string{`value="<<"`, "it must have 1 to 64"}, []string{"resp-ok"}, 422},
		{"a class of what is no error", "?error_class=timeout&outcome=ok", []string{"only errors have a class"}, nil, 422},
		{"a time that is none", "?from=%3Cb%3E", []string{"which is no time"}, nil, 422},
		{"a place that is none", "?after=x", []string{"the list has no place"}, nil, 422},
		{"an id that is none", "?ref=a%01b", []string{"control character"}, nil, 422},
	}
	for _, tt := range tests {
		g := r.callPage("GET", "/calls"+tt.query, r.admin, "")
		if g.status != tt.status {
			t.Errorf("%s: %d: %.300s", tt.name, g.status, g.body)
		}
		for _, want := range tt.shown {
			if !g.tells(want) {
				t.Errorf("%s: no %s", tt.name, want)
			}
		}
		for _, not := range tt.not {
			if g.tells(not) {
				t.Errorf("%s: shows %s", tt.name, not)
			}
		}
	}
	for query, to := range map[string]string{
		"?prompt=support&environment=&from=": "/calls?prompt=support",
		"?outcome=":                          "/calls",
		"?ref=+resp-ok+":                     "/calls/resp-ok",
		"?ref=a%2Fb":                         "/calls/a%2Fb",
	} {
		if g := r.callPage("GET", "/calls"+query, r.admin, ""); g.status != 303 || g.header.Get("Location") != to {
			t.Errorf("%s: %d %s", query, g.status, g.header.Get("Location"))
		}
	}
	if g := r.callPage("GET", "/calls?prompt=nothing", r.admin, ""); g.status != 404 {
		t.Errorf("a prompt that is not there: %d", g.status)
	}
}

func TestAnEmptyListSaysHowToRecordCalls(t *testing.T) {
	r := sqlite(t, nil)
	if g := r.callPage("GET", "/calls", r.admin, ""); g.status != 200 || !g.tells("No calls yet") || !g.tells("/v1/calls") {
		t.Errorf("%d: %s", g.status, g.body)
	}
	if g := r.callPage("GET", "/prompts/support/stats", r.admin, ""); g.status != 200 || !g.tells("No calls in this period") || !g.tells(`"prompt":"support"`) {
		t.Errorf("%d: %s", g.status, g.body)
	}
}

func TestACallIsShownToWhoeverMayReadIt(t *testing.T) {
	r := sqlite(t, nil)
	r.record(r.admin, aCall(sent{"response_id": "resp-1/a"}), aCall(sent{"response_id": "resp-2", "prompt": "other"}), aCall(sent{"response_id": "resp-3", "environment": "staging"}))
	key := r.key([]registry.Permission{registry.MayRead}, "dev", "support")
	for path, want := range map[string]int{"/calls/resp-1%2Fa": 200, "/calls/resp-2": 404, "/calls/resp-3": 404, "/calls/gone": 404, "/calls?prompt=other": 403, "/prompts/other/stats": 403, "/prompts/support/stats": 200} {
		if g := r.callPage("GET", path, key, ""); g.status != want {
			t.Errorf("%s: %d, want %d", path, g.status, want)
		}
	}
	list := r.callPage("GET", "/calls", key, "")
	if list.tells("resp-2") || list.tells("resp-3") || list.tells(`<option value="other">`) || list.tells("<option>staging") || !list.tells("resp-1/a") {
		t.Errorf("the list shows what the key may not read:\n%s", list.body)
	}
	g := r.callPage("GET", "/calls/resp-1%2Fa", key, "")
	if g.tells("Send feedback") || !g.tells("You answer for support, 0.") || !g.tells("{{question}}") {
		t.Errorf("%s", g.body)
	}
	if g := r.callPage("POST", "/calls/resp-1%2Fa", key, "name=satisfaction&value=3"); g.status != 403 {
		t.Errorf("feedback of a reader: %d", g.status)
	}
	if g := r.callPage("GET", "/calls/resp-9", key, ""); !g.tells("30 days") || !g.tells(`value="resp-9"`) {
		t.Errorf("a call that is not there says too little:\n%s", g.body)
	}
}

func TestFeedbackByAFormCountsOnceAndIsNeverLost(t *testing.T) {
	r := sqlite(t, nil)
	r.record(r.admin, aCall(sent{"response_id": "resp-1"}))
	for _, tt := range []struct {
		name, form string
		status     int
		shown      []string
	}{
		{"no number", "name=satisfaction&value=much&comment=kept+%3Cb%3E", 422, []string{`"much" is no number`, "kept <b></textarea>", `value="much"`}},
		{"beyond the scale", "name=satisfaction&value=6", 422, []string{"from 1 to 5", `value="6"`}},
		{"a name that is none", "name=a+b&value=1", 422, []string{"it must have 1 to 64", `value="a b"`}},
		{"a score", "name=satisfaction&value=2&comment=too+short", 303, nil},
		{"the same again", "name=satisfaction&value=2&comment=too+short", 303, nil},
		{"a number of its own", "name=relevance&value=-0.5", 303, nil},
	} {
		g := r.callPage("POST", "/calls/resp-1", r.admin, tt.form)
		if g.status != tt.status {
			t.Errorf("%s: %d: %.300s", tt.name, g.status, g.body)
		}
		for _, want := range tt.shown {
			if !g.tells(want) {
				t.Errorf("%s: no %s in\n%s", tt.name, want, g.body)
			}
		}
	}
	g := r.callPage("GET", "/calls/resp-1", r.admin, "")
	if !g.tells("satisfaction 2 of 5") || !g.tells("too short") || !g.tells("relevance -0.5") || strings.Count(string(g.body), "too short") != 1 {
		t.Errorf("%s", g.body)
	}
	if s := decode[registry.Stats](t, r.send("GET", "/v1/stats?prompt=support", r.admin, "")); s.Ratings != 1 {
		t.Errorf("%d ratings", s.Ratings)
	}
}

func TestStatisticsShowTheirFiguresInTables(t *testing.T) {
	r := sqlite(t, nil)
	at := time.Now().UTC().Add(-2 * time.Hour)
	for _, minor := range []string{"1.0.0", "1.1.0"} {
		r.record(r.admin, aCall(sent{"version": minor, "started_at": at.Format(time.RFC3339Nano), "latency_ms": 1234.0, "satisfaction": 4, "cost_usd": 0.5}),
			aCall(sent{"version": minor, "outcome": "error", "error_class": "provider", "latency_ms": 80.0, "input_tokens": 1200, "environment": "staging"}))
	}
	r.send("POST", "/v1/environments/dev/prompts/support/deploy", r.admin, `{"version":"1.1.0","reason":"for <b>tests</b>"}`)
	for _, tt := range []struct {
		name, query string
		status      int
		shown, not  []string
	}{
		{"all of a day", "", 200, []string{"1.1.0 in dev", "1.0.0 in staging", `data-chart="Latency, p95" data-unit="ms"`, "1.23 s", `data-chart="Errors by class"`, "provider 1", "deploy 1.1.0", "for <b>tests</b>", `data-mark="1"`, `aria-current="true">24h`, "4.00"}, []string{" 1.2.0"}},
		{"an environment and an hour", "?environment=dev&since=1h", 200, []string{"No calls in this period", "deploy 1.1.0"}, []string{"data-chart"}},
		{"by arm", "?by=arm&environment=staging", 200, []string{`<th scope="col">Arm</th>`}, []string{"in staging<"}},
		{"a step", "?since=7d&step=24h", 200, []string{`data-step="86400"`, "A point each 24h"}, nil},
		{"a step that is none", "?step=2m", 422, []string{"points lie", "Another period"}, nil},
		{"a period that is none", "?since=soon", 422, []string{`"soon" is no time`}, nil},
		{"a beginning twice", "?since=1h&from=2026-01-01T00:00", 422, []string{"both say where to begin"}, nil},
		{"an end before its beginning", "?from=2026-02-01T00:00&to=2026-01-01T00:00", 422, []string{"the period begins at", `value="2026-02-01T00:00"`}, nil},
		{"what is no line", "?by=hour", 422, []string{"by version or arm"}, nil},
	} {
		g := r.callPage("GET", "/prompts/support/stats"+tt.query, r.admin, "")
		if g.status != tt.status {
			t.Errorf("%s: %d: %.300s", tt.name, g.status, g.body)
		}
		for _, want := range tt.shown {
			if !g.tells(want) {
				t.Errorf("%s: no %s in\n%s", tt.name, want, g.body)
			}
		}
		for _, not := range tt.not {
			if g.tells(not) {
				t.Errorf("%s: shows %s", tt.name, not)
			}
		}
	}
	if g := r.callPage("GET", "/prompts/support/stats?environment=&since=7d", r.admin, ""); g.status != 303 || g.header.Get("Location") != "/prompts/support/stats?since=7d" {
		t.Errorf("%d %s", g.status, g.header.Get("Location"))
	}
	for path, want := range map[string]int{"/prompts/nothing/stats": 404, "/prompts/support/stats?environment=gone": 404} {
		if g := r.callPage("GET", path, r.admin, ""); g.status != want {
			t.Errorf("%s: %d", path, g.status)
		}
	}
}
