package uitest

import (
	"bufio"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// injections are texts that would run a script, if one took them for markup:
// each calls ran() or is an element that has no place in a page.
func injections(t testing.TB) []string {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "injections.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if !strings.HasPrefix(lines.Text(), "# ") {
			out = append(out, lines.Text())
		}
	}
	if len(out) < 60 {
		t.Fatalf("there are %d injections", len(out))
	}
	return out
}

// foreign is what a page holds that none of our templates wrote.
const foreign = `JSON.stringify([...document.querySelectorAll("*")].filter((e) =>
	["script", "iframe", "object", "embed", "base", "frame", "frameset", "applet", "math", "video", "audio", "marquee", "style"].includes(e.localName) && !(e.localName === "script" && (e.src.startsWith(location.origin + "/assets/") || e.type === "application/json")) ||
	e.localName === "link" && !e.href.startsWith(location.origin + "/assets/") || e.localName === "img" || e.localName === "meta" && e.httpEquiv ||
	[...e.attributes].some((a) => a.name.startsWith("on") || a.name.startsWith("hx-on") || ["href", "src", "action", "formaction", "xlink:href"].includes(a.name) && /^\s*(javascript|data|vbscript|https?:\/\/evil)/i.test(a.value))
).map((e) => e.outerHTML.slice(0, 200)))`

// clean reports what of the page as it stands is no text of users, and is none
// of ours.
func (b *tab) clean(page string) {
	b.t.Helper()
	if strange := value[string](b, foreign); strange != "[]" {
		b.t.Errorf("%s holds %s", page, strange)
	}
	if value[bool](b, `"ran" in window`) {
		b.t.Errorf("%s ran a script", page)
	}
}

// TestNothingThatUsersWroteRuns writes the texts into every column that holds
// what people and programs outside write, looks at every page and dialog that
// shows them, and then holds the database against the list of its columns.
func TestNothingThatUsersWroteRuns(t *testing.T) {
	p := poison(t, injections(t))
	for _, step := range []struct {
		name string
		do   func()
	}{
		{"what cannot hold a text refuses it", p.refused},
		{"the pages", p.pages},
		{"what changes while one looks", p.live},
		{"the palette", p.search},
		{"a draft that is none", p.broken},
		{"a draft that is proposed", p.proposed},
		{"a draft that others overtake", p.overtaken},
	} {
		t.Run(step.name, func(t *testing.T) {
			p.t = t
			step.do()
		})
	}
	p.t = t
	p.stop()
	p.columns()
}

// What is looked for and said back is a text of users, too.
func TestWhatIsLookedForIsSaidBackAsText(t *testing.T) {
	s := newSite(t)
	b := newTab(t)
	b.expect("400 (Bad Request)")
	b.expect("422 (")
	for _, text := range injections(t) {
		for _, path := range []string{"/?q=", "/search?q=", "/calls?prompt=customer-support&version=", "/audit?actor=", "/login?return="} {
			b.open(s.url + path + escape(text))
			b.clean(path + text)
		}
	}
}

// pages looks at every page, and opens each of its dialogs: of pages and of
// dialogs that differ in what they are about only, three each.
func (p *poisoned) pages() {
	b := newTab(p.t)
	b.expect("404 (Not Found)") // of a link to what there is none of
	b.signIn(p.url, p.by(1), "/")
	const place = "/environments/%s/prompts/customer-support/%s"
	next := []string{"/settings/new-environment", "/settings/environments/staging", "/calls?prompt=customer-support&outcome=error", "/audit?prompt=customer-support"}
	for _, env := range []string{"dev", "staging", "production"} {
		for _, page := range []string{"rollout", "deploy?version=1.0.0", "rollback", "promote", "shift", "pause", "resume", "retire", "approve?version=1.1.0"} {
			next = append(next, fmt.Sprintf(place, env, page))
		}
	}
	for _, page := range everyPage("resp-0") {
		next = append(next, page.path)
	}
	for _, x := range p.texts[:5] {
		next = append(next, "/calls/"+url.PathEscape(x))
	}
	seen, shapes, dialogs := make(map[string]bool), make(map[string]int), make(map[string]int)
	for given := len(next); len(next) > 0; given-- {
		path := next[0]
		next = next[1:]
		if seen[path] || given <= 0 && shapes[shape(path)] >= 3 {
			continue
		}
		seen[path] = true
		shapes[shape(path)]++
		b.open(p.url + path)
		b.until("the page is ready", `document.readyState === "complete"`)
		b.clean(path)
		links := value[[]string](b, `[...document.querySelectorAll("main a[href^='/']:not([data-dialog])")].map((a) => a.getAttribute("href")).filter((h) => !/export|events/.test(h))`)
		next = append(next, links...)
		for n, to := range value[[]string](b, `[...document.querySelectorAll("main a[data-dialog]")].map((a) => a.getAttribute("href"))`) {
			if dialogs[shape(to)]++; dialogs[shape(to)] <= 3 {
				b.dialog(n, path+" and its dialog "+to)
			}
		}
	}
	p.t.Logf("%d pages of %d shapes, dialogs: %v", len(seen), len(shapes), dialogs)
	for _, needed := range []string{"deploy", "rollback", "promote", "shift", "pause", "revoke", "remove", "propose", "discard", "verify"} {
		found := false
		for to := range dialogs {
			found = found || strings.Contains(to, needed)
		}
		if !found {
			p.t.Errorf("no dialog of %s was opened", needed)
		}
	}
}

// shape is a path without what it is about.
func shape(path string) string {
	path, _, _ = strings.Cut(path, "?")
	for _, about := range []string{`^/calls/.*`, `/prompts/[^/]+`, `/environments/[^/]+`, `/(keys|webhooks)/[^/]+`} {
		path = regexp.MustCompile(about).ReplaceAllStringFunc(path, func(s string) string { return s[:strings.LastIndex(s, "/")] + "/…" })
	}
	return path
}

// dialog opens the nth dialog of the page, and closes it.
func (b *tab) dialog(n int, what string) {
	b.t.Helper()
	b.script(fmt.Sprintf(`document.querySelectorAll("main a[data-dialog]")[%d].click();`, n))
	b.until(what+" is open", `document.querySelector("#dialog[open]")?.querySelector("h1, h2")`)
	b.clean(what)
	b.script(`document.querySelector("#dialog").close()`)
}
