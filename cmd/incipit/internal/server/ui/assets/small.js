// Small habits: copy a text, send a form when its only choice is made, say
// something without a dialog.

// say tells screen readers at once, and shows it for a moment.
export function say(text) {
	document.getElementById("said").textContent = text;
	document.querySelector(".toast")?.remove();
	const toast = document.createElement("p");
	toast.className = "toast";
	toast.setAttribute("aria-hidden", "true");
	toast.textContent = text;
	document.body.append(toast);
	setTimeout(() => toast.remove(), 2500);
}

export function copying() {
	document.addEventListener("click", async (event) => {
		const button = event.target.closest("[data-copy]");
		if (!button) return;
		try {
			await navigator.clipboard.writeText(button.dataset.copy);
			say("Copied");
		} catch {
			say("The browser did not let it be copied: select the text, then Ctrl-C");
		}
	});
}

export function submitting() {
	document.addEventListener("change", (event) => {
		if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
	});
}
