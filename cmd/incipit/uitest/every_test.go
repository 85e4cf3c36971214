package uitest

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// A known page is one that everything is asked of that is asked of every page.
type knownPage struct{ name, path string }

// everyPage are the pages of a world.
func everyPage(callID string) []knownPage {
	const place = "/environments/production/prompts/customer-support/"
	return []knownPage{
		{"home", "/"},
		{"home-folder", "/?folder=billing"},
		{"home-nothing", "/?q=nothing-is-called-that"},
		{"search", "/search?q=support"},
		{"rollouts", "/rollouts"},
		{"prompt", "/prompts/customer-support"},
		{"prompt-old", "/prompts/customer-support?version=1.0.0"},
		{"releases", "/prompts/customer-support/releases"},
		{"diff", "/prompts/customer-support/diff?from=1.0.0&to=1.1.0"},
		{"diff-inline", "/prompts/customer-support/diff?from=production&to=1.1.0&view=inline"},
		{"stats", "/prompts/customer-support/stats"},
		{"edit", "/prompts/customer-support/edit"},
		{"new", "/prompts/new?id=customer-support"},
		{"edit-new", "/prompts/billing%2Fchargebacks/edit"},
		{"rollout", place + "rollout"},
		{"rollout-none", "/environments/dev/prompts/data-extraction/rollout"},
		{"deploy", place + "deploy?version=1.0.1"},
		{"deploy-canary", "/environments/staging/prompts/customer-support/deploy?version=1.1.0&strategy=canary"},
		{"rollback", place + "rollback"},
		{"promote", place + "promote"},
		{"calls", "/calls?prompt=customer-support"},
		{"calls-filtered", "/calls?prompt=customer-support&outcome=error"},
		{"trace", "/calls/" + callID},
		{"audit", "/audit"},
		{"settings", "/settings"},
		{"settings-environment", "/settings/environments/production"},
		{"settings-keys", "/settings/keys"},
		{"settings-people", "/settings/people"},
		{"settings-webhooks", "/settings/webhooks"},
		{"failed", "/prompts/nothing"},
	}
}

// themes are what a person can choose.
func themes() []string { return []string{"light", "dark"} }

// theme chooses one for the pages that are opened after, as a person does: once,
// or the page would be on its way again when the next is opened.
func (b *tab) theme(s *site, theme string) {
	b.t.Helper()
	b.open(s.url + "/login")
	b.script(`window.before = true;
		const menu = document.querySelector("#theme");
		menu.value = ` + quoted(theme) + `;
		menu.dispatchEvent(new Event("change", { bubbles: true }));`)
	b.until("the page has its theme", `!window.before && document.documentElement.dataset.theme === `+quoted(theme))
}

// expectErrorsOf lets pages that answer with an error do so.
func (b *tab) expectErrorsOf(s *site) { b.expect("404 (Not Found) " + s.url + "/prompts/nothing") }

// A violation is what axe found wrong.
type violation struct {
	ID, Impact, Help string
	Nodes            []struct {
		HTML           string
		FailureSummary string
	}
}

// axe is what axe-core finds wrong with the page as it stands: rules of WCAG
// 2.0 to 2.2, levels A and AA, and its best practices.
func (b *tab) axe() []violation {
	b.t.Helper()
	code, err := os.ReadFile(filepath.Join("..", "testdata", "axe", "axe.min.js"))
	if err != nil {
		b.t.Fatal(err)
	}
	b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := chromedp.Evaluate[any](string(code)+";null")(ctx, t)
		if err == chromedp.ErrJSNull { //nolint:errorlint // it is returned as it is
			return nil
		}
		return err
	}))
	value[bool](b, `(scrollTo(0, 0), true)`) // or what the bar on top covers is small to press
	text := value[string](b, `axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], resultTypes: ["violations"]}).then((r) => JSON.stringify(r.violations))`)
	var found []violation
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		b.t.Fatal(err)
	}
	return found
}

// accessible reports what axe finds wrong with the page as it stands, in both
// themes.
func (b *tab) accessible() {
	b.t.Helper()
	for _, theme := range themes() {
		value[bool](b, `(document.documentElement.dataset.theme = `+quoted(theme)+`, true)`)
		b.sound(b.at() + ", " + theme)
	}
}

// sound reports what axe finds wrong with the page as it stands.
func (b *tab) sound(page string) {
	b.t.Helper()
	for _, v := range b.axe() {
		for _, n := range v.Nodes {
			b.t.Errorf("%s: %s (%s): %s\n  %s\n  %s", page, v.ID, v.Impact, v.Help, n.HTML, strings.ReplaceAll(n.FailureSummary, "\n", "\n  "))
		}
	}
}

// tooWide are elements that reach out of the window, and do not scroll.
const tooWide = `[...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".scroll")).slice(0, 3).map((e) => e.outerHTML.slice(0, 120)).join("\n")`

// fits reports a page that is wider than a window of 320 pixels.
func (b *tab) fits() {
	b.t.Helper()
	b.size(320, 900)
	b.narrow(b.at())
	b.size(1280, 900)
}

// narrow reports a page that is wider than its window.
func (b *tab) narrow(page string) {
	b.t.Helper()
	if over := value[float64](b, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); over > 0 {
		b.t.Errorf("%s is %v px wider than the window:\n%s", page, over, value[string](b, tooWide))
	}
}

// PICTURES says where pictures of the pages go: make screenshots sets it.
func TestAxeFindsNothingWrongWithAnyPageInEitherTheme(t *testing.T) {
	s, call := newWorld(t)
	pictures := os.Getenv("PICTURES")
	for _, theme := range themes() {
		b := newTab(t)
		b.expectErrorsOf(s)
		b.theme(s, theme)
		for _, page := range append(everyPage(call), knownPage{"login", "/login"}) {
			b.open(s.url + page.path)
			b.until("the page is ready", `document.readyState === "complete"`)
			if pictures != "" {
				b.picture(filepath.Join(pictures, page.name+"-"+theme+".webp"))
			}
			b.sound(page.name + ", " + theme)
		}
	}
}

// TestEveryPageFitsEveryWindow: at 320 px and at 1920 px no page is wider than
// the window, what is said above it is one heading, and what is pressed is large
// enough (WCAG 1.4.10, 2.5.8).
func TestEveryPageFitsEveryWindow(t *testing.T) {
	s, call := newWorld(t)
	b := newTab(t)
	b.expectErrorsOf(s)
	for _, width := range []int64{320, 1920} {
		b.size(width, 900)
		for _, page := range everyPage(call) {
			b.open(s.url + page.path)
			b.narrow(page.name)
			if n := value[float64](b, `document.querySelectorAll("h1").length`); n != 1 {
				t.Errorf("%s has %v headings of the first level", page.name, n)
			}
		}
	}
}
