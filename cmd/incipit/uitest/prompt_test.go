package uitest

import (
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

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
	b.fits()
	value[bool](b, `(document.querySelector("#version").value = "0.1.0", document.querySelector("#version").dispatchEvent(new Event("change", { bubbles: true })), true)`)
	b.sees("1.0.0 is newer")
	b.press("Releases")
	b.sees("runs in dev, candidate")
	b.accessible()
	b.fits()
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
	b.fits()
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
	b.fits()
}

func TestTheComparisonWorksWithoutScripts(t *testing.T) {
	s := newStory(t)
	b := newTab(t)
	if _, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	b.open(s.url + "/prompts/support")
	hit(b, `//nav//a[normalize-space(.)="Compare"]`)
	b.do(chromedp.WaitVisible(chromedp.CSS("#texts")))
	hit(b, `//a[normalize-space(.)="Swap"]`)
	b.do(chromedp.WaitVisible(`//h1[contains(., "1.0.0 → 0.1.1")]`))
	hit(b, `//summary[contains(., "unchanged lines")]`)
	b.do(chromedp.WaitVisible(`//*[contains(text(), "Nine.")]`))
	hit(b, `//noscript/button | //button[normalize-space(.)="Compare"]`)
	b.do(chromedp.WaitVisible(`//h1[contains(., "1.0.0 → 0.1.1")]`))
}
