// The first page: choose data; below, what was done before.

import { html, useEffect, useLoaded, useRef, useState } from "../reactive.js";
import * as api from "../api.js";
import { GENERATORS } from "../choices.js";
import { ago, count } from "../format.js";
import { go, link } from "../router.js";
import { Upload } from "../parts/icons.js";
import { Failure } from "../parts/notice.js";
import { JobRows, ModelRows } from "../parts/status.js";

export function Start() {
	const [busy, setBusy] = useState("");
	const [error, setError] = useState(null);
	const [over, setOver] = useState(false);
	const picker = useRef();
	useEffect(() => (document.title = "Sigmoid"), []);

	const take = async (what, promise) => {
		setBusy(what);
		setError(null);
		try {
			go("datasets", (await promise).id);
		} catch (problem) {
			setError(problem);
			setBusy("");
		}
	};
	const takeFile = (file) => file && take(`Reading ${file.name}`, api.upload(file));
	const drop = (event) => {
		event.preventDefault();
		setOver(false);
		takeFile(event.dataTransfer.files[0]);
	};
	return html`
		<div class="hero">
			<h1>From a table to a trained network</h1>
			<p>Drop a table, say what to predict, watch the network learn, and ask it.</p>
		</div>
		<section class="card" aria-label="Choose data">
			<div class=${over ? "drop over" : "drop"} onDragOver=${(event) => (event.preventDefault(), setOver(true))} onDragLeave=${() => setOver(false)} onDrop=${drop}>
				<${Upload} />
				<p>${busy ? html`<span role="status">${busy} …</span>` : html`<b>Drop a CSV here</b><span class="quiet"> or TSV, JSON, Parquet, Arrow</span>`}</p>
				<button class="primary" type="button" disabled=${busy !== ""} onClick=${() => picker.current.click()}>Choose a file</button>
				<input ref=${picker} type="file" accept=${api.ACCEPTED} class="hidden" tabindex="-1" aria-label="Table to upload" onChange=${(event) => takeFile(event.target.files[0])} />
			</div>
			<${Failure} error=${error} title="This table cannot be used" />
			<h2 class="or">or take one of these</h2>
			<div class="chips">
				<button type="button" disabled=${busy !== ""} class="chip real" onClick=${() => take("Fetching the penguins", api.sample("penguins"))}><b>penguins</b><small>344 birds, three species</small></button>
				${Object.entries(GENERATORS).map(([kind, words]) => html`<button key=${kind} type="button" class="chip" disabled=${busy !== ""} title=${words}
					onClick=${() => take(`Making ${kind}`, api.generate({ kind, rows: 400, noise: 0.05, seed: 1 }))}><b>${kind}</b><small>${words}</small></button>`)}
			</div>
		</section>
		<${Before} />
	`;
}

function Before() {
	const { value: jobs } = useLoaded(() => api.jobs(6), []);
	const { value: models } = useLoaded(() => api.models(6), []);
	const { value: datasets } = useLoaded(api.datasets, []);
	return html`<div class="columns">
		<section class="card" aria-labelledby="recent-jobs">
			<header><h2 id="recent-jobs">Recent jobs</h2><a href="#/jobs">All</a></header>
			${jobs && html`<${JobRows} jobs=${jobs.data} />`}
		</section>
		<div class="stack">
			<section class="card" aria-labelledby="recent-models">
				<header><h2 id="recent-models">Models</h2><a href="#/models">All</a></header>
				${models && html`<${ModelRows} models=${models.data} />`}
			</section>
			${datasets?.data.length > 0 && html`<section class="card" aria-labelledby="recent-data">
				<header><h2 id="recent-data">Data here</h2></header>
				<ul class="rows">${datasets.data.map((dataset) => html`<li key=${dataset.id}><a href=${link("datasets", dataset.id)}>
					<b class="cut">${dataset.name}</b><span class="quiet end">${count(dataset.rows)} rows</span><span class="quiet end when">${ago(dataset.created_at)}</span>
				</a></li>`)}</ul>
			</section>`}
		</div>
	</div>`;
}
