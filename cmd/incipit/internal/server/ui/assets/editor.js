// The editor of a prompt. Without this script it is a form with a button to
// save; with it, what one types is kept in this browser at once, saved in a
// moment, and looked over.
import { keeping, leftovers } from "./keep.js";
import { pageOf } from "./answers.js";

const pause = 800; // ms without a key before what was typed is saved
const again = 3000; // ms until a server that did not answer is asked again

const form = document.getElementById("editor");

const controls = () => [...form.querySelectorAll("[name]")].filter((c) => c.type !== "hidden" && !/^(var|seen)\./.test(c.name));
const fields = ["description", "change_notes", "model", "parameters", "metadata"];

function values() {
	return Object.fromEntries(controls().map((c) => [c.name, c.value]));
}

function edit() {
	const kept = keeping(form.dataset.owner, form.dataset.prompt);
	let saved = JSON.stringify(values()); // what the server has
	let timer, running, stuck; // stuck: another window saved it, and the person must say what is kept

	const dirty = () => JSON.stringify(values()) !== saved;
	const number = () => Number(form.elements.number.value);

	function typed() {
		kept.put({ number: number(), base: form.elements.base.value, values: values() });
		if (stuck) return;
		if (!running) show("typing");
		clearTimeout(timer);
		timer = setTimeout(save, pause);
	}

	// save reports whether the server has what stands in the form.
	function save() {
		clearTimeout(timer);
		running ??= send().finally(() => (running = null));
		return running;
	}

	async function send() {
		let wrong = false;
		while (!stuck && (dirty() || number() === 0)) {
			show("saving");
			const sent = values();
			const answer = await post(form.action);
			const why = refusal(answer);
			if (why) {
				fail(why, answer);
				return false;
			}
			adopt(answer.page, sent);
			wrong = [...document.querySelectorAll(".wrong")].some((p) => p.textContent.trim());
		}
		if (stuck) return false;
		show(wrong ? "partly" : "saved");
		if (!wrong) kept.drop();
		return true;
	}

	function fail(why, answer) {
		stuck = why === "elsewhere";
		if (why === "refused") form.querySelector("[data-why]").textContent = answer.page.querySelector("#problem")?.textContent.trim().replace(/\s+/g, " ") ?? "";
		show(why);
		if (why === "offline" || why === "session") timer = setTimeout(save, again);
	}

	// adopt takes what the server made of what was sent. Fields of the metadata
	// and the metadata itself say the same thing twice, so they change together,
	// and only where nothing was typed into any of them meanwhile.
	function adopt(page, sent) {
		const from = page.getElementById("editor").elements;
		for (const name of ["number", "base"]) form.elements[name].value = from[name].value;
		saved = JSON.stringify(sent);
		if (fields.every((name) => form.elements[name].value === sent[name])) {
			for (const name of fields) {
				if (form.elements[name].value !== from[name].value) form.elements[name].value = from[name].value;
				if (form.elements["seen." + name]) form.elements["seen." + name].value = from["seen." + name].value;
				sent[name] = form.elements[name].value;
			}
			saved = JSON.stringify(sent);
		}
		morph(page, ["outlook", "around", "saved", "elsewhere", ...fields.slice(0, 4).map((name) => "wrong-" + name)]);
		variables(page);
	}

	// elsewhere asks whether another window saved the draft. While a save of ours is
	// under way it would pass for one.
	async function elsewhere() {
		await running;
		const asked = number();
		const page = stuck ? null : await get(document.getElementById("elsewhere").dataset.ask + "?number=" + asked);
		if (!page) return;
		if (running || asked !== number()) return elsewhere();
		morph(page, ["elsewhere"]);
		for (const t of document.querySelectorAll("#elsewhere [data-clock]")) t.textContent = new Date(t.dateTime).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
	}

	document.addEventListener("live", (event) => event.target.id === "elsewhere" && elsewhere());
	form.addEventListener("input", (event) => !/^(var|seen)\./.test(event.target.name ?? "") && typed());
	form.addEventListener("submit", (event) => {
		const by = event.submitter;
		if (by?.hasAttribute("data-native")) return;
		event.preventDefault();
		if (by?.dataset.part) ask(by);
		else save();
	});
	form.addEventListener("click", (event) => {
		const link = event.target.closest("[data-goto]");
		if (link) {
			event.preventDefault();
			goTo(document.getElementById(link.dataset.goto), Number(link.dataset.line), Number(link.dataset.col));
		}
	});
	// A dialog shows what is saved: what is not is saved first.
	document.addEventListener("click", async (event) => {
		const link = event.target.closest("a[data-flush]");
		if (!link || !(dirty() || running)) return;
		event.preventDefault();
		event.stopImmediatePropagation();
		if (await save()) link.click();
	}, true);
	document.addEventListener("keydown", (event) => {
		if ((event.ctrlKey || event.metaKey) && event.key === "s") {
			event.preventDefault();
			save();
		}
	});
	const retry = () => dirty() && !stuck && save();
	window.addEventListener("online", retry);
	document.addEventListener("incipit:changed", retry);
	window.addEventListener("beforeunload", (event) => dirty() && kept.full && event.preventDefault());
	leftovers(kept, form, (was) => {
		for (const [name, text] of Object.entries(was.values)) if (form.elements[name]) form.elements[name].value = text;
		if (!dirty()) return kept.drop();
		form.elements.number.value = was.number; // if it was saved since, that is told as such
		form.elements.base.value = was.base;
		typed();
	});
}

function show(state) {
	const all = document.getElementById("state");
	if (all.dataset.shows === state) return;
	all.dataset.shows = state;
	if (["offline", "session", "refused", "elsewhere"].includes(state)) {
		document.getElementById("said").textContent = all.querySelector(`[data-is="${state}"]`).textContent;
	}
}

// get is a page of ours; null where there is none now.
async function get(path) {
	const answer = await fetch(path, { headers: { "HX-Request": "true", Accept: "text/html" } }).catch(() => null);
	return answer?.ok && !answer.redirected ? pageOf(answer) : null;
}

// post sends the form. Its answer has a page, if it is one.
async function post(action, signal) {
	try {
		const answer = await fetch(action, {
			method: "POST", body: new URLSearchParams(new FormData(form)), signal, headers: { "HX-Request": "true", Accept: "text/html" },
		});
		return { status: answer.status, page: await pageOf(answer) };
	} catch (error) {
		return { status: 0, aborted: error.name === "AbortError" };
	}
}

// refusal is the state of a form that was not saved, "" if it was.
function refusal({ status, page }) {
	if (status === 401) return "session";
	if (status === 409 && page.getElementById("merge")) return "elsewhere";
	if (status === 0 || status === 429 || status >= 500) return "offline";
	return status === 200 && page.getElementById("editor") ? "" : "refused";
}

// morph puts parts of a page in place of ours; what is open stays open, and
// what one types stays.
function morph(page, ids) {
	const callbacks = { beforeAttributeUpdated: (name) => name !== "open" };
	for (const id of ids) {
		const ours = document.getElementById(id), theirs = page.getElementById(id);
		if (ours && theirs) window.Idiomorph.morph(ours, theirs, { ignoreActiveValue: true, callbacks });
	}
	window.htmx.process(document.getElementById("around"));
}

// variables asks for the values of the variables that there are now.
function variables(page) {
	const names = (root) => [...root.querySelectorAll("#preview [name]")].map((c) => c.name).join(" ");
	if (names(page) !== names(document)) morph(page, ["preview"]);
}

// ask sends the form to be previewed or tested, and shows the answer.
async function ask(button) {
	const part = document.getElementById(button.dataset.part);
	const cancel = button.parentElement.querySelector("[data-cancel]");
	const giveUp = new AbortController();
	const stop = () => giveUp.abort();
	cancel?.addEventListener("click", stop);
	if (cancel) cancel.hidden = false;
	button.disabled = true;
	part.setAttribute("aria-busy", "true");
	const answer = await post(button.formAction, giveUp.signal);
	part.removeAttribute("aria-busy");
	button.disabled = false;
	if (cancel) cancel.hidden = true;
	cancel?.removeEventListener("click", stop);
	if (answer.aborted) return tell(part, "Canceled. Nothing is kept of it.");
	if (answer.status === 200) return morph(answer.page, [part.id]);
	tell(part, answer.page?.querySelector("#problem")?.textContent.trim().replace(/\s+/g, " ") || "The server does not answer. Try again in a moment.");
}

function tell(part, text) {
	const p = document.createElement("p");
	p.setAttribute("role", "status");
	p.className = "told";
	p.textContent = text;
	part.querySelectorAll("[role=status]").forEach((old) => old.remove());
	part.append(p);
}

// goTo puts the caret at a line and column, which count from 1 in characters.
function goTo(control, line, col) {
	for (let d = control.closest("details"); d; d = d.parentElement.closest("details")) d.open = true;
	const lines = control.value.split("\n");
	const before = lines.slice(0, Math.max(0, line - 1)).reduce((n, l) => n + l.length + 1, 0);
	const within = [...(lines[line - 1] ?? "")].slice(0, Math.max(0, col - 1)).join("").length;
	control.focus();
	control.setSelectionRange(before + within, before + within);
	control.blur(); // and again: a browser scrolls to the caret when it comes in
	control.focus();
}

if (form) edit();
