// Draws each table with data-chart as a chart above it. The table is what the
// chart says, for whoever does not see it: nothing is drawn that is not in it.
//
// data-chart is the title, data-unit that of the figures (ms, %, usd, of 5,
// calls, tokens), data-from and data-to the ends of the axis of time, data-step
// the seconds between rows; data-marks is the id of an element whose [data-mark]
// are marked on the axis at their data-at. A row begins with a time element; its
// cells have the figure in data-value, empty where there is none. What tells
// lines apart is a color, a dash and the shape of the points, and the legend
// says the name. Nothing moves by itself.

const dashes = [[], [7, 4], [2, 3], [9, 3, 2, 3], [4, 6]];
const shapes = [circle, square, triangle, diamond, cross];
const height = 200; // CSS pixels
const plots = new Map(); // of each table, its plot and what ends it

const units = {
	ms: (v) => (v < 1000 ? trim(v) + " ms" : trim(v / 1000) + " s"),
	"%": (v) => trim(v) + " %",
	usd: (v) => "$" + trim(v),
	"of 5": (v) => trim(v),
};
const unit = (name) => units[name] ?? ((v) => v.toLocaleString("en"));
const trim = (v) => String(Number(v.toPrecision(3)));
const seconds = (text) => Date.parse(text) / 1000;

// read is what a table says, with a gap where rows are missing.
function read(table) {
	const { chart: title, unit: name, from, to, step, marks } = table.dataset;
	const lines = [...table.tHead.rows[0].cells].slice(1).map((th) => th.textContent);
	const times = [], values = lines.map(() => []), texts = lines.map(() => []);
	for (const row of table.tBodies[0].rows) {
		const at = seconds(row.querySelector("time").dateTime);
		const last = times.at(-1);
		if (last !== undefined && at - last > 1.5 * step) {
			times.push(last + Number(step));
			for (const list of [...values, ...texts]) list.push(null);
		}
		times.push(at);
		[...row.cells].slice(1).forEach((cell, i) => {
			values[i].push(cell.dataset.value === "" ? null : Number(cell.dataset.value));
			texts[i].push(cell.textContent);
		});
	}
	const list = marks ? document.getElementById(marks)?.querySelectorAll("[data-mark]") ?? [] : [];
	return {
		title, name, from: seconds(from), to: seconds(to), lines, times, values, texts,
		marks: [...list].map((m) => ({ at: seconds(m.dataset.at), text: m.dataset.mark })),
	};
}

// label is the chart in a sentence.
function label(d) {
	const lines = d.lines.map((name, i) => {
		const known = d.values[i].map((v, k) => [v, d.texts[i][k]]).filter(([v]) => v !== null).sort((a, b) => a[0] - b[0]);
		if (known.length === 0) return name + " was not measured";
		const last = d.texts[i][d.values[i].findLastIndex((v) => v !== null)];
		return `${name} from ${known[0][1]} to ${known.at(-1)[1]}, last ${last}`;
	});
	return `${d.title}: ${lines.join("; ")}. The figures are in the table below.`;
}

function token(name) {
	return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function draw(table) {
	const figure = table.closest("figure"), box = figure.querySelector(".plot");
	plots.get(table)?.end();
	box.replaceChildren();
	const d = read(table), canvas = document.createElement("div"), key = legend(d);
	box.append(canvas, key.list);
	const colors = d.lines.map((_, i) => token("--series-" + (i + 1)));
	const plot = new window.uPlot(options(d, colors, box.clientWidth, (u) => tell(d, u, key)), [d.times, ...d.values], canvas);
	plot.ctx.canvas.setAttribute("role", "img");
	plot.ctx.canvas.setAttribute("aria-label", label(d));
	const sized = new ResizeObserver(() => box.clientWidth > 0 && box.clientWidth !== plot.width && plot.setSize({ width: box.clientWidth, height }));
	sized.observe(box);
	plots.set(table, { end: () => (sized.disconnect(), plot.destroy()) });
}

function options(d, colors, width, told) {
	const muted = token("--muted"), line = token("--line"), font = "12px " + getComputedStyle(document.body).fontFamily;
	const axis = { stroke: muted, font, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
	const format = unit(d.name);
	return {
		width, height, legend: { show: false }, padding: [14, 12, 0, 0],
		tzDate: (at) => window.uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
		scales: { x: { range: [d.from, d.to] }, y: { range: (_, low, high) => ends(d.name, high) } },
		axes: [{ ...axis, size: 42, values: clock }, { ...axis, size: 62, values: (_, all) => all.map(format), ...(whole.includes(d.name) && { incrs: counts }) }],
		series: [{}, ...d.lines.map((name, i) => ({ label: name, stroke: colors[i], width: 1.75, dash: dashes[i], points: { show: false }, spanGaps: false }))],
		cursor: { drag: { x: false, y: false }, sync: { key: "charts" }, y: false, points: { size: 7 } },
		hooks: { drawClear: [(u) => markAxis(u, d.marks, muted)], draw: [(u) => points(u, colors, token("--surface"))], setCursor: [told] },
	};
}

// What is counted has no halves.
const whole = ["calls", "tokens"];
const counts = Array.from({ length: 12 }, (_, i) => [1, 2, 5].map((n) => n * 10 ** i)).flat();

// ends are those of the axis of figures: it begins at 0, so that what is little
// looks little.
function ends(name, high) {
	if (name === "of 5") return [1, 5];
	return [0, high > 0 ? high * 1.1 : 1];
}

// clock writes times of the axis, with the day where it changes.
function clock(u, times, _, __, step) {
	let day = "";
	return times.map((at) => {
		const text = new Date(at * 1000).toISOString(), now = text.slice(5, 10);
		const out = step >= 86400 ? now : text.slice(11, 16) + (day === now ? "" : "\n" + now);
		day = now;
		return out;
	});
}

// points draws the points of each line in its shape, where there is room, and
// always one that stands alone: no line goes through it.
function points(u, colors, ground) {
	const { ctx } = u, ratio = devicePixelRatio, size = 3 * ratio;
	ctx.save();
	for (let i = 1; i < u.series.length; i++) {
		const values = u.data[i], all = u.data[0].length, each = Math.max(1, Math.ceil((14 * all) / Math.max(1, u.bbox.width / ratio)));
		ctx.fillStyle = ctx.strokeStyle = colors[i - 1];
		ctx.lineWidth = 1.5 * ratio;
		for (let k = 0; k < all; k++) {
			const alone = values[k - 1] == null && values[k + 1] == null;
			if (values[k] == null || (k % each && !alone)) continue;
			ctx.beginPath();
			shapes[(i - 1) % shapes.length](ctx, u.valToPos(u.data[0][k], "x", true), u.valToPos(values[k], "y", true), size);
			ctx.fill();
			if (shapes[(i - 1) % shapes.length] === cross) ctx.stroke();
		}
	}
	ctx.restore();
}

function circle(c, x, y, r) { c.arc(x, y, r, 0, 2 * Math.PI); }
function square(c, x, y, r) { c.rect(x - r, y - r, 2 * r, 2 * r); }
function triangle(c, x, y, r) { c.moveTo(x, y - 1.3 * r), c.lineTo(x + 1.2 * r, y + r), c.lineTo(x - 1.2 * r, y + r), c.closePath(); }
function diamond(c, x, y, r) { c.moveTo(x, y - 1.4 * r), c.lineTo(x + 1.4 * r, y), c.lineTo(x, y + 1.4 * r), c.lineTo(x - 1.4 * r, y), c.closePath(); }
function cross(c, x, y, r) { c.moveTo(x - r, y - r), c.lineTo(x + r, y + r), c.moveTo(x + r, y - r), c.lineTo(x - r, y + r); }

// markAxis draws the marks as lines with their text at the top, where there is
// room for it.
function markAxis(u, marks, color) {
	const { ctx } = u, ratio = devicePixelRatio, { left, top, width, height: tall } = u.bbox;
	let free = -Infinity;
	ctx.save();
	ctx.strokeStyle = ctx.fillStyle = color;
	ctx.lineWidth = ratio;
	ctx.setLineDash([3 * ratio, 3 * ratio]);
	ctx.font = `600 ${11 * ratio}px sans-serif`;
	ctx.textAlign = "center";
	for (const m of marks) {
		const x = Math.round(u.valToPos(m.at, "x", true));
		if (x < left || x > left + width) continue;
		ctx.beginPath();
		ctx.moveTo(x, top);
		ctx.lineTo(x, top + tall);
		ctx.stroke();
		if (x < free) continue;
		ctx.fillText(m.text, x, top - 3 * ratio);
		free = x + 16 * ratio;
	}
	ctx.restore();
}

// legend names the lines, each beside a piece of it.
function legend(d) {
	const list = document.createElement("ul");
	list.className = "legend";
	const values = d.lines.map((name, i) => {
		const item = document.createElement("li"), value = document.createElement("output");
		item.className = "series-" + (i + 1);
		value.setAttribute("aria-hidden", "true");
		item.append(sample(i), name, value);
		list.append(item);
		return value;
	});
	const at = document.createElement("li");
	at.className = "at";
	at.setAttribute("aria-hidden", "true");
	list.append(at);
	return { list, values, at };
}

function sample(i) {
	const space = "http://www.w3.org/2000/svg", path = [];
	const pen = {
		arc: (x, y, r) => path.push(`M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`),
		rect: (x, y, w, h) => path.push(`M${x} ${y}h${w}v${h}h${-w}z`),
		moveTo: (x, y) => path.push(`M${x} ${y}`), lineTo: (x, y) => path.push(`L${x} ${y}`), closePath: () => path.push("z"),
	};
	shapes[i % shapes.length](pen, 16, 6, 3);
	const svg = make("svg", { viewBox: "0 0 32 12", "aria-hidden": "true" });
	svg.append(make("path", { d: "M0 6H32", stroke: "currentColor", "stroke-width": 2, "stroke-dasharray": dashes[i % dashes.length].join(" ") || "none" }),
		make("path", { d: path.join(""), fill: "currentColor", stroke: "currentColor" }));
	return svg;
	function make(name, attributes) {
		const e = document.createElementNS(space, name);
		for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
		return e;
	}
}

// tell says the figures under the pointer.
function tell(d, u, key) {
	const k = u.cursor.idx, at = key.at;
	at.textContent = k == null || u.cursor.left < 0 ? "" : new Date(d.times[k] * 1000).toISOString().slice(0, 16).replace("T", " ") + " UTC";
	key.values.forEach((value, i) => {
		value.textContent = (at.textContent && d.texts[i][k]) || "";
	});
}

function drawAll() {
	for (const [table, plot] of plots) {
		if (table.isConnected) continue;
		plot.end();
		plots.delete(table);
	}
	for (const table of document.querySelectorAll("table[data-chart]")) draw(table);
}

// What was open stays so when a part of the page is refreshed.
let opened = [];
document.addEventListener("htmx:beforeSwap", () => {
	opened = [...document.querySelectorAll("details[open][id]")].map((e) => e.id);
});
document.addEventListener("htmx:afterSettle", () => {
	for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
	drawAll();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
new MutationObserver(drawAll).observe(document.documentElement, { attributeFilter: ["data-theme"] });
drawAll();
