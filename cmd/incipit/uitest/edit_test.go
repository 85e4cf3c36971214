package uitest

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

const (
	editPath  = "/prompts/customer-support/edit"
	theSystem = "prompts/customer-support/system-prompt.txt"
)

// newEditSite is a site over a repository that drafts can be pushed to.
func newEditSite(t *testing.T, args ...string) (s *site, origin string) {
	t.Helper()
	s = newRepo(t)
	return s, s.serveOrigin(args...)
}

// serveOrigin serves a clone of the repository as it stands, which drafts can be
// pushed to, and says where it is.
func (s *site) serveOrigin(args ...string) string {
	s.t.Helper()
	origin := filepath.Join(s.t.TempDir(), "origin.git")
	s.git("clone", "-q", "--bare", ".", origin)
	if len(args) == 0 {
		args = []string{"--dev"}
	}
	s.args = slices.Concat(args, []string{"--repo", origin, "--data", filepath.Join(s.t.TempDir(), "data")})
	s.serve("127.0.0.1:0")
	return origin
}

// adds puts a text behind what stands in a field, as keys do.
func (b *tab) adds(id, text string) {
	b.t.Helper()
	b.script(`const c = document.getElementById(` + quoted(id) + `); c.focus(); c.setSelectionRange(c.value.length, c.value.length)`)
	b.do(chromedp.SendKeys(chromedp.CSS("#"+id), text))
}

// script runs statements in the page.
func (b *tab) script(text string) {
	b.t.Helper()
	_ = value[bool](b, `(() => { `+text+`; return true })()`)
}

// untilSaved waits until the page says that what stands in it is saved.
func (b *tab) untilSaved() {
	b.t.Helper()
	b.until("it is saved", `document.querySelector("#state").dataset.shows === "saved"`)
}

func TestSomebodyWithoutGitEditsAndProposes(t *testing.T) {
	s, origin := newEditSite(t)
	before := s.git("-C", origin, "rev-parse", "main")
	b := newTab(t)
	b.open(s.url + editPath)
	b.sees("nothing written yet")
	b.adds("system", "\nThank people for their patience.")
	b.untilSaved()
	b.until("the bump is told", `document.querySelector("#outlook").innerText.includes("at least patch")`)
	b.click("#outlook details summary")
	b.until("the words that changed are marked", `[...document.querySelectorAll("#outlook ins")].some((i) => i.innerText.includes("patience"))`)
	b.press("Show what a model reads")
	b.until("it says what is missing", `document.querySelector("#preview [role=status]") !== null`)
	b.press("Run the tests")
	b.until("the tests were run", `document.querySelector("#test [role=status]") !== null`)
	b.fits()
	b.accessible()

	b.press("Propose…")
	b.until("the dialog is open", `document.querySelector("dialog[open] #message") !== null`)
	b.adds("message", "thank people")
	b.fits()
	b.accessible()
	b.click("dialog form .primary")
	b.sees("Proposed as")
	branch := b.text("#proposed dd code")
	b.fits()
	b.accessible()

	text := s.git("-C", origin, "show", branch+":"+theSystem)
	if !strings.Contains(text, "Thank people for their patience.") {
		t.Errorf("the branch has %q", text)
	}
	if about := s.git("-C", origin, "log", "-1", "--format=%s%n%b", branch); !strings.Contains(about, "thank people") {
		t.Errorf("the commit says %q", about)
	}
	if after := s.git("-C", origin, "rev-parse", "main"); after != before {
		t.Errorf("main moved from %s to %s", before, after)
	}
	if parent := s.git("-C", origin, "rev-parse", branch+"^"); parent != before {
		t.Errorf("the branch stands on %s, not on %s", parent, before)
	}
	if runs := s.far("list", "--json"); strings.Contains(runs, `"deployed_at"`) {
		t.Errorf("something was deployed: %s", runs)
	}
}

func TestTwoWindowsThatWriteTheSameDraftLoseNothing(t *testing.T) {
	s, _ := newEditSite(t)
	first := newTab(t)
	first.open(s.url + editPath)
	second := first.another()
	second.open(s.url + editPath)
	second.expect("409")
	first.adds("system", "\nThis was written in the first window.")
	first.untilSaved()
	second.sees("Saved elsewhere") // and it goes on, until it is saved
	second.adds("system", "\nThis was written in the second window.")
	second.sees("saved in another window meanwhile")
	second.adds("system", " And more.") // one goes on, and it is shown, too
	second.press("Show both")
	second.sees("Neither text is lost")
	second.sees("This was written in the first window.")
	second.sees("This was written in the second window. And more.")
	second.fits()
	second.accessible()
	second.script(`const both = document.querySelector("[name='merged.system']"); both.focus(); both.setSelectionRange(both.value.length, both.value.length)`)
	second.do(chromedp.SendKeys(chromedp.CSS("[name='merged.system']"), "\nThis was written in the first window."))
	second.press("Keep this")
	second.until("one goes on writing", `document.querySelector("#editor") !== null && document.querySelector("#system").value.endsWith("second window. And more.\nThis was written in the first window.")`)
	second.until("nothing is left over", `document.querySelector("#state").dataset.shows === "saved" && Object.keys(localStorage).length === 0`)
	first.expect("409")
	first.adds("system", " Later.")
	first.sees("saved in another window meanwhile")
}

func TestABranchThatMovesIsPutTogetherWithWhatOneWrites(t *testing.T) {
	s, origin := newEditSite(t)
	b := newTab(t)
	b.open(s.url + editPath)
	b.adds("system", "\nMine at the end.")
	b.untilSaved()
	was, err := os.ReadFile(filepath.Join(s.dir, theSystem))
	if err != nil {
		t.Fatal(err)
	}
	s.write(theSystem, "Theirs at the top.\n"+string(was))
	s.git("commit", "-qam", "theirs")
	s.git("push", "-q", origin, "main")
	s.far("sync")
	b.open(s.url + editPath)
	b.sees("changed on its branch")
	b.press("Put both together")
	b.sees("Both changed it, in different places")
	b.press("Keep this")
	b.until("both are there", `document.querySelector("#system")?.value.startsWith("Theirs at the top.") && document.querySelector("#system").value.endsWith("Mine at the end.")`)
}

func TestNothingIsLostWhenTheServerGoesAwayWhileOneTypes(t *testing.T) {
	s, _ := newEditSite(t)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	b := newTab(t)
	b.expect("ERR_") // the browser says that nobody answers
	b.open(s.url + editPath)
	b.adds("system", "\nBefore.")
	b.untilSaved()
	s.stop()
	b.adds("system", "\nWhile it was away.")
	b.sees("What you write is kept in this browser")
	b.fits()
	b.accessible()
	s.serve("127.0.0.1:" + port)
	b.untilSaved()
	b.open(s.url + editPath)
	b.until("it is there", `document.querySelector("#system").value.endsWith("Before.\nWhile it was away.")`)

	s.stop() // and the window is closed before the server is back
	b.adds("system", "\nThe last words.")
	b.sees("What you write is kept in this browser")
	s.serve("127.0.0.1:" + port)
	b.open(s.url + editPath)
	b.untilSaved()
	b.until("it is there", `document.querySelector("#system").value.endsWith("The last words.")`)
}

func TestWhatIsWrongIsSaidAsOneTypes(t *testing.T) {
	s, _ := newEditSite(t)
	b := newTab(t)
	b.open(s.url + editPath)
	b.adds("system", "\nAsk {{nobody_declared}} first.")
	b.until("the variable is found", `document.querySelector("#outlook").innerText.includes("nobody_declared")`)
	b.adds("user", "\nUse AKIA"+"Q3EGXMPL7RZT5K2W to sign in.")
	b.until("the secret is found", `/secret/.test(document.querySelector("#outlook .findings").innerText)`)
	b.fits()
	b.accessible()
	b.script(`[...document.querySelectorAll("[data-goto=system]")].find((a) => a.closest("li").innerText.includes("nobody_declared")).click()`)
	at := value[float64](b, `document.activeElement.id === "system" ? document.activeElement.selectionStart : -1`)
	if want := value[float64](b, `document.querySelector("#system").value.indexOf("{{nobody")`); at != want {
		t.Errorf("the caret is at %v, and it stands at %v", at, want)
	}
	b.adds("parameters", ` and more`)
	b.sees("not saved:")
	b.sees("Saved, except for the field that is marked")
	b.press("Propose…")
	b.sees("It cannot be proposed yet")
}
