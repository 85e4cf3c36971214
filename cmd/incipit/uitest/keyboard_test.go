package uitest

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// walk tells of the element that has the focus: how it is called, whether one
// sees that it has it, and whether it is hidden behind something.
const walk = `(() => {
	const e = document.activeElement;
	if (!e || e === document.body) return "";
	const style = getComputedStyle(e), box = e.getBoundingClientRect();
	const wrong = [];
	if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2) wrong.push("one does not see that it has the focus");
	if (!box.width || !box.height || style.visibility === "hidden") wrong.push("it is not seen");
	const over = document.elementFromPoint(Math.max(1, box.x + box.width / 2), Math.min(innerHeight - 2, Math.max(1, box.y + Math.min(box.height, 40) / 2)));
	if (over && e !== over && !e.contains(over) && !over.contains(e)) wrong.push("it is behind " + over.outerHTML.slice(0, 80));
	(window.walked ??= new WeakSet()).add(e); // a mark on the element would go when its part of the page is made anew
	return JSON.stringify({at: e.outerHTML.slice(0, 160), wrong});
})()`

// atTheTop puts the focus before everything, also where a page gives it to a field.
const atTheTop = `(document.body.tabIndex = -1, document.body.focus(), document.body.removeAttribute("tabindex"), true)`

// left are the elements that one should have come by, and did not.
const left = `JSON.stringify([...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")].filter((e) =>
	!window.walked.has(e) && !e.disabled && e.tabIndex >= 0 && e.checkVisibility({visibilityProperty: true}) && e.type !== "hidden" &&
	!(e.type === "radio" && [...document.getElementsByName(e.name)].some((o) => window.walked.has(o))) && !e.closest("details:not([open]) > :not(summary)")
).map((e) => e.outerHTML.slice(0, 160)))`

func TestTheTabKeyWalksEveryPageWhole(t *testing.T) {
	s, call := newWorld(t)
	b := newTab(t)
	b.expectErrorsOf(s)
	for _, page := range everyPage(call) {
		b.open(s.url + page.path)
		b.until("the page is ready", `document.readyState === "complete"`)
		value[bool](b, atTheTop)
		walkPage(b, page)
	}
}

func walkPage(b *tab, page knownPage) {
	b.t.Helper()
	const most = 400
	for n := range most {
		b.do(chromedp.KeyEvent(kb.Tab))
		at := value[string](b, walk)
		if at == "" && n > 0 { // the end of the page
			break
		}
		if n == most-1 {
			b.t.Errorf("%s: the Tab key does not come to the end, it is at %s", page.name, at)
		}
		if n == 0 && !contains(at, "skip") {
			b.t.Errorf("%s: the first is no link to skip to the content, but %s", page.name, at)
		}
		if contains(at, `"wrong":["`) {
			b.t.Errorf("%s: %s", page.name, at)
		}
	}
	if missed := value[string](b, left); missed != "[]" {
		b.t.Errorf("%s: the Tab key does not come by %s", page.name, missed)
	}
}
