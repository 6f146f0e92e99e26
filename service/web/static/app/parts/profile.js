// A data set's columns: type, spread, gaps, and what each is used for.

import { html } from "../reactive.js";
import { count, number, percent, plural } from "../format.js";

/** roles: {column: "feature" | "ignore"}; target: a column's name. */
export function Profile({ dataset, target, ignored, onTarget, onIgnore }) {
	return html`<table class="profile">
		<thead>
			<tr><th scope="col">Column</th><th scope="col">Values</th><th scope="col" class="wide">Spread</th><th scope="col">Predict</th><th scope="col">Learn from</th></tr>
		</thead>
		<tbody>
			${dataset.columns.map((column) => {
				const isTarget = column.name === target;
				const isText = column.type === "text";
				return html`<tr key=${column.name} class=${isTarget ? "target" : ""}>
					<th scope="row"><span class="cut" title=${column.name}>${column.name}</span><small>${column.type}${column.missing > 0 && html`, <span class="gap">${percent(column.missing / dataset.rows)} missing</span>`}</small></th>
					<td><${Spread} column=${column} /></td>
					<td class="wide"><small>${summary(column)}</small></td>
					<td class="choice"><input type="radio" name="target" aria-label="Predict ${column.name}" checked=${isTarget} disabled=${isText || column.distinct === 1} onChange=${() => onTarget(column.name)} /></td>
					<td class="choice"><input type="checkbox" aria-label="Learn from ${column.name}" checked=${!isTarget && !isText && !ignored.has(column.name)} disabled=${isTarget || isText} onChange=${(event) => onIgnore(column.name, !event.target.checked)} /></td>
				</tr>`;
			})}
		</tbody>
	</table>`;
}

function summary(column) {
	if (column.type === "number") return `${number(column.min)} to ${number(column.max)}, mean ${number(column.mean)}`;
	const distinct = column.distinct === null ? "very many values" : plural(column.distinct, "value");
	const first = (column.levels ?? []).slice(0, 3).map((level) => level.value).join(", ");
	return first ? `${distinct}: ${first}${column.distinct > 3 ? ", …" : ""}` : distinct;
}

function Spread({ column }) {
	const bars = column.histogram
		? column.histogram.counts.map((size, index) => [size, `${number(column.histogram.edges[index])} to ${number(column.histogram.edges[index + 1])}: ${count(size)}`])
		: (column.levels ?? []).slice(0, 12).map((level) => [level.count, `${level.value}: ${count(level.count)}`]);
	if (bars.length === 0) return html`<small>–</small>`;
	const most = Math.max(...bars.map(([size]) => size), 1);
	const wide = 112 / bars.length;
	const gap = column.histogram ? 1 : Math.min(4, wide / 4);
	return html`<svg class=${column.histogram ? "bars" : "bars levels"} viewBox="0 0 112 30" width="112" height="30" role="img" aria-label=${summary(column)}>
		${bars.map(([size, title], index) => html`<rect x=${index * wide} width=${Math.max(1, wide - gap)} y=${29 - (28 * size) / most} height=${1 + (28 * size) / most}><title>${title}</title></rect>`)}
	</svg>`;
}
