// The matrix by keys, and as large as it was: rows that were asked for after
// one another are asked for at once when the page is made anew.

const rows = () => [...document.querySelectorAll("#matrix > tbody > tr[id] > th > a")];
const typing = (target) => target.closest("input, textarea, select, [contenteditable]");

// move goes down by so many rows, from the row in which the focus is.
function move(by) {
	const all = rows(), at = all.indexOf(document.activeElement.closest?.("#matrix tr")?.querySelector("th > a"));
	const next = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + by))];
	next?.focus();
	next?.scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
	if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
	const down = event.key === "ArrowDown", up = event.key === "ArrowUp";
	if (event.target.id === "q" && down || event.target.closest("#matrix") && (down || up) || !typing(event.target) && (event.key === "j" || event.key === "k")) {
		event.preventDefault();
		move(down || event.key === "j" ? 1 : -1);
	}
});

// What a form does not ask for does not stand in the address.
document.addEventListener("htmx:configRequest", (event) => {
	if (event.target.id !== "filters") return;
	for (const [name, value] of [...event.detail.formData]) if (value === "") event.detail.formData.delete(name);
});

// Whoever cannot see the rows is told how many there are now.
document.addEventListener("htmx:afterSwap", (event) => {
	if (event.detail.requestConfig?.elt?.id !== "filters") return;
	document.getElementById("said").textContent = document.getElementById("count").textContent.trim();
	total = document.getElementById("count").dataset.total;
});

// A row knows when it changes. When another number of rows is what was asked
// for, all of them are asked for again.
let total = document.getElementById("count")?.dataset.total;
document.addEventListener("htmx:afterSettle", () => {
	const count = document.getElementById("count");
	if (!count || count.dataset.total === total) return;
	total = count.dataset.total;
	const address = new URL(location.href);
	address.searchParams.set("rows", Math.max(15, rows().length));
	window.htmx.ajax("GET", address.pathname + address.search, { target: "#results", select: "#results", swap: "morph:outerHTML" });
});
