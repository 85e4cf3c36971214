// What the server answers becomes elements: nothing else does, none that comes too
// late, and without delay.

// The policy of pages (require-trusted-types-for) has the browser ask here before
// any text becomes elements, also for htmx: what is not word for word an answer of
// the last moments is refused.

const kept = 8; // answers: several parts of a page are asked for at once
const answers = [];

function trust(text) {
	answers.push(text);
	if (answers.length > kept) answers.shift();
}

globalThis.trustedTypes?.createPolicy("default", { createHTML: (text) => (answers.includes(text) ? text : null) });

// An answer is of no use when the element that asked, or the one that it is for,
// has left the page meanwhile: it would change nothing but the address. No event
// of such an element comes to the document, so each element that asks is listened
// to itself.
function arrived(event) {
	if (event.target !== event.currentTarget) return;
	if (event.target.isConnected && event.detail.target.isConnected) trust(event.detail.xhr.responseText);
	else event.preventDefault();
}

document.addEventListener("htmx:beforeRequest", (event) => event.target.addEventListener("htmx:beforeOnLoad", arrived));

// htmx tells each element that goes of it, by two events. Nothing listens to them,
// and for the rows of a table they take longer than all the rest, so what is to be
// replaced is emptied before.
document.addEventListener("htmx:beforeSwap", ({ detail: { shouldSwap, target, requestConfig } }) => {
	const { elt } = requestConfig;
	if (shouldSwap && elt.getAttribute("hx-swap")?.startsWith("outerHTML") && !target.contains(elt)) target.replaceChildren();
});

// pageOf makes a document of what the server answered to a fetch.
export async function pageOf(answer) {
	const text = await answer.text();
	trust(text);
	return new DOMParser().parseFromString(text, "text/html");
}
