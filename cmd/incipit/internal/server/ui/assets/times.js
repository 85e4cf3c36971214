// Times are relative, and grow older while a page is open; behind each stands
// the absolute one, in UTC and in the reader's own zone.

const units = [[86400, "days", 2], [3600, "h", 1], [60, "min", 1], [1, "s", 5]];

export function ago(seconds) {
	const suffix = seconds < 0 ? " from now" : " ago";
	const s = Math.abs(seconds);
	for (const [size, name, least] of units) {
		if (s >= size * least) return Math.floor(s / size) + " " + name + suffix;
	}
	return "just now";
}

// The server's clock counts: the browser's may be wrong. skew is in milliseconds.
let skew = 0;
export function serverTime(now) {
	skew = now - Date.now();
}
export const now = () => Date.now() + skew;

function tick() {
	for (const t of document.querySelectorAll("time[data-ago]")) {
		const at = Date.parse(t.dateTime);
		if (at > 0) t.textContent = ago((now() - at) / 1000);
	}
}

export function times() {
	const loaded = document.querySelector("time[data-loaded]");
	if (loaded) serverTime(Date.parse(loaded.dateTime) + performance.now());
	const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
	document.addEventListener("pointerover", (event) => {
		const t = event.target.closest?.("time[datetime]");
		if (!t || t.dataset.zoned || zone === "UTC") return;
		t.dataset.zoned = "1";
		t.title += "\n" + new Date(t.dateTime).toLocaleString() + " " + zone;
	});
	setInterval(tick, 10000);
}
