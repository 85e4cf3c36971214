package uitest

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
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

func TestNothingThatUsersWroteRuns(t *testing.T) {
	s := newRepo(t)
	texts := injections(t)
	poison(t, s, texts)
	b := newTab(t)
	b.expectErrorsOf(s)
	for _, page := range everyPage("resp-0") {
		b.open(s.url + page.path)
		b.until("the page is ready", `document.readyState === "complete"`)
		if strange := value[string](b, foreign); strange != "[]" {
			t.Errorf("%s holds %s", page.name, strange)
		}
		if value[bool](b, `"ran" in window`) {
			t.Errorf("%s ran a script", page.name)
		}
	}
	// What is looked for and said back is a text of users, too.
	for _, text := range texts {
		for _, path := range []string{"/?q=", "/search?q=", "/calls?prompt=customer-support&version=", "/audit?actor="} {
			b.expect("400 (Bad Request)")
			b.expect("422 (")
			b.open(s.url + path + escape(text))
			if strange := value[string](b, foreign); strange != "[]" || value[bool](b, `"ran" in window`) {
				t.Errorf("%s%s: %s", path, text, strange)
			}
		}
	}
}

// poison puts the texts wherever one can write something, and serves it.
func poison(t *testing.T, s *site, texts []string) {
	t.Helper()
	all := strings.Join(texts, "\n")
	const at = "prompts/customer-support/"
	var meta map[string]any
	if err := json.Unmarshal([]byte(s.read(at+".prompt-metadata.json")), &meta); err != nil {
		t.Fatal(err)
	}
	meta["description"], meta["author"], meta["change_notes"], meta["model"] = texts[0], texts[1], texts[2], texts[3]
	meta["tags"], meta["maintainer"], meta["x_unknown"] = texts[:20], texts[4], all
	text, err := json.MarshalIndent(meta, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	s.write(at+".prompt-metadata.json", string(text)+"\n")
	s.append(at+"system-prompt.txt", "\n"+strings.NewReplacer("{{", "{ {").Replace(all)+"\n")
	s.env = append(s.env, "GIT_AUTHOR_NAME="+strings.NewReplacer("<", "‹", ">", "›").Replace(texts[1])+" \"onload=ran()", "GIT_AUTHOR_EMAIL=x\"onmouseover=ran()@example.com")
	s.run("release", "customer-support", "--minor", "-m", texts[5])
	s.args = []string{"--dev", "--keep-content", "--keep-subjects"}
	s.serve("127.0.0.1:0")
	live := []string{"--env", "production", "--confirm", "production"}
	s.far(append([]string{"deploy", "customer-support@1.0.0", "--reason", texts[6]}, live...)...)
	s.far(append([]string{"deploy", "customer-support@1.1.0", "--canary", "20,50", "--reason", texts[7]}, live...)...)
	s.far("deploy", "customer-support@1.1.0", "--env", "dev", "--reason", texts[8])
	s.traffic("production", 1)
	for i, x := range texts {
		s.post("/v1/keys", object("kind", "sdk", "name", visible(x), "grants", []any{map[string]any{"permissions": []string{"read"}, "environments": []string{"dev"}, "prompts": []string{"*"}}}))
		s.post("/v1/calls", object("calls", []any{map[string]any{
			"prompt": "customer-support", "version": "1.1.0", "environment": "dev", "started_at": now(), "latency_ms": 5, "outcome": "error", "error_class": "provider",
			"model": clip(x, 60), "response_id": clip(x, 100), "finish_reason": clip(x, 30), "subject": x, "input": x, "output": x, "tags": map[string]string{"note": clip(x, 60)},
		}}))
		if i < 10 {
			s.post("/v1/calls/resp-0/feedback", object("name", "n"+string(rune('a'+i)), "value", 0.1, "comment", x))
		}
	}
}
