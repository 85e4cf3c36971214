// The command palette: Ctrl K or ⌘K, type, arrow keys, Enter. What it finds is
// the page of the search, so it finds what that page finds.

export function palette() {
	document.addEventListener("keydown", (event) => {
		if ((event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "k") {
			event.preventDefault();
			open();
		}
	});
	document.addEventListener("click", (event) => {
		if (event.target.closest("[data-palette]") && !event.ctrlKey && !event.metaKey) {
			event.preventDefault();
			open();
		}
	});
}

function open() {
	if (!document.body.hasAttribute("data-signed-in")) return;
	location.href = "/search";
}
