/* The shop's script: tells in which form it came itself, and asks for two parts of a file. */
"use strict";

function tellForm() {
	const own = performance.getEntriesByName(document.querySelector("script[src]").src)[0];
	if (!own || !own.encodedBodySize)
		return;
	const saved = Math.round(100 * (1 - own.encodedBodySize / own.decodedBodySize));
	document.getElementById("form").textContent = saved > 0
		? `a compressed one: ${own.encodedBodySize} bytes for ${own.decodedBodySize}, ${saved} % saved`
		: `the plain one, ${own.decodedBodySize} bytes`;
}

async function askForParts() {
	const reply = await fetch("downloads/lines.txt", { headers: { Range: "bytes=16-31,-16" } });
	document.getElementById("parts").textContent = `${reply.status} ${reply.headers.get("Content-Type")}\n${await reply.text()}`;
}

document.getElementById("ask").addEventListener("click", askForParts);
window.addEventListener("load", () => setTimeout(tellForm, 0));
