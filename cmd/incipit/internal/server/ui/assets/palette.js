// The palette of commands: Ctrl K or ⌘K, type, arrow keys, Enter. What it finds
// is what the page of the search finds, and where one may go from any page.
import { pageOf } from "./answers.js";

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

// element makes one, with attributes and children; a string is text.
function element(name, attributes, ...children) {
	const it = document.createElement(name);
	for (const [key, value] of Object.entries(attributes)) it.setAttribute(key, value);
	it.append(...children);
	return it;
}

function open() {
	if (!document.body.hasAttribute("data-signed-in") || document.querySelector("dialog[open]")) return;
	const input = element("input", {
		type: "text", role: "combobox", "aria-label": "Search, or what to do", "aria-expanded": "true", "aria-controls": "palette-list", "aria-autocomplete": "list",
		placeholder: "Search, or what to do: deploy, roll back, edit…", autocomplete: "off", spellcheck: "false", maxlength: "200",
	});
	const list = element("ul", { id: "palette-list", role: "listbox", "aria-label": "What was found" });
	const hint = element("p", { class: "hint", role: "status" });
	const dialog = element("dialog", { class: "palette", "aria-label": "Search and commands" }, input, list, hint);
	document.body.append(dialog);
	dialog.addEventListener("close", () => dialog.remove());
	dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
	steer(dialog, input, list, hint);
	dialog.showModal();
	input.focus();
}

// steer has the list follow what is typed, and the keys move in it.
function steer(dialog, input, list, hint) {
	let options = [], at = 0, asked = new AbortController(), looking;
	const choose = (n) => {
		at = Math.max(0, Math.min(options.length - 1, n));
		for (const [i, option] of [...list.children].entries()) option.setAttribute("aria-selected", String(i === at));
		if (!options.length) return input.removeAttribute("aria-activedescendant");
		input.setAttribute("aria-activedescendant", list.children[at].id);
		list.children[at].scrollIntoView({ block: "nearest" });
	};
	const show = (found, said) => {
		options = found;
		list.replaceChildren(...found.map(({ kind, content }, i) => element("li", { id: "option-" + i, role: "option" }, ...content, element("span", { class: "kind" }, kind))));
		hint.textContent = said;
		choose(0);
	};
	const look = async () => {
		const text = input.value.trim(), places = near(text);
		asked.abort();
		asked = new AbortController();
		if (!text) return show(places, "↑ ↓ to move, Enter to go, Esc to close");
		const found = await far(text, asked.signal);
		if (found) show([...found, ...places], found.length + places.length ? "" : "Nothing found");
	};
	const take = (n) => {
		const option = options[n];
		if (!option || !dialog.open) return;
		dialog.close();
		option.take();
	};
	// enter takes what was found for what one has typed, also when one types
	// faster than it is found.
	const enter = async () => {
		for (let waited; waited !== looking;) await (waited = looking);
		take(at);
	};
	input.addEventListener("input", () => (looking = look()));
	input.addEventListener("keydown", (event) => {
		const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + 8, PageUp: at - 8 }[event.key];
		if (to === undefined && event.key !== "Enter") return;
		event.preventDefault();
		if (event.key === "Enter") enter();
		else choose(to);
	});
	list.addEventListener("click", (event) => take([...list.children].indexOf(event.target.closest("[role=option]"))));
	looking = look();
}

// near is where one may go from every page.
function near(text) {
	const words = text.toLowerCase().split(/\s+/).filter(Boolean);
	const title = (name) => [element("span", { class: "title" }, name)];
	const pages = [...document.querySelectorAll(".sections a")].map((a) => ({ kind: "page", name: "Go to " + a.textContent, take: () => (location.href = a.href) }));
	if (document.body.hasAttribute("data-writes")) pages.push({ kind: "page", name: "New prompt", take: () => (location.href = "/prompts/new") });
	const theme = document.getElementById("theme");
	const themes = [...theme.options].filter((o) => !o.selected).map((o) => ({
		kind: "theme", name: "Theme: " + o.textContent, take: () => ((theme.value = o.value), theme.form.requestSubmit()),
	}));
	return [...pages, ...themes].filter(({ name }) => words.every((w) => name.toLowerCase().includes(w))).map((o) => ({ ...o, content: title(o.name) }));
}

// far is what the page of the search finds; nothing if another look followed.
async function far(text, signal) {
	const page = await fetch("/search?q=" + encodeURIComponent(text), { headers: { "HX-Request": "true" }, signal })
		.then(async (answer) => (answer.ok && !answer.redirected ? await pageOf(answer) : null))
		.catch(() => null); // the server is away, which the page says itself, or another look followed
	if (signal.aborted) return null;
	if (!page) return [];
	return [...page.querySelectorAll("#found [data-option]")].map((link) => ({
		kind: link.dataset.option, content: [...link.children], take: () => follow(link),
	}));
}

// follow goes where a link leads: to a page, or to the dialog it opens.
function follow(link) {
	const here = element("a", { href: link.getAttribute("href"), hidden: "" });
	if (link.hasAttribute("data-dialog")) here.dataset.dialog = "";
	document.body.append(here);
	here.click();
	here.remove();
}
