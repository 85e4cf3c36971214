package server

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/internal/registry"
)

// golden compares text with a file of testdata. UPDATE=1 writes it.
func golden(t testing.TB, name, text string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		a, b := strings.Split(text, "\n"), strings.Split(string(want), "\n")
		for i := range min(len(a), len(b)) {
			if a[i] != b[i] {
				t.Fatalf("%s differs in line %d (UPDATE=1 writes it):\ngot  %s\nwant %s", file, i+1, a[i], b[i])
			}
		}
		t.Fatalf("%s has %d lines, got %d", file, len(b), len(a))
	}
}

// at is a route's path with its wildcards filled in.
func at(path string) string {
	return strings.NewReplacer("{$}", "", "{environment}", "dev", "{prompt}", "support", "{version}", "1.0.0", "{id}", "nokey", "{mail}", "eve@example.com", "{kind}", "github", "{ref}", "01920000-0000-7000-8000-000000000000").Replace(path)
}

// A body that is taken apart, and asks for nothing that can be done.
func bodyFor(rt route) string {
	if rt.method == "GET" || rt.method == "DELETE" || rt.name == "sync" {
		return ""
	}
	return `{}`
}

// TestWhoMayUseWhichRoute asks every route as every kind of caller. In the table
// 401 and 403 say no; anything else says that the door was open, and then what
// came of an empty request.
func TestWhoMayUseWhichRoute(t *testing.T) {
	r := sqlite(t, nil)
	r.deploy("dev", "support", "1.0.0")
	type who struct{ name, key string }
	callers := []who{{"nobody", ""}, {"wrong secret", r.admin[:len(r.admin)-9] + "_00000000"}}
	revoked, id := r.keyOf(0, registry.Grant{Permissions: registry.Permissions(), Environments: []string{"*"}, Prompts: []string{"*"}})
	if err := r.service.RevokeKey(r.asRoot(), id); err != nil {
		t.Fatal(err)
	}
	expired, _ := r.keyOf(time.Nanosecond, registry.Grant{Permissions: registry.Permissions(), Environments: []string{"*"}, Prompts: []string{"*"}})
	callers = append(callers, who{"revoked", revoked}, who{"expired", expired})
	for _, p := range registry.Permissions() {
		callers = append(callers, who{string(p), r.key([]registry.Permission{p}, "*", "*")})
	}
	callers = append(callers,
		who{"all, in staging alone", r.key(registry.Permissions(), "staging", "*")},
		who{"all, of other alone", r.key(registry.Permissions(), "*", "other")},
		who{"all, of support in dev alone", r.key(registry.Permissions(), "dev", "support")},
		who{"all, of supp* in d*", r.key(registry.Permissions(), "d*", "supp*")},
		who{"everything", r.admin},
	)
	var b strings.Builder
	for _, rt := range r.server.routes {
		fmt.Fprintf(&b, "%s %s\n", rt.method, rt.path)
		byStatus := make(map[int][]string)
		for _, c := range callers {
			status := r.send(rt.method, at(rt.path), c.key, bodyFor(rt)).status
			if status == 429 {
				status = 401 // too many of those
			}
			byStatus[status] = append(byStatus[status], c.name)
			if status >= 500 && rt.name != "sync" {
				t.Errorf("%s %s as %s: %d", rt.method, rt.path, c.name, status)
			}
		}
		for status := 100; status < 600; status++ {
			if names := byStatus[status]; names != nil {
				fmt.Fprintf(&b, "\t%d\t%s\n", status, strings.Join(names, ", "))
			}
		}
	}
	golden(t, "policy.golden", b.String())
}

func TestInDevelopmentEverybodyMayDoEverything(t *testing.T) {
	r := sqlite(t, func(c *Config) { c.Dev, c.Verifier = true, nil })
	for _, rt := range r.server.routes {
		if status := r.send(rt.method, at(rt.path), "", bodyFor(rt)).status; status == 401 || status == 403 && rt.name != "git-hook" {
			t.Errorf("%s %s: %d", rt.method, rt.path, status)
		}
	}
}

// Each policy that is taken away keeps the server from starting, and each
// permission that is, changes the table.
func TestARouteWithoutAPolicyKeepsTheServerFromStarting(t *testing.T) {
	r := sqlite(t, nil)
	for i := range r.server.everyRoute() {
		for what, spoil := range map[string]func(*policy){
			"without a policy":     func(p *policy) { *p = policy{} },
			"without a permission": func(p *policy) { p.any, p.open = nil, "" },
			"without a reach":      func(p *policy) { p.reach, p.open = nowhere, "" },
			"open and not open":    func(p *policy) { p.open, p.reach, p.any = "x", somewhere, []registry.Permission{} },
		} {
			routes := r.server.everyRoute()
			if routes[i].policy.reach == signedIn && what == "without a permission" {
				continue // which is what it says
			}
			spoil(&routes[i].policy)
			if err := (&Server{config: r.server.config}).mount(routes); err == nil {
				t.Errorf("%s %s %s is served", routes[i].method, routes[i].path, what)
			}
		}
	}
}

func TestListsShowWhatTheCallerMayRead(t *testing.T) {
	r := sqlite(t, nil)
	for _, env := range []string{"dev", "staging"} {
		for _, id := range []string{"support", "other", "billing/refunds"} {
			r.deploy(env, id, "1.0.0")
		}
	}
	key := r.key([]registry.Permission{registry.MayRead, registry.MayAudit}, "staging", "bill*")
	for path, want := range map[string][2]string{
		"/v1/prompts":                           {"billing/refunds", "support"},
		"/v1/environments":                      {"staging", `"dev"`},
		"/v1/prompts/billing%2Frefunds/history": {"staging", `"dev"`},
		"/v1/environments/staging/snapshot":     {"billing/refunds", "support"},
		"/v1/audit":                             {"billing/refunds", "support"},
	} {
		g := r.send("GET", path, key, "")
		if g.status != 200 || !strings.Contains(string(g.body), want[0]) || strings.Contains(string(g.body), want[1]) {
			t.Errorf("%s: %d %s", path, g.status, g.body)
		}
	}
	for _, path := range []string{"/v1/environments/dev/snapshot", "/v1/environments/dev/stream", "/v1/prompts/support/history", "/v1/evidence?prompt=support", "/v1/environments/staging/snapshot?prompt=support", "/v1/registry", "/v1/audit/verify"} {
		if g := r.send("GET", path, key, ""); g.status != 403 {
			t.Errorf("%s: %d %s", path, g.status, g.body)
		}
	}
}

// Two callers with the same prompt and revision, and other rights, never share
// an answer or its ETag.
func TestAViewIsNotSharedBetweenCallersOfOtherRights(t *testing.T) {
	r := sqlite(t, nil)
	r.deploy("dev", "support", "1.0.0")
	r.deploy("dev", "other", "1.0.0")
	whole := r.send("GET", "/v1/environments/dev/snapshot", r.admin, "")
	part := r.key([]registry.Permission{registry.MayResolve}, "dev", "other")
	tag := whole.header.Get("Etag")
	if g := r.send("GET", "/v1/environments/dev/snapshot", part, "", "If-None-Match", tag); g.status != 200 || strings.Contains(string(g.body), "support") {
		t.Errorf("with the ETag of all: %d %s", g.status, g.body)
	} else if own := g.header.Get("Etag"); own == tag || r.send("GET", "/v1/environments/dev/snapshot", part, "", "If-None-Match", own).status != 304 {
		t.Errorf("its own ETag %s", own)
	}
	if g := r.send("GET", "/v1/environments/dev/snapshot", r.admin, "", "If-None-Match", tag); g.status != 304 || len(g.body) > 0 || !strings.Contains(g.header.Get("Cache-Control"), "private") {
		t.Errorf("again: %d %s", g.status, g.header)
	}
	if g := r.send("POST", "/v1/environments/dev/resolve", part, resolveBody); g.status != 403 {
		t.Errorf("resolve of what is not granted: %d %s", g.status, g.body)
	}
}
