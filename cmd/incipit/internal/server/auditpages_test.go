package server

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/internal/registry"
)

func TestTheAuditPageShowsWhatOneMaySeeTheNewestFirst(t *testing.T) {
	r := documented(t)
	r.deploy("dev", "support", "1.0.0")
	r.deploy("staging", "other", "1.0.0")
	if err := r.db.AddEvent(r.Context(), registry.Event{Actor: `<img src=x onerror=alert(1)>`, Source: "api", Action: "deploy", Environment: "dev", Prompt: "support", Version: "1.1.0", Reason: "line\u202eevil\n<script>alert(1)</script>", Request: "req-1", Detail: map[string]string{"<b>": "</dl><script>"}}); err != nil {
		t.Fatal(err)
	}
	v := r.visit(r.admin)
	page := v.opens("/audit")
	v.shows(page, 200, "<img src=x onerror=alert(1)>", "U+202E", "c0ffee1", "req-1", "What was decided of support in dev", "Verify the log")
	for _, raw := range []string{"<img src=x", "<script>alert", "</dl><script>"} {
		if strings.Contains(string(page.body), raw) {
			t.Errorf("%q stands in the page as it was written", raw)
		}
	}
	body := string(page.body)
	if a, b := strings.Index(body, `id="event-2"`), strings.Index(body, `id="event-1"`); a < 0 || b < a {
		t.Error("the newest is not first")
	}
	v.shows(v.opens("/audit?prompt=other&environment=staging"), 200, "other", "!support")
	v.shows(v.opens("/audit?who=nobody-at-all"), 200, "No event fits")
	v.shows(v.opens("/audit?from=yesterday&who=typed"), 422, "is no time", `value="typed"`)
	v.shows(v.opens("/audit?before=-1"), 422, "is no number")
	v.shows(v.opens("/audit/verify"), 200, "The log is what was written")

	some := r.visit(r.key([]registry.Permission{registry.MayAudit, registry.MayRead}, "staging", "*"))
	some.shows(some.opens("/audit"), 200, "other", "!support", "!Verify the log", "!event-1\"")
	some.shows(some.opens("/audit/verify"), 403)
	lines := some.opens("/audit/export")
	if !strings.Contains(lines.header.Get("Content-Disposition"), "attachment") || lines.header.Get("Content-Type") != "application/x-ndjson" || strings.Contains(string(lines.body), "support") {
		t.Errorf("%v %s", lines.header, lines.body)
	}
	none := r.visit(r.key([]registry.Permission{registry.MayRead}, "*", "*"))
	none.shows(none.opens("/audit"), 403)
}

// Whoever goes on from page to page sees each event once, also while others
// are written and though most are not theirs.
func TestThePagesOfTheAuditLogAreStable(t *testing.T) {
	each(t, func(r *rig) {
		const mine, foreign = 120, 700
		for i := range mine + foreign {
			e := registry.Event{Actor: "a", Source: "api", Action: fmt.Sprintf("n%d", i), Environment: "dev", Prompt: "support"}
			if i%7 != 0 || i/7 >= mine {
				e.Environment = "production"
			}
			if err := r.db.AddEvent(r.Context(), e); err != nil {
				r.Fatal(err)
			}
		}
		key := r.key([]registry.Permission{registry.MayAudit}, "dev", "*")
		seen, last := make(map[int64]bool), int64(1<<62)
		for before, asked := int64(0), 0; ; asked++ {
			page := decode[api.Events](r, r.send("GET", fmt.Sprintf("/v1/audit?newest=true&limit=50&before=%d&action=n*", before), key, ""))
			for _, e := range page.Items {
				if seen[e.Seq] || e.Seq >= last || e.Environment != "dev" {
					r.Fatalf("event %d in %s came again, or not in order", e.Seq, e.Environment)
				}
				seen[e.Seq], last = true, e.Seq
			}
			if err := r.db.AddEvent(r.Context(), registry.Event{Actor: "b", Source: "api", Action: "n-new", Environment: "dev"}); err != nil {
				r.Fatal(err)
			}
			if before = page.NextBefore; before == 0 {
				break
			}
			if asked > 10 {
				r.Fatal("there is no end")
			}
		}
		want := 0
		for i := range mine + foreign {
			if i%7 == 0 && i/7 < mine {
				want++
			}
		}
		if len(seen) != want {
			r.Errorf("%d events were seen, %d are there", len(seen), want)
		}
		if g := r.send("GET", "/v1/audit?after=1&actor=a", r.admin, ""); g.status != 400 || !strings.Contains(g.problem(r).Fix, "newest=true") {
			r.Errorf("a filter of the oldest first: %d %s", g.status, g.body)
		}
	})
}

func TestTheFileOfTheAuditLogIsWhole(t *testing.T) {
	r := documented(t)
	const n = linesAtOnce + 30
	for i := range n {
		if err := r.db.AddEvent(r.Context(), registry.Event{Actor: "filed", Source: "api", Action: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	v := r.visit(r.admin)
	g := v.opens("/audit/export?" + url.Values{"who": {"filed"}}.Encode())
	lines := strings.Split(strings.TrimSpace(string(g.body)), "\n")
	if g.status != 200 || len(lines) != n {
		t.Fatalf("%d: %d lines of %d", g.status, len(lines), n)
	}
	for i, line := range lines {
		var e registry.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Action != fmt.Sprint(n-1-i) {
			t.Fatalf("line %d: %s, %v", i, line, err)
		}
	}
}
