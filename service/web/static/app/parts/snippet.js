// The same prediction as a command to paste.

import { html, useState } from "../reactive.js";
import { announce } from "../announce.js";

export function Snippet({ path, row }) {
	const [copied, setCopied] = useState(false);
	const address = new URL(path, document.baseURI.replace(/#.*/, "")).href;
	// In a shell's single quotes only the single quote itself needs care.
	const body = JSON.stringify({ rows: [row] }).replaceAll("'", `'\\''`);
	const command = `curl -s ${address} \\\n  -H 'Content-Type: application/json' \\\n  -d '${body}'`;
	const copy = async () => {
		await navigator.clipboard.writeText(command);
		setCopied(true);
		announce("Copied");
		setTimeout(() => setCopied(false), 1500);
	};
	return html`<section class="card" aria-labelledby="call">
		<header>
			<h2 id="call">Call it</h2>
			${navigator.clipboard && html`<button class="plain" type="button" onClick=${copy}>${copied ? "Copied" : "Copy"}</button>`}
		</header>
		<pre tabindex="0"><code>${command}</code></pre>
	</section>`;
}
