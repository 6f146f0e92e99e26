// What a model of one or two numbers learned, over its data.

import { html, useEffect, useLayoutEffect, useRef, useSignal, useState } from "../reactive.js";
import * as api from "../api.js";
import { ink, painted, series } from "../ink.js";

const GRID = 56;
const POINTS = 500;

export function isDrawable({ task, signature: { features, target: its } }) {
	const numbers = features.every((feature) => feature.type === "number" && feature.max > feature.min);
	return numbers && !(its.targets || its.quantiles) && (task === "regression" ? features.length === 1 : features.length === 2);
}

export function Picture({ version, dataset, row, onPick }) {
	const canvas = useRef();
	const [scene, setScene] = useState(null);
	const repainted = useSignal(painted);
	useEffect(() => {
		let wanted = true;
		load(version, dataset).then((found) => wanted && setScene(found), () => {});
		return () => (wanted = false);
	}, [version.model, version.version]);
	useLayoutEffect(() => {
		if (scene) paint(canvas.current, scene, row);
	}, [scene, row, repainted]);
	const pick = (event) => {
		if (!scene || scene.curve || (event.type === "pointermove" && event.buttons !== 1)) return;
		const box = canvas.current.getBoundingClientRect();
		const at = [(event.clientX - box.left) / box.width, 1 - (event.clientY - box.top) / box.height];
		onPick(Object.fromEntries(scene.axes.map((axis, index) => [axis.name, (axis.low + at[index] * (axis.high - axis.low)).toPrecision(4)])));
	};
	const [x, y] = scene?.axes ?? [];
	return html`<figure class="picture">
		<canvas ref=${canvas} role="img" aria-label=${scene ? `What the model answers for every ${x.name} and ${y.name}, with rows of the data` : "Being painted"}
			class=${scene?.curve ? "" : "pickable"} onPointerDown=${pick} onPointerMove=${pick}></canvas>
		${scene && html`<figcaption class="quiet"><span>${x.name} →</span> <span>${y.name} ↑</span></figcaption>`}
	</figure>`;
}

const widened = (name, low, high) => ({ name, low: low - 0.06 * (high - low), high: high + 0.06 * (high - low) });
const steps = (axis) => Array.from({ length: GRID }, (_, index) => axis.low + ((index + 0.5) / GRID) * (axis.high - axis.low));

async function load(version, dataset) {
	const { features, target } = version.signature;
	const data = await someRows(dataset);
	const axes = features.map((feature) => widened(feature.name, feature.min, feature.max));
	if (axes.length === 1) {
		const at = steps(axes[0]);
		const { predictions } = await api.predict(version.model, version.version, at.map((value) => [value]));
		const curve = predictions.map((prediction) => prediction.value);
		const heights = [...curve, ...data.map((row) => row[version.target]).filter(Number.isFinite)];
		axes.push(widened(version.target, Math.min(...heights), Math.max(...heights)));
		const points = data.map((row) => ({ at: axes.map((axis) => row[axis.name]), color: series(0) }));
		return { axes, points, curve: at.map((value, index) => [value, curve[index]]) };
	}
	const [across, up] = axes.map(steps);
	const grid = up.flatMap((y) => across.map((x) => [x, y]));
	const { predictions } = await api.predict(version.model, version.version, grid);
	const labels = Object.keys(predictions[0].probabilities);
	const field = predictions.map((prediction) => labels.map((label) => prediction.probabilities[label]));
	const places = new Map(labels.map((label, index) => [label, index]));
	const points = data.map((row) => ({ at: axes.map((axis) => row[axis.name]), color: series(places.get(String(row[target.name ?? version.target])) ?? 0) }));
	return { axes, points, field, classes: labels.length };
}

/** Some hundred rows from all over it. */
async function someRows(dataset) {
	const pages = Math.min(POINTS / 100, Math.ceil(dataset.rows / 100));
	const starts = Array.from({ length: pages }, (_, index) => Math.floor((index * dataset.rows) / pages));
	const found = await Promise.all(starts.map((start) => api.rows(dataset.id, start, 100)));
	return found.flatMap((page) => page.data);
}

function paint(canvas, { axes, points, field, curve, classes }, row) {
	const size = Math.round(canvas.clientWidth * devicePixelRatio);
	const tall = Math.round(canvas.clientHeight * devicePixelRatio);
	Object.assign(canvas, { width: size, height: tall });
	const ctx = canvas.getContext("2d");
	const place = (at) => [
		((at[0] - axes[0].low) / (axes[0].high - axes[0].low)) * size,
		tall - ((at[1] - axes[1].low) / (axes[1].high - axes[1].low)) * tall,
	];
	if (field) {
		ctx.imageSmoothingQuality = "high";
		ctx.drawImage(washed(field, classes), 0, 0, size, tall);
	}
	for (const point of points) {
		ctx.beginPath();
		ctx.arc(...place(point.at), 2.6 * devicePixelRatio, 0, 7);
		ctx.fillStyle = ink(point.color);
		ctx.fill();
		ctx.lineWidth = 0.8 * devicePixelRatio;
		ctx.strokeStyle = ink("surface");
		ctx.stroke();
	}
	if (curve) {
		ctx.beginPath();
		curve.forEach((at) => ctx.lineTo(...place(at)));
		ctx.lineWidth = 2.5 * devicePixelRatio;
		ctx.strokeStyle = ink("series-2");
		ctx.stroke();
	} else if (axes.every((axis) => Number.isFinite(row[axis.name]))) {
		ctx.beginPath();
		ctx.arc(...place(axes.map((axis) => row[axis.name])), 7 * devicePixelRatio, 0, 7);
		ctx.lineWidth = 2 * devicePixelRatio;
		ctx.strokeStyle = ink("ink");
		ctx.stroke();
	}
}

/** One pixel a grid cell: the mean of the classes' colours, weighed by probability. */
function washed(field, classes) {
	const small = document.createElement("canvas");
	small.width = small.height = GRID;
	const ctx = small.getContext("2d", { willReadFrequently: true });
	const image = ctx.createImageData(GRID, GRID);
	const colors = Array.from({ length: classes }, (_, index) => rgb(ctx, ink(series(index))));
	const ground = rgb(ctx, ink("surface"));
	field.forEach((chances, index) => {
		const at = 4 * ((GRID - 1 - Math.floor(index / GRID)) * GRID + (index % GRID));
		for (let part = 0; part < 3; part += 1) {
			const mixed = chances.reduce((sum, chance, label) => sum + chance * colors[label][part], 0);
			image.data[at + part] = 0.42 * mixed + 0.58 * ground[part];
		}
		image.data[at + 3] = 255;
	});
	ctx.putImageData(image, 0, 0);
	return small;
}

function rgb(ctx, color) {
	ctx.fillStyle = color;
	ctx.fillRect(0, 0, 1, 1);
	return ctx.getImageData(0, 0, 1, 1).data;
}
