package server

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/internal/registry"
)

const resolveBody = `{"prompt":"support","subject":"user-1","variables":{"name":"Ada","question":"why \"this\"?\n"}}`

func TestADeployIsPlannedMadeServedAndRolledBack(t *testing.T) {
	each(t, func(r *rig) {
		plan := decode[registry.Plan](r, r.send("POST", "/v1/environments/dev/prompts/support/plan", r.admin, `{"action":"deploy","version":"1.0.0"}`))
		if plan.To.String() != "1.0.0" || len(plan.Checks) == 0 {
			r.Errorf("plan: %+v", plan)
		}
		receipt := r.deploy("dev", "support", "1.0.0")
		r.deploy("dev", "billing/refunds", "1.1.0")
		second := r.deploy("dev", "support", "1.2.0")
		if second.Revision != receipt.Revision+2 {
			r.Errorf("revisions %d and %d", receipt.Revision, second.Revision)
		}
		got := decode[api.Resolved](r, r.send("POST", "/v1/environments/dev/resolve", r.admin, resolveBody))
		if got.Version.String() != "1.2.0" || got.Revision != second.Revision || got.Messages[1].Content != "Ada asks: why \"this\"?\n" || got.Model != "echo" || len(got.CallID) != 36 || string(got.Parameters) != `{"temperature":0}` {
			r.Errorf("resolved: %+v", got)
		}
		snap := decode[registry.Snapshot](r, r.send("GET", "/v1/environments/dev/snapshot", r.admin, ""))
		if len(snap.Prompts) != 2 || snap.Revision != second.Revision {
			r.Errorf("snapshot: %+v", snap)
		}
		for id, e := range snap.Prompts {
			if err := e.Check(); err != nil {
				r.Errorf("%s: %v", id, err)
			}
		}
		decode[registry.Receipt](r, r.send("POST", "/v1/environments/dev/prompts/support/rollback", r.admin, `{"reason":"worse"}`))
		got = decode[api.Resolved](r, r.send("POST", "/v1/environments/dev/resolve", r.admin, resolveBody))
		if got.Version.String() != "1.0.0" {
			r.Errorf("after the rollback: %+v", got)
		}
		retired := decode[registry.Receipt](r, r.send("POST", "/v1/environments/dev/prompts/support/retire", r.admin, `{}`))
		p := r.send("POST", "/v1/environments/dev/resolve", r.admin, resolveBody)
		if p.status != http.StatusNotFound || !strings.Contains(p.problem(r).Detail, "retired") {
			r.Errorf("after retiring at %d: %d %s", retired.Revision, p.status, p.body)
		}
	})
}

func TestARequestThatIsSentAgainCountsOnce(t *testing.T) {
	each(t, func(r *rig) {
		at, body := "/v1/environments/dev/prompts/support/deploy", `{"version":"1.0.0"}`
		first := r.send("POST", at, r.admin, body, "Idempotency-Key", "one")
		again := r.send("POST", at, r.admin, body, "Idempotency-Key", "one")
		if first.status != http.StatusOK || again.status != http.StatusOK {
			r.Fatalf("%d %s, %d %s", first.status, first.body, again.status, again.body)
		}
		if a, b := decode[registry.Receipt](r, first), decode[registry.Receipt](r, again); a.Revision != b.Revision || b.Already != "" {
			r.Errorf("the second answer is another: %s and %s", first.body, again.body)
		}
		if g := r.send("POST", at, r.admin, `{"version":"1.1.0"}`, "Idempotency-Key", "one"); g.status < 400 || g.status >= 500 {
			r.Errorf("another request under the key: %d %s", g.status, g.body)
		}
		if g := r.send("POST", at, r.admin, body, "Idempotency-Key", "no spaces"); g.status != http.StatusBadRequest {
			r.Errorf("a bad key: %d %s", g.status, g.body)
		}
		tracks := decode[map[string]registry.Track](r, r.send("GET", "/v1/prompts/support/history", r.admin, ""))
		if len(tracks["dev"]) != 1 {
			r.Errorf("deployments: %+v", tracks)
		}
	})
}

func TestAChangeDecidedOnAnOldRevisionConflicts(t *testing.T) {
	r := sqlite(t, nil)
	first := r.deploy("dev", "support", "1.0.0")
	r.deploy("dev", "other", "1.0.0")
	tag := r.send("GET", "/v1/environments/dev/snapshot", r.admin, "").header.Get("Etag")
	at := "/v1/environments/dev/prompts/support/deploy"
	for name, g := range map[string]got{
		"If-Match": r.send("POST", at, r.admin, `{"version":"1.1.0"}`, "If-Match", `"1.1"`),
		"revision": r.send("POST", at, r.admin, `{"version":"1.1.0","revision":1}`),
		"plan":     r.send("POST", at, r.admin, `{"version":"1.1.0","seen":{"seen_seq":0,"to":"1.1.0"}}`),
	} {
		if g.status != http.StatusConflict || g.problem(t).Code != "conflict" || g.problem(t).Fix == "" {
			t.Errorf("%s: %d %s", name, g.status, g.body)
		}
	}
	if g := r.send("POST", at, r.admin, `{"version":"1.1.0"}`, "If-Match", tag); g.status != http.StatusOK || first.Revision != 1 {
		t.Errorf("the current ETag %s: %d %s", tag, g.status, g.body)
	}
}

func TestAProtectedEnvironmentWantsItsName(t *testing.T) {
	r := sqlite(t, nil)
	g := r.send("POST", "/v1/environments/production/prompts/support/deploy", r.admin, `{"version":"1.0.0"}`)
	if p := g.problem(t); g.status != http.StatusPreconditionRequired || p.Code != "unconfirmed" || p.Request == "" || p.Request != g.header.Get("X-Request-Id") {
		t.Errorf("%d %s", g.status, g.body)
	}
	r.deploy("production", "support", "1.0.0")
}

func TestResolveWaitsForARevisionAndNotForEver(t *testing.T) {
	r := sqlite(t, nil)
	now := r.deploy("dev", "support", "1.0.0").Revision
	done := make(chan got, 1)
	go func() {
		done <- r.send("POST", "/v1/environments/dev/resolve", r.admin, `{"prompt":"support","subject":"u","variables":{"name":"a","question":"b"},"min_revision":2}`)
	}()
	r.deploy("dev", "support", "1.1.0")
	if g := <-done; decode[api.Resolved](t, g).Revision <= now {
		t.Errorf("%s", g.body)
	}
	start := time.Now()
	g := r.send("POST", "/v1/environments/dev/resolve", r.admin, `{"prompt":"support","subject":"u","min_revision":99}`)
	if g.status != http.StatusPreconditionFailed || time.Since(start) < revisionWait/2 {
		t.Errorf("%d after %s: %s", g.status, time.Since(start), g.body)
	}
}

func TestListsComeInPages(t *testing.T) {
	r := sqlite(t, nil)
	seen, cursor := "", ""
	for range 10 {
		g := decode[api.Page[registry.Row]](t, r.send("GET", "/v1/prompts?limit=1&cursor="+cursor, r.admin, ""))
		for _, row := range g.Items {
			seen += string(row.Prompt) + " "
		}
		if cursor = g.NextCursor; cursor == "" {
			break
		}
	}
	if seen != "billing/refunds other support " {
		t.Errorf("pages: %s", seen)
	}
	for _, bad := range []string{"limit=0", "limit=501", "limit=x", "cursor=%21", "cursor=bm90aGluZw", "sort=name", "limit=1%20OR%201"} {
		if g := r.send("GET", "/v1/prompts?"+bad, r.admin, ""); g.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", bad, g.status, g.body)
		}
	}
	if vs := decode[api.Page[registry.Release]](t, r.send("GET", "/v1/prompts/billing%2Frefunds/releases", r.admin, "")); len(vs.Items) != 4 || vs.Items[3].Version.Minor != 3 {
		t.Errorf("releases: %+v", vs)
	}
}
