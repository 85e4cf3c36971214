// What one has opened in the log stays open when the page is refreshed: the
// server does not know of it, so each refresh would close it.
const opened = new Set();

document.addEventListener(
	"toggle",
	({ target }) => {
		if (!target.id || !target.closest?.("#rollout")) return;
		if (target.open) opened.add(target.id);
		else opened.delete(target.id);
	},
	true,
);

document.addEventListener("htmx:beforeSwap", () => {
	const was = [...opened]; // the swap closes them, and is heard of
	document.addEventListener(
		"htmx:afterSwap",
		() => {
			for (const id of was) {
				const part = document.getElementById(id);
				if (part) part.open = true;
			}
		},
		{ once: true },
	);
});
