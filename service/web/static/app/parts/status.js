// A job's state as a word with a dot, and a line about it in lists.

import { html } from "../reactive.js";
import { ago, duration, layers, mainMetric, metric, plural, word } from "../format.js";
import { link } from "../router.js";

export const FINAL = ["succeeded", "failed", "cancelled"];
export const isFinal = (job) => FINAL.includes(job.state);

export const Status = ({ state }) => html`<span class="status ${state}">${state}</span>`;

export function elapsed(job) {
	if (job.result?.training_seconds !== undefined) return job.result.training_seconds;
	if (!job.started_at) return null;
	return ((job.finished_at ? Date.parse(job.finished_at) : Date.now()) - Date.parse(job.started_at)) / 1000;
}

export function JobRows({ jobs }) {
	if (jobs.length === 0) return html`<p class="quiet">None yet.</p>`;
	return html`<ul class="rows">
		${jobs.map((job) => {
			const key = mainMetric(job.task);
			const score = job.result?.metrics[key];
			return html`<li key=${job.id}><a href=${link("jobs", job.id)}>
				<span class="cut"><b>${job.model}</b> <span class="quiet">${job.target}</span></span>
				<span class="quiet middle cut">${layers(job.network)}</span>
				<span class="end">${score === undefined ? html`<${Status} state=${job.state} />` : html`<span title=${word(key)}>${metric(key, score)}</span>`}</span>
				<span class="quiet end when">${job.result ? `${duration(elapsed(job))} · ` : ""}${ago(job.created_at)}</span>
			</a></li>`;
		})}
	</ul>`;
}

export function ModelRows({ models }) {
	if (models.length === 0) return html`<p class="quiet">None yet. Every job that succeeds makes one.</p>`;
	return html`<ul class="rows">
		${models.map((model) => html`<li key=${model.name}><a href=${link("models", model.name)}>
			<b class="cut">${model.name}</b>
			<span class="quiet end">${plural(model.latest_version, "version")}</span>
			<span class="quiet end when">${ago(model.created_at)}</span>
		</a></li>`)}
	</ul>`;
}
