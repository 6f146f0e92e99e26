// The network as a drawing: columns in, layers, target out.

import { html } from "../reactive.js";
import { percent, word } from "../format.js";

const MOST = 7; // circles a layer; more are told by a number
const [STEP, WIDE, TALL, TOP] = [18, 92, 7 * 18, 14];

/** layers: [{units, activation}]; saturation: a share per hidden layer, while or after training. */
export function Diagram({ inputs, layers, outputs, target, saturation }) {
	const columns = [
		{ units: inputs, title: `${inputs} in` },
		...layers.map((layer, index) => ({ units: layer.units, title: word(layer.activation), share: saturation?.[index] })),
		{ units: outputs ?? 1, title: target },
	].map((column, index) => ({ ...column, x: 46 + index * WIDE, places: places(column.units) }));
	const width = 92 + (columns.length - 1) * WIDE;
	const spoken = `Network: ${inputs} columns, ${layers.map((layer) => `${layer.units} ${word(layer.activation)}`).join(", ") || "no hidden layer"}, then ${target}.`;
	return html`<svg class="diagram" viewBox="0 0 ${width} ${TALL + TOP + 40}" role="img" aria-label=${spoken} style=${{ maxWidth: `${width * 1.25}px` }}>
		${columns.slice(1).map((column, index) => html`<path class="wires" d=${wires(columns[index], column)} />`)}
		${columns.map((column, index) => html`<g key=${index}>
			${column.places.map((y) => html`<circle cx=${column.x} cy=${y} r="5" class=${index === 0 ? "unit in" : index === columns.length - 1 ? "unit out" : "unit"} style=${{ fill: heat(column.share) }} />`)}
			<text x=${column.x} y=${TALL + TOP + 14} class="name">${clip(column.title)}</text>
			<text x=${column.x} y=${TALL + TOP + 30}>
				${column.share === undefined ? (index > 0 && (index < columns.length - 1 || outputs > 1) ? column.units : "") : `${percent(column.share, 0)} flat`}
			</text>
		</g>`)}
	</svg>`;
}

const clip = (text) => (text.length > 14 ? `${text.slice(0, 13)}…` : text);
const heat = (share) => (share === undefined ? null : `color-mix(in oklab, var(--series-1), var(--warn) ${Math.min(100, share * 140)}%)`);

function places(units) {
	const shown = Math.min(units, MOST);
	return Array.from({ length: shown }, (_, index) => TOP + TALL / 2 + (index - (shown - 1) / 2) * STEP);
}

const wires = (left, right) =>
	left.places.flatMap((from) => right.places.map((to) => `M${left.x + 6} ${from}L${right.x - 6} ${to}`)).join("");
