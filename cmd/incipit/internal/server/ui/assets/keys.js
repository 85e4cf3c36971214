// Keys. ? shows them all; none of them works while one types.

const places = { h: ["/", "Prompts"], r: ["/rollouts", "Rollouts"], c: ["/calls", "Calls"], a: ["/audit", "Audit"], s: ["/settings", "Settings"] };

const typing = (target) => target.closest("input, textarea, select, [contenteditable]");

export function keys() {
	let g = 0; // when g was pressed
	document.addEventListener("keydown", (event) => {
		if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || document.querySelector("dialog[open]")) return;
		if (event.key === "?") return void (event.preventDefault(), show());
		if (event.key === "/") {
			const search = document.querySelector("main input[type=search]");
			event.preventDefault();
			if (search) search.focus();
			else document.querySelector("[data-palette]")?.click();
			return;
		}
		if (event.key === "g") return void (g = Date.now());
		if (Date.now() - g < 1500 && places[event.key]) location.href = places[event.key][0];
		g = 0;
	});
	document.addEventListener("click", (event) => event.target.closest("[data-keys]") && show());
	if (/Mac|iP/.test(navigator.platform)) for (const k of document.querySelectorAll("[data-mod]")) k.textContent = "⌘K";
}

function show() {
	const dialog = document.getElementById("dialog");
	const rows = [["Ctrl K or ⌘K", "search, and go anywhere"], ["/", "search on this page"], ["j k", "next and previous row, on Prompts"], ["?", "these keys"],
		...Object.entries(places).map(([k, [, name]]) => ["g " + k, "go to " + name]), ["Esc", "close a dialog"]];
	const heading = document.createElement("h2");
	heading.textContent = "Keys";
	const list = document.createElement("dl");
	list.className = "facts";
	for (const [key, what] of rows) {
		const dt = document.createElement("dt"), kbd = document.createElement("kbd"), dd = document.createElement("dd");
		kbd.textContent = key;
		dt.append(kbd);
		dd.textContent = what;
		list.append(dt, dd);
	}
	const close = document.createElement("button");
	close.dataset.close = "";
	close.textContent = "Close";
	dialog.replaceChildren(heading, list, close);
	dialog.setAttribute("aria-label", "Keys");
	dialog.showModal();
	close.focus();
}
