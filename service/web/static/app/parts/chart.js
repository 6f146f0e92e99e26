// One curve chart: uPlot inside, our own legend above it, and words for those who do not see it.

import { html, useEffect, useLayoutEffect, useRef, useSignal, useState } from "../reactive.js";
import { ink, painted } from "../ink.js";
import { number } from "../format.js";

/**
 * x: epochs; lines: [{label, color (name of a style variable), values, dash}]; `mark`: an epoch
 * to point out; `floor`/`ceiling`: fixed ends of the y axis; `log`: a logarithmic one.
 */
export function Chart({ title, note, x, lines, mark, floor, ceiling, log = false, height = 200, format = number, control }) {
	const frame = useRef();
	const plot = useRef();
	const latest = useRef({});
	const [hovered, setHovered] = useState(null);
	const repainted = useSignal(painted);
	latest.current = { mark, floor, ceiling, format };

	useLayoutEffect(() => {
		const chart = new uPlot(options({ lines, log, size: sizeOf(frame.current.getBoundingClientRect()), latest, setHovered }), data(x, lines, log), frame.current);
		plot.current = chart;
		const observer = new ResizeObserver(([entry]) => chart.setSize(sizeOf(entry.contentRect)));
		observer.observe(frame.current);
		return () => {
			observer.disconnect();
			chart.destroy();
		};
	}, [lines.length, log]);
	useEffect(() => plot.current.setData(data(x, lines, log)), [x, mark]);
	useEffect(() => plot.current.redraw(false, true), [repainted]);

	const at = hovered !== null && hovered < x.length ? hovered : x.length - 1;
	const spoken = x.length
		? `${title} after ${x.at(-1)} epochs: ${lines.map((line) => `${line.label} ${format(line.values.at(-1))}`).join(", ")}`
		: `${title}: no epoch yet`;
	return html`<figure class="chart">
		<figcaption>
			<h3>${title}</h3>
			${note && html`<span class="quiet">${note}</span>`}
			${control}
			<ul class="legend" aria-hidden="true">
				${lines.map((line) => html`<li key=${line.label}>
					<i class=${line.dash ? "swatch dashed" : "swatch"} style=${{ color: `var(--${line.color})` }}></i>${line.label}
					<b>${at >= 0 ? format(line.values[at]) : "–"}</b>
				</li>`)}
				${hovered !== null && at >= 0 && html`<li class="quiet">epoch ${x[at]}</li>`}
			</ul>
		</figcaption>
		<div ref=${frame} class="plot" role="img" aria-label=${spoken} style=${{ minHeight: `${height}px` }}></div>
	</figure>`;
}

// A logarithm wants positive numbers; a gap is honest for the others.
const data = (x, lines, log) => [x, ...lines.map((line) => (log ? line.values.map((value) => (value > 0 ? value : null)) : line.values))];

const sizeOf = ({ width, height }) => ({ width: Math.floor(width), height: Math.floor(height) });
const isPowerOfTen = (value) => Math.abs(Math.log10(value) % 1) < 1e-6;

function options({ lines, log, size, latest, setHovered }) {
	const axis = {
		stroke: () => ink("muted"),
		font: "11px Inter, system-ui, sans-serif",
		ticks: { show: false },
		grid: { stroke: () => ink("line"), width: 1 },
	};
	const powers = log && { filter: (chart, ticks) => ticks.map((tick) => (isPowerOfTen(tick) ? tick : null)) };
	return {
		...size,
		padding: [8, 12, 0, 0],
		legend: { show: false },
		cursor: { y: false, sync: { key: "epochs" }, points: { size: 7 }, drag: { x: true, y: false } },
		scales: {
			x: { time: false },
			y: {
				distr: log ? 3 : 1,
				range: (chart, low, high) => {
					const { floor, ceiling } = latest.current;
					if (log) return uPlot.rangeLog(low ?? 0.1, high ?? 1, 10, false);
					const [from, to] = uPlot.rangeNum(low ?? 0, high ?? 1, 0.08, true);
					return [floor ?? from, ceiling ?? to];
				},
			},
		},
		axes: [
			{ ...axis, grid: { show: false }, space: 60, size: 28, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4] },
			{ ...axis, grid: { ...axis.grid, ...powers }, size: 52, space: 34, values: (chart, ticks) => ticks.map((tick) => (tick === null ? "" : latest.current.format(tick, 3))) },
		],
		series: [
			{},
			...lines.map((line) => ({
				label: line.label,
				stroke: () => ink(line.color),
				width: 2,
				dash: line.dash,
				points: { show: (chart) => chart.data[0].length < 3, size: 5 },
			})),
		],
		hooks: {
			setCursor: [(chart) => setHovered(chart.cursor.idx ?? null)],
			drawAxes: [(chart) => drawMark(chart, latest.current.mark)],
		},
	};
}

function drawMark(chart, epoch) {
	if (!epoch) return;
	const { ctx, bbox } = chart;
	const left = Math.round(chart.valToPos(epoch, "x", true)) + 0.5;
	if (left < bbox.left || left > bbox.left + bbox.width) return;
	ctx.save();
	ctx.strokeStyle = ctx.fillStyle = ink("muted");
	ctx.lineWidth = devicePixelRatio;
	ctx.setLineDash([3 * devicePixelRatio, 4 * devicePixelRatio]);
	ctx.beginPath();
	ctx.moveTo(left, bbox.top);
	ctx.lineTo(left, bbox.top + bbox.height);
	ctx.stroke();
	ctx.font = `${11 * devicePixelRatio}px Inter, system-ui, sans-serif`;
	if (chart.height < 240) return ctx.restore();
	const isRight = left > bbox.left + bbox.width / 2;
	ctx.textAlign = isRight ? "right" : "left";
	ctx.fillText("best epoch", left + (isRight ? -6 : 6) * devicePixelRatio, bbox.top + 12 * devicePixelRatio);
	ctx.restore();
}
