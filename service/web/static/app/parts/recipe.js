// The form of a job: layers, how to train, and a name for the model.

import { html } from "../reactive.js";
import { ACTIVATIONS, OPTIMIZERS, SCALINGS } from "../choices.js";
import { word } from "../format.js";
import { Cross, Curve, Plus } from "./icons.js";

export const FIRST = {
	layers: [{ units: 16, activation: "sigmoid" }],
	optimizer: "adam",
	learningRate: OPTIMIZERS.adam,
	epochs: 300,
	patience: 40,
	batch: "",
	l2: 0,
	fraction: 0.2,
	scaling: "standardize",
	seed: "",
	model: "",
};

/** The recipe of a job that ran, to start the next one from. */
export const recipeOf = (job) => ({
	layers: job.network.layers.map(({ units, activation }) => ({ units, activation })),
	optimizer: job.training.optimizer.name,
	learningRate: job.training.optimizer.learning_rate,
	epochs: job.training.epochs,
	patience: job.training.early_stopping?.patience ?? 0,
	batch: job.training.batch_size,
	l2: job.training.l2,
	fraction: job.training.validation?.fraction ?? 0,
	scaling: job.preprocessing.scaling,
	seed: job.seed,
	model: job.model,
});

/** The body of `POST /v1/jobs`. */
export const requestOf = (recipe, { dataset, target, features }) => ({
	dataset,
	target,
	...(recipe.model && { model: recipe.model }),
	...(features && { features }),
	preprocessing: { scaling: recipe.scaling },
	network: { layers: recipe.layers },
	training: {
		optimizer: { name: recipe.optimizer, learning_rate: recipe.learningRate },
		epochs: recipe.epochs,
		batch_size: recipe.batch === "" ? "auto" : recipe.batch,
		l2: recipe.l2,
		validation: recipe.fraction > 0 ? { fraction: recipe.fraction } : null,
		early_stopping: recipe.fraction > 0 && recipe.patience > 0 ? { patience: recipe.patience } : null,
	},
	...(recipe.seed !== "" && { seed: recipe.seed }),
});

export function Recipe({ recipe, change, modelHint }) {
	const set = (key) => (value) => change({ ...recipe, [key]: value });
	const setLayer = (index, part) => set("layers")(recipe.layers.map((layer, at) => (at === index ? { ...layer, ...part } : layer)));
	const last = recipe.layers.at(-1) ?? FIRST.layers[0];
	return html`
		<fieldset class="layers">
			<legend>Hidden layers</legend>
			${recipe.layers.map((layer, index) => html`<div class="layer" key=${index}>
				<span class="ordinal" aria-hidden="true">${index + 1}</span>
				<${NumberField} label="Units" within=${`Layer ${index + 1}`} value=${layer.units} min="1" max="4096" step="1" onValue=${(units) => setLayer(index, { units })} />
				<label class="field"><span>Activation</span>
					<span class="joined"><${Curve} name=${layer.activation} />
					<select aria-label=${`Layer ${index + 1}: activation`} value=${layer.activation} onChange=${(event) => setLayer(index, { activation: event.target.value })}>
						${Object.keys(ACTIVATIONS).map((name) => html`<option value=${name} selected=${name === layer.activation}>${word(name)}</option>`)}
					</select></span>
				</label>
				<button class="icon" type="button" aria-label=${`Remove layer ${index + 1}`} onClick=${() => set("layers")(recipe.layers.filter((_, at) => at !== index))}><${Cross} /></button>
			</div>`)}
			<button class="plain" type="button" disabled=${recipe.layers.length >= 16} onClick=${() => set("layers")([...recipe.layers, { ...last }])}><${Plus} />Add a layer</button>
			${recipe.layers.length === 0 && html`<p class="quiet">No hidden layer: a linear model.</p>`}
		</fieldset>
		<div class="fields">
			<${NumberField} label="Epochs" value=${recipe.epochs} min="1" max="100000" step="1" onValue=${set("epochs")} />
			<${NumberField} label="Learning rate" value=${recipe.learningRate} min="0.000001" max="100" step="any" onValue=${set("learningRate")} />
			<${Choice} label="Optimiser" value=${recipe.optimizer} values=${Object.keys(OPTIMIZERS)}
				onValue=${(optimizer) => change({ ...recipe, optimizer, learningRate: OPTIMIZERS[optimizer] })} />
		</div>
		<details>
			<summary>More settings</summary>
			<div class="fields">
				<${NumberField} label="Batch size" value=${recipe.batch} hint="auto" min="1" max="65536" step="1" optional onValue=${set("batch")} />
				<${NumberField} label="L2 penalty" value=${recipe.l2} min="0" max="1000000" step="any" onValue=${set("l2")} />
				<${NumberField} label="Share for validation" value=${recipe.fraction} min="0" max="0.9" step="any" onValue=${set("fraction")} />
				<${NumberField} label="Patience, epochs" value=${recipe.patience} min="0" max="100000" step="1" onValue=${set("patience")} />
				<${Choice} label="Scaling" value=${recipe.scaling} values=${Object.keys(SCALINGS)} words=${SCALINGS} onValue=${set("scaling")} />
				<${NumberField} label="Seed" value=${recipe.seed} hint="chosen for you" min="0" max=${2 ** 53 - 1} step="1" optional onValue=${set("seed")} />
			</div>
		</details>
		<label class="field"><span>Model name</span>
			<input value=${recipe.model} placeholder=${modelHint} pattern="[a-z0-9][a-z0-9._\\-]*" maxlength="100" autocomplete="off" spellcheck=${false}
				title="Lower-case letters, digits, dot, dash, underscore" onInput=${(event) => set("model")(event.target.value)} />
		</label>
	`;
}

function NumberField({ label, within, value, hint, optional, onValue, ...limits }) {
	const read = (event) => {
		const text = event.target.value;
		if (text === "" ? optional : Number.isFinite(Number(text))) onValue(text === "" ? "" : Number(text));
	};
	return html`<label class="field"><span>${label}</span>
		<input type="number" inputmode="decimal" value=${value} placeholder=${hint} required=${!optional} aria-label=${within ? `${within}: ${label.toLowerCase()}` : null} onInput=${read} ...${limits} />
	</label>`;
}

function Choice({ label, value, values, words = {}, onValue }) {
	return html`<label class="field"><span>${label}</span>
		<select value=${value} onChange=${(event) => onValue(event.target.value)}>
			${values.map((name) => html`<option value=${name} selected=${name === value}>${words[name] ?? word(name)}</option>`)}
		</select>
	</label>`;
}
