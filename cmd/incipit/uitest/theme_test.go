package uitest

import (
	"context"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// prefers has the browser say what its person prefers, by media features and
// values in turn.
func (b *tab) prefers(features ...string) {
	b.t.Helper()
	var all []*emulation.MediaFeature
	for i := 0; i+1 < len(features); i += 2 {
		all = append(all, &emulation.MediaFeature{Name: features[i], Value: features[i+1]})
	}
	ctx, stop := context.WithTimeout(b.ctx, patience)
	defer stop()
	if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: all}); err != nil {
		b.t.Fatal(err)
	}
}

// tokens are all of the colors and shadows that the page is painted with, as
// they are now, and what its background and text come to.
const tokens = `(() => {
	const names = new Set([...document.styleSheets].flatMap((s) => [...s.cssRules]).filter((r) => r.selectorText === ":root").flatMap((r) => [...r.style]).filter((n) => n.startsWith("--")));
	const root = getComputedStyle(document.documentElement), body = getComputedStyle(document.body);
	return JSON.stringify([[...names].sort().map((n) => n + ":" + root.getPropertyValue(n)), root.colorScheme, body.backgroundColor, body.color]);
})()`

func TestTheThemeOfTheSystemIsFollowed(t *testing.T) {
	s := newSite(t)
	chosen := make(map[string]string)
	for i, theme := range themes() {
		b := newTab(t)
		b.prefers("prefers-color-scheme", themes()[1-i]) // which does not matter to who has chosen
		b.theme(s, theme)
		b.open(s.url + "/")
		if chosen[theme] = value[string](b, tokens); len(chosen[theme]) < 500 {
			t.Fatalf("the tokens are %s", chosen[theme])
		}
	}
	if chosen["light"] == chosen["dark"] {
		t.Fatalf("both themes are %s", chosen["light"])
	}
	b := newTab(t)
	for _, scheme := range themes() {
		b.prefers("prefers-color-scheme", scheme)
		for _, path := range []string{"/", "/login", "/prompts/customer-support/edit"} {
			b.open(s.url + path)
			if got := value[string](b, tokens); got != chosen[scheme] {
				t.Errorf("%s where the system is %s:\n%s\nand the theme of that name:\n%s", path, scheme, got, chosen[scheme])
			}
		}
	}
	b.adds("system", "typed")
	for _, scheme := range themes() { // dark was the last one
		b.prefers("prefers-color-scheme", scheme)
		b.until("the open page is "+scheme, tokens+` === `+quoted(chosen[scheme]))
	}
	if typed := value[string](b, `document.querySelector("#system").value`); !contains(typed, "typed") {
		t.Errorf("what was typed is lost: %s", typed)
	}
	b.theme(s, "light")
	b.prefers("prefers-color-scheme", "dark")
	b.theme(s, "system")
	b.open(s.url + "/")
	b.until("what was chosen can be taken back", tokens+` === `+quoted(chosen["dark"]))
}

func TestWhoWantsLessMotionHasNone(t *testing.T) {
	s := newSite(t)
	b := newTab(t)
	b.open(s.url + "/")
	const moves = `(() => {
		const e = document.querySelector("main h1");
		e.style.transition = "opacity 5s"; e.style.animation = "5s something"; e.style.scrollBehavior = "smooth";
		const c = getComputedStyle(e);
		return [c.transitionProperty, c.animationName, c.scrollBehavior].join(" ");
	})()`
	for preference, want := range map[string]string{"no-preference": "opacity something smooth", "reduce": "none none auto"} {
		b.prefers("prefers-reduced-motion", preference)
		if got := value[string](b, moves); got != want {
			t.Errorf("with %s it moves by %s, not by %s", preference, got, want)
		}
	}
}
