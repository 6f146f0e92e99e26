// Colours of the style sheet for what is painted on a canvas.

import { signal } from "./reactive.js";

const probe = document.createElement("span");
probe.hidden = true;
const known = new Map();

/** The colour that `var(--name)` is at present, as the canvas wants it. */
export function ink(name) {
	if (!known.has(name)) {
		if (!probe.isConnected) document.body.append(probe);
		probe.style.color = `var(--${name})`;
		known.set(name, getComputedStyle(probe).color);
	}
	return known.get(name);
}

/** Counts changes of the colours; whoever paints listens. */
export const painted = signal(0);
export function repaint() {
	known.clear();
	painted.value += 1;
}

const SERIES = 6;
export const series = (index) => `series-${(index % SERIES) + 1}`;
