package server

import (
	"bufio"
	"context"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/api"
	"github.com/incipit-dev/incipit/internal/registry"
)

const deployPath = "/v1/environments/dev/prompts/support/deploy"

func TestForeignPagesHostsAndTypesAreRefused(t *testing.T) {
	r := sqlite(t, func(c *Config) { c.Hosts = []string{"prompts.example.com"} })
	body := `{"version":"1.0.0"}`
	for name, tt := range map[string]struct {
		headers []string
		want    int
	}{
		"cross-site":               {[]string{"Sec-Fetch-Site", "cross-site"}, 403},
		"same-site":                {[]string{"Sec-Fetch-Site", "same-site"}, 403},
		"null origin":              {[]string{"Origin", "null"}, 403},
		"foreign origin":           {[]string{"Origin", "https://evil.test"}, 403},
		"foreign host":             {[]string{"Host", "evil.test"}, 421},
		"foreign host with port":   {[]string{"Host", "evil.test:7878"}, 421},
		"host that looks like us":  {[]string{"Host", "localhost.evil.test"}, 421},
		"empty label":              {[]string{"Host", "."}, 421},
		"text":                     {[]string{"Content-Type", "text/plain"}, 415},
		"form":                     {[]string{"Content-Type", "application/x-www-form-urlencoded"}, 415},
		"json with another prefix": {[]string{"Content-Type", "application/jsonx"}, 415},
		"no type":                  {[]string{"Content-Type", ""}, 415},
		"method override":          {[]string{"X-Http-Method-Override", "DELETE"}, 200},
		"same origin":              {[]string{"Sec-Fetch-Site", "same-origin"}, 200},
		"our name":                 {[]string{"Host", "Prompts.example.com:443"}, 200},
		"localhost":                {[]string{"Host", "localhost:1"}, 200},
		"an address":               {[]string{"Host", "[::1]:7878"}, 200},
		"charset":                  {[]string{"Content-Type", "application/json; charset=utf-8"}, 200},
	} {
		g := r.send("POST", deployPath, r.admin, body, tt.headers...)
		if g.status != tt.want {
			t.Errorf("%s: %d, want %d: %s", name, g.status, tt.want, g.body)
		}
		if g.status >= 400 {
			g.problem(t)
		}
	}
	for method, want := range map[string]int{"GET": 405, "PUT": 405, "DELETE": 405, "PATCH": 405, "TRACE": 405, "BREW": 405} {
		if g := r.send(method, deployPath, r.admin, ""); g.status != want || g.header.Get("Allow") != "POST" {
			t.Errorf("%s: %d, Allow %q", method, g.status, g.header.Get("Allow"))
		}
	}
}

func TestEveryAnswerHasTheHeadersThatKeepBrowsersFromMisusingIt(t *testing.T) {
	r := sqlite(t, nil)
	for _, path := range []string{"/v1/me", "/v1/nothing", "/healthz", "/openapi.json", "/v1/environments/gone/snapshot", "/nothing"} {
		h := r.send("GET", path, r.admin, "", "X-Request-Id", "of-the-client.1").header
		if !strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'none'") || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cache-Control") == "" || h.Get("X-Request-Id") != "of-the-client.1" || strings.HasPrefix(h.Get("Content-Type"), "text/html") {
			t.Errorf("%s: %v", path, h)
		}
	}
	if h := r.send("GET", "/v1/me", r.admin, "", "X-Request-Id", "{bad}"+strings.Repeat("x", 100)).header; len(h.Get("X-Request-Id")) != 16 {
		t.Errorf("a request id that is none was taken over: %v", h)
	}
}

func TestBodiesThatTwoReadersWouldReadDifferentlyAreRefused(t *testing.T) {
	r := sqlite(t, nil)
	at := map[string]string{"typed": deployPath, "hot": "/v1/environments/dev/resolve"}
	for name, body := range map[string]string{
		"a key twice":         `{"version":"1.0.0","version":"1.1.0"}`,
		"another case":        `{"version":"1.0.0","Confirm":"dev"}`,
		"unknown":             `{"version":"1.0.0","role":"admin"}`,
		"something behind it": `{"version":"1.0.0"} {}`,
		"bad UTF-8":           "{\"version\":\"1.0.0\",\"reason\":\"\xff\"}",
		"NaN":                 `{"version":"1.0.0","revision":NaN}`,
		"beyond 2^63":         `{"version":"1.0.0","revision":9223372036854775808}`,
		"a fraction":          `{"version":"1.0.0","revision":1.5}`,
		"deep":                strings.Repeat(`[`, 10_001),
		"no object":           `"1.0.0"`,
		"half":                `{"version":`,
		"an array":            `[]`,
	} {
		for kind, path := range at {
			g := r.send("POST", path, r.admin, body)
			if g.status != 400 || g.problem(t).Code != "invalid" {
				t.Errorf("%s, %s: %d %s", name, kind, g.status, g.body)
			}
		}
	}
	for _, body := range []string{`{"prompt":"support","subject":"u","Subject":"v"}`, `{"prompt":"support","subject":"u","subject":"v"}`, `{"prompt":"support","subject":1}`, `{"prompt":"support","subject":""}`, `{"prompt":"support","subject":"u","variables":{"a":1}}`, `{"prompt":"support","subject":"u","variables":[]}`, `{"prompt":"support","subject":"u","min_revision":"1"}`, `{"prompt":"../x","subject":"u"}`} {
		if g := r.send("POST", at["hot"], r.admin, body); g.status != 400 {
			t.Errorf("%s: %d %s", body, g.status, g.body)
		}
	}
	big := `{"version":"` + strings.Repeat("x", maxBody) + `"}`
	for _, path := range at {
		if g := r.send("POST", path, r.admin, big); g.status != 413 {
			t.Errorf("a body of 1 MiB: %d %s", g.status, g.body)
		}
	}
}

// A field that the server sets cannot be set by who asks.
func TestNobodySetsWhatIsTheServersToSet(t *testing.T) {
	r := sqlite(t, nil)
	r.deploy("dev", "support", "1.0.0")
	for _, rt := range r.server.routes {
		if rt.method == "GET" || rt.method == "DELETE" || rt.name == "git-hook" || rt.name == "sync" || rt.name == "ping-webhook" || rt.name == "redeliver" || rt.page() {
			continue // pings and the like take no body, and pages forms
		}
		for _, field := range []string{"role", "by", "env_id", "created_at", "at", "id", "hash", "generation", "caller", "key", "seq", "grants_all"} {
			g := r.send(rt.method, at(rt.path), r.admin, fmt.Sprintf(`{%q:"admin"}`, field))
			if strings.HasPrefix(rt.name, "record") && strings.Contains(string(g.body), `"rejected":[{`) || rt.name == "record-spans" && string(g.body) == "{}" {
				continue // which one bad call, or no call at all, is answered with
			}
			if g.status != 400 {
				t.Errorf("%s %s with %s: %d %s", rt.method, rt.path, field, g.status, g.body)
			}
		}
	}
}

// 30 names that climb, hide or break, in every wildcard of every route.
func TestNoNameLeadsAnywhereElse(t *testing.T) {
	r := sqlite(t, nil)
	r.deploy("dev", "support", "1.0.0")
	names := []string{
		"..", "%2e%2e", "%2E%2E%2F%2E%2E%2Fetc%2Fpasswd", "..%2F..%2Fetc%2Fpasswd", "%252e%252e%252f", "..%5C..%5C", "%00", "support%00", "support%0A", "support%0D%0AX:1",
		"support%2F..%2Fother", "support%2F", "%2Fsupport", "support%2F%2Fother", ".git", "support.lock", "_shared%2F..%2Fx", "-rf", "--upload-pack=x", "%C0%AE%C0%AE",
		"%ff", "%E2%80%AE", "support;x", "support%3Fa=b", "support%23x", "SUPPORT", "s%75pport%2f", "*", "%25", "'%20OR%20'1'='1", strings.Repeat("a", 5000), "%7B%7D", "registry.json",
	}
	for _, rt := range r.server.routes {
		for _, part := range []string{"{environment}", "{prompt}", "{version}", "{id}", "{mail}", "{kind}", "{ref}"} {
			if !strings.Contains(rt.path, part) {
				continue
			}
			for _, name := range names {
				if part == "{mail}" && name == "*" {
					continue
				}
				g := r.send(rt.method, at(strings.Replace(rt.path, part, name, 1)), r.admin, bodyFor(rt))
				if g.status < 400 || g.status >= 500 || strings.HasPrefix(g.header.Get("Content-Type"), "text/html") || g.header.Get("Location") != "" {
					t.Errorf("%s %s with %s: %d %.200s", rt.method, rt.path, prompt40(name), g.status, g.body)
				}
			}
		}
	}
}

func prompt40(s string) string { return s[:min(40, len(s))] }

// No GET writes: neither the audit log nor the database's content changes.
func TestReadingChangesNothing(t *testing.T) {
	r := sqlite(t, func(c *Config) { c.ProbeInterval = time.Hour })
	r.deploy("dev", "support", "1.0.0")
	dir := filepath.Dir(r.dbFile())
	before, events := snapshotDir(t, dir), r.events()
	for range 3 {
		for _, rt := range r.server.routes {
			if rt.method == "GET" && rt.name != "page-events" { // which does not end
				r.send("GET", at(rt.path), r.admin, "")
				r.send("HEAD", at(rt.path), r.admin, "")
			}
		}
		r.send("GET", "/v1/prompts?environment=dev&limit=1", r.admin, "")
	}
	if after := snapshotDir(t, dir); after != before || r.events() != events {
		t.Errorf("files before %s, after %s; %d events, then %d", before, after, events, r.events())
	}
}

func (r *rig) dbFile() string { return r.file }

func (r *rig) events() int64 {
	n, err := r.service.VerifyAudit(r.asRoot())
	if err != nil {
		r.Fatal(err)
	}
	return n
}

func snapshotDir(t testing.TB, dir string) string {
	t.Helper()
	var out strings.Builder
	err := filepath.WalkDir(dir, func(f string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(f, "-shm") { // the readers' marks
			return err
		}
		data, err := os.ReadFile(f)
		fmt.Fprintf(&out, "%s %d %s; ", filepath.Base(f), len(data), short(string(data)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// SQL in every text that is sent is text, and nothing more.
func TestSQLIsText(t *testing.T) {
	r := sqlite(t, nil)
	r.deploy("dev", "support", "1.0.0")
	for _, text := range []string{`'; DROP TABLE deployment; --`, `" OR 1=1 --`, `$1`, `%27`, `\'`, `support'--`, `1; SELECT pg_sleep(8)`, "a\\u0000b", `') UNION SELECT * FROM api_key --`} {
		quoted := strings.ReplaceAll(text, `"`, `\"`)
		for _, ask := range [][3]string{
			{"POST", "/v1/environments/dev/prompts/support/deploy", `{"version":"1.1.0","reason":"` + quoted + `","confirm":"` + quoted + `"}`},
			{"POST", "/v1/environments/dev/prompts/support/rollback", `{"version":"` + quoted + `"}`},
			{"POST", "/v1/approvals", `{"prompt":"support","environment":"` + quoted + `","version":"1.0.0"}`},
			{"POST", "/v1/evidence", `{"prompt":"support","digest":"` + quoted + `","kind":"tests","passed":true}`},
			{"POST", "/v1/evidence", `{"prompt":"` + quoted + `","digest":"x","kind":"` + quoted + `","passed":true}`},
			{"POST", "/v1/keys", `{"kind":"ci","name":"` + quoted + `","grants":[{"permissions":["read"],"environments":["` + quoted + `"],"prompts":["x"]}]}`},
			{"GET", "/v1/prompts?environment=" + strings.ReplaceAll(strings.ReplaceAll(http.CanonicalHeaderKey(text), " ", "%20"), ";", "%3B"), ""},
		} {
			if g := r.send(ask[0], strings.ReplaceAll(strings.ReplaceAll(ask[1], `"`, "%22"), `\`, "%5C"), r.admin, ask[2]); g.status >= 500 {
				t.Errorf("%s %s %s: %d %s", ask[0], ask[1], ask[2], g.status, g.body)
			}
		}
	}
	if rows, err := r.service.List(r.asRoot(), ""); err != nil || len(rows) != 3 {
		t.Errorf("prompts afterwards: %v, %v", rows, err)
	}
	r.events()
}

func TestAPanicEndsOneRequestAndNotTheServer(t *testing.T) {
	r := sqlite(t, nil)
	mux := r.server.mux
	mux.HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { panic("secret state") })
	g := r.send("GET", "/panic", r.admin, "")
	if p := g.problem(t); g.status != 500 || strings.Contains(string(g.body), "secret") || p.Code != "failure" {
		t.Errorf("%d %s", g.status, g.body)
	}
	if log := r.log.String(); !strings.Contains(log, "secret state") || !strings.Contains(log, "door_test.go") {
		t.Error("the log does not tell of it")
	}
	if g := r.send("GET", "/healthz", "", ""); g.status != 200 {
		t.Errorf("afterwards: %d", g.status)
	}
}

func TestTheLogHoldsNoSecrets(t *testing.T) {
	r := sqlite(t, nil)
	r.deploy("dev", "support", "1.0.0")
	g := decode[api.CreatedKey](t, r.send("POST", "/v1/keys", r.admin, `{"kind":"sdk","name":"app","grants":[{"permissions":["resolve"],"environments":["*"],"prompts":["*"]}]}`))
	r.send("POST", "/v1/environments/dev/resolve", g.Secret, `{"prompt":"support","subject":"canary-subject","variables":{"name":"canary-value","question":"x"}}`)
	r.send("GET", "/v1/prompts?cursor=canary-query", g.Secret+"x", "")
	r.send("GET", "/v1/prompts?cursor=canary-query", r.admin, "")
	log := r.log.String()
	for _, secret := range []string{g.Secret, g.Secret[25:60], r.admin, "canary-subject", "canary-value", "canary-query"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds %s", secret)
		}
	}
	if !strings.Contains(log, `"route":"resolve"`) || !strings.Contains(log, `"caller":"app"`) {
		t.Errorf("the log does not say who asked for what: %s", log)
	}
}

func TestAddressesThatGiveTheRegistryAwayAreRefused(t *testing.T) {
	for _, tt := range []struct {
		address            string
		tls, dev, insecure bool
		ok                 bool
	}{
		{"127.0.0.1:7878", false, false, false, true},
		{"[::1]:7878", false, true, false, true},
		{"localhost:7878", false, true, false, true},
		{"0.0.0.0:7878", false, false, false, false},
		{":7878", false, false, false, false},
		{"[::]:7878", false, false, false, false},
		{"10.0.0.1:7878", false, false, false, false},
		{"0.0.0.0:7878", true, false, false, true},
		{"0.0.0.0:7878", false, false, true, true},
		{"0.0.0.0:7878", true, true, true, false},
		{"example.com:7878", false, true, false, false},
		{"7878", false, false, true, false},
	} {
		err := CheckListen(tt.address, tt.tls, tt.dev, tt.insecure)
		if (err == nil) != tt.ok || err != nil && api.ExitStatus(err) != api.Invalid {
			t.Errorf("%+v: %v", tt, err)
		}
	}
	err := CheckListen("0.0.0.0:7878", false, false, false)
	for _, fix := range []string{"127.0.0.1", "--tls-cert", "--insecure-listen"} {
		if fe, ok := err.(*registry.FixError); !ok || !strings.Contains(fe.Fix, fix) { //nolint:errorlint // the outermost
			t.Errorf("the fixes do not name %s: %v", fix, err)
		}
	}
}

// 200 clients that send a byte now and then, and 20 that flood headers, do not
// keep the others out, and are gone after the time for headers.
func TestSlowAndHugeHeadersAreCutOff(t *testing.T) {
	r := sqlite(t, nil)
	r.deploy("dev", "support", "1.0.0")
	addr := strings.TrimPrefix(r.url, "http://")
	var d net.Dialer
	slow := make([]net.Conn, 200)
	for i := range slow {
		c, err := d.DialContext(t.Context(), "tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		slow[i] = c
		fmt.Fprint(c, "POST /v1/environments/dev/resolve HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
	}
	for range 20 {
		c, err := d.DialContext(t.Context(), "tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		fmt.Fprint(c, "GET /v1/me HTTP/1.1\r\nHost: 127.0.0.1\r\n")
		for i := range 2000 {
			if _, err := fmt.Fprintf(c, "X-%d: %s\r\n", i, strings.Repeat("x", 100)); err != nil {
				break
			}
		}
		line, err := bufio.NewReader(c).ReadString('\n')
		if err == nil && !strings.Contains(line, "431") {
			t.Errorf("200 KB of headers: %s", line)
		}
	}
	for range 50 {
		if g := r.send("POST", "/v1/environments/dev/resolve", r.admin, resolveBody); g.status != 200 {
			t.Fatalf("beside slow clients: %d %s", g.status, g.body)
		}
	}
	for _, c := range slow {
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
		if _, err := bufio.NewReader(c).ReadString(0); err == nil {
			t.Error("a slow client was answered")
		} else if ne, ok := err.(net.Error); ok && ne.Timeout() { //nolint:errorlint // of the connection itself
			t.Fatal("a slow client is still connected after 20 s")
		}
	}
}

// Requests that a proxy and we could divide differently are refused or end the
// connection: the second one is never answered.
func TestRequestsThatCanBeReadTwoWaysAreRefused(t *testing.T) {
	r := sqlite(t, nil)
	for name, head := range map[string]string{
		"length and chunks":   "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
		"two lengths":         "Content-Length: 2\r\nContent-Length: 60\r\n\r\n{}",
		"folded":              "X-A: b\r\n c: d\r\n\r\n",
		"space before colon":  "Content-Length : 2\r\n\r\n{}",
		"chunked twice":       "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
		"bare line feed name": "X\nA: b\r\n\r\n",
	} {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(r.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json\r\n%s", deployPath, head)
		var answers, ok int
		for line := bufio.NewScanner(c); line.Scan(); {
			if strings.HasPrefix(line.Text(), "HTTP/1.1 ") {
				answers++
			}
			if strings.HasPrefix(line.Text(), "HTTP/1.1 2") {
				ok++
			}
		}
		_ = c.Close()
		if answers > 1 || ok > 0 {
			t.Errorf("%s: %d answers, %d of them good", name, answers, ok)
		}
	}
}

func TestReadinessFollowsTheDatabaseAndHealthDoesNot(t *testing.T) {
	r := sqlite(t, func(c *Config) { c.ProbeInterval = 20 * time.Millisecond })
	r.deploy("dev", "support", "1.0.0")
	until(t, func() bool { return r.send("GET", "/readyz", "", "").status == 200 })
	r.away.Store(true)
	if err := r.db.Close(); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return r.send("GET", "/readyz", "", "").status == 503 })
	for path, want := range map[string]int{"/healthz": 200} {
		if g := r.send("GET", path, "", ""); g.status != want {
			t.Errorf("%s: %d %s", path, g.status, g.body)
		}
	}
	// What was loaded is served on, to keys that were good; nothing can be changed.
	if g := r.send("POST", "/v1/environments/dev/resolve", r.admin, resolveBody); g.status != 200 {
		t.Errorf("resolve: %d %s", g.status, g.body)
	}
	if g := r.send("GET", "/v1/environments/dev/snapshot", r.admin, ""); g.status != 200 {
		t.Errorf("snapshot: %d %s", g.status, g.body)
	}
	if g := r.send("POST", deployPath, r.admin, `{"version":"1.1.0"}`); g.status < 500 {
		t.Errorf("deploy: %d %v %s", g.status, g.header, g.body)
	}
	w := httptest.NewRecorder()
	Fail(w, nil, registry.Errorf(registry.ErrUnavailable, "the database is away"))
	if w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("a database that is away: %d %v", w.Code, w.Header())
	}
}

// until waits for something that comes about by itself.
func until(t testing.TB, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			t.Fatal("it did not come about within 15 s")
		case <-tick.C:
		}
	}
}
