package uitest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// BenchmarkHome is the matrix of 1,000 released prompts in 3 environments: what
// the server needs for the page, what a browser needs until it shows something,
// and from a keystroke to the rows that are left, and to what the palette finds.
// Beside each stands a yardstick: a static page of the same bytes.
//
//	go test -run '^$' -bench BenchmarkHome -benchtime 20x ./cmd/incipit/uitest
func BenchmarkHome(b *testing.B) {
	s := newRepo(b)
	s.crowd(998) // two are there
	s.args = []string{"--dev"}
	s.serve("127.0.0.1:0")
	s.everywhere(b, 998)
	page := fetched(b, s.url+"/")
	static := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(page) // whoever does not read it is gone
	}))
	b.Cleanup(static.Close)
	for _, tt := range []struct{ name, url string }{
		{"server/first rows", s.url + "/"},
		{"server/all rows", s.url + "/?rows=5000"},
		{"server/a row", s.url + "/?row=customer-support"},
		{"server/filtered", s.url + "/?q=prompt-05"},
		{"server/search", s.url + "/search?q=refunds"},
		{"server/yardstick", static.URL},
	} {
		b.Run(tt.name, func(b *testing.B) {
			var size int
			for b.Loop() {
				size = len(fetched(b, tt.url))
			}
			b.ReportMetric(float64(size)/1024, "KiB")
		})
	}
	for _, tt := range []struct{ name, url string }{{"first paint/first rows", s.url + "/"}, {"first paint/all rows", s.url + "/?rows=5000"}, {"first paint/yardstick", static.URL}} {
		b.Run(tt.name, func(b *testing.B) { paints(b, tt.url) })
	}
	b.Run("keystroke/rows", func(b *testing.B) {
		t := newTab(b)
		t.open(s.url + "/")
		t.until("it is there", `document.querySelector("#matrix") && window.htmx`)
		keystrokes(b, t, `#q`, `new Promise((done) => document.addEventListener("htmx:afterSettle", done, { once: true }))`)
	})
	b.Run("keystroke/palette", func(b *testing.B) {
		t := newTab(b)
		t.open(s.url + "/")
		t.palette()
		keystrokes(b, t, `.palette input`, `new Promise((done) => new MutationObserver((_, seen) => (seen.disconnect(), done())).observe(document.getElementById("palette-list"), { childList: true }))`)
	})
}

// everywhere deploys a release of each prompt in every environment.
func (s *site) everywhere(b *testing.B, prompts int) {
	b.Helper()
	for n := range prompts {
		for _, env := range []string{"dev", "staging", "production"} {
			at := fmt.Sprintf("%s/v1/environments/%s/prompts/team-%02d%%2Fprompt-%04d/deploy", s.url, env, n%20, n)
			body := fmt.Sprintf(`{"version":"1.0.0","reason":"for the benchmark","confirm":%q}`, env)
			resp, err := http.Post(at, "application/json", strings.NewReader(body))
			if err != nil {
				b.Fatal(err)
			}
			text, err := io.ReadAll(resp.Body)
			err = errors.Join(err, resp.Body.Close())
			if err != nil || resp.StatusCode != http.StatusOK {
				b.Fatalf("%s: %d %s %v", at, resp.StatusCode, text, err)
			}
		}
	}
}

func fetched(b *testing.B, url string) []byte {
	b.Helper()
	resp, err := http.Get(url)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		b.Fatalf("%s: %d %v", url, resp.StatusCode, err)
	}
	return body
}

// paints loads a page again and again, and says when it showed something first.
func paints(b *testing.B, url string) {
	b.Helper()
	t := newTab(b)
	t.expect("404") // the yardstick has no styles and no scripts
	t.expect("Unexpected token")
	t.expect("MIME type")
	t.expect("Failed to load")
	t.open(url) // the styles are kept from here on
	var took []float64
	for b.Loop() {
		t.open(url)
		took = append(took, value[float64](t, `new Promise((done) => new PerformanceObserver((list) => done(list.getEntriesByName("first-contentful-paint")[0].startTime)).observe({ type: "paint", buffered: true }))`))
	}
	report(b, took)
}

// keystrokes types into a field, and says how long it is until what is waited for.
func keystrokes(b *testing.B, t *tab, field, wait string) {
	b.Helper()
	var took []float64
	n := 0
	for b.Loop() {
		n++
		took = append(took, value[float64](t, fmt.Sprintf(`(async () => {
			const field = document.querySelector(%q), shown = %s, from = performance.now();
			field.value = "prompt-0%d";
			field.dispatchEvent(new Event("input", { bubbles: true }));
			await shown;
			await new Promise(requestAnimationFrame);
			return performance.now() - from;
		})()`, field, wait, n%10)))
	}
	report(b, took)
}

// report says the median and the worst but one in twenty, in milliseconds.
func report(b *testing.B, took []float64) {
	b.Helper()
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2], "ms-median")
	b.ReportMetric(took[len(took)*95/100], "ms-p95")
	b.ReportMetric(0, "ns/op")
}
