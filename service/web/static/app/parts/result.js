// What a model is worth, beside simpler ones.

import { html } from "../reactive.js";
import { isShare, lowerIsBetter, metric, word } from "../format.js";

const scalars = (metrics) => Object.keys(metrics).filter((key) => typeof metrics[key] === "number");

export function Result({ of, task, rows = "validation" }) {
	const { metrics, baseline, linear, intervals, better_than_linear: better } = of;
	const simple = task === "regression" ? "Linear" : "Logistic";
	return html`
		<table class="result">
			<thead><tr><th scope="col">On ${rows} rows</th><th scope="col">Network</th><th scope="col">${simple}</th><th scope="col">Baseline</th></tr></thead>
			<tbody>
				${scalars(metrics).map((key) => html`<tr key=${key}>
					<th scope="row">${word(key)}${lowerIsBetter(key) && html` <small title="Lower is better">↓</small>`}</th>
					<td title=${between(key, intervals?.[key])}><b>${metric(key, metrics[key])}</b></td>
					<td class="quiet">${metric(key, linear?.[key])}</td>
					<td class="quiet">${metric(key, baseline?.[key])}</td>
					${isShare(key) && html`<td class="under" aria-hidden="true"><span class="track"><i style=${{ width: within(metrics[key]) }}></i><u style=${{ left: within(baseline?.[key]) }}></u></span></td>`}
				</tr>`)}
			</tbody>
		</table>
		<p class="quiet">The baseline always answers ${task === "regression" ? "the mean" : "the most frequent class"}.
			${better && ` Better than ${simple.toLowerCase()} regression? ${word(better.verdict)} (p = ${better.p_value.toPrecision(2)}).`}</p>
		`;
}

const between = (key, interval) => interval && `95%: ${metric(key, interval.low)} to ${metric(key, interval.high)}`;
const within = (share) => `${100 * Math.min(1, Math.max(0, share ?? 0))}%`;
