// A link with data-dialog opens its page in a dialog; without a script it is a
// link to that page.
import { pageOf } from "./answers.js";

export function dialogs() {
	const dialog = document.getElementById("dialog");
	let asked = 0; // counts the clicks: an answer to any but the last comes too late
	document.addEventListener("click", async (event) => {
		const link = event.target.closest("a[data-dialog]");
		if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
		event.preventDefault();
		const own = ++asked;
		const page = await load(link.href);
		if (own !== asked) return;
		if (page) open(dialog, page, link);
		else location.href = link.href;
	});
	dialog.addEventListener("click", (event) => {
		const beside = event.target === dialog && event.detail < 2; // the second click of two was meant for the link
		if (beside || event.target.closest("[data-close]")) {
			event.preventDefault();
			dialog.close();
		}
	});
}

// load is the page of a dialog; null where there is none to show in one.
async function load(href) {
	const answer = await fetch(href, { headers: { "HX-Request": "true" } }).catch(() => null);
	return answer && !answer.redirected ? pageOf(answer).catch(() => null) : null; // it may break off
}

function open(dialog, page, from) {
	dialog.replaceChildren(...page.querySelector("main").childNodes);
	window.htmx.process(dialog);
	const heading = dialog.querySelector("h1, h2");
	dialog.setAttribute("aria-label", heading ? heading.textContent : "Dialog");
	dialog.showModal();
	(dialog.querySelector("[autofocus]") ?? dialog.querySelector("input:not([type=hidden]), textarea, select, button, a"))?.focus();
	dialog.addEventListener("close", () => from.focus(), { once: true });
}
