package server

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/sqlstore"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// page is a page as whoever has a key sees it.
func (r *rig) page(path, key string, want int) string {
	r.Helper()
	g := r.send("GET", path, key, "", "Accept", "text/html")
	if g.status != want {
		r.Fatalf("%s: %d, want %d: %.300s", path, g.status, want, g.body)
	}
	return string(g.body)
}

// shown are the prompts of the rows on a page.
func shown(page string) string {
	var out []string
	for _, m := range regexp.MustCompile(`<tr id="row-([^"]+)"`).FindAllStringSubmatch(page, -1) {
		out = append(out, m[1])
	}
	return strings.Join(out, " ")
}

func TestHomeShowsWhatIsAskedForInTheAddress(t *testing.T) {
	r := sqlite(t, nil)
	r.deploy("dev", "support", "1.0.0")
	r.deploy("dev", "other", "1.3.0")
	r.deploy("production", "support", "1.1.0")
	for query, want := range map[string]string{
		"":                              "billing/refunds other support",
		"?q=SUPP":                       "support",
		"?q=nothing+like+it":            "",
		"?folder=billing":               "billing/refunds",
		"?environment=production":       "support",
		"?environment=dev&behind=1":     "support",
		"?environment=qa":               "",
		"?health=no+data&sort=behind":   "support other",
		"?health=attention":             "",
		"?open=1":                       "",
		"?row=support":                  "support",
		"?row=billing%2Frefunds":        "billing/refunds",
		"?row=gone":                     "",
		"?rows=1":                       "billing/refunds",
		"?rows=3&from=2":                "support",
		"?rows=0":                       "",
		"?maintainer=me":                "",
		"?q=%3Cscript%3Ealert(1)%3C%2F": "",
	} {
		page := r.page("/"+query, r.admin, 200)
		if got := shown(page); got != want {
			t.Errorf("%q shows %q, want %q", query, got, want)
		}
		if strings.Contains(page, "<script>alert") {
			t.Errorf("%q: what was asked for is markup", query)
		}
	}
	for _, query := range []string{"?health=fine", "?sort=color", "?rows=x", "?rows=-1", "?from=5001"} {
		r.page("/"+query, r.admin, 400)
	}
}

func TestHomeShowsWhatRunsAndHowFarBehind(t *testing.T) {
	r := sqlite(t, nil)
	first := r.page("/", r.admin, 200)
	if !strings.Contains(first, "incipit deploy billing/refunds@1.3.0 --env dev") {
		t.Error("where nothing runs, the command that comes next is not shown")
	}
	r.deploy("dev", "support", "1.0.0")
	r.deploy("dev", "support", "1.1.0")
	row := r.page("/?row=support", r.admin, 200)
	for _, want := range []string{
		`href="/prompts/support?version=1.1.0">1.1.0</a>`, "2 releases behind", "no data", "deployed <time", ">ahead<",
		`data-live="prompt:support"`, `hx-get="/?row=support"`,
		`href="/environments/dev/prompts/support/rollback?return=%2F"`, `href="/environments/production/prompts/support/deploy?version=1.3.0&amp;return=%2F"`,
	} {
		if !strings.Contains(row, want) {
			t.Errorf("the row lacks %s:\n%s", want, row)
		}
	}
}

func TestHomeOffersAndShowsOnlyWhatTheCallerMay(t *testing.T) {
	r := sqlite(t, nil)
	r.deploy("dev", "support", "1.0.0")
	r.deploy("dev", "support", "1.1.0")
	r.deploy("production", "support", "1.1.0")
	reads := []registry.Permission{registry.MayRead}
	page := r.page("/", r.key(reads, "dev", "supp*"), 200)
	if shown(page) != "support" || strings.Contains(page, "production") || strings.Contains(page, "/rollback") || strings.Contains(page, "/deploy") {
		t.Errorf("who may read supp* in dev sees\n%s", page)
	}
	page = r.page("/?row=other", r.key(reads, "dev", "supp*"), 200)
	if shown(page) != "" {
		t.Error("a row of somebody else's prompt is shown")
	}
	page = r.page("/", r.key([]registry.Permission{registry.MayRead, registry.MayDeploy}, "dev", "*"), 200)
	if !strings.Contains(page, "/environments/dev/prompts/support/rollback") {
		t.Error("who may deploy is not offered to roll back")
	}
}

func TestManyRowsComeAFewAtATime(t *testing.T) {
	r := sqlite(t, nil)
	var all []sqlstore.IndexedRelease
	for i := range 250 {
		all = append(all, released(t, prompt.ID(fmt.Sprintf("team-%d/prompt-%03d", i%3, i)), prompt.Version{Major: 1}, fmt.Sprintf("You are number %d of many.", i)))
	}
	if _, problems, err := r.db.AddReleases(t.Context(), all); err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	address, seen := "/", []string{}
	for {
		page := r.page(address, r.admin, 200)
		seen = append(seen, strings.Fields(shown(page))...)
		more := regexp.MustCompile(`class="near" hx-get="([^"]+)"`).FindStringSubmatch(page)
		if more == nil {
			break
		}
		address = strings.ReplaceAll(more[1], "&amp;", "&")
	}
	if whole := strings.Fields(shown(r.page("/?rows=5000", r.admin, 200))); len(whole) != 253 || strings.Join(seen, " ") != strings.Join(whole, " ") {
		t.Errorf("%d rows one part after another, %d at once", len(seen), len(whole))
	}
	page := r.page("/", r.admin, 200)
	if n := strings.Count(page, `<tr class="under"`); n != 3 { // billing, none, team-0: 15 rows
		t.Errorf("%d folders have a name above them", n)
	}
	if !strings.Contains(page, "253 prompts") {
		t.Error("how many there are is not said")
	}
}

func TestASearchFindsAndOffersWhatTheCallerMay(t *testing.T) {
	r := sqlite(t, nil)
	bad := released(t, "support", prompt.Version{Major: 2}, "You answer <b>boldly</b> about refunds.")
	bad.Author, bad.Notes = `<img src=x onerror="alert(1)">`, "warmer <script>alert(1)</script> tone"
	if _, _, err := r.db.AddReleases(t.Context(), []sqlstore.IndexedRelease{bad}); err != nil {
		t.Fatal(err)
	}
	r.deploy("dev", "support", "1.0.0")
	r.deploy("dev", "support", "1.1.0")
	look := func(key, q string) string { return r.page("/search?q="+url.QueryEscape(q), key, 200) }
	reader := r.key([]registry.Permission{registry.MayRead}, "*", "*")
	for _, tt := range []struct{ name, key, q, has, lacks string }{
		{"nothing is asked for", r.admin, "", "Everything that is released", "data-option"},
		{"an id", r.admin, "suppo", `<mark>suppo</mark>rt`, "Nothing found"},
		{"in any case", r.admin, "SUPPORT", `<mark>support</mark>`, "Nothing found"},
		{"a release by its notes", r.admin, "warmer tone", `href="/prompts/support?version=2.0.0"`, "<script>alert"},
		{"an author is text", r.admin, "onerror", `&lt;img src=x`, "<img src=x"},
		{"a text", r.admin, "boldly", `&lt;b&gt;<mark>boldly</mark>`, "<b>boldly"},
		{"what can be done with it", r.admin, "support", `data-dialog><span class="title">Roll back support in dev…`, ""},
		{"an order", r.admin, "roll back supp", `Roll back support in dev…`, "Deploy"},
		{"an order of another word order", r.admin, "production deploy refunds", `Deploy billing/refunds@1.3.0 to production…`, "support"},
		{"an order of a reader", reader, "roll back supp", "Nothing found", "rollback?"},
		{"a reader may compare", reader, "compare supp", "Compare releases of support", "/deploy"},
		{"nothing", r.admin, "unheard-of <b>", "Nothing found", "of <b>"},
	} {
		page := look(tt.key, tt.q)
		if !strings.Contains(page, tt.has) || tt.lacks != "" && strings.Contains(page, tt.lacks) {
			t.Errorf("%s: the page of %q has %q: %v, lacks %q: %v\n%s", tt.name, tt.q, tt.has, strings.Contains(page, tt.has), tt.lacks, !strings.Contains(page, tt.lacks), page)
		}
	}
	if page := look(r.key([]registry.Permission{registry.MayRead}, "*", "other"), "support"); strings.Contains(page, "data-option") {
		t.Error("somebody else's prompt is found")
	}
	r.page("/search?q="+strings.Repeat("a", 201), r.admin, 400)
}
