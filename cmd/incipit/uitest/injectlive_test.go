package uitest

import (
	"encoding/json"
	"fmt"

	"github.com/chromedp/chromedp"
)

// live changes things while one looks at them: what comes then is put into the
// page by scripts.
func (p *poisoned) live() {
	for n, path := range []string{"/", "/prompts/customer-support", "/prompts/customer-support/releases", "/environments/dev/prompts/customer-support/rollout", "/audit", "/audit?action=deploy"} {
		b := newTab(p.t)
		b.signIn(p.url, p.by(n), path)
		b.until("it follows what happens", `document.querySelector("main [data-live]")`)
		b.script(`window.swaps = 0; document.addEventListener("htmx:afterSwap", () => window.swaps++);`)
		x := p.texts[(n+20)%len(p.texts)]
		p.must(p.by(n+30), "POST", "/v1/environments/dev/prompts/customer-support/deploy", object("version", []string{"1.1.0", "1.0.0"}[n%2], "reason", x))
		b.until("the page was refreshed", `window.swaps > 0`)
		b.clean(path + " after a change")
	}
}

// search finds the texts by the palette, which makes what it shows of them, and
// by the page of the search.
func (p *poisoned) search() {
	b := newTab(p.t)
	b.signIn(p.url, p.by(3), "/")
	b.palette()
	for _, text := range []string{"script", "ran", "onerror", "support"} {
		b.retype(".palette input", text)
		b.until("it has found something", `document.querySelectorAll("#palette-list li").length > 0`)
		b.clean("the palette with " + text)
	}
	b.leave()
	b.open(p.url + "/search?q=" + escape("onerror"))
	b.clean("the search for onerror")
}

// broken looks at a draft that is no prompt: what is wrong with it quotes it.
func (p *poisoned) broken() {
	b := newTab(p.t)
	b.signIn(p.url, p.by(0), editPath)
	b.until("what is wrong is said", `document.querySelector("#outlook .findings li")`)
	b.clean("the editor of a draft that is none")
	b.press("Show what a model reads")
	b.until("it says why it cannot", `document.querySelector("#preview [role=status]")`)
	b.clean("its preview")
	b.choose("#parameters", p.texts[0])
	b.sees("not saved:")
	b.clean("the editor with parameters that are none")
	b.open(p.url + editPath + "/propose")
	b.clean("the page that proposes it")
}

// proposed takes a draft from its text to a branch, which the repository refuses
// first, in words of its own.
func (p *poisoned) proposed() {
	b := newTab(p.t)
	b.signIn(p.url, p.by(1), editPath)
	b.sees("Others write this prompt, too:")
	b.clean("the editor")
	b.click("#outlook details summary")
	for _, v := range []string{"company_name", "product_name", "customer_message"} {
		b.choose("#var-"+v, clip(p.all, 100))
	}
	b.press("Show what a model reads")
	b.until("the messages are shown", `document.querySelector("#preview pre")`)
	b.clean("the preview")
	b.press("Run the tests")
	b.until("the tests were run", `document.querySelector("#test .cases")`)
	b.clean("the tests")

	b.press("Propose…")
	b.until("the dialog is open", `document.querySelector("dialog[open] #message")`)
	b.clean("the dialog that proposes")
	b.choose("#message", p.all)
	b.expect("403 (Forbidden)") // the repository's answer
	b.click("dialog form .primary")
	b.until("it is refused", `document.querySelector("#problem, h1 + .problem") && !document.querySelector("dialog[open]")`)
	b.sees("refuses a push")
	b.clean("what was refused")

	p.refuse(false)
	b.open(p.url + editPath + "/propose")
	b.choose("#message", p.all)
	b.click("#propose .primary")
	b.sees("Proposed as")
	b.sees("Meant for")
	b.clean("what was proposed")
	b.open(p.url + editPath + "/discard")
	b.clean("the page that discards")
}

// overtaken has the draft saved in another window, and the prompt changed on its
// branch: both are shown.
func (p *poisoned) overtaken() {
	b := newTab(p.t)
	b.expect("409")
	b.signIn(p.url, p.by(2), editPath)
	var draft struct {
		Number int
		Files  map[string]string
	}
	if err := json.Unmarshal([]byte(p.must(p.by(2), "GET", "/v1/prompts/customer-support/draft", "")), &draft); err != nil {
		p.t.Fatal(err)
	}
	draft.Files["system-prompt.txt"] = harmlessBraces(p.all) + "\n" + draft.Files["system-prompt.txt"]
	p.must(p.by(2), "PUT", "/v1/prompts/customer-support/draft", object("number", draft.Number, "files", draft.Files))
	b.adds("system", p.texts[0])
	b.sees("saved in another window meanwhile")
	b.clean("the editor, whose draft was saved elsewhere")
	b.press("Show both")
	b.sees("Neither text is lost")
	b.clean("both windows' texts")

	p.edit("prompts/customer-support/system-prompt.txt", "\n", "\n"+p.texts[9]+"\n"+p.texts[10]+"\n")
	p.git("commit", "-qam", p.all)
	p.env = append(p.env, "MAY_PUSH=1")
	p.git("push", "-q", p.origin, "HEAD:refs/heads/"+branchOfTexts)
	p.must(p.by(5), "POST", "/v1/sync", "{}")
	b.open(p.url + editPath)
	b.sees("changed on its branch")
	b.clean("the editor of what changed on its branch")
	b.press("Put both together")
	b.until("both are shown", `document.querySelector("#merge")`)
	b.clean("both sides")
	for _, details := range value[[]string](b, `[...document.querySelectorAll("main details")].map((d, i) => (d.id ||= "details-" + i))`) {
		hit(b, chromedp.CSS(fmt.Sprintf("#%s > summary", details)))
	}
	b.clean("both sides, and what was before")
}
