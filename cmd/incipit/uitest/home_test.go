package uitest

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

func TestHomeShowsWhatRunsWhereAndFollowsIt(t *testing.T) {
	s := newSite(t)
	b := newTab(t)
	b.open(s.url + "/")
	b.sees("customer-support")
	b.sees("Nothing runs anywhere yet")
	s.far("deploy", "customer-support@1.0.0", "--env", "dev")
	b.until("the deployment is shown", `document.querySelector("#matrix tbody tr td:nth-child(3)")?.innerText.includes("1.0.0")`)
}

func TestHomeIsFilteredAsOneTypesAndComesBackAsItWas(t *testing.T) {
	s := newRepo(t)
	s.crowd(130)
	s.args = []string{"--dev"}
	s.serve("127.0.0.1:0")
	s.far("deploy", "team-03/prompt-0003@1.0.0", "--env", "dev")
	s.far("deploy", "team-05/prompt-0005@1.0.0", "--env", "dev")
	s.far("deploy", "team-05/prompt-0005@1.1.0", "--env", "dev", "--canary", "5,25", "--reason", "calmer")
	b := newTab(t)
	b.open(s.url + "/?sort=attention")
	b.sees("132 prompts")
	b.until("the share of the candidate is shown", `document.querySelector("[id='row-team-05/prompt-0005']").innerText.includes("5 %")`)
	b.open(s.url + "/")
	b.until("the rows behind the first come by themselves", `(window.scrollTo(0, document.body.scrollHeight), document.querySelectorAll("#matrix > tbody > tr[id]").length === 132)`)
	b.until("the address says how many there are", `location.search === "?rows=135"`)
	b.open(s.url + "/")
	b.retype("#q", "prompt-0042")
	b.until("one row is left", `document.querySelectorAll("#matrix > tbody > tr[id]").length === 1 && document.querySelector("#count").innerText.includes("1 of 132")`)
	b.until("the address says what is asked for", `location.search === "?q=prompt-0042"`)
	b.until("the focus stays where one types", `document.activeElement.id === "q"`)
	b.open(s.url + "/search")
	value[bool](b, `(history.back(), true)`)
	b.until("the page is as it was", `location.pathname === "/" && document.querySelectorAll("#matrix > tbody > tr[id]").length === 1 && document.querySelector("#q").value === "prompt-0042"`)
	b.retype("#q", "no such thing")
	b.sees("Nothing fits")
	b.open(s.url + "/?folder=team-05&behind=1")
	b.until("an address with two filters is obeyed", `document.querySelectorAll("#matrix > tbody > tr[id]").length === 1`)
	s.far("deploy", "team-05/prompt-0025@1.0.0", "--env", "dev")
	b.until("what fits now is shown without being asked for", `document.querySelectorAll("#matrix > tbody > tr[id]").length === 2`)
}

// Rows are asked for when the end of the table comes near. When what one types
// has another table shown before they arrive, they are of no use.
func TestRowsThatComeTooLateChangeNothing(t *testing.T) {
	s := newRepo(t)
	s.crowd(130)
	s.args = []string{"--dev"}
	s.serve("127.0.0.1:0")
	b := newTab(t)
	b.open(s.url + "/")
	b.until("it is there", `document.readyState === "complete"`)
	b.holdBackParts("from=")
	b.until("more rows are asked for", `(window.scrollTo(0, document.body.scrollHeight), window.late.length === 1)`)
	b.retype("#q", "prompt-0002")
	b.until("the address says what is asked for", `location.search === "?q=prompt-0002" && document.querySelectorAll("#matrix > tbody > tr[id]").length === 1`)
	b.script(`window.late[0]()`)
	b.until("they came", `window.came`)
	b.until("and changed nothing", `location.search === "?q=prompt-0002" && document.querySelectorAll("#matrix > tbody > tr[id]").length === 1`)
}

func TestTheMatrixIsWalkedByKeys(t *testing.T) {
	s := newSite(t)
	b := newTab(t)
	b.open(s.url + "/")
	b.until("it is there", `document.querySelectorAll("#matrix > tbody > tr[id]").length === 2`)
	in := func(n int) string {
		return fmt.Sprintf(`document.activeElement === document.querySelectorAll("#matrix > tbody > tr[id] > th > a")[%d]`, n)
	}
	b.key("j")
	b.until("the first row has the focus", in(0))
	b.key("j")
	b.until("the second", in(1))
	b.key("j")
	b.until("and there it stays", in(1))
	b.key("k")
	b.until("and back", in(0))
	b.key(kb.ArrowDown)
	b.until("by arrows, too", in(1))
	// A key of the debugger is typed into what has the focus after its keydown,
	// which a person's is not where a script takes it.
	value[bool](b, `(document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key: "/", bubbles: true, cancelable: true })), true)`)
	b.until("one may type", `document.activeElement.id === "q"`)
	b.key("jjj")
	b.until("and typing is typing", `document.querySelector("#q").value === "jjj"`)
	b.sees("Nothing fits")
	b.key(kb.ArrowDown)
	b.until("nothing fits, and nothing moves", `document.activeElement.id === "q"`)
}
