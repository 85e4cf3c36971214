package uitest

import (
	"os"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// shot writes pictures of the page in both themes, narrow and wide, where
// PICTURES names a directory.
func (b *tab) shot(name string) {
	dir := os.Getenv("PICTURES")
	if dir == "" {
		return
	}
	b.t.Helper()
	for _, theme := range []string{"light", "dark"} {
		value[bool](b, `(document.documentElement.dataset.theme = "`+theme+`", true)`)
		for _, width := range []int64{320, 1280} {
			height := int64(900)
			b.size(width, height)
			height = min(value[int64](b, `document.documentElement.scrollHeight`), 3500)
			b.size(width, height)
			b.picture(dir + "/" + name + "-" + theme + map[int64]string{320: "-320", 1280: ""}[width] + ".png")
		}
	}
	b.size(1280, 900)
}

// newStory is a site with three releases of a prompt, the last of which moved a
// passage, hid a character and asks for a variable more.
func newStory(t testing.TB) *site {
	t.Helper()
	s := newRepo(t)
	s.write("prompts/support/system-prompt.txt", "You answer for the shop.\nBe kind, and brief.\nNever promise a refund that was not granted.\nAnswer in two sentences.\nSay what you do not know.\nOne.\nTwo.\nThree.\nFour.\nFive.\nSix.\nSeven.\nEight.\nNine.\n")
	s.write("prompts/support/user-prompt.txt", "{{name}} asks: {{question}}\n")
	s.write("prompts/support/.prompt-metadata.json", `{
  "name": "support", "version": "0.0.0", "description": "Answers <b>customers</b>", "created": "2026-01-05T09:00:00Z", "updated": "2026-01-05T09:00:00Z",
  "author": "tests@example.com", "model": "echo", "context_window_used": null, "estimated_cost_per_1k": null, "performance_metrics": null,
  "change_notes": "", "tags": ["shop"], "previous_version": "", "test_status": "untested", "budget_code": {"team": "x<y", "number": 7},
  "variables": {"name": {"max_length": 80, "description": "of the customer"}, "question": {"max_length": 2000}}
}
`)
	s.git("add", "-A")
	s.git("commit", "-qm", "A prompt")
	s.run("release", "support", "--minor", "-m", "first version")
	s.edit("prompts/support/system-prompt.txt", "Answer in two sentences.", "Answer in three short sentences.")
	s.git("commit", "-qam", "Longer answers")
	s.run("release", "support", "--patch", "-m", "longer answers")
	s.edit("prompts/support/system-prompt.txt", "Never promise a refund that was not granted.\n", "")
	s.edit("prompts/support/user-prompt.txt", "{{name}} asks: {{question}}\n", "{{name}} ({{plan}}) asks: {{question}}\nNever promise a refund that was not granted.\n")
	s.edit("prompts/support/.prompt-metadata.json", `"question": {"max_length": 2000}`, `"question": {"max_length": 2000}, "plan": {}`)
	s.git("commit", "-qam", "Plans")
	s.run("release", "support", "--major", "-m", "asks for the plan <script>alert(1)</script>")
	s.args = []string{"--dev"}
	s.serve("127.0.0.1:0")
	return s
}

// accessible runs axe over the page, in both themes.
func (b *tab) accessible() {
	b.t.Helper()
	axe, err := os.ReadFile("../testdata/axe/axe.min.js")
	if err != nil {
		b.t.Fatal(err)
	}
	for _, theme := range []string{"light", "dark"} {
		value[bool](b, `(document.documentElement.dataset.theme = "`+theme+`", true)`)
		value[bool](b, string(axe)+`; true`)
		found := value[string](b, `axe.run().then((r) => r.violations.map((v) => v.id + ": " + v.nodes.map((n) => n.target + " " + n.failureSummary).join("; ")).join("\n"))`)
		if found != "" {
			b.t.Errorf("%s, %s: %s", b.at(), theme, found)
		}
	}
}

// reflows checks that the page fits a window of 320 pixels, without a line
// that runs out of it.
func (b *tab) reflows() {
	b.t.Helper()
	b.size(320, 900)
	if wide := value[int64](b, `document.documentElement.scrollWidth`); wide > 320 {
		who := value[string](b, `[...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > 321 && !e.closest(".scroll")).slice(0, 5).map((e) => e.outerHTML.slice(0, 120)).join("\n")`)
		b.t.Errorf("%s is %d pixels wide:\n%s", b.at(), wide, who)
	}
	b.size(1280, 900)
}

func TestThePageOfAPromptShowsItAndFollowsIt(t *testing.T) {
	s := newStory(t)
	s.far("deploy", "support@0.1.1", "--env", "dev", "--reason", "a try")
	b := newTab(t)
	b.open(s.url + "/prompts/support")
	b.sees("required")
	b.sees("budget_code")
	b.sees("asks for the plan <script>alert(1)</script>")
	s.far("deploy", "support@1.0.0", "--env", "dev", "--canary", "--reason", "plans")
	b.until("the candidate is shown", `document.querySelector("#place-dev")?.innerText.includes("candidate")`)
	b.until("the history is shown", `document.querySelector("#history")?.innerText.includes("plans")`)
	b.accessible()
	b.reflows()
	b.shot("prompt")
	value[bool](b, `(document.querySelector("#version").value = "0.1.0", document.querySelector("#version").dispatchEvent(new Event("change", { bubbles: true })), true)`)
	b.sees("1.0.0 is newer")
	b.press("Releases")
	b.sees("runs in dev, candidate")
	b.accessible()
	b.reflows()
	b.shot("releases")
}

func TestTwoReleasesAreComparedInTwoClicks(t *testing.T) {
	s := newStory(t)
	s.far("deploy", "support@0.1.0", "--env", "dev")
	b := newTab(t)
	b.open(s.url + "/prompts/support")
	b.press("Compare") // the newest with the one before
	b.sees("support: 0.1.1 → 1.0.0")
	b.press("dev → newest") // what runs with the newest
	b.sees("support: dev → 1.0.0")
	b.sees("required variable plan added")
	b.accessible()
	b.reflows()
	b.shot("diff")
	b.press("Swap")
	b.sees("support: 1.0.0 → dev")
	b.sees("variable plan removed")
	b.do(chromedp.NavigateBack())
	b.sees("support: dev → 1.0.0")
	b.click(`#texts ~ section a[href="#move-1-added"]`)
	b.until("the other end is shown", `location.hash === "#move-1-added" && document.querySelector(":target").closest("ins, span, div").innerText.includes("Never promise a refund")`)
	b.press("Inline")
	b.sees("Side by side")
	b.press("Show blanks and line ends")
	b.sees("You·answer·for·the·shop.")
	b.accessible()
	b.reflows()
	b.shot("diff-inline")
}

func TestTheComparisonWorksWithoutScripts(t *testing.T) {
	s := newStory(t)
	b := newTab(t)
	if _, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	b.open(s.url + "/prompts/support")
	b.do(chromedp.Click(`//nav//a[normalize-space(.)="Compare"]`, chromedp.NodeVisible))
	b.do(chromedp.WaitVisible(chromedp.CSS("#texts")))
	b.do(chromedp.Click(`//a[normalize-space(.)="Swap"]`, chromedp.NodeVisible))
	b.do(chromedp.WaitVisible(`//h1[contains(., "1.0.0 → 0.1.1")]`))
	b.do(chromedp.Click(`//summary[contains(., "unchanged lines")]`, chromedp.NodeVisible))
	b.do(chromedp.WaitVisible(`//*[contains(text(), "Nine.")]`))
	b.do(chromedp.Click(`//noscript/button | //button[normalize-space(.)="Compare"]`, chromedp.NodeVisible))
	b.do(chromedp.WaitVisible(`//h1[contains(., "1.0.0 → 0.1.1")]`))
}
