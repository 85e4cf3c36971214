// A form that is sent twice by a double click counts once: its second click
// would only hide what the first one is answered with, which may be a secret
// that is shown once.
document.addEventListener("submit", (event) => {
	const form = event.target;
	if (!form.matches("[data-once]")) return;
	if (form.dataset.sent) event.preventDefault();
	form.dataset.sent = "1";
});
window.addEventListener("pageshow", () => {
	for (const form of document.querySelectorAll("[data-once]")) delete form.dataset.sent;
});

// What a reader opened stays open when the page is refreshed.
const defaults = window.Idiomorph?.defaults;
if (defaults) {
	defaults.callbacks = {
		...defaults.callbacks,
		beforeAttributeUpdated: (name, node) => !(name === "open" && node.tagName === "DETAILS"),
	};
}
