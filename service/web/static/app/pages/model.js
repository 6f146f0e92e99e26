// One model: its versions, what each is worth, where it came from, and how to ask it.

import { html, useEffect, useLoaded, useState } from "../reactive.js";
import * as api from "../api.js";
import { ago, number, plural, word } from "../format.js";
import { link } from "../router.js";
import { Failure, Waiting } from "../parts/notice.js";
import { Result } from "../parts/result.js";
import { TryOut } from "../parts/tryout.js";

export function Model({ name }) {
	const { value, error } = useLoaded(() => api.model(name), [name]);
	const [chosen, setChosen] = useState(null);
	useEffect(() => (document.title = `${name} · Sigmoid`), [name]);
	if (error) return html`<${Failure} error=${error} title="This model cannot be shown" />`;
	if (!value) return html`<${Waiting} />`;
	const version = value.versions.find((one) => one.version === chosen) ?? value.versions[0];
	return html`
		<div class="heading">
			<div>
				<h1>${value.name}</h1>
				<p class="quiet">Predicts ${version.target} from ${plural(version.signature.features.length, "column")} · ${ago(version.created_at)}</p>
			</div>
			<label class="field inline"><span>Version</span>
				<select onChange=${(event) => setChosen(Number(event.target.value))}>
					${value.versions.map((one) => html`<option value=${one.version} selected=${one.version === version.version}>${[one.version, ...namesOf(value, one.version)].join(", ")}</option>`)}
				</select>
			</label>
		</div>
		<div class="columns" key=${version.version}>
			<div class="stack"><${Asking} version=${version} /></div>
			<div class="stack">
				<section class="card" aria-labelledby="worth">
					<header><h2 id="worth">Result</h2>${version.job ? html`<a href=${link("jobs", version.job)}>Training run</a>` : html`<span class="quiet">Imported</span>`}</header>
					<p><a href=${api.reportPath(version.model, version.version)}>Report to keep, print or send on</a></p>
					<${Result} of=${version} task=${version.task} />
				</section>
				<${Lineage} version=${version} />
			</div>
		</div>
	`;
}

/** What a version is called besides its number. */
const namesOf = (model, version) => [
	...(version === model.latest_version ? ["latest"] : []),
	...Object.keys(model.aliases).filter((alias) => model.aliases[alias] === version),
];

function Asking({ version }) {
	const load = async () => api.dataset((await api.job(version.job)).dataset).catch(() => null);
	const { value: dataset, error } = useLoaded(load, [version.model, version.version]);
	if (dataset === undefined && !error) return html`<${Waiting} />`;
	return html`<${TryOut} version=${version} dataset=${dataset ?? null} />`;
}

function Lineage({ version }) {
	const facts = [
		["Model file", html`<code title=${version.sha256}>${version.sha256.slice(0, 12)}</code>, ${number(version.bytes / 1000, 3)} kB`],
		...Object.entries(version.lineage)
			.filter(([, value]) => ["string", "number"].includes(typeof value))
			.map(([key, value]) => [word(key), html`<code class="cut" title=${String(value)}>${String(value).length > 24 ? `${String(value).slice(0, 12)}…` : String(value)}</code>`]),
	];
	return html`<section class="card" aria-labelledby="lineage">
		<header><h2 id="lineage">Where it comes from</h2></header>
		<dl class="facts">${facts.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
	</section>`;
}
