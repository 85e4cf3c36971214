package uitest

import (
	"encoding/json"
	"maps"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// tabTo presses the Tab key, with shift to go back, until a selector's element
// has the focus.
func (b *tab) tabTo(selector string, modifiers ...chromedp.KeyOption) {
	b.t.Helper()
	for range 200 {
		if value[bool](b, `document.activeElement?.matches(`+quoted(selector)+`) ?? false`) {
			return
		}
		b.do(chromedp.KeyEvent(kb.Tab, modifiers...))
	}
	b.t.Fatalf("the Tab key does not come to %s", selector)
}

// back has tabTo go back.
func back() chromedp.KeyOption { return chromedp.KeyModifiers(8) } // Shift

func TestSomebodyBeginsANewPromptByKeyboardAlone(t *testing.T) {
	s, origin := newEditSite(t)
	b := newTab(t)
	b.open(s.url + "/")
	b.tabTo(`a[href="/prompts/new"]`)
	b.key(kb.Enter)
	b.until("one is asked for its id", `document.activeElement?.id === "id" && document.readyState === "complete"`)
	b.key("customer-support")
	b.sees("customer-support exists already.")
	b.key(strings.Repeat(kb.Backspace, len("customer-support")) + "Billing")
	b.sees("must start with a lower-case letter")
	b.fits()
	b.accessible()
	b.key(strings.Repeat(kb.Backspace, len("Billing")) + "billing/chargebacks")
	b.sees("billing/chargebacks can be written.")
	b.key(kb.Enter)
	b.until("its editor is there", `location.pathname === "/prompts/billing%2Fchargebacks/edit" && document.querySelector("#editor") && document.readyState === "complete"`)
	b.sees("A text to start from, nothing written yet")

	const said = "You explain to customers of a card how a charge is disputed."
	b.tabTo("#system")
	b.key(said + "\r")
	b.untilSaved()
	b.until("it is checked", `/Would be\s*0\.1\.0/.test(document.querySelector("#outlook").innerText) && document.querySelector("#outlook").innerText.includes("Nothing is wrong with it")`)
	b.tabTo("#var-input")
	b.key("I was charged twice.")
	b.tabTo("[data-part=preview]")
	b.key(kb.Enter)
	b.until("it is previewed", `[...document.querySelectorAll("#preview pre")].some((p) => p.innerText.includes("I was charged twice."))`)
	b.tabTo("[data-part=test]")
	b.key(kb.Enter)
	b.until("it has no suite", `document.querySelector("#test [role=status]")?.innerText.includes("no suite")`)
	b.fits()
	b.accessible()
	b.tabTo(`a[href$="/edit/propose"]`, back())
	b.key(kb.Enter)
	b.until("the dialog is open, and says what the metadata says", `document.activeElement?.matches("dialog[open] #message") && document.activeElement.value === "First version."`)
	b.accessible()
	b.tabTo("dialog .primary")
	b.key(kb.Enter)
	b.sees("Proposed as")
	b.accessible()
	theBranchIsValid(t, s, origin, b.text("#proposed dd code"), said)
}

// theBranchIsValid clones a repository and looks at the branch of a new prompt:
// it is what incipit new makes, with the words that were put before.
func theBranchIsValid(t *testing.T, s *site, origin, branch, said string) {
	t.Helper()
	const dir = "prompts/billing/chargebacks/"
	main, clone := *s, *s
	main.dir, clone.dir = filepath.Join(t.TempDir(), "main"), filepath.Join(t.TempDir(), "branch")
	for _, c := range []struct{ dir, branch string }{{main.dir, "main"}, {clone.dir, branch}} {
		cmd := exec.Command("git", "clone", "-q", "-b", c.branch, origin, c.dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	clone.run("validate")
	main.run("new", "billing/chargebacks")
	if got, want := clone.read(dir+"system-prompt.txt"), said+"\n"+main.read(dir+"system-prompt.txt"); got != want {
		t.Errorf("the system message is %q, want %q", got, want)
	}
	if got, want := clone.read(dir+"user-prompt.txt"), main.read(dir+"user-prompt.txt"); got != want {
		t.Errorf("the user message is %q, want %q", got, want)
	}
	var got, want map[string]any
	for text, into := range map[string]*map[string]any{clone.read(dir + ".prompt-metadata.json"): &got, main.read(dir + ".prompt-metadata.json"): &want} {
		if err := json.Unmarshal([]byte(text), into); err != nil {
			t.Fatal(err)
		}
	}
	if got["version"] != "0.1.0" || got["change_notes"] != "First version." || !strings.HasPrefix(got["author"].(string), "dev <") {
		t.Errorf("the metadata is %v", got)
	}
	others := func(key string, _ any) bool { // what a person, a moment and a release set
		return key == "version" || key == "change_notes" || key == "author" || key == "maintainer" || key == "created" || key == "updated"
	}
	maps.DeleteFunc(got, others)
	maps.DeleteFunc(want, others)
	if a, b := jsonOf(t, got), jsonOf(t, want); a != b {
		t.Errorf("the metadata is %s\nand incipit new writes %s", a, b)
	}
	if changed := clone.git("diff", "--name-only", "origin/main", "HEAD"); changed != dir+".prompt-metadata.json\n"+dir+"system-prompt.txt\n"+dir+"user-prompt.txt\nprompts/registry.json" {
		t.Errorf("the branch changes %s", changed)
	}
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestThePaletteLeadsToANewPrompt(t *testing.T) {
	s := newSite(t)
	b := newTab(t)
	b.open(s.url + "/rollouts")
	b.palette()
	b.key("new prompt")
	b.until("it offers one", chosen+`.includes("New prompt")`)
	b.key(kb.Enter)
	b.until("one is asked for its id", `location.pathname === "/prompts/new" && document.activeElement?.id === "id"`)
}
