// What one types is kept in this browser until the server has it. Each window
// keeps its own, so that none overwrites another's; what a window left behind
// is offered to the next one.

const prefix = (owner, prompt) => "incipit-draft\n" + owner + "\n" + prompt + "\n";

export function keeping(owner, prompt) {
	let own = sessionStorage.getItem("incipit-window");
	if (!own) sessionStorage.setItem("incipit-window", (own = crypto.getRandomValues(new Uint32Array(2)).join("-")));
	const all = prefix(owner, prompt), key = all + own;
	return {
		full: false, // the browser does not keep it
		put(what) {
			try {
				localStorage.setItem(key, JSON.stringify({ at: Date.now(), ...what }));
				this.full = false;
			} catch {
				this.full = true;
			}
		},
		drop: () => localStorage.removeItem(key),
		own: () => read(key),
		others: () => Object.keys(localStorage).filter((k) => k.startsWith(all) && k !== key).map((k) => ({ key: k, was: read(k) })).filter((o) => o.was),
	};
}

function read(key) {
	try {
		return JSON.parse(localStorage.getItem(key));
	} catch {
		return null;
	}
}

// leftovers takes up what this window had not saved when it was loaded again,
// and offers what another window left.
export function leftovers(kept, form, take) {
	const own = kept.own();
	if (own) take(own);
	const [other] = kept.others().sort((a, b) => b.was.at - a.was.at);
	if (!other || other.was.number === undefined) return;
	const note = document.getElementById("leftover"), time = note.querySelector("time");
	time.dateTime = new Date(other.was.at).toISOString();
	time.textContent = new Date(other.was.at).toLocaleString();
	note.hidden = false;
	note.querySelector("[data-copy]").dataset.copy = Object.entries(other.was.values).map(([name, text]) => name + ":\n" + text).join("\n\n");
	note.querySelector("[data-take]").addEventListener("click", () => {
		note.hidden = true;
		take(other.was);
		localStorage.removeItem(other.key);
	});
	note.querySelector("[data-forget]").addEventListener("click", () => {
		note.hidden = true;
		localStorage.removeItem(other.key);
	});
}
