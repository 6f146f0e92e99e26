// What every part of the page is made of: elements, state of a component, state of the page.

import { useEffect, useState } from "../vendor/htm-preact/standalone.module.js";

export { html, render, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../vendor/htm-preact/standalone.module.js";

/** A value of the page that components follow with `useSignal`. */
export function signal(value) {
	const listeners = new Set();
	return {
		get value() {
			return value;
		},
		set value(next) {
			value = next;
			for (const listener of listeners) listener(next);
		},
		follow(listener) {
			listeners.add(listener);
			listener(value);
			return () => listeners.delete(listener);
		},
	};
}

/** A signal's value; the component is drawn again when it changes. */
export function useSignal(signal) {
	const [, show] = useState(signal.value);
	useEffect(() => signal.follow(show), [signal]);
	return signal.value;
}

/** What a promise gave: {value}, {error}, or {} while it is under way. `keys` start it anew. */
export function useLoaded(load, keys) {
	const [state, setState] = useState({ keys });
	useEffect(() => {
		let wanted = true;
		setState({ keys });
		load().then(
			(value) => wanted && setState({ value, keys }),
			(error) => wanted && setState({ error, keys }),
		);
		return () => (wanted = false);
	}, keys);
	// Until the effect above has run, the state still belongs to the former keys.
	return state.keys.every((key, index) => key === keys[index]) ? state : {};
}
