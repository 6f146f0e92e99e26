// All jobs, and all models.

import { html, useEffect, useLoaded } from "../reactive.js";
import * as api from "../api.js";
import { Failure, Waiting } from "../parts/notice.js";
import { JobRows, ModelRows } from "../parts/status.js";

function List({ title, load, rows }) {
	useEffect(() => (document.title = `${title} · Sigmoid`), []);
	const { value, error } = useLoaded(load, [title]);
	return html`<section class="card" aria-labelledby="list">
		<header><h1 id="list">${title}</h1></header>
		<${Failure} error=${error} />
		${value ? rows(value.data) : !error && html`<${Waiting} />`}
	</section>`;
}

export const Jobs = () => html`<${List} title="Jobs" load=${() => api.jobs(100)} rows=${(jobs) => html`<${JobRows} jobs=${jobs} />`} />`;
export const Models = () => html`<${List} title="Models" load=${() => api.models(100)} rows=${(models) => html`<${ModelRows} models=${models} />`} />`;
