// Small drawings. All are decoration: the words stand beside them.

import { html } from "../reactive.js";
import { ACTIVATIONS } from "../choices.js";

const icon = (body) => () =>
	html`<svg viewBox="0 0 20 20" width="20" height="20" aria-hidden="true" class="drawn">${body}</svg>`;

export const Logo = () => html`
	<svg viewBox="0 0 32 32" width="28" height="28" aria-hidden="true">
		<rect width="32" height="32" rx="8" class="logo-ground" />
		<path d="M6 24c9 0 8-16 20-16" class="logo-curve" />
		<circle cx="15.4" cy="16.3" r="2.6" class="logo-dot" />
	</svg>
`;
export const Moon = icon(html`<path d="M16 11.5A6.5 6.5 0 0 1 8.5 4a6.5 6.5 0 1 0 7.5 7.5z" />`);
export const Sun = icon(html`<circle cx="10" cy="10" r="3.5" /><path d="M10 2v1.5M10 16.5V18M2 10h1.5M16.5 10H18M4.3 4.3l1.1 1.1M14.6 14.6l1.1 1.1M4.3 15.7l1.1-1.1M14.6 5.4l1.1-1.1" />`);
export const Upload = icon(html`<path d="M10 13V3.5M6 7l4-4 4 4M3.5 13v3.5h13V13" />`);
export const Plus = icon(html`<path d="M10 4v12M4 10h12" />`);
export const Cross = icon(html`<path d="M5 5l10 10M15 5L5 15" />`);

/** The curve of an activation between -4 and 4. */
export function Curve({ name }) {
	const values = Array.from({ length: 33 }, (_, index) => ACTIVATIONS[name](index / 4 - 4));
	const [low, high] = [Math.min(...values, -0.2), Math.max(...values, 0.2)];
	const points = values.map((value, index) => `${2 + index},${18 - (16 * (value - low)) / (high - low)}`);
	return html`<svg viewBox="0 0 36 20" width="36" height="20" aria-hidden="true" class="drawn curve"><polyline points=${points.join(" ")} /></svg>`;
}
