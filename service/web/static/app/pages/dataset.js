// One data set: what is in it, what to predict, and with which network.

import { html, useEffect, useLoaded, useState } from "../reactive.js";
import * as api from "../api.js";
import { likelyTarget } from "../choices.js";
import { count, plural } from "../format.js";
import { draft } from "../draft.js";
import { go } from "../router.js";
import { Diagram } from "../parts/diagram.js";
import { Failure, Waiting, Warnings } from "../parts/notice.js";
import { Profile } from "../parts/profile.js";
import { FIRST, Recipe, recipeOf, requestOf } from "../parts/recipe.js";

export function Dataset({ id }) {
	const { value, error } = useLoaded(() => api.dataset(id), [id]);
	if (error) return html`<${Failure} error=${error} title="This data set cannot be shown" />`;
	return value ? html`<${Form} dataset=${value} />` : html`<${Waiting} />`;
}

function Form({ dataset }) {
	const former = draft.dataset === dataset.id ? draft.job : null;
	const [target, setTarget] = useState(former?.target ?? likelyTarget(dataset.columns));
	const [ignored, setIgnored] = useState(() => new Set(former ? leftOut(former, dataset) : []));
	const [recipe, setRecipe] = useState(former ? recipeOf(former) : { ...FIRST, model: nameOf(dataset) });
	const [state, setState] = useState({});
	useEffect(() => (document.title = `${dataset.name} · Sigmoid`), []);

	const ignore = (name, isIgnored) => {
		const next = new Set(ignored);
		isIgnored ? next.add(name) : next.delete(name);
		setIgnored(next);
	};
	const inputs = dataset.columns.filter((column) => column.name !== target && column.type !== "text" && !ignored.has(column.name));
	const goal = dataset.columns.find((column) => column.name === target);
	const train = async (event) => {
		event.preventDefault();
		setState({ busy: true });
		const features = ignored.size ? inputs.map((column) => column.name) : null;
		try {
			const job = await api.submit(requestOf(recipe, { dataset: dataset.id, target, features }));
			go("jobs", job.id);
		} catch (error) {
			setState({ error });
		}
	};
	return html`
		<div class="heading">
			<h1>${dataset.name}</h1>
			<p class="quiet">${plural(dataset.rows, "row")}, ${plural(dataset.columns.length, "column")}${dataset.source?.licence && ` · ${dataset.source.licence}`}</p>
		</div>
		<${Warnings} warnings=${dataset.warnings} />
		<form class="columns" onSubmit=${train}>
			<section class="card" aria-labelledby="data">
				<header><h2 id="data">Data</h2><span class="quiet">${count(inputs.length)} in, 1 to predict</span></header>
				<${Profile} dataset=${dataset} target=${target} ignored=${ignored} onTarget=${setTarget} onIgnore=${ignore} />
			</section>
			<section class="card sticky" aria-labelledby="network">
				<header><h2 id="network">Network</h2></header>
				<${Diagram} inputs=${inputs.length} layers=${recipe.layers} target=${target ?? "target"} outputs=${goal && goal.type !== "number" && goal.distinct > 2 ? goal.distinct : 1} />
				<${Recipe} recipe=${recipe} change=${setRecipe} modelHint=${target} />
				<${Failure} error=${state.error} title="The job was refused" />
				<button class="primary wide" type="submit" disabled=${state.busy || !target || inputs.length === 0}>${state.busy ? "Sending …" : `Train to predict ${target}`}</button>
			</section>
		</form>
	`;
}

const leftOut = (job, dataset) =>
	dataset.columns.filter((column) => column.type !== "text" && column.name !== job.target && !job.features.includes(column.name)).map((column) => column.name);
const nameOf = (dataset) => dataset.name.toLowerCase().replace(/[^a-z0-9._-]+/g, "-").replace(/^[^a-z0-9]+/, "").slice(0, 100);
