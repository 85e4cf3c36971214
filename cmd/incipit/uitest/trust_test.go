package uitest

import "testing"

// tries have a browser make elements of a text that no answer of the server is,
// each in another way; every one is to be refused.
const tries = `(() => {
	const text = "<b id='mine'>text</b>", div = document.createElement("div");
	document.body.append(div);
	const ways = {
		innerHTML: () => (div.innerHTML = text),
		outerHTML: () => (div.outerHTML = text),
		insertAdjacentHTML: () => div.insertAdjacentHTML("beforeend", text),
		parser: () => document.body.append(...new DOMParser().parseFromString(text, "text/html").body.childNodes),
		fragment: () => document.body.append(document.createRange().createContextualFragment(text)),
		address: () => (document.createElement("script").src = "/assets/x.js"),
		script: () => (document.createElement("script").text = "window.ran = 1"),
		policy: () => trustedTypes.createPolicy("another", { createHTML: (text) => text }),
	};
	return Object.entries(ways).filter(([, way]) => {
		try { way(); } catch { return false; }
		return true;
	}).map(([name]) => name).concat(document.getElementById("mine") ? "an element" : []).join(", ");
})()`

func TestOnlyAnswersOfTheServerBecomeElements(t *testing.T) {
	s := newSite(t)
	b := newTab(t)
	for _, path := range []string{"/", "/search", "/settings", "/login"} {
		b.open(s.url + path)
		b.until("the page is ready", `document.readyState === "complete"`)
		b.expect("requires 'Trusted") // markup, script or address
		b.expect("trusted-types")     // another policy
		if got := value[string](b, tries); got != "" {
			t.Errorf("%s: went through: %s", path, got)
		}
	}
}
