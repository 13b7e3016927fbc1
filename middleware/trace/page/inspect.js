/*
 * inspect.js: asks for what is new once a second, lists it, and draws the chosen request as a ladder: each link of the
 * stack a rung, the outermost on top, its bar from when it was called to when it came back; what it spent in links inside
 * is paler. A redispatch is a loop from the rung that made it to the first rung that it reached, with the URI it followed.
 */
"use strict";

const svgNamespace = "http://www.w3.org/2000/svg";
const known = new Map(); // id -> request
let last = 0, keep = 100, chosen = 0, follows = true, isPaused = false;

// -- small things ------------------------------------------------------------------------------------------------------

function make(name, attributes = {}, ...children) {
	const element = document.createElement(name);
	for (const [key, value] of Object.entries(attributes))
		element.setAttribute(key, value);
	element.append(...children);
	return element;
}

function draw(parent, name, attributes = {}, text = "") {
	const element = document.createElementNS(svgNamespace, name);
	for (const [key, value] of Object.entries(attributes))
		element.setAttribute(key, value);
	element.textContent = text;
	parent.append(element);
	return element;
}

function duration(microseconds) {
	if (microseconds < 1000)
		return `${microseconds.toFixed(microseconds < 10 ? 1 : 0)} µs`;
	return microseconds < 1e6 ? `${(microseconds / 1000).toFixed(2)} ms` : `${(microseconds / 1e6).toFixed(2)} s`;
}

function size(bytes) {
	if (bytes < 0)
		return "unknown length";
	if (bytes < 1024)
		return `${bytes} B`;
	const units = ["KiB", "MiB", "GiB", "TiB"];
	let unit = 0;
	for (bytes /= 1024; bytes >= 1024 && unit + 1 < units.length; bytes /= 1024)
		unit++;
	return `${bytes.toFixed(1)} ${units[unit]}`;
}

function mood(status) {
	return status >= 500 ? "bad" : status >= 400 ? "odd" : "good";
}

// -- the list ----------------------------------------------------------------------------------------------------------

function listItem(request) {
	const hops = Math.max(0, ...request.spans.map((span) => span.hop));
	const button = make("button", { type: "button", "data-id": request.id },
		make("span", { class: `status ${mood(request.status)}` }, String(request.status)),
		make("span", {}, request.method),
		make("span", { class: "target", title: request.target }, request.target),
		make("span", { class: "time" }, (hops ? `${hops}\u21ba ` : "") + duration(request.chain)));
	button.addEventListener("click", () => {
		follows = false;
		choose(request.id);
	});
	return button;
}

function add(requests) {
	const list = document.getElementById("list");
	for (const request of requests) {
		known.set(request.id, request);
		list.prepend(listItem(request));
	}
	while (known.size > keep) {
		const oldest = known.keys().next().value;
		known.delete(oldest);
		list.querySelector(`[data-id="${oldest}"]`).remove();
	}
	if (follows && requests.length)
		choose(requests[requests.length - 1].id);
}

// -- the ladder --------------------------------------------------------------------------------------------------------

const row = 44, rail = 34, margin = 14;

/* Cuts text to a width, in pixels: SVG wraps nothing. */
function fit(element, width) {
	let text = element.textContent;
	while (text.length > 4 && element.getComputedTextLength() > width) {
		text = text.slice(0, -2);
		element.textContent = `${text}…`;
	}
}

/* Where each rung is: one with a URI or an error has a line of its own for it. */
function layOut(spans) {
	let y = margin;
	return spans.map((span) => {
		const place = { span, y, lines: (span.uri ? 1 : 0) + (span.error ? 1 : 0) };
		y += row + 20 * place.lines;
		return place;
	});
}

/* What a link gave back: "200 file 12.0 MiB". */
function outcome(span) {
	const body = { empty: "", URI: "URI" }[span.body] ?? `${span.body} ${size(span.bytes)}`;
	return [span.status || "", body].join(" ").trim() || "nothing";
}

function drawBar(group, span, y, left, right, total) {
	const scale = (right - left) / total;
	const width = Math.max(2, (span.end - span.begin) * scale);
	const x = Math.min(left + span.begin * scale, right - width);
	const own = Math.max(0, span.end - span.begin - span.inner) * scale;
	draw(group, "line", { class: "step", x1: left, x2: right, y1: y + 28, y2: y + 28 });
	draw(group, "rect", { class: "inner", x, y: y + 22, width, height: 12, rx: 3 });
	draw(group, "rect", { class: "bar", x, y: y + 22, width: Math.max(2, Math.min(own, width)), height: 12, rx: 3 });
}

function drawRung(svg, place, left, right, total) {
	const { span } = place;
	const group = draw(svg, "g", { class: span.error ? "rung failed" : "rung" });
	let y = place.y;
	if (span.uri)
		y += 20;
	const own = span.end - span.begin - span.inner;
	const times = draw(group, "text", { class: "quiet", x: right - 8, y: y + 14, "text-anchor": "end" },
		`${right - left < 420 ? span.status || "" : outcome(span)} · ` +
		`${duration(span.end - span.begin)}, own ${duration(own)}`);
	const name = draw(group, "text", { x: left + 4, y: y + 14 }, span.name);
	fit(times, (right - left) * 0.72);
	fit(name, right - left - 20 - times.getComputedTextLength());
	drawBar(group, span, y, left, right, total);
	if (span.error) {
		const where = span.file ? `, ${span.file}:${span.line}` : "";
		fit(draw(group, "text", { class: "wrong", x: left + 4, y: y + 50 }, `${span.name}${where}: ${span.error}`),
			right - left - 8);
	}
	place.center = y + 28;
}

function drawLoop(svg, from, to, left, right) {
	const { span } = to;
	const group = draw(svg, "g", { class: "hop" });
	const a = from.center, b = to.center, out = left - 26;
	draw(group, "path", { class: "loop", d: `M ${left} ${a} C ${out} ${a}, ${out} ${b}, ${left - 6} ${b}` });
	draw(group, "path", { class: "arrow", d: `M ${left} ${b} l -8 -5 v 10 z` });
	fit(draw(group, "text", { class: "uri", x: left + 4, y: to.y + 14 }, `${span.hop}. ${span.uri}`), right - left - 8);
}

function ladder(request, parent) {
	const width = Math.max(200, parent.clientWidth - 32);
	const places = layOut(request.spans);
	const end = places[places.length - 1];
	const height = end.y + row + 20 * end.lines + 6;
	const svg = draw(parent, "svg", { viewBox: `0 0 ${width} ${height}`, role: "img",
		"aria-label": `${request.spans.length} links in ${duration(request.chain)}` });
	const right = width - 4, total = Math.max(request.chain, 0.001);
	draw(svg, "line", { class: "rail", x1: rail, x2: rail, y1: 4, y2: height - 4 });
	draw(svg, "line", { class: "rail", x1: right, x2: right, y1: 4, y2: height - 4 });
	for (const place of places)
		drawRung(svg, place, rail, right, total);
	for (const place of places)
		if (place.span.uri && place.span.parent >= 0)
			drawLoop(svg, places[place.span.parent], place, rail, right);
}

// -- one request -------------------------------------------------------------------------------------------------------

function fields(title, pairs) {
	const list = make("dl");
	for (const [name, value] of pairs)
		list.append(make("dt", {}, name), make("dd", {}, value || "(empty)"));
	return [make("h3", {}, title), pairs.length ? list : make("p", { class: "summary" }, "none")];
}

function summary(request) {
	const bytes = request.bytes < 0 ? "" : `, ${size(request.bytes)}`;
	const outcome = request.outcome === "sent" ? "" : `, ${request.outcome}`;
	return `${new Date(request.time).toLocaleTimeString()} from ${request.client || "inside"}: ` +
		`through the stack in ${duration(request.chain)}, sent after ${duration(request.sent)}${bytes}${outcome}`;
}

function show(request) {
	const detail = document.getElementById("detail");
	detail.replaceChildren(
		make("h2", {}, make("span", { class: `status ${mood(request.status)}` }, String(request.status)),
			` ${request.method} ${request.target}`),
		make("p", { class: "summary" }, summary(request)));
	if (request.spans.length)
		ladder(request, detail);
	if (request.missed)
		detail.append(make("p", { class: "summary" }, `and ${request.missed} links more`));
	if (request.is_cut)
		detail.append(make("p", { class: "summary" }, "It was too large to be kept with its fields and URIs."));
	detail.append(...fields("Request", request.request), ...fields("Response", request.response));
}

function choose(id) {
	if (!known.has(id))
		return;
	chosen = id;
	for (const button of document.querySelectorAll("#list button"))
		button.setAttribute("aria-current", String(Number(button.dataset.id) === id));
	show(known.get(id));
}

// -- following ---------------------------------------------------------------------------------------------------------

function say(text) {
	document.getElementById("state").textContent = text;
}

async function poll() {
	if (!isPaused && !document.hidden) {
		try {
			const reply = await fetch(`requests.json?since=${last}`, { cache: "no-store" });
			const news = await reply.json();
			if (news.last < last) { // another process, another count
				known.clear();
				document.getElementById("list").replaceChildren();
			}
			({ last, keep } = news);
			add(news.requests);
			say(last ? `${last} seen, following` : "waiting for a request");
		} catch (error) {
			say("the server does not answer");
		}
	}
	setTimeout(poll, 1000);
}

document.getElementById("pause").addEventListener("click", (event) => {
	isPaused = !isPaused;
	event.target.setAttribute("aria-pressed", String(isPaused));
	event.target.textContent = isPaused ? "Follow" : "Pause";
	if (isPaused)
		say("paused");
	else
		follows = true;
});
let resizing = 0;
window.addEventListener("resize", () => {
	clearTimeout(resizing);
	resizing = setTimeout(() => known.has(chosen) && show(known.get(chosen)), 150);
});
poll();
