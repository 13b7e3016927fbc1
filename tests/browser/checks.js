/*
 * checks.js: what is wrong with the page it runs in, as a list of sentences: what a person would trip over. Runs as the
 * body of a function whose first argument says whether the scheme is dark.
 */
const isDark = arguments[0];
const wrong = [];

function describe(element) {
	const id = element.id ? `#${element.id}` : "";
	const classes = element.getAttribute("class") ? `.${element.getAttribute("class").trim().replace(/\s+/g, ".")}` : "";
	return `<${element.localName}${id}${classes}>`;
}

// -- colours -----------------------------------------------------------------------------------------------------------

function parse(colour) {
	const numbers = colour.match(/[\d.]+/g).map(Number);
	return { r: numbers[0], g: numbers[1], b: numbers[2], a: numbers.length > 3 ? numbers[3] : 1 };
}

function blend(over, under) {
	const mix = (a, b) => a * over.a + b * (1 - over.a);
	return { r: mix(over.r, under.r), g: mix(over.g, under.g), b: mix(over.b, under.b), a: 1 };
}

/* What is behind an element: its own and its ancestors' backgrounds, down to the browser's canvas. */
function background(element) {
	const layers = [];
	for (let at = element; at; at = at.parentElement)
		layers.unshift(parse(getComputedStyle(at).backgroundColor));
	const canvas = isDark ? { r: 18, g: 18, b: 18, a: 1 } : { r: 255, g: 255, b: 255, a: 1 };
	return layers.reduce((under, over) => blend(over, under), canvas);
}

/* Relative luminance and contrast, as WCAG 2 defines them. */
function luminance({ r, g, b }) {
	const [x, y, z] = [r, g, b].map((value) => {
		value /= 255;
		return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
	});
	return 0.2126 * x + 0.7152 * y + 0.0722 * z;
}

function contrast(a, b) {
	const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x);
	return (high + 0.05) / (low + 0.05);
}

// -- text --------------------------------------------------------------------------------------------------------------

function isShown(element) {
	const box = element.getBoundingClientRect();
	return box.width > 0 && box.height > 0 && getComputedStyle(element).visibility === "visible" &&
		element.checkVisibility();
}

function checkText(element) {
	const style = getComputedStyle(element);
	const size = parseFloat(style.fontSize);
	if (size < 12)
		wrong.push(`text of ${size} px in ${describe(element)}`);
	const colour = parse(element instanceof SVGElement ? style.fill : style.color);
	for (let at = element; at; at = at.parentElement)
		colour.a *= Number(getComputedStyle(at).opacity);
	const under = background(element);
	const ratio = contrast(blend(colour, under), under);
	const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
	if (ratio < (isLarge ? 3 : 4.5))
		wrong.push(`contrast ${ratio.toFixed(2)} in ${describe(element)}: "${element.textContent.trim().slice(0, 30)}"`);
}

function checkTexts() {
	const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	const seen = new Set();
	let count = 0;
	while (walker.nextNode()) {
		const element = walker.currentNode.parentElement;
		if (!walker.currentNode.data.trim() || seen.has(element) || !isShown(element))
			continue;
		seen.add(element);
		checkText(element);
		count++;
	}
	if (!count)
		wrong.push("no text at all");
}

// -- the rest ----------------------------------------------------------------------------------------------------------

function checkWidth() {
	const root = document.scrollingElement;
	if (root.scrollWidth <= innerWidth)
		return;
	const wide = [...document.body.querySelectorAll("*")]
		.filter((element) => element.getBoundingClientRect().right > innerWidth + 1).slice(0, 5);
	wrong.push(`${root.scrollWidth} px wide, past ${innerWidth}: ${wide.map(describe).join(" ")}`);
}

function checkScheme() {
	const light = luminance(background(document.body));
	if (isDark ? light > 0.2 : light < 0.6)
		wrong.push(`the ${isDark ? "dark" : "light"} scheme has a ground of luminance ${light.toFixed(2)}`);
}

/* A thumb has to hit them. */
function checkTargets() {
	for (const element of document.querySelectorAll("a[href], button, summary")) {
		if (!isShown(element))
			continue;
		const height = element.getBoundingClientRect().height;
		// In a sentence it is as high as the line; one that stands alone is a target like any other.
		const isAlone = element.parentElement.textContent.trim() === element.textContent.trim();
		const isInline = getComputedStyle(element).display === "inline" && !isAlone;
		if (height < (isInline ? 14 : 24))
			wrong.push(`${describe(element)} "${element.textContent.trim()}" is ${height} px high`);
		if (!(element.textContent.trim() || element.getAttribute("aria-label")))
			wrong.push(`${describe(element)} has no name`);
	}
}

/* What is cut off has to be reachable without a mouse; and a border is not to touch what it surrounds. */
function checkBoxes() {
	for (const element of document.body.querySelectorAll("*")) {
		if (!isShown(element))
			continue;
		const style = getComputedStyle(element);
		const text = element.textContent.trim();
		if (element.scrollWidth > element.clientWidth + 1 && element.clientWidth && style.overflowX !== "visible" &&
			style.textOverflow !== "ellipsis" && element.tabIndex < 0)
			wrong.push(`${describe(element)} is cut off, and no key scrolls it: "${text.slice(0, 30)}"`);
		const sides = ["Left", "Right"].filter((side) => parseFloat(style[`border${side}Width`]) &&
			parseFloat(style[`padding${side}`]) < 2);
		if (sides.length === 2 && text && !element.children.length)
			wrong.push(`${describe(element)} touches its border: "${text.slice(0, 30)}"`);
	}
}

function checkDocument() {
	if (!document.documentElement.lang)
		wrong.push("no language");
	if (!document.title)
		wrong.push("no title");
	if (!document.querySelector("meta[name=viewport]"))
		wrong.push("no viewport");
	const heads = document.querySelectorAll("h1").length;
	if (heads !== 1)
		wrong.push(`${heads} first headings`);
	for (const image of document.images) {
		if (!image.hasAttribute("alt"))
			wrong.push(`${describe(image)} has no alt`);
		if (!image.naturalWidth)
			wrong.push(`${describe(image)} did not load: ${image.src}`);
	}
	const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
	for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i)))
		wrong.push(`the id ${id} stands twice`);
	for (const link of document.querySelectorAll('a[href^="#"]'))
		if (!document.getElementById(link.hash.slice(1)))
			wrong.push(`${link.hash} leads nowhere`);
	for (const entry of performance.getEntriesByType("resource"))
		if (new URL(entry.name).origin !== location.origin && !entry.name.startsWith("data:"))
			wrong.push(`${entry.name} is from elsewhere`);
}

// What is folded is read too.
for (const details of document.querySelectorAll("details"))
	details.open = true;
checkDocument();
checkWidth();
checkBoxes();
checkTexts();
checkScheme();
checkTargets();
return wrong;
