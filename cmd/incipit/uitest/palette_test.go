package uitest

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// key presses keys, as chromedp writes them.
func (b *tab) key(keys string) {
	b.t.Helper()
	b.do(chromedp.KeyEvent(keys))
}

// palette opens the palette by its keys.
func (b *tab) palette() {
	b.t.Helper()
	b.do(chromedp.KeyEvent("k", chromedp.KeyModifiers(2))) // Ctrl
	b.until("the palette is open", `document.activeElement?.matches("dialog.palette[open] input")`)
}

// retype types into a field in the place of what stands in it, key by key.
func (b *tab) retype(selector, text string) {
	b.t.Helper()
	value[bool](b, fmt.Sprintf(`(document.querySelector(%[1]q).focus(), document.querySelector(%[1]q).select(), true)`, selector))
	b.key(text)
}

// leave closes it.
func (b *tab) leave() {
	b.t.Helper()
	b.key(kb.Escape)
	b.until("it is gone", `!document.querySelector("dialog.palette")`)
}

const chosen = `(document.querySelector("dialog.palette [aria-selected=true]")?.innerText ?? "")`

func TestThePaletteFindsAndGoesAnywhere(t *testing.T) {
	s := newSite(t)
	s.far("deploy", "customer-support@1.0.0", "--env", "dev")
	b := newTab(t)
	b.open(s.url + "/")
	b.palette()
	b.until("it offers the pages", chosen+`.includes("Go to Prompts")`)
	b.leave()
	b.palette()
	b.key("customer")
	b.until("it finds the prompt", chosen+`.includes("customer-support")`)
	b.until("what is chosen is named to who listens", `document.getElementById(document.activeElement.getAttribute("aria-activedescendant")).getAttribute("aria-selected") === "true"`)
	b.key(kb.ArrowDown)
	b.until("the next one is chosen", `document.querySelectorAll("dialog.palette [role=option]")[1].getAttribute("aria-selected") === "true" && document.querySelectorAll("dialog.palette [aria-selected=true]").length === 1`)
	b.leave()
	b.palette()
	b.key("theme dark")
	b.until("it offers the theme", chosen+`.includes("Theme: Dark") && (window.before = true)`)
	b.key(kb.Enter)
	b.until("the theme is dark", `!window.before && document.readyState === "complete" && document.documentElement.dataset.theme === "dark"`)
	b.palette()
	b.key("edit customer")
	b.until("it takes orders", chosen+`.includes("Edit customer-support")`)
	b.leave()
	b.open(s.url + "/search")
	b.palette()
	b.key("go to prompts")
	b.until("pages are found by name", chosen+`.includes("Go to Prompts")`)
	b.key(kb.Enter)
	b.until("and gone to", `location.pathname === "/" && document.querySelector("#matrix")`)
}

func TestTheSearchAnswersAsOneTypes(t *testing.T) {
	s := newSite(t)
	b := newTab(t)
	b.open(s.url + "/search")
	b.sees("Everything that is released")
	b.until("its scripts have run", `document.readyState === "complete"`)
	b.retype("#q", "support")
	b.until("it finds the prompt", `document.querySelector("#found [data-option=prompt] mark")?.innerText === "support"`)
	b.until("the address can be shared", `location.search === "?q=support"`)
	b.retype("#q", "deploy customer")
	b.until("orders come first", `document.querySelector("#found [data-option]")?.innerText.startsWith("Deploy customer-support@1.0.0 to dev")`)
}

func TestEnterTakesWhatIsFoundForAllThatWasTyped(t *testing.T) {
	s := newSite(t)
	b := newTab(t)
	b.open(s.url + "/")
	b.palette()
	b.key("data")
	b.until("it finds a prompt", chosen+`.includes("data-extraction")`)
	b.holdBack("q=customer-support")
	b.retype("dialog.palette input", "customer-support")
	b.until("what fits is asked for", `window.held.length === 1`)
	b.key(kb.Enter)
	b.script(`window.held[0]()`)
	b.until("it is the one that was typed", `location.pathname === "/prompts/customer-support"`)
}
