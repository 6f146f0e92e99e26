// A form made from a model's signature; every change asks the model again.

import { html, useEffect, useMemo, useRef, useState } from "../reactive.js";
import * as api from "../api.js";
import { number, percent } from "../format.js";
import { series } from "../ink.js";
import { Failure, Warnings } from "./notice.js";
import { Picture, isDrawable } from "./picture.js";
import { Snippet } from "./snippet.js";

const PAUSE = 80; // ms without a key stroke before the model is asked

export function TryOut({ version, dataset }) {
	const { features, target } = version.signature;
	const [cells, setCells] = useState(() => Object.fromEntries(features.map((feature) => [feature.name, typical(feature)])));
	const [answer, setAnswer] = useState({});
	const [truth, setTruth] = useState(null);
	const row = useMemo(() => Object.fromEntries(features.map((feature) => [feature.name, cell(feature, cells[feature.name])])), [cells]);
	const asked = useRef(0);

	useEffect(() => {
		const turn = (asked.current += 1);
		const timer = setTimeout(async () => {
			const found = await api.predict(version.model, version.version, [row]).then(
				(value) => ({ value }),
				(error) => ({ error }),
			);
			if (turn === asked.current) setAnswer(found);
		}, PAUSE);
		return () => clearTimeout(timer);
	}, [row]);

	const set = (name, text) => (setTruth(null), setCells((old) => ({ ...old, [name]: text })));
	const takeRow = async () => {
		const at = Math.floor(Math.random() * dataset.rows);
		const found = (await api.rows(dataset.id, at, 1)).data[0];
		setCells(Object.fromEntries(features.map(({ name }) => [name, found[name] === null ? "" : String(found[name])])));
		setTruth(found[version.target]);
	};
	const pick = (picked) => (setTruth(null), setCells((old) => ({ ...old, ...picked })));
	const drawn = dataset && isDrawable(version);
	const said = html`<${Answer} answer=${answer} target=${target} truth=${truth} />`;
	return html`
		<section class="card tryout" aria-labelledby="tryout">
			<header>
				<h2 id="tryout">Try it</h2>
				${dataset && html`<button class="plain" type="button" onClick=${takeRow}>Take a row of the data</button>`}
			</header>
			<div class="halves">
				<form class="cells" onSubmit=${(event) => event.preventDefault()}>
					${features.map((feature) => html`<${Cell} key=${feature.name} feature=${feature} text=${cells[feature.name]} set=${(text) => set(feature.name, text)} />`)}
					${drawn && said}
				</form>
				${drawn ? html`<${Picture} version=${version} dataset=${dataset} row=${row} onPick=${pick} />` : said}
			</div>
		</section>
		<${Snippet} path=${api.predictPath(version.model, version.version)} row=${row} />
	`;
}

const isNumber = (feature) => feature.type === "number" && feature.min !== null && feature.max !== null;
const stepOf = (feature) => (feature.max > feature.min ? 10 ** Math.floor(Math.log10((feature.max - feature.min) / 50)) : 1);

function typical(feature) {
	if (feature.type === "number") {
		const step = stepOf(feature);
		return String(Number((Math.round((feature.mean ?? 0) / step) * step).toFixed(8)));
	}
	return feature.latest ?? feature.levels?.[0] ?? (feature.type === "boolean" ? "false" : "");
}

/** What the form's text is in JSON; an empty field is a missing value. */
function cell(feature, text) {
	if (text === "") return null;
	if (feature.type === "number") return Number(text);
	return feature.type === "boolean" ? text === "true" : text;
}

function Cell({ feature, text, set }) {
	const id = `cell-${feature.name}`;
	const change = (event) => set(event.target.value);
	if (feature.type === "date") {
		return html`<div class="cell">
			<label for=${id}>${feature.name}</label>
			<input id=${id} type="text" value=${text} placeholder="missing" onInput=${change} />
		</div>`;
	}
	if (feature.type !== "number") {
		const levels = feature.levels ?? ["false", "true"];
		return html`<div class="cell">
			<label for=${id}>${feature.name}</label>
			<select id=${id} value=${text} onChange=${change}>
				${levels.map((level) => html`<option value=${level} selected=${level === text}>${level}</option>`)}
				<option value="" selected=${text === ""}>missing</option>
			</select>
		</div>`;
	}
	return html`<div class="cell">
		<label for=${id}>${feature.name}</label>
		<input id=${id} type="number" step="any" inputmode="decimal" value=${text} placeholder="missing" onInput=${change} />
		${isNumber(feature) && html`<input type="range" aria-label=${`${feature.name}, slider`} min=${feature.min} max=${feature.max} step=${stepOf(feature)} value=${text === "" ? feature.mean : text} onInput=${change} />`}
	</div>`;
}

function Answer({ answer, target, truth }) {
	if (answer.error) return html`<${Failure} error=${answer.error} title="The model refused this row" />`;
	const prediction = answer.value?.predictions[0];
	if (!prediction) return html`<div class="answer" aria-busy="true"></div>`;
	const { value, label, probabilities, ...all } = prediction;
	const chances = probabilities && Object.entries(probabilities);
	const best = chances && Math.max(...Object.values(probabilities));
	return html`<div class="answer" aria-live="polite">
		<p class="quiet">${target.name}</p>
		<p class="verdict" data-testid="prediction">${value === undefined ? String(label ?? JSON.stringify(all)) : number(value)}</p>
		${chances && html`<ul class="chances">
			${chances.map(([label, chance], index) => html`<li key=${label} class=${chance === best ? "first" : ""}>
				<span class="cut">${label}</span>
				<span class="track"><i style=${{ width: `${100 * chance}%`, background: `var(--${series(index)})` }}></i></span>
				<b>${percent(chance)}</b>
			</li>`)}
		</ul>`}
		${truth !== null && truth !== undefined && html`<p>The data says: <b>${typeof truth === "number" ? number(truth) : String(truth)}</b></p>`}
		<${Warnings} warnings=${answer.value.warnings} />
	</div>`;
}
