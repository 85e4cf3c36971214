package uitest

import (
	"strings"
	"testing"
)

// saidElsewhere is what a window says of its draft in another one.
const saidElsewhere = `(document.querySelector("#elsewhere")?.innerText ?? "")`

func TestAnOpenEditorLearnsOfASaveInAnotherBrowser(t *testing.T) {
	s, _ := newEditSite(t)
	first, second := newTab(t), newTab(t) // browsers of the same person
	first.open(s.url + editPath)
	second.open(s.url + editPath)
	second.until("its scripts have run", `document.readyState === "complete"`)
	// What is typed and not saved yet stays as it is, the caret too.
	second.script(`window.fetched = window.fetch; window.fetch = (to, how) => how?.method === "POST" ? Promise.reject(new Error("held back")) : window.fetched(to, how)`)
	second.adds("system", "\nThis was written in the second window, and is not saved.")
	second.sees("Not saved")
	first.adds("system", "\nThis was written in the first window.")
	first.untilSaved()
	second.until("it says so", saidElsewhere+`.includes("Saved elsewhere at ") && /at \d\d:\d\d by dev/.test(`+saidElsewhere+`)`)
	second.until("what is typed stays", `document.activeElement.id === "system" && document.activeElement.value.endsWith("and is not saved.") && document.activeElement.selectionStart === document.activeElement.value.length`)
	if said := value[string](first, saidElsewhere); said != "" {
		t.Errorf("the window that saved it is told %q", said)
	}
	second.fits()
	second.accessible()
	second.expect("409")
	second.press("See the difference")
	second.sees("Neither text is lost")
	second.sees("This was written in the first window.")
	second.sees("This was written in the second window, and is not saved.")

	second.open(s.url + editPath) // what was not saved is taken up again, and told as such
	second.sees("saved in another window meanwhile")
	if held := value[string](second, `document.querySelector("#system").value`); !strings.HasSuffix(held, "and is not saved.") {
		t.Errorf("the form holds %q", held)
	}
}

func TestATabThatDoesNotListenItselfLearnsOfDraftsToo(t *testing.T) {
	s, _ := newEditSite(t)
	home := newTab(t)
	home.open(s.url + "/") // this one listens for all tabs of its browser, and has no editor
	home.until("its scripts have run", `document.readyState === "complete"`)
	own := home.another()
	own.open(s.url + editPath)
	own.until("its scripts have run", `document.readyState === "complete"`)
	other := newTab(t)
	other.open(s.url + editPath)
	other.adds("system", "\nThis was written elsewhere.")
	other.untilSaved()
	own.until("it says so", saidElsewhere+`.includes("Saved elsewhere")`)
	own.press("Go on from that")
	own.until("it has what was saved", `document.querySelector("#system")?.value.endsWith("This was written elsewhere.") && document.querySelector("#state").dataset.shows === "saved"`)
	home.open(s.url + "/rollouts") // another tab listens now
	own.adds("system", "\nAnd this here.")
	own.untilSaved()
	other.until("the other one learns of it", saidElsewhere+`.includes("Saved elsewhere")`)
	other.press("Go on from that")
	other.until("it has what was saved", `document.querySelector("#system")?.value.endsWith("And this here.")`)
	other.press("Discard…")
	other.until("the dialog is open", `document.querySelector("dialog[open] .danger") !== null`)
	other.click("dialog .danger")
	own.until("it learns that there is none", saidElsewhere+`.includes("Discarded elsewhere")`)
}
