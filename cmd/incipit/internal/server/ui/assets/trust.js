// Only what this server answered becomes elements. The policy of pages
// (require-trusted-types-for) has the browser ask here before any text does, also
// for htmx: what is not word for word an answer of the last moments is refused.

const kept = 8; // answers: several parts of a page are asked for at once
const answers = [];

function trust(text) {
	answers.push(text);
	if (answers.length > kept) answers.shift();
}

globalThis.trustedTypes?.createPolicy("default", { createHTML: (text) => (answers.includes(text) ? text : null) });
document.addEventListener("htmx:beforeOnLoad", (event) => trust(event.detail.xhr.responseText));

// pageOf makes a document of what the server answered to a fetch.
export async function pageOf(answer) {
	const text = await answer.text();
	trust(text);
	return new DOMParser().parseFromString(text, "text/html");
}
