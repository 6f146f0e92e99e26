// What went wrong, what is worth knowing, and that something is on its way.

import { html } from "../reactive.js";

export function Failure({ error, title = "That did not work" }) {
	if (!error) return null;
	return html`<div class="notice bad" role="alert">
		<strong>${title}</strong>
		<p>${error.message}</p>
		${error.errors?.length > 0 &&
		html`<ul>
			${error.errors.map((found) => html`<li><code>${found.pointer || "/"}</code> ${found.detail}</li>`)}
		</ul>`}
	</div>`;
}

export function Warnings({ warnings }) {
	if (!warnings?.length) return null;
	return html`<div class="notice">
		<ul>
			${warnings.map((warning) => html`<li>${warning.column && html`<code>${warning.column}</code> `}${warning.message ?? warning.detail ?? String(warning)}</li>`)}
		</ul>
	</div>`;
}

export const Waiting = ({ children = "Loading" }) => html`<p class="waiting" aria-busy="true">${children} …</p>`;
