package uitest

import (
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// holdBack has the page's fetches of an address wait until they are let go.
func (b *tab) holdBack(part string) {
	b.t.Helper()
	b.script(`window.held = [];
		const fetched = window.fetch;
		const whole = async (answer) => (await answer.clone().text(), (window.came = true), answer);
		window.fetch = (to, how) => String(to).includes(` + quoted(part) + `) ? new Promise((go) => window.held.push(() => go(fetched(to, how).then(whole)))) : fetched(to, how)`)
}

// holdBackParts has what htmx asks for wait until it is let go.
func (b *tab) holdBackParts(part string) {
	b.t.Helper()
	b.script(`window.late = [];
		const { open, send } = XMLHttpRequest.prototype;
		XMLHttpRequest.prototype.open = function (how, to, ...rest) {
			this.late = to.includes(` + quoted(part) + `);
			open.call(this, how, to, ...rest);
		};
		XMLHttpRequest.prototype.send = function (body) {
			if (!this.late) return send.call(this, body);
			window.late.push(() => {
				this.addEventListener("loadend", () => (window.came = true));
				send.call(this, body);
			});
		}`)
}

// askDialog clicks a link that opens a dialog, and does not wait for it.
func (b *tab) askDialog(path string) {
	b.t.Helper()
	b.script(`const link = document.createElement("a");
		link.href = ` + quoted(path) + `;
		link.dataset.dialog = "";
		document.body.append(link);
		link.click();`)
}

// retirement is the dialog that takes a prompt out of dev.
func retirement(id string) string { return "/environments/dev/prompts/" + id + "/retire" }

// twoPrompts is the first page of a site in which two prompts run.
func twoPrompts(t *testing.T) *tab {
	t.Helper()
	s := newSite(t)
	for _, id := range []string{"customer-support", "data-extraction"} {
		s.far("deploy", id+"@1.0.0", "--env", "dev")
	}
	b := newTab(t)
	b.open(s.url + "/")
	b.until("it is ready", `document.readyState === "complete"`)
	return b
}

func TestTheDialogIsOfTheLastLinkThatWasClicked(t *testing.T) {
	b := twoPrompts(t)
	b.holdBack("prompts/customer-support/retire")
	b.askDialog(retirement("customer-support"))
	b.askDialog(retirement("data-extraction"))
	b.until("the last one is open", `document.querySelector("dialog[open]")?.innerText.includes("data-extraction")`)
	b.fill("dialog[open] [name=reason]", "no longer asked")
	b.script(`window.held[0]()`)
	b.until("the other answer has come", `window.came`)
	b.until("the dialog is as it was", `document.querySelector("dialog[open] [name=reason]")?.value === "no longer asked" && document.querySelector("dialog[open]").innerText.includes("data-extraction")`)
}

func TestThePlanOfAClosedDialogComesTooLate(t *testing.T) {
	b := twoPrompts(t)
	b.holdBackParts("customer-support/retire")
	b.askDialog(retirement("customer-support"))
	b.fill("dialog[open] [name=reason]", "x")
	b.until("its plan is asked for again", `window.late.length === 1`)
	b.key(kb.Escape)
	b.until("it is closed", `!document.querySelector("dialog[open]")`)
	b.askDialog(retirement("data-extraction"))
	b.until("the next one is open", `document.querySelector("dialog[open]")?.innerText.includes("data-extraction") && (window.actions = document.querySelector("#change-actions"))`)
	b.script(`window.late[0]()`)
	b.until("the plan has come", `window.came`)
	b.until("nothing of it is shown", `window.actions.isConnected && document.querySelector("#change-actions") === window.actions && !document.querySelector("#change-plan").innerText.includes("customer-support")`)
}

func TestADialogWhoseAnswerBreaksOffOpensAsAPage(t *testing.T) {
	b := twoPrompts(t)
	b.script(`window.fetch = async () => new Response(new ReadableStream({ start: (c) => c.error(new Error("broke off")) }))`)
	b.askDialog(retirement("customer-support"))
	b.until("its page is open", `location.pathname === `+quoted(retirement("customer-support"))+` && document.querySelector("main #change-plan")`)
}
