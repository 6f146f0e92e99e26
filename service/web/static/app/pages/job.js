// One job: live curves while it trains, then what it is worth and how to ask it.

import { html, useEffect, useLoaded, useMemo, useState } from "../reactive.js";
import * as api from "../api.js";
import { announce } from "../announce.js";
import { draft } from "../draft.js";
import { count, duration, layers, mainMetric, metric, number, percent, plural, word } from "../format.js";
import { series } from "../ink.js";
import { follow, useRevealed } from "../following.js";
import { go, link } from "../router.js";
import { Chart } from "../parts/chart.js";
import { Diagram } from "../parts/diagram.js";
import { Failure, Waiting, Warnings } from "../parts/notice.js";
import { Result } from "../parts/result.js";
import { Status, elapsed, isFinal } from "../parts/status.js";
import { TryOut } from "../parts/tryout.js";

export function Job({ id }) {
	const [run, setRun] = useState({ job: null, points: [] });
	useEffect(() => follow(id, setRun), [id]);
	const { job, error } = run;
	useEffect(() => {
		if (!job) return;
		document.title = `${job.model} ${job.state} · Sigmoid`;
		announce(`Training ${job.state}${job.result ? `: ${spokenScore(job)}` : ""}`);
	}, [job?.state]);
	if (error && !job) return html`<${Failure} error=${error} title="This job cannot be shown" />`;
	if (!job) return html`<${Waiting} />`;
	return html`
		<${Heading} job=${job} lost=${run.lost} />
		<${Warnings} warnings=${job.warnings} />
		${job.error && html`<${Failure} error=${{ message: job.error.message, errors: [] }} title="Training failed" />`}
		<${Figures} job=${job} points=${run.points} live=${run.live} />
		${job.result && html`<${Outcome} job=${job} />`}
	`;
}

const spokenScore = (job) => `${word(mainMetric(job.task))} ${metric(mainMetric(job.task), job.result.metrics[mainMetric(job.task)])}`;

function Heading({ job, lost }) {
	const [error, setError] = useState(null);
	const again = () => {
		Object.assign(draft, { dataset: job.dataset, job });
		go("datasets", job.dataset);
	};
	const cancel = () => api.cancel(job.id).catch(setError);
	const { fraction } = job.progress;
	return html`
		<div class="heading">
			<div>
				<h1>${job.result ? html`<a href=${link("models", job.model)}>${job.model}</a>` : job.model} <${Status} state=${job.state} /></h1>
				<p class="quiet">Predicts ${job.target} from ${plural(job.features.length, "column")} · ${layers(job.network)} · ${word(job.training.optimizer.name)} at ${number(job.training.optimizer.learning_rate)} · seed ${job.seed}
					${job.queue_position ? ` · place ${job.queue_position} in the queue` : ""}${lost && !isFinal(job) ? " · reconnecting" : ""}</p>
			</div>
			<div class="actions">
				${!isFinal(job) && html`<button type="button" class="plain" disabled=${job.state === "cancelling"} onClick=${cancel}>Stop</button>`}
				<button type="button" class="plain" onClick=${again}>Train again</button>
			</div>
		</div>
		<${Failure} error=${error} />
		${!isFinal(job) && html`<div class="progress" role="progressbar" aria-label="Training" aria-valuemin="0" aria-valuemax="100" aria-valuenow=${Math.round(100 * fraction)}><i style=${{ width: `${100 * fraction}%` }}></i></div>`}
	`;
}

function Figures({ job, points: all, live }) {
	const [log, setLog] = useState(false);
	const shown = useRevealed(all.length, live);
	const points = useMemo(() => all.slice(0, shown), [all, shown]);
	const x = useMemo(() => points.map((point) => point.epoch), [points]);
	const of = (key) => points.map((point) => point[key]);
	const each = (key) => (points[0]?.[key] ?? []).map((_, layer) => points.map((point) => point[key][layer]));
	const pair = (key) => [
		{ label: "train", color: "series-1", values: of(`train_${key}`) },
		...(job.training.validation ? [{ label: "validation", color: "series-2", values: of(`validation_${key}`) }] : []),
	];
	const perLayer = (key, name) => each(key).map((values, index) => ({ label: name(index), color: series(index), values }));
	const isClasses = job.task !== "regression";
	const score = isClasses ? "Accuracy" : "R²";
	const mark = job.result?.best_epoch;
	const hidden = job.network.layers.length;
	return html`
		<${Tiles} job=${job} point=${points.at(-1)} />
		<div class="figures">
			<section class="card main">
				<${Chart} title="Loss" note=${word(job.training.loss)} x=${x} lines=${pair("loss")} mark=${mark} floor=${log ? undefined : 0} log=${log} height=${268}
					control=${html`<label class="toggle"><input type="checkbox" checked=${log} onChange=${() => setLog(!log)} />log</label>`} />
			</section>
			<section class="card side" aria-labelledby="inside">
				<header><h2 id="inside">${job.result ? "Result" : "Inside the network"}</h2></header>
				${job.result
					? html`<${Result} of=${job.result} task=${job.task} rows=${job.training.validation ? "validation" : "training"} />`
					: html`<${Diagram} inputs=${job.features.length} layers=${job.network.layers} target=${job.target} saturation=${points.at(-1)?.saturation} />`}
			</section>
			<section class="card"><${Chart} title=${score} x=${x} lines=${pair("score")} mark=${mark} ceiling=${1} format=${isClasses ? share : number} /></section>
			<section class="card"><${Chart} title="Gradient norm" note="per layer" x=${x} lines=${perLayer("gradient_norms", (index) => (index === hidden ? "output" : `layer ${index + 1}`))} log=${true} format=${(value) => number(value, 2)} /></section>
			${hidden > 0 && html`<section class="card"><${Chart} title="Saturation" note="units on the flat part" x=${x} lines=${perLayer("saturation", (index) => `layer ${index + 1}`)} floor=${0} format=${share} /></section>`}
		</div>
	`;
}

const share = (value) => percent(value, 1).replace(".0 %", " %");

function Tiles({ job, point }) {
	const key = mainMetric(job.task);
	const { progress } = job;
	const epoch = job.result || !point ? Math.floor(progress.epoch) : point.epoch;
	const tiles = [
		job.result
			? [word(key), metric(key, job.result.metrics[key]), `baseline ${metric(key, job.result.baseline[key])}`]
			: [word(key), point ? metric(key, point.validation_score ?? point.train_score) : "–", job.training.validation ? "validation" : "training rows"],
		["Epoch", count(epoch), job.result ? `best ${count(job.result.best_epoch)}, ${word(job.result.stop_reason)}` : `of ${count(progress.epochs)}`],
		["Time", duration(elapsed(job)), !isFinal(job) && progress.eta_seconds !== null ? `${duration(progress.eta_seconds)} to go` : "training alone"],
		["Speed", progress.epoch > 0 ? number(progress.epoch / elapsed(job), 3) : "–", "epochs a second"],
	];
	return html`<dl class="tiles">${tiles.map(([name, value, note]) => html`<div key=${name}><dt>${name}</dt><dd>${value}<small>${note}</small></dd></div>`)}</dl>`;
}

function Outcome({ job }) {
	const { value: version, error } = useLoaded(() => api.version(job.result.model, job.result.version), [job.id]);
	const { value: dataset } = useLoaded(() => api.dataset(job.dataset).catch(() => null), [job.dataset]);
	if (error) return html`<${Failure} error=${error} title="The model cannot be shown" />`;
	if (!version || dataset === undefined) return html`<${Waiting} />`;
	return html`<${TryOut} version=${version} dataset=${dataset} />`;
}
