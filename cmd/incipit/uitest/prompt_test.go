package uitest

import (
	"os"
	"testing"
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
	b.shot("prompt")
	b.open(s.url + "/prompts/support/releases")
	b.sees("runs in dev, candidate")
	b.shot("releases")
}

func TestTwoReleasesAreComparedInTwoClicks(t *testing.T) {
	s := newStory(t)
	b := newTab(t)
	b.open(s.url + "/prompts/support/diff")
	b.sees("required variable plan added")
	b.shot("diff")
	b.open(s.url + "/prompts/support/diff?view=inline&marks=1")
	b.shot("diff-inline")
}
