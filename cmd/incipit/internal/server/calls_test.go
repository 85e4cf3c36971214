package server

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/internal/registry"
)

// A sent is a call on its way in, as JSON has it.
type sent map[string]any

// aCall is one that can be recorded, changed by what is given.
func aCall(changes ...sent) sent {
	c := sent{
		"prompt": "support", "version": "1.0.0", "environment": "dev", "started_at": time.Now().UTC().Format(time.RFC3339Nano),
		"latency_ms": 120.5, "outcome": "ok",
	}
	for _, more := range changes {
		maps.Copy(c, more)
	}
	return c
}

func newID(at time.Time) string {
	var random [10]byte
	_, _ = rand.Read(random[:]) // never fails
	return registry.NewCallID(at, random)
}

func jsonText(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(data)
}

func gzipped(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(text)) // into memory
	_ = z.Close()
	return b.String()
}

// record sends calls, and returns what became of them.
func (r *rig) record(key string, calls ...sent) registry.Intake {
	r.Helper()
	return decode[registry.Intake](r, r.send("POST", "/v1/calls", key, jsonText(calls)))
}

func (r *rig) total(query string) int64 {
	r.Helper()
	return decode[registry.Stats](r, r.send("GET", "/v1/stats?"+query, r.admin, "")).TotalCalls
}

func TestWhatIsRecordedIsCountedListedAndTraced(t *testing.T) {
	each(t, func(r *rig) {
		r.deploy("dev", "support", "1.0.0")
		app := r.key([]registry.Permission{registry.MayRecord}, "dev", "*")
		id := newID(time.Now())
		in := r.record(app,
			aCall(sent{"id": id, "response_id": "resp_1", "input_tokens": 100, "output_tokens": 20, "cost_usd": 0.002, "satisfaction": 4, "model": "m"}),
			aCall(sent{"outcome": "error", "error_class": "timeout", "latency_ms": 30000}),
			aCall(sent{"prompt": "billing/refunds"}),
		)
		if in.Accepted != 3 || in.Duplicates != 0 || len(in.Rejected) != 0 || in.Rejected == nil {
			r.Fatalf("%+v", in)
		}
		stats := decode[registry.Stats](r, r.send("GET", "/v1/stats?prompt=support&environment=dev&since=1h&by=version", r.admin, ""))
		if stats.TotalCalls != 2 || stats.Errors != 1 || stats.ErrorsByClass["timeout"] != 1 || stats.TotalTokens == nil || *stats.TotalTokens != 120 ||
			stats.AvgSatisfaction == nil || *stats.AvgSatisfaction != 4 || len(stats.Groups) != 1 || stats.Groups[0].Version != "1.0.0" {
			r.Errorf("%+v", stats)
		}
		for _, ref := range []string{id, "resp_1"} {
			tr := decode[registry.Trace](r, r.send("GET", "/v1/trace/"+ref, r.admin, ""))
			if tr.Call.ID != id || tr.Release.Tag != "support@1.0.0" || len(tr.Messages) != 2 || tr.Deployment == nil {
				r.Errorf("trace %s: %+v", ref, tr)
			}
		}
		var all []registry.WireCall
		for cursor, pages := "", 0; pages == 0 || cursor != ""; pages++ {
			p := decode[api.Page[registry.WireCall]](r, r.send("GET", "/v1/calls?limit=2&cursor="+cursor, r.admin, ""))
			all, cursor = append(all, p.Items...), p.NextCursor
			if pages > 5 {
				r.Fatal("the list does not end")
			}
		}
		if len(all) != 3 {
			r.Errorf("%+v", all)
		}
		ran := decode[registry.WhatRan](r, r.send("GET", "/v1/environments/dev/ran?at="+url.QueryEscape(time.Now().Format(time.RFC3339Nano)), r.admin, ""))
		if len(ran.Prompts) != 1 || ran.Prompts[0].Prompt != "support" || ran.Prompts[0].Arms[0].Version.String() != "1.0.0" {
			r.Errorf("%+v", ran)
		}
	})
}

func TestOneBadCallSpoilsNoBatch(t *testing.T) {
	each(t, func(r *rig) {
		long := strings.Repeat("x", 10<<10)
		bad := []struct {
			code string
			call string
		}{
			{registry.RejectRange, jsonText(aCall(sent{"latency_ms": -3}))},
			{registry.RejectRange, jsonText(aCall(sent{"latency_ms": 1e308}))},
			{registry.RejectRange, jsonText(aCall(sent{"cost_usd": 1e308}))},
			{registry.RejectRange, jsonText(aCall(sent{"started_at": time.Now().AddDate(1, 0, 0).UTC().Format(time.RFC3339)}))},
			{registry.RejectRange, jsonText(aCall(sent{"tags": map[string]string{"k": long}}))},
			{registry.RejectRange, jsonText(aCall(sent{"satisfaction": 9}))},
			{registry.RejectPrompt, jsonText(aCall(sent{"prompt": "nothing"}))},
			{registry.RejectVersion, jsonText(aCall(sent{"version": "9.9.9"}))},
			{registry.RejectEnvironment, jsonText(aCall(sent{"environment": "nowhere"}))},
			{registry.RejectArm, jsonText(aCall(sent{"arm": "third"}))},
			{registry.RejectMissing, `{"prompt":"support"}`},
			{registry.RejectField, jsonText(aCall(sent{"color": "red"}))},
			{"", strings.Replace(jsonText(aCall(sent{"latency_ms": 77777})), "77777", "NaN", 1)},
			{"", strings.Replace(jsonText(aCall(sent{"latency_ms": 77777})), "77777", "-Infinity", 1)},
			{registry.RejectMalformed, `7`},
		}
		var body []string
		for _, b := range bad {
			body = append(body, b.call, jsonText(aCall()))
		}
		in := decode[registry.Intake](r, r.send("POST", "/v1/calls", r.admin, "["+strings.Join(body, ",")+"]", "Idempotency-Key", "batch-1"))
		if in.Accepted != len(bad) || len(in.Rejected) != len(bad) {
			r.Fatalf("%+v", in)
		}
		for i, rejected := range in.Rejected {
			if rejected.Index != 2*i || rejected.Reason == "" || bad[i].code != "" && rejected.Code != bad[i].code {
				r.Errorf("%s: %+v", bad[i].call[:min(200, len(bad[i].call))], rejected)
			}
		}
		if n := r.total("prompt=support"); n != int64(len(bad)) {
			r.Errorf("%d calls are counted", n)
		}
		metrics := string(r.send("GET", "/metrics", r.admin, "").body)
		for _, want := range []string{
			`incipit_calls_total{arm="stable",environment="dev",outcome="ok",prompt="support",version="1.0.0"} ` + fmt.Sprint(len(bad)),
			`incipit_calls_rejected_total{code="unknown_prompt"} 1`,
		} {
			if !strings.Contains(metrics, want) {
				r.Errorf("the metrics do not say %s:\n%s", want, strings.Join(slices.DeleteFunc(strings.Split(metrics, "\n"), func(l string) bool { return !strings.HasPrefix(l, "incipit_call") }), "\n"))
			}
		}
	})
}

func TestABatchThatIsSentAgainCountsOnce(t *testing.T) {
	each(t, func(r *rig) {
		ids := []sent{{"id": newID(time.Now())}, {"id": newID(time.Now())}, {"id": newID(time.Now())}}
		a, b, c := aCall(ids[0]), aCall(ids[1]), aCall(ids[2])
		if in := r.record(r.admin, a, b); in.Accepted != 2 {
			r.Fatalf("%+v", in)
		}
		if in := r.record(r.admin, c, b, a); in.Accepted != 1 || in.Duplicates != 2 {
			r.Errorf("overlapping and in another order: %+v", in)
		}
		nameless := jsonText([]sent{aCall(), aCall()})
		for i, key := range []string{"", "k1", "k1", ""} {
			var headers []string
			if key != "" {
				headers = []string{"Idempotency-Key", key}
			}
			in := decode[registry.Intake](r, r.send("POST", "/v1/calls", r.admin, nameless, headers...))
			if first := i < 2; first && in.Accepted != 2 || !first && in.Duplicates != 2 {
				r.Errorf("without ids, %q: %+v", key, in)
			}
		}
		if n := r.total("prompt=support"); n != 7 {
			r.Errorf("%d calls are counted", n)
		}
		if metrics := string(r.send("GET", "/metrics", r.admin, "").body); !strings.Contains(metrics, "incipit_calls_duplicate_total 6\n") {
			r.Error("the metrics do not count the duplicates")
		}
	})
}

func TestTheFormsOfABatch(t *testing.T) {
	r := sqlite(t, nil)
	one, two := jsonText(aCall(sent{"id": newID(time.Now())})), jsonText(aCall(sent{"id": newID(time.Now())}))
	for i, tt := range []struct {
		name, kind, encoding, body string
		want                       int
	}{
		{"a list", "application/json", "", "[" + one + "]", 200},
		{"an object", "application/json; charset=utf-8", "", `{"calls":[` + one + "," + two + "]}", 200},
		{"one call", "application/json", "", two, 200},
		{"lines", "application/x-ndjson", "", one + "\n" + two + "\n", 200},
		{"packed", "application/json", "gzip", gzipped("[" + one + "]"), 200},
		{"packed lines", "application/x-ndjson", "gzip", gzipped(one + "\n" + two), 200},
		{"identity", "application/json", "identity", "[" + one + "]", 200},
		{"nothing", "application/json", "", "[]", 200},
		{"broken", "application/json", "", "[" + one, 400},
		{"said to be packed", "application/json", "gzip", one, 400},
		{"packed and cut off", "application/json", "gzip", gzipped(one)[:40], 400},
		{"brotli", "application/json", "br", one, 415},
		{"a form", "application/x-www-form-urlencoded", "", one, 415},
		{"text", "text/plain", "", one, 415},
		{"no type", "", "", one, 415},
		{"too many", "application/x-ndjson", "", strings.Repeat(one+"\n", 1001), 413},
		{"too large", "application/json", "", "[" + strings.Repeat(" ", maxCalls) + "]", 413},
		{"a bomb", "application/json", "gzip", gzipped("[" + strings.Repeat(" ", 100<<20) + "]"), 413},
		{"just not too large", "application/json", "gzip", gzipped("[" + strings.Repeat(" ", maxCalls-2) + "]"), 200},
	} {
		headers := []string{"Content-Type", tt.kind}
		if tt.encoding != "" {
			headers = append(headers, "Content-Encoding", tt.encoding)
		}
		g := r.send("POST", "/v1/calls", r.admin, tt.body, headers...)
		if g.status != tt.want {
			t.Errorf("%d %s: %d %.300s", i, tt.name, g.status, g.body)
		} else if tt.want >= 400 {
			g.problem(t)
		}
	}
	if n := r.total("prompt=support"); n != 2 {
		t.Errorf("%d calls are counted", n)
	}
	if now := r.server.admission.now(); now != (load{}) || len(r.server.admission.by) != 0 {
		t.Errorf("places that were not given back: %+v", now)
	}
}

func TestCallsAreTakenAndShownAsGrantsAllow(t *testing.T) {
	each(t, func(r *rig) {
		r.deploy("dev", "support", "1.0.0")
		r.deploy("dev", "other", "1.0.0")
		key := r.key([]registry.Permission{registry.MayRecord, registry.MayRead}, "dev", "supp*")
		theirs, foreign := newID(time.Now()), newID(time.Now())
		in := r.record(key, aCall(sent{"id": theirs}), aCall(sent{"prompt": "other"}), aCall(sent{"environment": "staging"}))
		if in.Accepted != 1 || len(in.Rejected) != 2 || in.Rejected[0].Code != registry.RejectForbidden || in.Rejected[1].Code != registry.RejectForbidden {
			r.Fatalf("%+v", in)
		}
		r.record(r.admin, aCall(sent{"id": foreign, "prompt": "other", "response_id": "resp_other"}), aCall(sent{"environment": "staging"}))
		if g := r.send("GET", "/v1/stats?prompt=support", key, ""); decode[registry.Stats](r, g).TotalCalls != 1 {
			r.Errorf("stats: %s", g.body)
		}
		if list := decode[api.Page[registry.WireCall]](r, r.send("GET", "/v1/calls", key, "")); len(list.Items) != 1 || list.Items[0].ID != theirs {
			r.Errorf("list: %+v", list)
		}
		for path, want := range map[string]int{
			"/v1/stats?prompt=other":                                      403,
			"/v1/stats?prompt=support&environment=staging":                403,
			"/v1/trace/" + theirs:                                         200,
			"/v1/trace/" + foreign:                                        404,
			"/v1/trace/resp_other":                                        404,
			"/v1/trace/" + newID(time.Now()):                              404,
			"/v1/environments/staging/ran":                                403,
			"/v1/stats":                                                   400,
			"/v1/stats?prompt=support&since=1":                            400,
			"/v1/stats?prompt=support&by=color":                           400,
			"/v1/stats?prompt=support&since=1h&from=2026-01-01T00:00:00Z": 400,
			"/v1/calls?cursor=x":                                          400,
			"/v1/calls?limit=10001":                                       400,
			"/v1/trace/" + strings.Repeat("a", 300):                       400,
		} {
			if g := r.send("GET", path, key, ""); g.status != want {
				r.Errorf("%s: %d %s", path, g.status, g.body)
			}
		}
		if ran := decode[registry.WhatRan](r, r.send("GET", "/v1/environments/dev/ran", key, "")); len(ran.Prompts) != 1 || ran.Prompts[0].Prompt != "support" {
			r.Errorf("ran: %+v", ran)
		}
		if g := r.send("POST", "/v1/calls/"+foreign+"/feedback", key, `{"score":1}`); g.status == 200 && decode[registry.FeedbackReceipt](r, g).Call != "" {
			r.Errorf("feedback for a call of others: %s", g.body)
		}
		if tr := decode[registry.Trace](r, r.send("GET", "/v1/trace/"+foreign, r.admin, "")); len(tr.Feedback) != 0 || tr.Call.Satisfaction != nil {
			r.Errorf("others changed what is said of a call: %+v", tr)
		}
		if g := r.send("POST", "/v1/calls/erase", key, `{"subject":"user-1"}`); g.status != 403 {
			r.Errorf("erase: %d", g.status)
		}
	})
}

func TestFeedbackMayComeBeforeTheCallAndReplacesWhatWasSaid(t *testing.T) {
	each(t, func(r *rig) {
		app := r.key([]registry.Permission{registry.MayRecord}, "dev", "*")
		id := newID(time.Now())
		rate := func(ref, body string) registry.FeedbackReceipt {
			r.Helper()
			return decode[registry.FeedbackReceipt](r, r.send("POST", "/v1/calls/"+url.PathEscape(ref)+"/feedback", app, body))
		}
		if f := rate(id, `{"thumb":"down"}`); !f.Waiting || f.Call != "" || f.Feedback.Value != 1 {
			r.Errorf("before the call: %+v", f)
		}
		if f := rate("resp/a b", `{"name":"relevance","value":0.8,"comment":"fits"}`); !f.Waiting {
			r.Errorf("before the call, by its response: %+v", f)
		}
		r.record(app, aCall(sent{"id": id, "response_id": "resp/a b"}))
		tr := decode[registry.Trace](r, r.send("GET", "/v1/trace/"+url.PathEscape("resp/a b"), r.admin, ""))
		if len(tr.Feedback) != 2 {
			r.Errorf("%+v", tr.Feedback)
		}
		if f := rate(id, `{"score":4.5}`); f.Waiting || !f.Replaced || f.Call != id {
			r.Errorf("after the call: %+v", f)
		}
		stats := decode[registry.Stats](r, r.send("GET", "/v1/stats?prompt=support", r.admin, ""))
		if stats.Ratings != 1 || stats.AvgSatisfaction == nil || *stats.AvgSatisfaction != 4.5 {
			r.Errorf("%+v", stats.Figures)
		}
		for _, body := range []string{`{}`, `{"score":0}`, `{"score":6}`, `{"thumb":"sideways"}`, `{"score":3,"thumb":"up"}`, `{"name":"x"}`, `{"value":1}`, `{"score":1e400}`, `{"score":3,"comment":"` + strings.Repeat("x", 5000) + `"}`, `[]`} {
			if g := r.send("POST", "/v1/calls/"+id+"/feedback", app, body); g.status != 400 {
				r.Errorf("%.80s: %d %s", body, g.status, g.body)
			}
		}
	})
}

func TestAPersonsCallsAreForgottenAndTheAuditLogDoesNotSayWhose(t *testing.T) {
	each(t, func(r *rig) {
		ids := []string{newID(time.Now()), newID(time.Now())}
		r.record(r.admin, aCall(sent{"id": ids[0], "subject": "canary-subject"}), aCall(sent{"id": ids[1], "subject": "canary-subject"}), aCall(sent{"subject": "somebody else"}))
		if list := string(r.send("GET", "/v1/calls", r.admin, "").body); strings.Contains(list, "canary-subject") {
			r.Errorf("the subject is kept: %s", list)
		}
		g := decode[api.Erased](r, r.send("POST", "/v1/calls/erase", r.admin, `{"subject":"canary-subject"}`))
		if g.Erased != 2 {
			r.Errorf("%+v", g)
		}
		if again := decode[api.Erased](r, r.send("POST", "/v1/calls/erase", r.admin, `{"subject":"canary-subject"}`)); again.Erased != 0 {
			r.Errorf("again: %+v", again)
		}
		if g := r.send("GET", "/v1/trace/"+ids[0], r.admin, ""); g.status != 404 {
			r.Errorf("trace: %d %s", g.status, g.body)
		}
		if in := r.record(r.admin, aCall(sent{"id": ids[0], "subject": "canary-subject"})); in.Duplicates != 1 {
			r.Errorf("sent again: %+v", in)
		}
		audit := string(r.send("GET", "/v1/audit?limit=500", r.admin, "").body)
		if !strings.Contains(audit, "calls.erase") || strings.Contains(audit, "canary") || strings.Contains(r.log.String(), "canary") {
			r.Errorf("%s", audit)
		}
	})
}

// The same requests at once, as two replicas or an impatient client send them.
func TestABatchThatIsSentManyTimesAtOnceCountsOnce(t *testing.T) {
	each(t, func(r *rig) {
		var calls []sent
		for range 50 {
			calls = append(calls, aCall(sent{"id": newID(time.Now())}))
		}
		body := jsonText(calls)
		var wg sync.WaitGroup
		var mu sync.Mutex
		var sum registry.Intake
		for range 8 {
			wg.Go(func() {
				g := r.send("POST", "/v1/calls", r.admin, gzipped(body), "Content-Encoding", "gzip")
				if g.status != http.StatusOK {
					r.Errorf("%d %s", g.status, g.body)
					return
				}
				in := decode[registry.Intake](r, g)
				mu.Lock()
				defer mu.Unlock()
				sum.Accepted, sum.Duplicates = sum.Accepted+in.Accepted, sum.Duplicates+in.Duplicates
			})
		}
		wg.Wait()
		if n := r.total("prompt=support"); n != 50 || sum.Accepted != 50 || sum.Duplicates != 7*50 {
			r.Errorf("%d are counted; %+v", n, sum)
		}
	})
}

// spansOf is a request of OTLP/JSON with one span that is a call, one that is
// none, and one that cannot be taken.
func spansOf(id, version string) string {
	attribute := func(name, value string) sent { return sent{"key": name, "value": sent{"stringValue": value}} }
	span := func(number string, attributes ...sent) sent {
		now := time.Now()
		return sent{
			"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b17" + number, "name": "chat", "kind": 3,
			"startTimeUnixNano": fmt.Sprint(now.Add(-time.Second).UnixNano()), "endTimeUnixNano": fmt.Sprint(now.UnixNano()),
			"attributes": append(attributes, attribute("gen_ai.response.id", "resp_span_"+number)),
		}
	}
	return jsonText(sent{"resourceSpans": []sent{{
		"resource": sent{"attributes": []sent{attribute("deployment.environment.name", "dev")}},
		"scopeSpans": []sent{{"spans": []sent{
			span("1", attribute("gen_ai.prompt.name", id), attribute("gen_ai.prompt.version", version)),
			span("2"),
			span("3", attribute("gen_ai.prompt.name", id), attribute("gen_ai.prompt.version", "9.9.9")),
		}}},
	}}})
}

func TestSpansBecomeCallsOnce(t *testing.T) {
	each(t, func(r *rig) {
		body := spansOf("support", "1.0.0")
		for i := range 2 {
			g := r.send("POST", "/v1/otlp/v1/traces", r.admin, gzipped(body), "Content-Encoding", "gzip")
			if g.status != http.StatusOK || g.header.Get("Content-Type") != "application/json" || !strings.Contains(string(g.body), "9.9.9") {
				r.Errorf("%d: %d %v %s", i, g.status, g.header, g.body)
			}
		}
		if n := r.total("prompt=support"); n != 1 {
			r.Errorf("%d calls are counted", n)
		}
		if tr := decode[registry.Trace](r, r.send("GET", "/v1/trace/resp_span_1", r.admin, "")); tr.Call.Environment != "dev" || tr.Call.LatencyMS < 900 || tr.Call.LatencyMS > 1100 {
			r.Errorf("%+v", tr.Call)
		}
		if g := r.send("POST", "/v1/otlp/v1/traces", r.admin, "", "Content-Type", "application/x-protobuf"); g.status != http.StatusOK || g.header.Get("Content-Type") != "application/x-protobuf" || len(g.body) != 0 {
			r.Errorf("nothing in protobuf: %d %v %q", g.status, g.header, g.body)
		}
		for _, bad := range [][2]string{{"application/json", "{"}, {"application/x-protobuf", "\xff\xff\xff"}} {
			if g := r.send("POST", "/v1/otlp/v1/traces", r.admin, bad[1], "Content-Type", bad[0]); g.status != http.StatusBadRequest {
				r.Errorf("%q: %d %s", bad, g.status, g.body)
			}
		}
		if g := r.send("POST", "/v1/otlp/v1/traces", r.admin, "x", "Content-Type", "application/x-ndjson"); g.status != http.StatusUnsupportedMediaType {
			r.Errorf("lines: %d %s", g.status, g.body)
		}
	})
}

// A log of calls that cannot be written keeps nobody from being served.
func TestTroubleWithCallsIsToldAndKeepsNobodyFromBeingServed(t *testing.T) {
	r := sqlite(t, nil)
	r.deploy("dev", "support", "1.0.0")
	until(t, func() bool { return r.send("GET", "/readyz", "", "").status == 200 })
	dir := filepath.Join(filepath.Dir(r.file), "calls")
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	g := r.send("POST", "/v1/calls", r.admin, jsonText(aCall()))
	if g.status != http.StatusServiceUnavailable || g.header.Get("Retry-After") == "" {
		t.Errorf("%d %v %s", g.status, g.header, g.body)
	}
	ready := r.send("GET", "/readyz", "", "")
	if h := decode[api.Health](t, ready); h.Status != "degraded" || h.Checks[2].OK || h.Checks[2].Fix == "" || !h.Checks[0].OK || !h.Checks[1].OK {
		t.Errorf("%d %+v", ready.status, h)
	}
	metrics := string(r.send("GET", "/metrics", r.admin, "").body)
	if !strings.Contains(metrics, "incipit_calls_writable 0\n") || !strings.Contains(metrics, "incipit_calls_failed_total 1\n") {
		t.Error("the metrics do not tell of it")
	}
	if g := r.send("POST", "/v1/environments/dev/resolve", r.admin, resolveBody); g.status != http.StatusOK {
		t.Errorf("resolve: %d %s", g.status, g.body)
	}
	if g := r.send("POST", deployPath, r.admin, `{"version":"1.1.0"}`); g.status != http.StatusOK {
		t.Errorf("deploy: %d %s", g.status, g.body)
	}
}
