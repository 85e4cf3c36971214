// A link with data-dialog opens its page in a dialog; without a script it is a
// link to that page.
import { pageOf } from "./trust.js";

export function dialogs() {
	const dialog = document.getElementById("dialog");
	document.addEventListener("click", async (event) => {
		const link = event.target.closest("a[data-dialog]");
		if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
		event.preventDefault();
		if (await load(dialog, link.href)) open(dialog, link);
	});
	dialog.addEventListener("click", (event) => {
		if (event.target === dialog || event.target.closest("[data-close]")) {
			event.preventDefault();
			dialog.close();
		}
	});
}

async function load(dialog, href) {
	const answer = await fetch(href, { headers: { "HX-Request": "true" } }).catch(() => null);
	if (!answer || answer.redirected) {
		location.href = href;
		return false;
	}
	const page = await pageOf(answer);
	dialog.replaceChildren(...page.querySelector("main").childNodes);
	window.htmx.process(dialog);
	return true;
}

function open(dialog, from) {
	const heading = dialog.querySelector("h1, h2");
	dialog.setAttribute("aria-label", heading ? heading.textContent : "Dialog");
	dialog.showModal();
	(dialog.querySelector("[autofocus]") ?? dialog.querySelector("input:not([type=hidden]), textarea, select, button, a"))?.focus();
	dialog.addEventListener("close", () => from.focus(), { once: true });
}
