// What is shown follows what is. The server tells what has changed; each part
// of a page that has data-live with one of its topics is asked for again, and
// only its differences are put in place, so that focus and what one typed stay.
//
// Topics: * (any change), prompt:ID, place:ENV/ID, rollout:ENV/ID (also its
// evidence), settings, draft:ID (the reader's own draft, wherever it is saved).
import { ago, now, serverTime } from "./times.js";

const quiet = 12000; // ms without a word from the server, which speaks every 5 s
const rest = 300; // ms between two refreshes of one part

let heard = performance.now(); // when the server last spoke
let lost = false;
let seen = Number(document.body.dataset.seq); // the number of the last event that this page shows

// follow has one tab of the browser listen for all of them: a browser opens
// only six connections to a server that has no HTTP/2.
export function follow() {
	const others = new BroadcastChannel("incipit-live");
	const writes = Boolean(document.querySelector('[data-live^="draft:"]'));
	let listening;
	others.onmessage = ({ data }) => {
		if (data.kind === "writes") listening?.toDrafts();
		else if (data.kind === "who") writes && others.postMessage({ kind: "writes" });
		else hear(data);
	};
	const tell = (message) => {
		hear(message);
		others.postMessage(message);
	};
	const lead = () => {
		listening = listen(tell, writes);
		others.postMessage({ kind: "who" }); // has an editor open, and must hear of drafts
	};
	if (navigator.locks) navigator.locks.request("incipit-live", () => new Promise(lead));
	else lead();
	if (writes) others.postMessage({ kind: "writes" });
	setInterval(watch, 1000);
}

// listen tells what the server tells: of drafts only where one has an editor
// open, for the server looks at them apart.
function listen(tell, drafts) {
	let source, timer, wait = 1000;
	const open = () => {
		clearTimeout(timer);
		source?.close();
		source = new EventSource(drafts ? "/events?drafts" : "/events");
		for (const kind of ["beat", "changed", "rollout", "draft", "all"]) {
			source.addEventListener(kind, (event) => {
				wait = 1000;
				tell({ kind, ...JSON.parse(event.data) });
			});
		}
		source.onerror = () => {
			tell({ kind: "lost" });
			if (source.readyState !== EventSource.CLOSED) return; // it tries again by itself
			timer = setTimeout(open, wait);
			wait = Math.min(wait * 2, 10000);
		};
	};
	open();
	return { toDrafts: () => drafts || ((drafts = true), open()) };
}

function hear(message) {
	if (message.kind === "lost") {
		if (!lost) lose();
		return;
	}
	heard = performance.now();
	if (message.at) serverTime(Date.parse(message.at));
	// A change that this page was not told of, because it was still loading or
	// another tab was taking over, shows in the number of the last event.
	const beside = message.kind === "rollout" || message.kind === "draft"; // they are no events
	const missed = message.seq !== seen && !(message.kind === "changed" && message.seq === seen + 1) && !beside;
	if (!beside) seen = message.seq;
	if (lost) recover();
	else if (missed || message.kind === "all") refresh(() => true);
	else if (message.kind === "changed" || beside) refresh((topics) => concerns(topics, message));
}

function concerns(topics, { kind, environment, prompt }) {
	if (kind === "draft") return topics.some((t) => (prompt ? t === "draft:" + prompt : t.startsWith("draft:")));
	const place = environment + "/" + prompt;
	if (topics.includes("rollout:" + place)) return true;
	if (kind === "rollout") return false;
	return topics.includes("*") || topics.includes(prompt ? "prompt:" + prompt : "settings") || topics.includes("place:" + place);
}

const due = new WeakMap(); // when a part may be refreshed again

function refresh(wanted) {
	for (const part of document.querySelectorAll("[data-live]")) {
		if (!wanted(part.dataset.live.split(" "))) continue;
		const at = performance.now(), free = due.get(part) ?? 0;
		if (free > at + rest) continue; // one is waiting already
		due.set(part, Math.max(at, free) + rest);
		setTimeout(() => part.isConnected && window.htmx.trigger(part, "live"), Math.max(0, free - at));
	}
	document.dispatchEvent(new CustomEvent("incipit:changed"));
}

// When the server goes away what is shown stays, and says how old it is.

function watch() {
	if (!lost && performance.now() - heard > quiet) lose();
	const age = document.getElementById("age");
	if (lost && age) age.textContent = ago((performance.now() - heard) / 1000);
}

function lose() {
	lost = true;
	const banner = document.getElementById("banner");
	const age = document.createElement("span");
	age.id = "age";
	age.setAttribute("aria-hidden", "true");
	banner.replaceChildren("The server does not answer. What you see is as of " + new Date(now()).toLocaleTimeString() + ", ", age, ". It is tried again by itself.");
	banner.hidden = false;
	watch();
	signedOut();
}

function recover() {
	lost = false;
	document.getElementById("banner").hidden = true;
	document.getElementById("said").textContent = "The server answers again";
	refresh(() => true);
}

// signedOut tells a server that is away from a session that has ended.
async function signedOut() {
	const answer = await fetch("/signed-in").catch(() => null);
	if (!answer || answer.status !== 401 || !lost) return;
	const link = document.createElement("a");
	link.href = "/login?return=" + encodeURIComponent(location.pathname + location.search);
	link.textContent = "Sign in again";
	document.getElementById("banner").replaceChildren("Your session has ended. ", link);
}
